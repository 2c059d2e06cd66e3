"""The command line of the client."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.fdesc import setBlocking
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react

from chatpair import __version__
from chatpair.client.conversation import Conversation
from chatpair.client.stdio import StandardScreen
from chatpair.text import clean

_EPILOG = """\
On a terminal, what you type goes to the server: To:bob calls bob, /help lists the commands.
From a pipe, all lines are said to the one that --to names, or else to whoever calls first, or
whom a first line such as To:bob calls; then the client quits. The exit status is 0 if the server
took every line while the other was there, and 1 if not.
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


async def _talk(reactor: Any, options: argparse.Namespace) -> str:
    """Hold a conversation; return what went wrong with it, or nothing."""
    from_pipe = not sys.stdin.isatty()
    screen = StandardScreen(from_pipe=from_pipe)
    conversation = Conversation(screen, name=options.name, to=options.to, from_pipe=from_pipe)
    screen.conversation = conversation
    stdio = StandardIO(screen, reactor=reactor)
    endpoint = HostnameEndpoint(reactor, options.host, options.port)
    connecting = connectProtocol(endpoint, conversation)
    interrupts = count()

    def interrupt() -> None:
        if not conversation.connected:
            connecting.cancel()
            return
        conversation.interrupt()
        if next(interrupts):
            screen.give_up()

    # In the place of the reactor's handler, which would not wait for the answer to Quit.
    signal.signal(signal.SIGINT, lambda *_: reactor.callFromThread(interrupt))
    try:
        await connecting
    except Exception as why:  # a host that is no host name raises what it likes
        return f"Can't connect to {options.host}, port {options.port}: {why or 'interrupted'}"
    else:
        conversation.transport.registerProducer(screen, True)
        stdio.registerProducer(conversation, True)
        return await conversation.finished
    finally:
        stdio.unregisterProducer()
        stdio.loseConnection()
        await screen.closed


async def _run(reactor: Any, options: argparse.Namespace) -> None:
    problem = await _talk(reactor, options)
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
