"""A name at a server and the conversation held under it, over as many connections as it takes.

It does no I/O of its own: it has an endpoint and a clock, which may be Twisted's or asyncio's.
"""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.client.connection import Backoff, Connection
from chatpair.client.errors import Ended, NotDelivered, NotJson, Refused
from chatpair.client.rings import Rings
from chatpair.client.session import Commands, Inbox, Outbox, Question, check_length
from chatpair.client.waiters import Waiters
from chatpair.codecs.cleaning import clean_line
from chatpair.exchange import messages

NOTICED_SECONDS = 90.0
"""How long a server may take to notice that a connection is lost."""


class Conversation:
    """A name at a server, and the conversation held under it.

    A lost connection is replaced, and nothing is lost with it: what was said while there was
    none is sent later. The program hears of each event once and in order.
    """

    _log = Logger()

    connected = False
    """Whether the server has this line on a connection at this moment."""

    peer: str | None = None
    """Whom this line is paired with."""

    beginnings = 0
    """How often the name became this line's: again when the server had forgotten the line."""

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        name: str,
        on_event: Callable[[messages.JsonEvent], object] = lambda _: None,
        on_link: Callable[[bool], object] = lambda _: None,
        *,
        password: str = "",
        clock: IReactorTime | None = None,
    ) -> None:
        """Take where the server is and the name to claim there, and its password if it has one.

        That is sent only when the server asks, and only over TLS or on this machine.

        on_event is told all but the answers that methods return: messages, who paired, left or
        is held, statuses, errors. It may return a Deferred or a coroutine. When that is done,
        the event is acknowledged (the peer's text is confirmed), and the next one follows. So
        what takes long, or many answers, should be started there and waited for elsewhere.

        on_link is told when the line is connected (True), and when the connection is lost and
        another is sought (False).
        """
        if clock is None:
            from twisted.internet import reactor

            clock = IReactorTime(reactor)
        self.name = name
        self.password = password
        self.finished: Deferred[Exception | None] = Deferred()
        """Fires when all is over: with nothing after quit, else with what ended the line."""
        self._clock = clock
        self._on_link = on_link
        self._outbox = Outbox()
        self._commands = Commands()
        self._inbox = Inbox(on_event, self._flush_soon)
        self.rings = Rings()
        """Who waits for the answer to a call that rings, or for any call."""
        self._backoff = Backoff()
        factory = Factory.forProtocol(lambda: Connection(self, clock))
        factory.noisy = False
        self._service = ClientService(endpoint, factory, self._backoff, clock)
        self._connection: Connection | None = None
        self._hold: int | None = None  # seconds, as the server said when it spoke JSON
        self._key: str | None = None
        self._ghost_until = 0.0  # the name may be held for a connection that was lost too early
        self._patient = True  # whatever fails before there is a name is tried again
        self._flowing = False  # all that was missed has been told
        self._pair: int | UnsetType = UNSET  # the last, by the server's count
        self._flushing: IDelayedCall | None = None
        self._starting: Waiters[None] = Waiters(self.quit)
        self._leaving: Waiters[None] = Waiters()
        self._quitting = self._said_quit = self._ended = False

    # What programs ask for

    def start(self, *, patient: bool = True) -> Deferred[None]:
        """Connect, for as long as it takes; fires when the name is this line's.

        Fails with Refused if it can't be, with NotJson if the server is none for programs, with
        Ended if the line has ended. Who cancels this quits. Who is not patient has one attempt:
        that fails too with why there was no connection, with ConnectionLost, or with Refused
        and the code try-later.
        """
        if self._quitting:
            return fail(Ended())
        if self._key is not None:
            return succeed(None)
        try:
            check_length(messages.Claim(self.name, self.password))
        except ValueError:
            return fail()
        starting = self._starting.wait()
        if not self._service.running:
            self._patient = patient
            self._service.startService()
            if not patient:
                self._service.whenConnected(failAfterFailures=1).addErrback(self._not_connected)
        return starting

    def _not_connected(self, why: Failure) -> None:
        self._clock.callLater(0, self._end, why.value)  # the service can't be stopped in here

    def call(self, name: str) -> Deferred[str]:
        """Call somebody; fires with the peer's name as they write it, or fails with Refused.

        With the code ringing that is not all: Paired follows, or Unanswered.
        What was said before and is not sent yet goes to nobody then.
        """
        return self._ask(messages.Call(clean_line(name)))

    def hang_up(self) -> Deferred[None]:
        """Stop talking with the peer, and stay; fails with Refused if there is none."""
        return self._ask(messages.HangUp())

    def who(self) -> Deferred[messages.Here]:
        """Ask who is here."""
        return self._ask(messages.AskWho())

    def apply(self, setting: messages.Setting) -> Deferred[None]:
        """Set something for calls to this line; fails with Refused if that can't be."""
        return self._ask(setting)

    def _ask(self, command: Question) -> Deferred[Any]:
        if self._quitting:
            return fail(Ended())
        answer = maybeDeferred(self._commands.ask, command)
        self._pump()
        return answer

    def say(self, text: str) -> Deferred[messages.Outcome]:
        """Say a text to the peer; fires with "handed" or "confirmed" when it has arrived.

        Fails with NotDelivered, or with a ValueError if it is too long or no text. It is sent as
        soon as there is a connection and not too much on its way. Cancelling takes it back if it
        is not sent yet, and else only stops the wait.
        """
        if self._quitting:
            return fail(NotDelivered("ended"))
        say = messages.Say(0, text)
        if self.peer is not None and not self._commands.change_peer:  # else it is not known yet
            say = messages.Say(0, text, self.peer, self._pair)  # nobody else may get it
        status = maybeDeferred(self._outbox.say, say)
        self._pump()
        return status

    def typing(self) -> Deferred[None]:
        """Let the peer see that something is being typed, if there is a connection."""
        if self._flowing:
            self._send(messages.StartTyping())
        return succeed(None)

    @property
    def is_settled(self) -> bool:
        """Whether it is known of all that was said what became of it."""
        return self._outbox.is_settled

    def settled(self) -> Deferred[None]:
        """Return what fires when it is known of all that was said what became of it."""
        return self._outbox.settled()

    def quit(self) -> Deferred[None]:
        """Leave when all is sent that waits for that; fires when the connection is closed.

        Without a connection the line ends at once, and the server holds the name for a while.
        """
        if self.finished.called:
            return succeed(None)
        left = self._leaving.wait()
        self._quitting = True
        if self.connected:
            self._flush_soon()
            return left
        if self._connection is not None:
            self._connection.leave_early()
        self._end(None)
        return left

    def drop(self, why: BaseException | None) -> None:
        """Fail all that waits for a status or an answer."""
        ended = Ended()
        ended.__cause__ = why
        self._outbox.forget("ended")
        self._commands.drop(ended)
        self.rings.drop(ended)

    # Connecting

    def connection_made(self, connection: Connection) -> None:
        """Expect to be asked for an introduction."""
        self._connection = connection

    def introduction(self, hold: int | None = None) -> messages.Claim | messages.Resume:
        """Return what to say first to a server that holds lines for so many seconds."""
        if hold is not None:
            self._hold = hold
        if self._key is None:
            return messages.Claim(self.name)
        return messages.Resume(self._key, self._inbox.resume())

    def named(self, named: messages.Named) -> None:
        """Begin: the name is this line's."""
        self.name, self._key = named.name, named.key
        self.beginnings += 1
        self._patient = True
        self._inbox.is_new(named)
        self._inbox.take(named)
        self._link_is_up()
        self._starting.fire(None)
        self._caught_up()

    def resumed(self, got: int) -> None:
        """Go on, once all that was missed has been told: who left meanwhile, above all."""
        self._outbox.resumed(got)
        self._link_is_up()
        if self._connection is not None:
            self._connection.ping(self._caught_up)

    def _link_is_up(self) -> None:
        self.connected = True
        self._backoff.reset()
        self._flush_soon()
        self._tell_link(True)

    def _caught_up(self) -> None:
        if self.connected:
            self._flowing = True
            self._commands.send_again()
            self._pump()

    def forgotten(self) -> None:
        """Begin anew: the server knows the key no more."""
        self._key = None
        self._inbox.forget()
        peer, self.peer = self.peer, None
        if peer is not None:
            self._inbox.take(messages.Left(peer, "lost"))
        self._outbox.forget("lost")
        self.rings.lost()

    def refused(self, why: Refused | NotJson) -> None:
        """End, unless that may change."""
        if isinstance(why, NotJson):  # a server that spoke JSON before is full, or not itself yet
            passing = self._hold is not None
        elif why.code == "try-later":
            passing = self._patient
        else:
            passing = why.code == "reuse" and self._clock.seconds() < self._ghost_until
        if passing and self._connection is not None:
            self._connection.try_later()
        else:
            self._end(why)

    def puzzled(self, why: NotJson) -> None:
        """End: what it says next may mean anything."""
        self._end(why)

    def connection_lost(self, claimed: bool) -> None:
        """Keep everything for the next connection, if there is to be one."""
        if claimed:
            self._ghost_until = self._clock.seconds() + NOTICED_SECONDS + (self._hold or 0)
        was_connected, self.connected = self.connected, False
        self._connection = None
        self._flowing = False
        if self._quitting:
            self._end(None)
        elif not self._patient:
            self._end(ConnectionLost())
        elif was_connected:
            self._tell_link(False)

    # Listening

    def heard(self, event: messages.JsonEvent) -> None:
        """Act upon an event, and let the program do so if it has not come before."""
        if self._ended or not self._inbox.is_new(event):
            return
        match event:
            case messages.Paired(peer, pair):
                if self.peer is not None:
                    self._outbox.drop_waiting("switched")
                self.peer, self._pair = peer, pair
            case messages.Left(why=why):
                self._is_alone(why)
            case messages.Free():
                self._is_alone("bye")
            case messages.Status():
                self._outbox.settle(event)
            case messages.Goodbye():
                self._end(None)
            case messages.Error(of=None, code="bad-key" as code, text=text):
                self._end(Refused(code, text))
        only_answers = self._commands.hear(event, self.peer)
        self.rings.hear(event)
        if not self._ended:
            self._inbox.take(event, not only_answers)
            self._pump()

    def _is_alone(self, why: str) -> None:
        self.peer = None
        self._outbox.drop_waiting(why)

    # Sending

    def _send(self, command: messages.JsonCommand) -> None:
        if self._connection is not None:
            self._connection.send(command)

    def _pump(self) -> None:
        """Send what may be sent at this moment."""
        self._flush_soon()
        if not self._flowing:
            return
        for say in self._outbox.take():
            self._send(say)
        command = self._commands.take()
        if command is not None:
            self._send(command)

    def _flush_soon(self) -> None:
        # In a turn of its own: so one acknowledgement serves all that came at once, and whoever
        # quits while handling an event acknowledges that.
        if self._flushing is None and not self._ended:
            self._flushing = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._connection is not None:
            self._connection.reads(not self._inbox.is_full)
        if not self.connected or self._said_quit:
            return
        seq = self._inbox.due()
        if seq:
            self._send(messages.Acknowledge(seq))
        sent = self._flowing and not (self._outbox.waiting or self._commands.waiting)
        if self._quitting and sent:
            self._said_quit = True
            self._send(messages.Quit())

    # The end

    def _tell_link(self, up: bool) -> None:
        told = maybeDeferred(self._on_link, up)
        told.addErrback(lambda why: self._log.failure("on_link failed", failure=why))

    def _end(self, why: Exception | None) -> None:
        if self._ended:
            return
        self._ended = self._quitting = True
        self.connected = self._flowing = False
        self.peer = None
        self._inbox.close()
        self._starting.fail(why or Ended())
        self.drop(why)
        self._service.stopService().addCallback(lambda _: self._finish(why))

    def _finish(self, why: Exception | None) -> None:
        self.finished.callback(why)
        self._leaving.fire(None)
