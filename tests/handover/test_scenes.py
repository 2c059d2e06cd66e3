"""The scenes of the exchange, handed over after each step: nobody is told anything else."""

from itertools import chain

import pytest

from chatpair.exchange.recalled_inbox import ARRIVAL_SECONDS
from chatpair.protocol import ChatProtocol
from chatpair.wire.turns import TELNET_BYTES_A_TURN
from tests.exchange import test_blocks, test_calls, test_held, test_paces
from tests.passwords import test_passwords
from tests.sessions import test_json_states, test_protocol, test_states
from tests.support.accounts import known
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
    play(Exchange(known(**test_passwords.SECRET)), scene, after=hand_over)


def test_what_was_repeated_and_has_arrived_is_forgotten_though_it_is_handed_over(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = exchange.pair()
    key = test_held.key_of(bob)
    alice.says("one")
    bob.drops()
    bob = test_held.back(exchange, key)
    assert len(bob.heard()) == 3
    hand_over(exchange)
    with monkeypatch.context() as arrived:
        arrived.setattr(ChatProtocol, "is_all_delivered", lambda _: True)
        exchange.clock.advance(ARRIVAL_SECONDS)
    monkeypatch.setattr(ChatProtocol, "is_all_delivered", lambda _: False)
    bob.drops()
    assert len(test_held.back(exchange, key).heard()) == 2


def test_telnet_is_read_in_small_portions_after_it_too(exchange: Exchange) -> None:
    alice = exchange.connect()
    alice.sends(b"\xff\xf2")  # IAC DM
    hand_over(exchange)
    assert alice.transport.bufferSize == TELNET_BYTES_A_TURN
