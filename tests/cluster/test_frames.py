"""Frames that arrive as they were sent, and data that is none."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair.cluster import frames
from chatpair.cluster.frames import Frame, decode, encode
from chatpair.exchange import messages
from chatpair.exchange.names import parse

FRAMES: list[Frame] = [
    frames.Call(1, 2, parse("Ann"), "192.0.2.1", 3.5, "bob"),
    frames.Cancel(1, 2),
    frames.Answered(1, 2, messages.Paired("grün"), 3, parse("grün"), "::1"),
    frames.Answered(1, 2, messages.Error("to", "busy", "bob is talking with someone else.")),
    frames.Answered(1, 2, messages.Unanswered("bob")),
    frames.Told(1, 2, messages.Left("bob", "switched")),
    frames.Told(1, 2, messages.Held("bob")),
    frames.Told(1, 2, messages.Back("bob")),
    frames.Told(1, 2, messages.PeerTyping("bob")),
    frames.Told(1, 2, messages.Message("bob", "one\ntwo", messages.Timestamp(3.5)), 7),
    frames.Flow(1, 2, False),
    frames.Lines(1, 2, 3.5, b"one\ntwo\n"),
    frames.Settled(1, [7, 8], "failed", "lost"),
    frames.Ask(1, None),
    frames.Answer(1, frames.List([("bob", "Bob", True)], 201)),
    frames.Ask(1, frames.IsKey("a-b-c", None, True)),
    frames.Answer(1, False),
    frames.Ask(1, "bob"),
    frames.Answer(1, "192.0.2.1"),
    frames.Answer(1, None),
    frames.WrongKey("192.0.2.1"),
    frames.TunnelOpened(-1, "192.0.2.1", True, False),
    frames.TunnelData(-1, b"Back:a-b-c\n"),
    frames.TunnelData(1, b"OK\r\n", True),
    frames.TunnelTaken(1, 11),
    frames.TunnelEnded(1, "cut"),
    frames.NotUnderstood([21, 1, 2, None]),
    frames.Version(1),
]


ODD_EVENTS = [
    [21, 1, 2, event]
    for event in (
        {"event": "left", "peer": "bob", "why": "bored"},
        {"event": "message", "from": "bob", "text": b"\xff", "time": 3.5},
        {"event": "message", "from": "bob", "text": "x", "time": "then"},
        {"event": "message", "from": "bob", "text": "x", "time": None},
        {"event": "free"},
        7,
    )
]


def test_frames_arrive_as_they_were_sent() -> None:
    assert decode(encode(FRAMES)) == FRAMES
    assert decode(encode([])) == []


def test_all_frames_are_tried_here() -> None:
    assert {type(frame) for frame in FRAMES} == {*Frame.__subclasses__()} - {frames.Garbled}


def test_no_secret_is_in_a_log() -> None:
    assert not any("a-b-c" in repr(frame) for frame in FRAMES)


@pytest.mark.parametrize(
    "odd", [None, [], [255, 1, 2, 3, 4, 5], [2, 1], [2, 1, "x"], [13, True, [2], "x"], *ODD_EVENTS]
)
def test_what_is_no_frame_costs_no_other(odd: Any) -> None:
    whole = msgspec.msgpack.encode([FRAMES[1], odd, FRAMES[2]])
    one, garbled, other = decode(whole)
    assert isinstance(garbled, frames.Garbled)
    assert [one, other] == FRAMES[1:3]
    numbers = [each if type(each) is int else None for each in odd or ()][:5]
    assert garbled.head == numbers


def test_a_later_version_may_say_more() -> None:
    assert decode(msgspec.msgpack.encode([[2, 1, 2, "more"]])) == [frames.Cancel(1, 2)]
    assert decode(b"\x91\x91\xa1\xff") == [frames.Garbled([])]  # what was to be a text


@given(st.binary() | st.builds(msgspec.msgpack.encode, st.lists(st.lists(st.integers(0, 20)))))
def test_no_data_is_a_fault(data: bytes) -> None:
    with suppress(msgspec.DecodeError):
        assert all(isinstance(frame, Frame) for frame in decode(data))
