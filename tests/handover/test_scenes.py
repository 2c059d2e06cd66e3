"""The scenes of the exchange, handed over after each step: nobody is told anything else."""

from itertools import chain

import pytest

from tests.exchange import test_blocks, test_calls, test_held, test_paces
from tests.passwords import test_passwords
from tests.sessions import test_json_states, test_protocol, test_states
from tests.support.accounts import Guarded, known
from tests.support.exchange import Exchange
from tests.support.handed_over import hand_over
from tests.support.transcript import play
from tests.wire import test_end, test_flow

TESTS = (
    *(test_states.test_states, test_json_states.test_json, test_json_states.test_json_of_one_node),
    *(test_calls.test_calls, test_blocks.test_blocks, test_blocks.test_blocks_of_one_node),
    *(test_held.test_held_lines, test_paces.test_who_is_slowed, test_protocol.test_a_connection),
    *(test_end.test_the_end, test_flow.test_flow),
)


def scenes_of(*tests: object) -> pytest.MarkDecorator:
    """Hand a test all scenes that others have."""
    marks = chain.from_iterable(getattr(test, "pytestmark", ()) for test in tests)
    scenes = chain.from_iterable(mark.args[1] for mark in marks if mark.args[0] == "scene")
    going_on = [scene for scene in scenes if "the server stops" not in scene.values[0]]
    return pytest.mark.parametrize("scene", going_on)


@scenes_of(*TESTS)
def test_scenes(exchange: Exchange, scene: str) -> None:
    play(exchange, scene, after=hand_over)


@scenes_of(test_passwords.test_passwords)
def test_passwords_are_asked_for_again(scene: str) -> None:
    play(Guarded(known(**test_passwords.SECRET)), scene, after=hand_over)
