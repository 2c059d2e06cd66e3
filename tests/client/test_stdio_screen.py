"""A talk's standard input and output, without any: the test plays transport and talk."""

import sys
from functools import partial
from io import StringIO
from itertools import count, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from wcwidth import wcwidth

from chatpair.client.screen import Standing
from chatpair.client.stdio import LONGEST, LOSSY, MANY, PipeScreen, PlainScreen, StandardScreen
from chatpair.codecs import json
from chatpair.codecs.cleaning import clean
from chatpair.exchange.messages import JsonEvent, Left, Message, Notice, Paired, Timestamp
from tests.support import any_events
from tests.support.played import HI

BYTES = [b"\n", b"\r\n", b"\r", b"a", b"bc ", b"\t", b"\0", b"\x1b[", b"\xff", b"\xe2\x80"]
CHARACTERS = ["ö", "\u2028", "\x85", "\U0001f600", "\ufeff", "\ud800"]
INPUTS = st.lists(
    st.sampled_from(BYTES + [one.encode(errors="surrogatepass") for one in CHARACTERS])
    | st.binary(max_size=4)
).map(b"".join)
CUTS = st.lists(st.integers(0, 100))


class Talk:
    """What a screen's lines are for: it keeps them, and takes so many of them."""

    def __init__(self, screen: StandardScreen, takes: int, many: bool) -> None:
        self.screen = screen
        self.takes = takes
        self.many = many
        self.texts: list[str] = []
        self.calls: list[str] = []

    def typed(self, text: str) -> None:
        assert self.takes > 0
        assert "input_ended" not in self.calls
        self.texts.append(text)
        self.take(self.takes - 1)

    def take(self, takes: int) -> None:
        """Take so many lines from now on."""
        self.takes = takes
        self.screen.take_lines(takes > 0, self.many)

    def input_ended(self) -> None:
        self.calls.append("input_ended")

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")

    def output_failed(self, why: str) -> None:
        self.calls.append(why)


def opened(
    screen: StandardScreen, takes: int = 1_000_000, many: bool = False
) -> tuple[StringTransport, Talk]:
    """Return the transport of a screen, and a talk that takes so many lines."""
    talk = Talk(screen, takes, many)
    screen.speaker = talk
    transport = StringTransport()
    screen.makeConnection(transport)
    if takes:
        talk.take(takes)
    return transport, talk


def reading(takes: int = 1_000_000, many: bool = False) -> tuple[StandardScreen, Talk]:
    """Return a pipe's screen, and a talk that takes so many lines."""
    screen = PipeScreen(json=False, size=0)
    return screen, opened(screen, takes, many)[1]


def written(screen: StandardScreen, *events: JsonEvent | Notice) -> bytes:
    """Return what a screen writes for events."""
    transport, _ = opened(screen)
    for event in events:
        screen.show(event)  # type: ignore[attr-defined]
    data: bytes = transport.value()
    return data


def test_a_notice_is_one_line_and_steers_nothing() -> None:
    screen = PlainScreen(bell=True)
    transport, _ = opened(screen)
    screen.notice("No\x1b[31m\u202e\nbody\ud800\x9b")
    assert transport.value() == "No[31mbody\ufffd\n".encode()


# Input


@pytest.mark.parametrize(
    ("data", "lossy"),
    [
        ("grüß\tdich\r\n日本語 🙂\n".encode(), False),
        (b"\x1b[1mbold\n", True),
        (b"caf\xe9\n\xff\n", True),
        ("\u202e\n".encode(), True),
    ],
)
def test_a_pipe_is_told_once_what_is_no_text(
    data: bytes, lossy: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    screen, _ = reading()
    for at in range(len(data)):
        screen.dataReceived(data[at : at + 1])
    assert capsys.readouterr().err == (f"{LOSSY}\n" if lossy else "")


@given(INPUTS, CUTS, st.booleans(), st.integers(1, 3))
@example(b"one\r\ntwo", [4], False, 1)
@example(b" \x7f", [1], False, 1)
@example("ö\n".encode(), [1], True, 1)
@example(b"\xe2\x80", [1], False, 1)
@example(b"one\n\x1b", [], False, 1)
@example(b"one\ntwo\nthree\nlast", [12, 16], True, 1)
def test_it_does_not_matter_where_the_bytes_are_cut(
    data: bytes, cuts: list[int], many: bool, takes: int
) -> None:
    screen, talk = reading(takes, many)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        screen.dataReceived(data[begin:end])
        talk.take(takes)
    talk.take(0)
    told = list(talk.texts)
    screen.readConnectionLost()
    assert talk.texts == told
    while "input_ended" not in talk.calls:
        talk.take(takes)
    lines = [clean(line) for line in data.split(b"\n")]
    if not lines[-1]:
        lines.pop()
    assert [line for text in talk.texts for line in text.split("\n")] == lines
    assert many or len(talk.texts) == len(lines)
    assert talk.calls == ["input_ended"]


@given(st.lists(st.integers(0, 3_000), max_size=20), st.integers(1, 5_000))
def test_many_lines_at_once_are_no_long_text(lengths: list[int], size: int) -> None:
    screen, talk = reading(many=True)
    lines = ["x" * length for length in lengths]
    data = "".join(f"{line}\n" for line in lines).encode()
    for begin in range(0, len(data), size):
        screen.dataReceived(data[begin : begin + size])
    assert [line for text in talk.texts for line in text.split("\n")] == lines
    assert all(len(text) <= MANY for text in talk.texts if "\n" in text)


def test_many_lines_come_as_few_texts() -> None:
    screen, talk = reading(many=True)
    screen.dataReceived(b"x\n" * 10_000)
    assert len(talk.texts) == 10
    assert "\n".join(talk.texts) == "\n".join("x" * 10_000)


def test_the_end_of_an_input_without_lines_is_told_at_once() -> None:
    screen, talk = reading(takes=0)
    screen.readConnectionLost()
    assert talk.calls == ["input_ended"]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("end", [b"", b"\nrest", b"\nrest\n"])
def test_a_line_that_may_never_end_comes_in_pieces(end: bytes, many: bool) -> None:
    screen, talk = reading(many=many)
    for _ in range(200):
        screen.dataReceived(b"x" * 1_000)
    assert [len(text) for text in talk.texts] == [LONGEST] * 3
    screen.dataReceived(end)
    screen.readConnectionLost()
    rest = ["rest"] if end else []
    assert talk.texts[3:] == ["x" * (200_000 - 3 * LONGEST), *rest]


def test_a_long_line_that_is_there_already_may_come_as_it_is() -> None:
    screen, talk = reading(takes=0)
    screen.dataReceived(b"x" * 200_000 + b"\nrest\n")
    talk.take(2)
    assert "".join(talk.texts) == "x" * 200_000 + "rest"


@pytest.mark.parametrize("pieces", [1, 2])
def test_no_empty_line_follows_the_last_piece(pieces: int) -> None:
    screen, talk = reading()
    for _ in range(pieces):
        screen.dataReceived(b"x" * LONGEST)
    assert talk.texts == ["x" * LONGEST] * pieces
    screen.dataReceived(b"\r")
    screen.dataReceived(b"\n")
    screen.dataReceived(b"\nrest\n")
    assert talk.texts == ["x" * LONGEST] * pieces + ["", "rest"]


def test_the_input_waits_while_no_line_is_wanted() -> None:
    screen = PlainScreen(bell=True)
    transport, talk = opened(screen, takes=0)
    assert transport.producerState == "paused"
    talk.take(1)
    assert transport.producerState == "producing"
    screen.dataReceived(b"one\ntwo\n")
    assert transport.producerState == "paused"
    talk.take(2)
    assert transport.producerState == "producing"
    talk.take(0)
    assert transport.producerState == "paused"


def test_an_input_that_has_ended_is_neither_stopped_nor_started() -> None:
    screen = PlainScreen(bell=True)
    transport, talk = opened(screen, takes=1)
    screen.readConnectionLost()
    talk.take(0)
    assert transport.producerState == "producing"


# Output


@pytest.mark.parametrize("way", ["writeConnectionLost", "connectionLost", "give_up"])
def test_the_screen_tells_once_that_no_more_will_be_taken(way: str) -> None:
    screen, talk = reading()
    closed: list[None] = []
    screen.closed.addCallback(closed.append)
    getattr(screen, way)()
    screen.give_up()
    assert (closed, talk.calls) == ([None], [])


def test_a_person_sees_all_in_lines() -> None:
    text = "hi\nQuit\x1b[2J\r\x9b"
    message = Message("bob", text, Timestamp(0.0))
    data = written(PlainScreen(bell=True), Paired("bob"), message, Left("bob", "quit"))
    lines = data.decode().split("\n")
    assert [line.partition("] ")[2] or line for line in lines] == [
        *("You are chatting with bob.", "bob: (hi)", "bob: (Quit[2J)", "bob has left.", ""),
    ]
    assert lines[1][:1] == "["


@pytest.mark.parametrize("text", ["bye".ljust(47), "\U0001f44d\U0001f3fd" * 30, "\t" * 9])
def test_what_a_person_sees_of_a_long_line_is_indented(text: str) -> None:
    data = written(PlainScreen(bell=True), Message("bob", f"{text}Quit.", Timestamp(0.0)))
    first, *others = data.decode().splitlines()
    assert [row[:4] for row in others] == ["    "] * len(others)
    assert others
    assert all(sum(map(wcwidth, row)) < 80 for row in (first, *others))


@pytest.mark.parametrize("bell", [True, False])
def test_a_person_may_be_called(bell: bool) -> None:
    screen = PlainScreen(bell=bell)
    transport, _ = opened(screen)
    screen.stands(Standing("alice"))  # which would be many lines
    screen.ring()
    assert transport.value() == b"\a" * bell


def test_a_pipe_s_output_is_what_the_peer_says(capsys: pytest.CaptureFixture[str]) -> None:
    message = Message("bob", "grüß\ndich\x1b[2J\r\x9b", Timestamp(0.0))
    screen = PipeScreen(json=False, size=0)
    data = written(screen, Paired("bob"), message, HI, Notice("x\x1b"), Left("bob", "quit"))
    assert data.decode() == "grüß\ndich[2J\nhi\n"
    screen.notice("Connected again.")
    screen.ask_name()
    screen.ring()
    assert capsys.readouterr() == (
        "",
        "You are chatting with bob.\nx\nbob has left.\nConnected again.\n",
    )


@given(any_events.EVENTS)
def test_a_pipe_s_output_may_be_all_that_happens(event: JsonEvent) -> None:
    told = written(PipeScreen(json=True, size=0), event)
    assert told == json.render(event).replace(b"\r\n", b"\n")


@pytest.mark.parametrize("size", [None, 100])
def test_progress_is_for_terminals(
    size: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tqdm.std", "chatpair.client.stdio"):
        monkeypatch.setattr(f"{module}.time", partial(next, count(0.0, 2.0)))
    screen = PipeScreen(json=False, size=size)
    opened(screen)
    screen.arrived(50)
    screen.arrived(48)
    screen.close()
    assert capsys.readouterr() == ("", "")


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_when_it_takes_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    for module in ("tqdm.std", "chatpair.client.stdio"):
        monkeypatch.setattr(f"{module}.time", lambda: now)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    screen = PipeScreen(json=False, size=10)
    transport, _ = opened(screen)
    screen.notice("Welcome, alice.")
    screen.arrived(1)
    screen.show(HI)
    assert terminal.getvalue() == "Welcome, alice.\n"
    now = 1.5
    screen.arrived(2)
    shown = terminal.getvalue()
    assert "Arrived:  50%|" in shown
    screen.notice("bob has left.")
    cleared, below = terminal.getvalue().removeprefix(shown).split("bob has left.\n")
    assert cleared.strip() == ""
    assert "Arrived:  50%|" in below
    now = 3.0
    screen.arrived(4)
    assert "Arrived: 100%|" in terminal.getvalue()
    screen.close()
    assert terminal.getvalue().endswith("\r")
    assert transport.value() == b"hi\n"
