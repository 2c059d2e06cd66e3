"""The scenes of several nodes, each of which is handed over after each step."""

import gc
import re
from typing import Any

import pytest

from tests.cluster import test_answers, test_calls, test_lines, test_names, test_tunnel
from tests.exchange import test_blocks, test_held
from tests.exchange import test_calls as test_calls_of_one
from tests.handover.test_scenes import scenes_of
from tests.sessions import test_json_states
from tests.support.cluster_exchange import Network
from tests.support.cluster_scenes import Across, play_across
from tests.support.handed_over import hand_over
from tests.support.transcript import play, scenes
from tests.wire import test_flow

OF_NODES = (
    *(test_answers.SCENES, test_calls.SCENES, test_lines.SCENES, test_names.SCENES),
    test_tunnel.SCENES,
)

OTHERWISE = (
    # What was asked is asked again, if not taken back: sooner, and with more that is on its way.
    "The list comes when the node is gone",
    "Who asks who is here all the time",
    "There are no tunnels through tunnels",
    "A call is refused if this node is cut off before",
    "It is sent once, however often it is asked where the user is",
    "Nobody can tell where a user is",
    "Who is about to come to this node is called once here",
)
"""The beginnings of scenes in which a handover changes something."""


def going_on(*transcripts: str) -> list[Any]:
    """Return the scenes in which nodes do not stop, as such a node is not handed over."""
    parameters = scenes("".join(transcripts)).args[1]
    found = [one for one in parameters if not re.search(r"node \w stops", one.values[0])]
    return [one for one in found if not one.id.startswith(OTHERWISE)]


@pytest.mark.parametrize("scene", going_on(*OF_NODES))
def test_scenes_of_nodes(scene: str) -> None:
    play_across(scene, after=hand_over)


@scenes_of(
    *(test_json_states.test_json, test_calls_of_one.test_calls),
    *(test_blocks.test_blocks, test_held.test_held_lines, test_flow.test_flow),
)
def test_scenes_across_nodes(scene: str) -> None:
    play(Across(), scene, after=hand_over)


def test_who_leaves_before_it_is_asked_again_is_no_error(logged: list[str]) -> None:
    network = Network("a", "b")
    node = network.node("a")
    network.link("a", "b").held = True
    alice = node.enter("alice")
    alice.says("/who")
    hand_over(node, meanwhile=alice.drops)
    gc.collect()  # which tells of an error that nobody has handled
    assert [line.split()[0] for line in logged] == ["came:", "went:"]
