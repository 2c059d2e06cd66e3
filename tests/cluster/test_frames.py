"""Frames that arrive as they were sent, and data that is none."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair.cluster import frames
from chatpair.cluster.frames import Frame, decode, encode
from chatpair.exchange.names import parse

FRAMES: list[Frame] = [
    frames.Call(1, 2, parse("Ann"), "192.0.2.1", 3.5, "bob"),
    frames.Cancel(1, 2),
    frames.Accepted(1, 2, 3, parse("grün"), None),
    frames.Rings(1, 2, 3, parse("bob"), "::1"),
    frames.Refused(1, 2),
    frames.Refused(1, 2, "busy", "bob is talking with someone else."),
    frames.Unanswered(1, 2),
    frames.Left(1, 2, "switched"),
    frames.Away(1, 2, True),
    frames.Typing(1, 2),
    frames.Flow(1, 2, False),
    frames.Lines(1, 2, 3.5, b"one\ntwo\n"),
    frames.Said(1, 2, 3.5, "one\ntwo", 7),
    frames.Settled(1, [7, 8], "failed", "lost"),
    frames.Ask(1),
    frames.Answer(1, [("Bob", "bob", True)], 201),
    frames.AskKey(1, "a-b-c", None, True),
    frames.AnswerKey(1, False),
    frames.AskHost(1, "bob"),
    frames.AnswerHost(1, "192.0.2.1"),
    frames.TunnelOpen(1, "192.0.2.1", True, False),
    frames.TunnelSent(1, b"Back:a-b-c\n"),
    frames.TunnelRead(1, 11),
    frames.TunnelTold(1, b"OK\r\n", False),
    frames.TunnelHanded(1, 4),
    frames.TunnelEnd(1, False),
    frames.TunnelLost(1, True),
    frames.TunnelClose(1, False),
]


def test_frames_arrive_as_they_were_sent() -> None:
    assert decode(encode(FRAMES)) == FRAMES
    assert decode(encode([])) == []


def test_all_frames_are_tried_here() -> None:
    assert {type(frame) for frame in FRAMES} == set(Frame.__subclasses__())


def test_no_secret_is_in_a_log() -> None:
    assert not any("a-b-c" in repr(frame) for frame in FRAMES)


@pytest.mark.parametrize(
    "odd", [None, [], [255, 1], [2, 1], [2, 1, "x"], [7, 1, 2, "bored"], [12, 1, 2, 3.5, b"\xff"]]
)
def test_what_is_no_frame_costs_no_other(odd: Any) -> None:
    whole = msgspec.msgpack.encode([FRAMES[1], odd, FRAMES[2]])
    assert decode(whole) == FRAMES[1:3]


def test_a_later_version_may_say_more() -> None:
    assert decode(msgspec.msgpack.encode([[2, 1, 2, "more"]])) == [frames.Cancel(1, 2)]


@given(st.binary() | st.builds(msgspec.msgpack.encode, st.lists(st.lists(st.integers(0, 20)))))
def test_no_data_is_a_fault(data: bytes) -> None:
    assert isinstance(decode(data), list)
