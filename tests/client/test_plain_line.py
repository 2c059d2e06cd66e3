"""A line to a plain server by itself, without sockets: the test plays the server."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost

from chatpair.client.plain_line import PlainLine
from chatpair.codecs import plain
from chatpair.exchange.messages import AnyCommand, AnyEvent, Left, Message, Named, Notice, Paired
from tests.support.lines import play
from tests.support.played import Slow, Stage, outcome
from tests.support.scene import PAIRED
from tests.support.transcript import scenes

FROM_BOB = "[Sun Nov 22 20:22:01 2026] bob: (hi)"


class Play(Stage):
    """A plain line, what it tells its program, and the server that the test plays."""

    def __init__(self, on_event: Callable[[AnyEvent], object] | None = None) -> None:
        super().__init__()
        self.events: list[AnyEvent] = []
        self.links: list[bool] = []
        handle = on_event or self.events.append
        self.line = PlainLine(self.endpoint, "alice", handle, self.links.append, clock=self.clock)
        self.finished = outcome(self.line.finished)

    def said(self) -> list[AnyCommand]:  # type: ignore[override]
        """Return what was sent since the last time, as the server understands it."""
        return [plain.parse(line.decode()) for line in self.remote.lines()]

    def accepts(self) -> None:
        """Let the line connect, and claim its name."""
        self.remote = self.endpoint.accept()
        assert self.remote.lines() == [b"alice"]

    def heard(self) -> list[AnyEvent]:
        """Return what the program was told since the last time."""
        heard, self.events[:] = list(self.events), []
        return heard

    def ended(self) -> Any:
        """Return what ended the line, which must have closed its connection and wait no more."""
        ((why),) = self.finished
        assert self.remote.transport.disconnecting
        assert (self.line.connected, self.line.peer) == (False, None)
        assert self.clock.getDelayedCalls() == []
        return why


def named(on_event: Callable[[AnyEvent], object] | None = None) -> Play:
    """Return a line that has its name."""
    play = Play(on_event)
    started = outcome(play.line.start())
    play.accepts()
    assert (started, play.line.connected) == ([], False)
    play.remote.prints("OK")
    assert (started, play.links, play.line.connected) == ([None], [True], True)
    assert play.heard() == ([] if on_event else [Named("alice", "")])
    return play


def paired(on_event: Callable[[AnyEvent], object] | None = None) -> Play:
    """Return a line that is paired with bob."""
    play = named(on_event)
    play.remote.prints(PAIRED)
    assert (play.heard(), play.line.peer) == ([Paired("bob")], "bob")
    return play


STARTS = {" with bob": paired, None: named, " without a name": Play}


@scenes(
    """
    A refused name ends the line.
        a line without a name
        start -> (connects)
        connected
      * printed Reuse -> start refused: reuse | (hangs up) | (ends: refused: reuse)
        it is not connected, with nobody
      * printed Bad name: not here -> start refused: bad-name | (hangs up) |
              (ends: refused: bad-name)
      * printed The switchboard is not ready. -> start refused: try-later | (hangs up) |
              (ends: refused: try-later)
    What comes before the name is told.
        a line without a name
        start -> (connects)
        connected
        printed Welcome to chat.example.org. -> heard notice(Welcome to chat.example.org.)
    A call is answered with the name of the peer.
        a line
        call BOB\\n\\e -> to(BOB)
        printed You are chatting with bob. -> heard paired(bob) | call BOB\\n\\e = bob
        it is connected, with bob
    A refused call is answered with the refusal alone.
        a line
        call bob -> to(bob)
      * printed The user bob does not exist. | The user bob does not exist. ->
              heard error(-, unknown, The user bob does not exist.) | call bob refused: unknown
      * printed Say who: To:bob -> call bob refused: unknown
      * printed bob is talking with someone else. -> call bob refused: busy
      * printed bob is not reading at the moment. -> call bob refused: busy
      * printed Please don't try to talk with yourself. -> call bob refused: self
      * printed That line was not sent: it has over 65536 bytes. -> call bob refused: too-long
      * printed The switchboard is not ready. -> call bob refused: try-later
      * printed The last call is still on its way. -> call bob refused: try-later
    Events are told while a call waits.
        a line with bob
        call carol -> to(carol)
        printed [Sun Nov 22 20:22:01 2026] bob: (hi) | dave tried to reach you. | Quit. ->
            heard message(bob, hi) | heard notice(dave tried to reach you.) | heard left(bob, quit)
        it is connected, with nobody
        printed You are chatting with carol. -> heard paired(carol) | call carol = carol
    What is no answer to a call leaves it waiting.
        a line
        call BOB -> to(BOB)
        printed [nobody] | You are chatting with carol. | Quit. ->
            heard error(-, nobody, [nobody]) | heard paired(carol) | heard left(carol, quit)
        printed You are chatting with bob. -> heard paired(bob) | call BOB = bob
        it is connected, with bob
    An unknown server may never answer a call.
        a line
        call bob -> to(bob)
        printed Trying bob ... -> heard notice(Trying bob ...)
        just 10 seconds pass -> call bob refused: try-later
        printed You are chatting with bob. -> heard paired(bob)
        it is connected, with bob
    A further call waits for no answer to the last.
        a line
        call bob -> to(bob)
        call carol -> to(carol) | call bob refused: try-later
        9.75 seconds pass
        printed You are chatting with carol. -> heard paired(carol) | call carol = carol
    What else can be asked is done at once.
        a line with bob
        bye -> bye() | bye = None
        who -> who() | who = None
        typing -> typing = None
        printed You are free. | Here: alice -> heard free() | heard notice(Here: alice)
        it is connected, with nobody
    Whoever leaves is named if that is known.
        a line with bob
        printed Quit. | Quit. -> heard left(bob, quit) | heard left(The other, quit)
    A text is sent as soon as the connection has taken it.
        a line with bob
        say one\\n\\nTo:carol\\nQuit\\n grüß -> say(0, one) | say(0, ) | say(0,  To:carol) |
            say(0,  Quit) | say(0,  grüß) | say one\\n\\nTo:carol\\nQuit\\n grüß = sent
        the server takes no more
        say two | three -> say(0, two) | say(0, three)
        the server takes all -> say two = sent | say three = sent
        say four -> say(0, four) | say four = sent
    A text that the connection has not taken is lost with it.
        a line with bob
        the server takes no more
        say one -> say(0, one)
        the connection is lost -> say one failed: lost | (ends: ConnectionLost)
    Quit waits for the answer.
        a line with bob
        say one -> say(0, one) | say one = sent
        quit -> quit() | quit = None
        quit -> quit = None
        say two -> say two failed: ended
        call carol -> call carol Ended
        printed [Sun Nov 22 20:22:01 2026] bob: (hi) | Quit -> heard message(bob, hi) | (hangs up) |
            (ends)
        the connection is lost
    Who quits before there is a connection gives it up.
        a line without a name
        start -> (connects)
        quit -> start CancelledError | quit = None | (ends: CancelledError)
    Who quits before there is a name waits for the answer.
        a line without a name
        start -> (connects)
        connected
        quit -> quit() | quit = None
        printed Quit -> start Ended | (hangs up) | (ends)
    A server that lets one go unasked ends the line.
        a line with bob
        printed Quit | [Sun Nov 22 20:22:01 2026] bob: (hi) -> (hangs up) | (ends)
        it is not connected, with nobody
    A failed attempt ends the line.
        a line without a name
        start -> (connects)
        no connection -> start ConnectError | (ends: ConnectError)
    A lost connection ends the line.
        a line with bob
        call carol -> to(carol)
        the connection is lost -> call carol Ended | (ends: ConnectionLost)
        it is not connected, with nobody
    It does so before there is a name as well.
        a line without a name
        start -> (connects)
        connected
        the connection is lost -> start ConnectionLost | (ends: ConnectionLost)
    """
)
def test_a_plain_line(scene: str) -> None:
    play(scene, STARTS)


def test_a_server_s_line_has_no_controls() -> None:
    play = paired()
    play.remote.protocol.dataReceived(
        b"[Sun Nov 22 20:22:01 2026] bob: (\x1b[2Jhi\xff\x9b)\r\n\x07x\n"
    )
    message, notice = play.heard()
    assert isinstance(message, Message)
    assert (message.text, notice) == ("[2Jhi\ufffd\ufffd", Notice("x"))


def test_the_server_waits_while_an_event_is_handled() -> None:
    program = Slow()
    play = named(program)
    assert play.remote.transport.streaming
    assert play.remote.transport.producerState == "paused"
    program.is_done(0)
    assert play.remote.transport.producerState == "producing"
    play.remote.prints(PAIRED, FROM_BOB)
    assert (len(program.heard), play.remote.transport.producerState) == (2, "paused")
    program.is_done(1)
    assert (len(program.heard), play.remote.transport.producerState) == (3, "paused")
    program.is_done(2)
    assert play.remote.transport.producerState == "producing"


def test_a_line_without_an_end_ends_the_line() -> None:
    play = paired()
    play.remote.protocol.dataReceived(b"x" * (play.line.MAX_LENGTH - 1) + b"\r\n")
    assert len(play.heard()) == 1
    play.remote.protocol.dataReceived(b"x" * (play.line.MAX_LENGTH + 2))
    assert type(play.ended()) is ConnectionLost


@given(st.lists(st.integers(0, 200)))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    play = named()
    events: list[AnyEvent] = [Paired("bob"), Notice("grüß"), Left("bob", "quit")]
    data = b"".join(map(plain.render, events))
    begin = 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        play.remote.protocol.dataReceived(data[begin:end])
        begin = end
    assert play.heard() == events


@given(st.binary(max_size=60), st.sampled_from(["connected", "named", "calling", "quitting"]))
def test_no_bytes_of_a_server_raise_anything(data: bytes, state: str) -> None:
    play = Play() if state == "connected" else named()
    if state == "connected":
        outcome(play.line.start())
        play.accepts()
    elif state == "calling":
        outcome(play.line.call("bob"))
    elif state == "quitting":
        play.line.quit()
    play.remote.protocol.dataReceived(data + b"\r\n")
    play.remote.drops()
    play.ended()
