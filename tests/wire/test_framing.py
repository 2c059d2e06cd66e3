"""Bytes to lines, however the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from chatpair.wire.line_receiver import TextLineReceiver
from chatpair.wire.telnet import TelnetFilter
from chatpair.wire.turns import LINES_A_TURN
from tests.support.exchange import Transport

IAC, DONT, DO, WONT, WILL, SB, SE, IP, DM = b"\xff \xfe \xfd \xfc \xfb \xfa \xf0 \xf4 \xf2".split()
BRK, SUSP = b"\xf3", b"\xed"
BOM = "\ufeff".encode()
ECHO, TIMING_MARK = b"\x01", b"\x06"


class Recorder(TextLineReceiver):
    """Notes what it receives."""

    MAX_LENGTH = 20

    def __init__(self) -> None:
        self.received: list[object] = []

    def lineReceived(self, line: bytes) -> None:
        self.received.append(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.received.append("too long")

    def turnEnded(self) -> None:
        self.received.append("turn")
        self.paused = True

    def handshakeReceived(self) -> None:
        self.received.append("TLS")
        self.deaf = True

    def interruptReceived(self) -> None:
        self.received.append("interrupt")


def receive(*chunks: bytes) -> tuple[list[object], bytes]:
    recorder, telnet = Recorder(), Transport()
    recorder.makeConnection(telnet)
    for chunk in chunks:
        recorder.dataReceived(chunk)
        assert len(recorder._buffer) <= Recorder.MAX_LENGTH + 1
    recorder.end_of_input()
    return recorder.received, telnet.value()


CASES = {
    "CR CR NUL": (b"a\r\r\0b\r\r\n", [b"a", b"b\r"], b""),
    "mixed": (b"a\n\r\n\r\0b\r\n", [b"a", b"", b"", b"b"], b""),
    "lone CR": (b"a\rb\n", [b"a\rb"], b""),
    "lone NUL": (b"a\0b\n", [b"a\0b"], b""),
    "unfinished": (b"a\nb", [b"a", b"b"], b""),
    "unfinished, and so is a command": (b"a\nb" + IAC + DO, [b"a", b"b"], b""),
    "as long as may be, CR LF": (b"x" * 20 + b"\r\n", [b"x" * 20], b""),
    "too long, CR LF": (b"x" * 21 + b"\r\nb\r\n", ["too long", b"b"], b""),
    "too long, CR NUL": (b"x" * 21 + b"\r\0b\r\0", ["too long", b"b"], b""),
    "too long for ever": (b"x" * 100, ["too long"], b""),
    "IAC IAC": (b"a" + IAC + IAC + b"b\n", [b"ab"], b""),
    "DONT and WONT": (IAC + DONT + ECHO + IAC + WONT + ECHO + b"a\n", [b"a"], b""),
    "subnegotiation": (
        b"a" + IAC + SB + b"\x18\n" + IAC + IAC + b"x" + IAC + SE + b"b\n",
        [b"ab"],
        b"",
    ),
    "an option cut short": (b"a" + IAC + DO + b"\r\n" + b"b\n", [b"a", b"b"], b""),
    "no command": (b"caf\xe9 \xff\nsecond\n\xffthird\n", [b"caf\xe9 ", b"second", b"third"], b""),
    "interrupt": (b"half" + IAC + IP + b"b\n", ["interrupt", b"b"], b""),
    "interrupt in a line that is too long": (
        b"x" * 30 + IAC + IP + b"b\n",
        ["too long", "interrupt", b"b"],
        b"",
    ),
    "a letter that telnet took for Ctrl-C": (
        "ム".encode().replace(b"\x83", IAC + IP + IAC + DO + TIMING_MARK) + b"\n",
        ["ム".encode()],
        IAC + WONT + TIMING_MARK,
    ),
    "letters that telnet took for other keys": (
        "Ü🚀".encode().replace(b"\x9c", IAC + BRK).replace(b"\x9a", IAC + SUSP) + b"\n",
        ["Ü🚀".encode()],
        b"",
    ),
    "Ctrl-C after a letter": ("ム".encode() + IAC + IP + b"b\n", ["interrupt", b"b"], b""),
    "CR, IAC, NUL": (b"a\r" + IAC + DM + b"\0b\n", [b"a", b"b"], b""),
    "byte order mark": (BOM + b"a\n" + BOM + b"b\n", [b"a", BOM + b"b"], b""),
    "no byte order mark": (b"\xef\xbb\n", [b"\xef\xbb"], b""),
    "byte order mark before telnet's": (BOM + IAC + DO + ECHO + b"a\n", [b"a"], IAC + WONT + ECHO),
    "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\n\xff\xf4", ["TLS"], b""),
    "a first byte as of TLS": (b"\x16a\n", [b"\x16a"], b""),
    "TLS later": (b"a\n\x16\x03\x01\n", [b"a", b"\x16\x03\x01"], b""),
}


@pytest.mark.parametrize(("data", "received", "replies"), CASES.values(), ids=CASES.keys())
def test_is_the_same_wherever_it_is_cut(
    data: bytes, received: list[object], replies: bytes
) -> None:
    assert receive(data) == (received, replies)
    assert receive(*(data[i : i + 1] for i in range(len(data)))) == (received, replies)
    for cut in range(len(data) + 1):
        assert receive(data[:cut], data[cut:]) == (received, replies)


pieces = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r", b"\0", IAC, DO, DONT, WILL, WONT, SB, SE, IP, TIMING_MARK]),
        st.sampled_from([b"\xe3", b"\xf0\x9f", BRK, SUSP, b"x" * 19, "ム".encode()]),
        st.binary(max_size=30),
    )
).map(b"".join)


@given(pieces, st.data())
def test_any_bytes_are_the_same_wherever_they_are_cut(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=10).map(sorted))
    edges = [0, *cuts, len(data)]
    assert receive(*(data[a:b] for a, b in pairwise(edges))) == receive(data)


@given(st.binary())
def test_no_interrupt_comes_from_the_text(data: bytes) -> None:
    text = TelnetFilter(lambda reply: None).feed(data)
    assert text.count(b"\xff") == text.count(b"\xff\n") <= data.count(IAC + IP)


def test_data_that_comes_while_a_line_is_handled_waits_its_turn() -> None:
    class Reentrant(Recorder):
        def lineReceived(self, line: bytes) -> None:
            super().lineReceived(line)
            if line == b"a":
                self.dataReceived(b"c\nd")

    recorder = Reentrant()
    recorder.makeConnection(Transport())
    recorder.dataReceived(b"a\nb\n")
    assert recorder.received == [b"a", b"b", b"c"]
    recorder.dataReceived(b"\n")
    assert recorder.received == [b"a", b"b", b"c", b"d"]


def test_a_fault_does_not_repeat_the_lines_before_it() -> None:
    class Faulty(Recorder):
        def lineReceived(self, line: bytes) -> None:
            super().lineReceived(line)
            if line == b"b":
                raise RuntimeError

    recorder = Faulty()
    recorder.makeConnection(Transport())
    with pytest.raises(RuntimeError):
        recorder.dataReceived(b"a\nb\nc\n")
    recorder.dataReceived(b"")
    assert recorder.received == [b"a", b"b", b"c"]


@pytest.mark.parametrize("data", [b"\x16\x03", IAC + IP])
def test_a_handshake_or_an_interrupt_closes(data: bytes) -> None:
    receiver = TextLineReceiver()
    receiver.makeConnection(StringTransport())
    receiver.dataReceived(data)
    assert receiver.transport.disconnecting


def test_a_turn_ends_after_so_many_lines() -> None:
    recorder = Recorder()
    recorder.makeConnection(Transport())
    recorder.dataReceived(b"a\n" * LINES_A_TURN)
    assert recorder.received == [b"a"] * LINES_A_TURN
    recorder.dataReceived(b"b\n" * (LINES_A_TURN + 1))
    assert recorder.received[LINES_A_TURN:] == [*([b"b"] * LINES_A_TURN), "turn"]
    recorder.paused = False
    recorder.handle_buffer()
    assert recorder.received[-2:] == ["turn", b"b"]


def test_a_client_that_sends_telnet_commands_is_read_in_smaller_portions() -> None:
    recorder, telnet = Recorder(), Transport()
    recorder.makeConnection(telnet)
    recorder.dataReceived(b"a\n")
    assert telnet.bufferSize == 65_536
    recorder.dataReceived(IAC + DM)
    assert telnet.bufferSize == 1_024


def test_who_sends_telnet_commands_without_end_is_no_telnet() -> None:
    flood = (IAC + DO + TIMING_MARK) * 1_000 + b"\n"
    assert receive(flood) == (["too long"], b"")
