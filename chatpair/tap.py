"""The options of "twistd chatpair", and the service that they make."""

import resource
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.application.strports import service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from zope.interface import implementer

from chatpair import __version__
from chatpair.codecs.plain import parse_event
from chatpair.factory import ChatFactory
from chatpair.liveness import set_options
from chatpair.messages import Notice
from chatpair.protocol import ChatProtocol
from chatpair.text import clean

SPARE_FILES = 250
"""Files that may be open beside those of connections.

Twisted accepts a hundred connections at once, and may accept as many again before those close.
"""

_log = Logger()


def _at_least(option: str, minimum: int, number: type[int] | type[float]) -> Callable[[str], float]:
    def coerce(text: str) -> float:
        try:
            value = number(text)
        except ValueError:
            kind = "a whole number" if number is int else "a number"
            raise ValueError(f"--{option} {text}: not {kind}") from None
        if not minimum <= value < sys.maxsize:
            raise ValueError(f"--{option} {text}: not {minimum} or more")
        return value

    return coerce


class Options(usage.Options):
    """What an operator can choose."""

    synopsis = "[options]"
    longdesc = (
        "Two parties, people or programs, talk over one private line: with nc, telnet, or the "
        "client that the command chatpair starts."
    )
    optParameters = (
        (
            "max-line",
            None,
            65_536,
            "Bytes that a line may have; a longer one is dropped, and its sender told.",
            _at_least("max-line", 1, int),
        ),
        (
            "linger",
            None,
            60,
            "Seconds that a user stays who only listens (nc -N) and is told nothing.",
            _at_least("linger", 0, float),
        ),
        (
            "hold",
            None,
            60,
            "Seconds that a line is held whose connection is lost without a Quit, for a client "
            "that speaks JSON and for whoever asked with /key; 0 holds none.",
            _at_least("hold", 0, int),
        ),
        (
            "max-users",
            None,
            10_000,
            "Users that may be here at a time; a newcomer is told that the server is full.",
            _at_least("max-users", 1, int),
        ),
        (
            "max-per-host",
            None,
            100,
            "Connections that one address may have at a time.",
            _at_least("max-per-host", 1, int),
        ),
        ("motd", None, None, "A file of UTF-8 text to send to whoever has said a name."),
    )

    def __init__(self) -> None:
        super().__init__()
        self["ports"] = []
        self["webs"] = []
        self["motd-text"] = ""

    def opt_port(self, description: str) -> None:
        kind = "epoll" if hasattr(select, "epoll") else "tcp"
        self["ports"].append(_endpoint_description("port", kind, description))

    opt_port.__doc__ = (  # the help shows a docstring's line breaks and indentation
        "Where to listen: a port number, or an endpoint description of Twisted's such as "
        "epoll:9999:interface=127.0.0.1, unix:/run/chatpair.sock or systemd:domain=INET:index=0. "
        "A number means epoll:, or tcp: where the system has no epoll. "
        "May be given more than once. [default: 9999]"
    )
    opt_p = opt_port

    def opt_web(self, description: str) -> None:
        try:
            import chatpair.doors.web  # noqa: F401
        except ImportError:
            raise usage.UsageError("--web needs the extra: pip install 'chatpair[web]'") from None
        self["webs"].append(_endpoint_description("web", "tcp", description))

    opt_web.__doc__ = (
        "Where to serve a page to chat from with a browser, and its WebSocket: a port number, "
        "which means tcp:, or an endpoint description as for --port. "
        "May be given more than once. [default: none]"
    )

    def opt_version(self) -> None:
        """Show the version of chatpair and exit."""
        print(f"chatpair {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Read the message of the day, and fill in the default port."""
        if not self["ports"]:
            self.opt_port("9999")
        if self["motd"] is not None:
            self["motd-text"] = _read_motd(Path(self["motd"]))


def _endpoint_description(option: str, kind: str, text: str) -> str:
    """Return the endpoint description that an operator meant, if Twisted can parse it.

    A number alone is a port of that kind.
    """
    from twisted.internet import reactor  # installs one: not before there is a choice

    description = f"{kind}:{text}" if text.isdecimal() else text
    try:
        if text.isdecimal() and int(text) > 65_535:
            raise ValueError("the highest port is 65535")
        serverFromString(reactor, description)
    except Exception as why:  # each kind of endpoint raises what it likes
        raise usage.UsageError(
            f"--{option} {text}: no port number, and no endpoint description that works here: "
            f"{type(why).__name__}: {why}"
        ) from None
    return description


def _read_motd(path: Path) -> str:
    """Return the lines of a file, none of which passes for a word of the server's or a peer's."""
    try:
        lines = [clean(line) for line in path.read_bytes().splitlines()]
    except OSError as why:
        raise usage.UsageError(f"--motd: can't read {path}: {why.strerror}") from None
    return "\n".join(
        line if isinstance(parse_event(line), Notice) and not line.startswith("[") else f" {line}"
        for line in lines
    )


@implementer(IStreamServerEndpoint)
class _Endpoint:
    """An endpoint whose port has the options of a socket that its connections are to inherit."""

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        return self._endpoint.listen(protocolFactory).addCallback(self._listening)

    def _listening(self, port: IListeningPort) -> IListeningPort:
        sock = getattr(port, "socket", None)
        if isinstance(sock, socket.socket):
            set_options(sock)
        return port


class ChatService(MultiService):
    """The exchange and the ports that it listens on."""

    def __init__(self, factory: ChatFactory) -> None:
        super().__init__()
        self.factory = factory

    def privilegedStartService(self) -> None:
        """Listen, or let twistd end with one line that says why not."""
        try:
            super().privilegedStartService()
        except Exception as why:  # each kind of endpoint raises what it likes
            _log.critical("{why}", why=why)
            # twistd tells a waiting parent and removes its files, and then lets Python end with
            # a traceback, which has no more to tell.
            sys.excepthook = lambda *_: None
            raise

    def startService(self) -> None:
        """Make room for as many files as there may be users, and for some without a name."""
        super().startService()
        files = _allow_open_files(self.factory.max_users + 2 * SPARE_FILES)
        # To run out of files would cost three lines in the log for each connection.
        self.factory.max_connections = max(files - SPARE_FILES, files // 2)
        _log.info("chatpair {version} is ready", version=__version__)

    def stopService(self) -> "Deferred[Any]":
        """Listen no more, and let everybody read what was said before."""
        return gatherResults([super().stopService(), self.factory.stop()])


def _allow_open_files(wanted: int) -> int:
    """Let the process open so many files if the system allows it; return how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    if hard != resource.RLIM_INFINITY and hard < wanted:
        _log.warn(
            "The system allows {hard} open files, too few for as many users as may be here; "
            "see ulimit -n",
            hard=hard,
        )
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def makeService(options: Options) -> ChatService:
    """Return the service that the options ask for."""
    from twisted.internet import reactor

    factory = ChatFactory(
        reactor,
        max_line=options["max-line"],
        linger=options["linger"],
        hold=options["hold"],
        max_users=options["max-users"],
        max_per_host=options["max-per-host"],
        motd=options["motd-text"],
    )
    factory.protocol = ChatProtocol  # type: ignore[assignment]  # the stub wants less
    chat = ChatService(factory)
    sites: list[tuple[str, IProtocolFactory]] = [(port, factory) for port in options["ports"]]
    if options["webs"]:
        from chatpair.doors.web import WebSite

        sites += [(web, WebSite(factory)) for web in options["webs"]]
    for description, served in sites:
        port = service(description, served)
        port.endpoint = _Endpoint(port.endpoint)
        port.setServiceParent(chat)
    return chat
