"""What a script asks for once: to say something, to listen, to know who is here."""

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from signal import SIGPIPE
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from chatpair.client.ending import DONE, Ending, ExitStatus, interrupted, refusal, unwritten
from chatpair.client.errors import LineError, NotDelivered, NotJson, Refused, TooLong
from chatpair.client.line import Line
from chatpair.client.options import Options
from chatpair.client.pipe import PIECE
from chatpair.client.reader import Message
from chatpair.client.screen import TOO_LONG
from chatpair.client.waiting import call_when_free
from chatpair.codecs import json
from chatpair.codecs.cleaning import clean_text
from chatpair.exchange import messages

LAST_SECONDS = 10.0
"""How long at most to wait for what becomes of the last answers."""

FEWER = Ending(ExitStatus.FEWER, "Fewer messages came than --count asks for.")


def _not_answered(why: Failure) -> None:
    why.trap(LineError)
    print(f"The answer has not arrived: {why.value}", file=sys.stderr)


def _by_signal(why: Failure) -> tuple[bytes, bytes, int]:
    written, errors, number = why.value  # type: ignore[misc]
    return written, errors, 128 + number


class _Failed(Exception):
    """Something else than the line failed; the argument is how it ends."""


class Once:
    """Does one thing on a line of its own, and leaves."""

    def __init__(self, endpoint: IStreamClientEndpoint, options: Options, reactor: Any) -> None:
        self._options = options
        self._reactor = reactor
        self._line = Line(
            endpoint, options.name, password=options.password, strict=True, clock=reactor
        )
        self._ending = DONE
        self._is_over = self._is_busy = False  # no more time is left; an event is dealt with

    async def run(self) -> Ending:
        """Do it, and tell how it ended; raises what connecting raises."""
        doing = Deferred.fromCoroutine(self._do())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                end = partial(self._interrupt, doing, number)
                self._reactor.callWhenRunning(self._heed, number, end)
        try:
            await doing
        except CancelledError:
            pass  # by a signal
        except _Failed as why:
            return Ending(*why.args[0])
        except Refused as why:
            bad = "Bad name: " if why.code == "bad-name" else ""
            return refusal(why.code, f"{bad}{why.text}")
        except NotDelivered as why:
            whose = "The server stopped" if why.code == "stopped" else f"{self._options.to} left"
            return Ending(ExitStatus.NOT_DELIVERED, f"{whose} before it had arrived.")
        except TooLong:
            return refusal("too-long", TOO_LONG)
        except NotJson as why:
            return Ending(ExitStatus.NO_CONNECTION, f"The server speaks no JSON, but says: {why}")
        return self._ending

    def _heed(self, number: int, end: Callable[[], object]) -> None:
        signal.signal(number, lambda *_: self._reactor.callFromThread(end))

    def _interrupt(self, doing: Deferred[None], number: int) -> None:
        signal.signal(number, signal.SIG_DFL)  # the server may not answer
        self._ending = interrupted(number)
        doing.cancel()

    async def _do(self) -> None:
        await self._line.start(patient=False)
        what: dict[str, Callable[[], Coroutine[Any, Any, None]]]
        what = {"say": self._say, "listen": self._listen, "who": self._who}
        async with self._line:
            await what[self._options.verb]()

    async def _say(self) -> None:
        options, line = self._options, self._line
        if options.wait:
            ignore: Callable[[str], object] = lambda _: None  # noqa: E731
            await call_when_free(line, options.to, self._reactor, lambda: True, ignore, ignore)
        else:
            await line.call(options.to)
        await line.say(options.text)

    async def _who(self) -> None:
        here = await self._line.who()
        others = [one for one in here.names if one.name != self._line.name]
        if self._options.json:
            self._write(json.render(messages.Here(others, here.more)).decode().rstrip())
            return
        for one in others:
            self._write(f"{one.name}\t{'talking' if one.paired else 'free'}")
        if here.more:
            print(f"and {here.more} more", file=sys.stderr)

    # Listening

    async def _listen(self) -> None:
        left = self._options.count
        if self._options.seconds is not None:
            self._reactor.callLater(self._options.seconds, self._time_is_over)
        async for event in self._line.events():
            self._is_busy = True
            await self._hear(event)
            self._is_busy = False
            if left is not None and isinstance(event, Message):
                left -= 1
            if left == 0 or self._is_over:
                break
        if left:
            self._ending = FEWER
        try:
            await self._line.settled().addTimeout(LAST_SECONDS, self._reactor)
        except DeferredTimeout:  # as when the peer waits for the same
            await self._line.quit()

    def _time_is_over(self) -> None:
        self._is_over = True
        if not self._is_busy:
            self._line.quit()  # which ends the events

    async def _hear(self, event: messages.JsonEvent) -> None:
        """Deal with an event; what is not dealt with raises, and is not acknowledged."""
        if isinstance(event, Message):
            event = messages.Message(event.sender, event.text, event.time, seq=event.seq)
        if self._options.command is not None:
            match event:
                case messages.Paired(peer):
                    await self._run("call", peer, "")
                case messages.Message(sender, text):
                    await self._run("message", sender, text)
        elif self._options.json:
            self._write(json.render(event).decode().rstrip())
        elif isinstance(event, messages.Message):
            self._write(clean_text(event.text))

    async def _run(self, what: str, peer: str, text: str) -> None:
        """Let the command deal with something, and say what it writes."""
        env = os.environ | {"CHATPAIR_EVENT": what, "CHATPAIR_PEER": peer}
        running = getProcessOutputAndValue(
            "/bin/sh",
            ["-c", self._options.command],
            env,
            reactor=self._reactor,
            stdinBytes=f"{text}\n".encode(),  # a line, as shells read them
        )
        written, errors, code = await running.addErrback(_by_signal)
        sys.stderr.buffer.write(errors)
        sys.stderr.flush()
        if code:
            raise _Failed(Ending(ExitStatus.COMMAND, f"The command ended with status {code}."))
        answer = written.decode(errors="replace").rstrip("\n")
        for start in range(0, len(answer), PIECE):
            # Not waited for: the peer may wait for an answer to what it says, too.
            self._line.say(answer[start : start + PIECE]).addErrback(_not_answered)

    def _write(self, text: str) -> None:
        try:
            sys.stdout.buffer.write(text.encode() + b"\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise _Failed(interrupted(SIGPIPE)) from None
        except OSError as why:
            raise _Failed(unwritten(why.strerror or str(why))) from None
