"""The command line of the client."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.fdesc import setBlocking
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from chatpair import __version__
from chatpair.client.conversation import Conversation
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.client.session import NotJson
from chatpair.client.stdio import StandardScreen
from chatpair.text import clean

_EPILOG = """\
On a terminal, what you type is said to the one you talk with, unless it is a command: To:bob calls
bob, /help lists the others. From a pipe, all lines are said to the one that --to names, or else to
whoever calls first, or whom a first line such as To:bob calls; when all have arrived, the client
quits. The exit status is 0 then, and 1 if they have not. A connection that is lost is made again.
"""


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        raise ValueError
    return port


_port.__name__ = "port number"  # argparse puts it in its message


def _clean(text: str) -> str:
    return clean(os.fsencode(text))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options given; exits if they are wrong or ask for help."""
    parser = argparse.ArgumentParser(
        prog="chatpair", description="Talk with somebody over a chatpair server.", epilog=_EPILOG
    )
    add = parser.add_argument
    add("host", nargs="?", default="localhost", metavar="HOST", help="the server (%(default)s)")
    add("--port", type=_port, default=9999, help="its port (%(default)s)")
    add("--name", type=_clean, default="", help="be known by this name; else it is asked for")
    add("--to", type=_clean, default="", metavar="NAME", help="call the user of this name")
    add("--version", action="version", version=f"chatpair {__version__}")
    return parser.parse_args(arguments)


class _Client:
    """Standard input and output, and whoever speaks there."""

    def __init__(self, reactor: Any, options: argparse.Namespace) -> None:
        self._options = options
        self._from_pipe = not sys.stdin.isatty()
        self._endpoint = HostnameEndpoint(reactor, options.host, options.port)
        self._screen = StandardScreen(from_pipe=self._from_pipe)
        self._connecting: Deferred[Any] | None = None
        self._interrupts = 0
        kind = PipeTalk if self._from_pipe else PersonTalk
        self._talk = kind(self._screen, self._endpoint, name=options.name, to=options.to)
        self._screen.speaker = self._talk
        self._stdio = StandardIO(self._screen, reactor=reactor)

    async def run(self) -> str:
        """Talk; return what went wrong with it, or nothing."""
        try:
            self._talk.start()
            self._stdio.registerProducer(self._talk, True)
            return await self._talk.finished
        except NotJson:
            return await self._talk_plainly()
        except Exception as why:  # a host that is no host name raises what it likes
            return self._not_connected(why)
        finally:
            self._stdio.unregisterProducer()
            self._stdio.loseConnection()
            await self._screen.closed

    async def _talk_plainly(self) -> str:
        self._screen.notice("The server speaks no JSON: what is lost with a connection stays lost.")
        conversation = Conversation(
            self._screen, name=self._talk.name, to=self._options.to, from_pipe=self._from_pipe
        )
        self._connecting = connectProtocol(self._endpoint, conversation)
        try:
            await self._connecting
        except Exception as why:
            return self._not_connected(why)
        finally:
            self._connecting = None
        self._screen.speaker = conversation
        conversation.transport.registerProducer(self._screen, True)
        self._stdio.unregisterProducer()
        self._stdio.registerProducer(conversation, True)
        return await conversation.finished

    def _not_connected(self, why: Exception) -> str:
        options = self._options
        return f"Can't connect to {options.host}, port {options.port}: {why or 'interrupted'}"

    def interrupt(self) -> None:
        """Quit; the second time, wait for nothing."""
        self._interrupts += 1
        if self._connecting is not None:
            self._connecting.cancel()
            return
        self._screen.speaker.interrupt()
        if self._interrupts > 1:
            self._screen.give_up()

    def terminate(self) -> None:
        """Quit, as often as it is asked for: the peer would wait for one who was cut off."""
        if self._connecting is not None:
            self._connecting.cancel()
        else:
            self._screen.speaker.fail("Terminated.")


def _heed(reactor: Any, number: signal.Signals, handle: Callable[[], object]) -> None:
    signal.signal(number, lambda *_: reactor.callFromThread(handle))


async def _run(reactor: Any, options: argparse.Namespace) -> None:
    client = _Client(reactor, options)
    _heed(reactor, signal.SIGINT, client.interrupt)
    # The reactor has handlers of its own from its start on. They would not wait for the answer
    # to Quit.
    reactor.callWhenRunning(_heed, reactor, signal.SIGTERM, client.terminate)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        _heed(reactor, signal.SIGHUP, client.terminate)
    problem = await client.run()
    # Both streams are the same on a terminal, and the shell wants it back as it was.
    for stream in (sys.stdin, sys.stdout):
        setBlocking(stream.fileno())
    if problem:
        print(problem, file=sys.stderr)
        raise SystemExit(1)


def main() -> None:
    """Run the client with the arguments of the command line."""
    if sys.stdin is None or sys.stdout is None:
        sys.exit("chatpair needs a standard input and a standard output.")
    react(_run, (parse_arguments(None),))


if __name__ == "__main__":
    main()
