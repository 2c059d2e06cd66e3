"""The client from its start to its end: which talk it has, on which screen."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from stat import S_ISREG
from typing import Any, TextIO

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater, react

from chatpair import boot_clock
from chatpair.client.address import tls_endpoint
from chatpair.client.check import check
from chatpair.client.command import CommandScreen
from chatpair.client.connection import endpoint_at
from chatpair.client.ending import DONE, Ending, ExitStatus, interrupted
from chatpair.client.once import Once
from chatpair.client.options import Options
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.stdio import PipeScreen, PlainScreen, StandardScreen
from chatpair.client.streams import Streams
from chatpair.client.talk import Talk


def _input_size() -> int | None:
    """Return how many bytes there are to read, if that is known, and 0 if nobody minds."""
    if sys.stdin.isatty():
        return 0
    status = os.fstat(sys.stdin.fileno())
    return status.st_size if S_ISREG(status.st_mode) else None


def _endpoint(reactor: Any, options: Options) -> IStreamClientEndpoint:
    """Return where the server is; raises ValueError if that can't be."""
    if not options.tls:
        return endpoint_at(reactor, options.host, options.port)
    return tls_endpoint(reactor, options.host, options.port, options.ca)


class _Client:
    """Somebody's talk, where it is shown, and how it ends."""

    def __init__(self, reactor: Any, options: Options) -> None:
        self._reactor = reactor
        self._options = options
        self._common = {
            "endpoint": _endpoint(reactor, options),
            "name": options.name,
            "to": options.to,
            "wait": options.wait,
            "password": options.password,
            "clock": reactor,
        }

    async def run(self, is_person: bool) -> Ending:
        """Talk until the end."""
        if self._options.check:
            of_name = self._options.name, self._options.password
            return await self._unless_unreachable(
                check(self._common["endpoint"], *of_name, self._reactor)
            )
        if self._options.verb:
            once = Once(self._common["endpoint"], self._options, self._reactor)
            return await self._unless_unreachable(once.run())
        if self._options.command is not None:
            return await self._run_command(self._options.command)
        if not is_person:
            return await self._run_pipe()
        if self._options.plain:
            return await self._run_plain()
        return await self._run_editor()

    async def _run_plain(self) -> Ending:
        screen = PlainScreen(bell=self._options.bell)
        talk = PersonTalk(screen, **self._common)
        return await self._talk_on(Streams(self._reactor, screen), screen, talk)

    async def _run_command(self, command: str) -> Ending:
        screen = CommandScreen(command, json=self._options.json)
        talk = PipeTalk(screen, reads_early=False, linger=self._options.linger, **self._common)
        ending = await self._talk_on(screen.open(self._reactor), screen, talk)
        of_command = await screen.finish()
        return of_command if ending == DONE else ending

    async def _run_pipe(self) -> Ending:
        screen = PipeScreen(json=self._options.json, size=_input_size())
        talk = PipeTalk(
            screen,
            linger=self._options.linger,
            has_end=not sys.stdin.isatty(),
            **self._common,
        )
        try:
            return await self._talk_on(Streams(self._reactor, screen), screen, talk)
        finally:
            screen.close()

    async def _run_editor(self) -> Ending:
        from chatpair.client.editor import EditorScreen

        screen = EditorScreen(color=self._options.color, bell=self._options.bell)
        talk = PersonTalk(screen, **self._common)
        await deferLater(self._reactor, 0)  # its loop must run before the editor can
        screen.start(talk)
        try:
            return await self._talk(talk, lambda: None)
        finally:
            await screen.stop()

    async def _talk_on(self, streams: Streams, screen: StandardScreen, talk: Talk) -> Ending:
        screen.speaker = talk
        streams.registerProducer(screen)
        try:
            return await self._talk(talk, screen.give_up)
        finally:
            streams.loseConnection()
            await screen.closed
            streams.close()

    async def _talk(self, talk: Talk, give_up: Callable[[], object]) -> Ending:
        self._heed_signals(talk, give_up)
        talk.start()
        return await self._unless_unreachable(talk.finished)

    async def _unless_unreachable(self, ending: Awaitable[Ending]) -> Ending:
        options = self._options
        try:
            return await ending
        except Exception as why:  # each kind of endpoint fails with what it likes
            text = f"Can't connect to {options.host}, port {options.port}: {why}"
            return Ending(ExitStatus.NO_CONNECTION, text)

    def _heed_signals(self, talk: Talk, give_up: Callable[[], object]) -> None:
        interrupts = 0

        def interrupt() -> None:
            nonlocal interrupts
            interrupts += 1
            talk.interrupt(signal.SIGINT)
            if interrupts > 1:
                give_up()

        def heed(number: signal.Signals, handle: Callable[[], object]) -> None:
            signal.signal(number, lambda *_: self._reactor.callFromThread(handle))

        heed(signal.SIGINT, interrupt)
        # The peer would wait for one who was cut off. The reactor has a handler of its own from
        # its start on, which would not wait for the answer to Quit.
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                fail = partial(talk.fail, interrupted(number))
                self._reactor.callWhenRunning(heed, number, fail)


async def _run(reactor: Any, options: Options, is_person: bool) -> None:
    boot_clock.drive(reactor)
    try:
        client = _Client(reactor, options)
    except ValueError as why:
        status, text = Ending(ExitStatus.USAGE, f"chatpair: {why}")
    else:
        status, text = await client.run(is_person)
    if text and sys.stderr is not None:
        with suppress(OSError):
            print(text, file=sys.stderr)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        _drop_what_nobody_takes(stream)
    raise SystemExit(int(status))


def _drop_what_nobody_takes(stream: TextIO) -> None:
    """Let Python have nothing to write at its end: it would fail, with a status of its own."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())


def run(options: Options, *, is_person: bool) -> None:
    """Run the client, for somebody at a terminal or for programs, and exit."""
    react(_run, (options, is_person))
