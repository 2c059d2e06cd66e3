"""Many lines at once: the same bytes for everybody as line by line."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatpair.codecs import plain
from chatpair.exchange.messages import AnyEvent, Free, Message, Repeated, Say, Timestamp
from chatpair.protocol import ChatProtocol
from chatpair.wire.line_receiver import CHUNK, SHORT_CHUNK
from tests.support.exchange import Exchange, Party, said
from tests.wire.test_text import WALES


class LineByLine(ChatProtocol):
    """Takes each line by itself."""

    def linesReceived(self, lines: bytes) -> bool:
        return False


class OneExchange(Exchange):
    """Alice, whose bytes a test makes up, and those whom she may meet."""

    def __init__(self, protocol: type[ChatProtocol], state: str, max_line: int) -> None:
        super().__init__(max_line=max_line)
        self.factory.protocol = protocol
        self.bob, self.carol, self.dave = (self.enter(name) for name in ("bob", "carol", "dave"))
        self.dave.says("To:carol")
        self.alice = self.connect() if state == "unnamed" else self.enter("alice")
        if state == "paired":
            self.alice.says("To:bob")

    def parties(self) -> list[Party]:
        return [self.alice, self.bob, self.carol, self.dave]

    def settle(self) -> None:
        """Let everybody who waits for a turn have all of them."""
        for _ in range(100):
            self.clock.advance(0)

    def told(self) -> list[bytes]:
        """Return all that each was told so far."""
        return [party.transport.value() for party in self.parties()]


TEXT = st.sampled_from(
    [
        *("hello", "", " ", "\ttab", "Quitting", "Quit you", "to", "tO", "a:b", "it's /who"),
        *("grüß dich", "日本語 🙂", "“quoted” — € …"),
    ]
).map(str.encode)
COMMANDS = st.sampled_from(
    [
        *("To:bob", "to:carol", "TO: dave", "/to bob", "To:", "alice", "Quit"),
        *("/bye", "/who", "/WHO", "/help", "/foo", "/end", "/quit"),
    ]
).map(str.encode)
HOSTILE = st.sampled_from(
    [
        *(b"\xff\xfb\x01", b"\xff\xfd\x06", b"\xff\xf4", b"\xff", b"\xff\xfa\x18", b"\xff\xf0"),
        *(b"\x1b[2J", b"\0", b"\x7f", b"\r", b"\r\0", b"x" * 50, b"\x16\x03"),
        *(b"\xc2", b"\xc2\x9b", b"\xe2\x80\xae", b"\xe2\x81\xa7", b"\xe2\x80\xa8", b"\xe2\x80"),
        *(b"\xed\xa0\x80", b"\b", b"\x7f\x7f", b"e\xcc\x81\b", b"\xd8\x9c", b"\xef\xbb\xbf"),
        *(b"\xef\xbf\xb9", b"\xf3\xa0\x81\xa7", WALES.encode(), WALES.encode()[:-4]),
    ]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r\0", b"\r\r\n", b""])
LINES = st.lists(
    st.tuples(st.one_of(TEXT, TEXT, COMMANDS, HOSTILE, st.binary(max_size=5)), ENDS).map(b"".join),
    max_size=25,
).map(b"".join)


@given(
    st.lists(st.text(st.sampled_from("\n\n\nx")).map(lambda text: 20 * text), max_size=3),
    st.booleans(),
)
def test_a_text_in_parts_is_the_same_text(texts: list[str], again: bool) -> None:
    events: list[AnyEvent] = [Message("alice", text, Timestamp(0)) for text in texts]
    if again:
        events = [Repeated(event) for event in events if isinstance(event, Message)]
    parts = list(plain.render_parts([*events, Free()]))
    assert b"".join(parts) == b"".join(map(plain.render, [*events, Free()]))
    assert max(part.count(b"\n") for part in parts) <= plain.LINES_A_PART


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return the pieces of data that is cut at some places, taken modulo its length."""
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(at)]


@given(
    LINES,
    st.lists(st.integers(0, 1_000), max_size=6),
    st.sampled_from(["unnamed", "idle", "paired", "paired"]),
    st.sampled_from([20, 65_536]),
    st.integers(0, 5),
    st.booleans(),
)
def test_as_line_by_line(
    data: bytes, places: list[int], state: str, max_line: int, full: int, half_closes: bool
) -> None:
    both = [OneExchange(protocol, state, max_line) for protocol in (ChatProtocol, LineByLine)]
    for number, piece in enumerate(cut(data, places)):
        for exchange in both:
            if number == full:
                exchange.bob.fills()
            exchange.alice.sends(piece)
            if number == full:
                exchange.settle()
                exchange.bob.drains()
            exchange.settle()
        assert both[0].told() == both[1].told()
    for exchange in both:
        if half_closes:
            exchange.alice.ends_input()
        exchange.alice.drops(clean=half_closes)
        exchange.settle()
    assert both[0].told() == both[1].told()
    assert both[0].factory.users.keys() == both[1].factory.users.keys()


MIXED = (
    "hello\r\ngrüß dich\nTo:x\x7f\n/who\n“hi”\r\0".encode()
    + b"\xff\xfd\x06yes\n Quit\nTo:carol\nbye\n"
)


@pytest.mark.parametrize("before", [0, 1, 7, 30, 62])
@pytest.mark.parametrize("size", [1_000, 8_000])
def test_a_chunk_in_which_not_all_is_text(before: int, size: int) -> None:
    both = [OneExchange(protocol, "paired", 65_536) for protocol in (ChatProtocol, LineByLine)]
    line = b"x" * size + b"\n"
    for exchange in both:
        exchange.alice.sends(line * before + MIXED + line * (62 - before))
        exchange.settle()
    assert both[0].told() == both[1].told()
    assert both[0].told()[1].count(line[:-1]) == 62


@pytest.mark.parametrize(
    "lines",
    [b"hello\n", b"one\ntwo\n", b"\n\n", b"a\r\nb\r\n", "grüß\n日本語 🙂\n“—”\n".encode()],
)
def test_lines_that_are_only_text_are_one_write(exchange: Exchange, lines: bytes) -> None:
    alice, bob = exchange.pair()
    writes: list[bytes] = []
    bob.transport.write = writes.append  # type: ignore[method-assign, assignment]
    alice.sends(lines)
    texts = lines.decode().replace("\r", "").split("\n")[:-1]
    assert len(writes) == 1
    assert writes[0] == "".join(said(exchange, text) + "\r\n" for text in texts).encode()


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1])
@pytest.mark.parametrize("line", [b"\n", b"x\n", b"x" * 63 + b"\n", b"x" * 1_023 + b"\n"])
def test_more_than_a_chunk(exchange: Exchange, line: bytes, size: int) -> None:
    alice, bob = exchange.pair()
    lines = size // len(line)
    alice.sends(line * lines)
    heard = bob.heard()
    while len(heard) < lines:
        exchange.clock.advance(0)
        more = bob.heard()
        assert more
        heard += more
    assert heard == [said(exchange, line[:-1].decode())] * lines


def test_a_chunk_stops_for_one_who_does_not_read(exchange: Exchange) -> None:
    alice, bob = exchange.pair()
    bob.transport.full = True  # from the next write on
    alice.sends(b"x\n" * 30_000)
    assert len(bob.heard()) <= SHORT_CHUNK // 2
    assert alice.paused


@example([b"Quit"])
@given(st.lists(st.one_of(TEXT, COMMANDS, st.text("tToO:Quit/ ", max_size=5).map(str.encode))))
def test_a_command_between_long_lines_is_found(lines: list[bytes]) -> None:
    says = all(isinstance(plain.parse(line.decode()), Say) for line in lines)
    long, short = b"x" * plain.LONG_LINE + b"\n", b"Q\n" * plain.LONG_LINE
    together = b"".join(line + b"\n" for line in lines)
    for some in (long + together, short + together, together + short, together or long):
        assert plain.only_says(some) == says
    assert plain.count_lines(20 * long + len(lines) * b"x\n") == 20 + len(lines)
    assert plain.count_lines(long + 100 * len(lines) * b"\n") == 1 + 100 * len(lines)
    assert plain.only_says(long + b"".join(line + b"\n" + long for line in lines)) == says
