"""The options of "twistd chatpair", and the service that they make."""

import os
import re
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.application.strports import service
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import (
    AuthOptionMixin,
    InvalidAuthType,
    UnsupportedInterfaces,
    makeChecker,
)
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair import __version__
from chatpair.codecs.plain import parse_event
from chatpair.doors.proxied import PREFIX, ProxiedEndpoint
from chatpair.doors.unix import remove_stale
from chatpair.factory import ChatFactory
from chatpair.liveness import set_options
from chatpair.messages import Notice
from chatpair.protocol import ChatProtocol
from chatpair.readiness import notify
from chatpair.text import clean

if TYPE_CHECKING:
    from chatpair.accounts import Accounts, Source

SPARE_FILES = 250
"""Files that may be open beside those of connections.

Twisted accepts a hundred connections at once, and may accept as many again before those close.
"""

_TLS = re.compile(r"(haproxy:)?(ssl|tls):")

_log = Logger()

if TYPE_CHECKING:
    from chatpair.doors.tls import Certificates


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


class Options(usage.Options, AuthOptionMixin):
    """What an operator can choose."""

    supportedInterfaces = (IUsernamePassword,)
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
            "Connections that one address may have at a time; an IPv6 network (/64) counts as one.",
            _at_least("max-per-host", 1, int),
        ),
        (
            "max-connects-per-minute",
            None,
            300,
            "Connections that one address may make in a minute; 0 for no limit. This machine's own "
            "may make any number.",
            _at_least("max-connects-per-minute", 0, int),
        ),
        (
            "max-names-per-minute",
            None,
            100,
            "New names that one address may take in a minute; 0 for no limit. This machine's own "
            "may take any number.",
            _at_least("max-names-per-minute", 0, int),
        ),
        (
            "name-time",
            None,
            30,
            "Seconds that a connection may go without a name.",
            _at_least("name-time", 1, float),
        ),
        (
            "rate",
            None,
            0,
            "Lines a second that a user may say, after as many at once; a faster one is slowed "
            "and loses nothing. 0 for no limit.",
            _at_least("rate", 0, int),
        ),
        ("motd", None, None, "A file of UTF-8 text to send to whoever has said a name."),
    )

    optFlags = (("registered-only", None, "Let nobody in but those whose name has a password."),)

    def __init__(self) -> None:
        super().__init__()
        self["ports"] = []
        self["sources"] = []
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

    def opt_auth(self, description: str) -> None:
        kind = description.partition(":")[0]  # the rest may hold passwords
        try:
            checker = makeChecker(description)
            self.addChecker(checker)
            from chatpair.accounts import Source

            self["sources"].append(Source(checker))
        except InvalidAuthType:
            why = "there is no such kind; --help-auth lists them"
        except UnsupportedInterfaces:
            why = "it checks no passwords"
        except OSError as error:
            why = f"can't read {error.filename}: {error.strerror}"
        except Exception as error:  # each kind of checker raises what it likes
            why = str(error)
        else:
            return
        raise usage.UsageError(f"--auth {kind}: {why}")

    opt_auth.__doc__ = (
        "Which names have a password, and what checks it: htpasswd:FILE has lines as htpasswd -B "
        "writes them, and --help-auth lists others. A name that is not in there is anybody's. A "
        "checker that can't tell its names, as unix, has all. May be given more than once."
    )

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
        if self["registered-only"] and not self["sources"]:
            raise usage.UsageError("--registered-only needs --auth: who is registered")
        if not self["ports"]:
            self.opt_port("9999")
        if self["motd"] is not None:
            self["motd-text"] = _read_motd(Path(self["motd"]))


def _endpoint_description(option: str, kind: str, text: str) -> str:
    """Return the endpoint description that an operator meant, if Twisted can parse it.

    A number alone is a port of that kind.
    """
    from twisted.internet import reactor  # installs one: not before there is a choice

    behind = PREFIX if text.startswith(PREFIX) else ""
    description = text.removeprefix(behind)
    try:
        if description.isdecimal():
            if int(description) > 65_535:
                raise ValueError("the highest port is 65535")
            description = f"{kind}:{description}"
        if _TLS.match(description) and not (find_spec("OpenSSL") and find_spec("service_identity")):
            raise usage.UsageError(
                f"--{option} {text} needs the extra: pip install 'chatpair[tls]'"
            )
        serverFromString(reactor, description)
        _certificates(description)
    except usage.UsageError:
        raise
    except Exception as why:  # each kind of endpoint raises what it likes
        raise usage.UsageError(
            f"--{option} {text}: no port number, and no endpoint description that works here: "
            f"{_explain(why)}"
        ) from None
    return behind + description


def _explain(why: Exception) -> str:
    if "OpenSSL" in sys.modules:
        from chatpair.doors.tls import explain

        return explain(why)
    return f"{type(why).__name__}: {why}"


def _certificates(description: str) -> "Certificates | None":
    """Return the certificates of an endpoint, if it has any; raises what reading them does."""
    if not _TLS.match(description):
        return None
    from chatpair.doors.tls import Certificates

    return Certificates(description)


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
    """An endpoint whose port has the options of a socket that its connections are to inherit.

    And what a killed server left behind does not keep it from listening.
    """

    def __init__(
        self, endpoint: IStreamServerEndpoint, certificates: "Certificates | None" = None
    ) -> None:
        self._endpoint = endpoint
        self._certificates = certificates

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        listening = self._endpoint.listen(protocolFactory)
        listening.addErrback(self._listen_again, protocolFactory)
        return listening.addCallback(self._listening)

    def _listen_again(
        self, why: Failure, factory: IProtocolFactory
    ) -> "Failure | Deferred[IListeningPort]":
        path = why.value.port if isinstance(why.value, CannotListenError) else None
        if isinstance(path, bytes) and remove_stale(Path(os.fsdecode(path))):
            return self._endpoint.listen(factory)
        return why

    def _listening(self, port: IListeningPort) -> IListeningPort:
        sock = getattr(port, "socket", None)
        if isinstance(sock, socket.socket):
            set_options(sock)
        if self._certificates is not None:
            self._certificates.serve(port)
        return port


class ChatService(MultiService):
    """The exchange and the ports that it listens on."""

    def __init__(self, factory: ChatFactory) -> None:
        super().__init__()
        self.factory = factory
        self.certificates: list[Certificates] = []
        self._before_hangup: Any = None  # what SIGHUP did

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
        if self.certificates:
            from twisted.internet import reactor

            def hung_up(*_: object) -> None:
                reactor.callFromThread(self.read_certificates)  # type: ignore[attr-defined]

            self._before_hangup = signal.signal(signal.SIGHUP, hung_up)
        _log.info("chatpair {version} is ready", version=__version__)
        notify("READY=1")

    def read_certificates(self) -> None:
        """Read the certificates anew, for whoever connects from now on."""
        for certificates in self.certificates:
            description = certificates.description
            try:
                certificates.read()
            except Exception as why:  # OpenSSL and each kind of endpoint raise what they like
                _log.error(
                    "The certificates of {description} stay as they were: {why}",
                    description=description,
                    why=_explain(why),
                )
            else:
                _log.info("Read the certificates of {description} anew", description=description)

    def stopService(self) -> "Deferred[Any]":
        """Listen no more, and let everybody read what was said before."""
        if self._before_hangup is not None:
            signal.signal(signal.SIGHUP, self._before_hangup)
        notify("STOPPING=1")
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


def _accounts(sources: "list[Source]", clock: Any) -> "Accounts | None":
    if not sources:
        return None
    from chatpair.accounts import Accounts

    return Accounts(sources, clock)


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
        accounts=_accounts(options["sources"], reactor),
        registered_only=options["registered-only"],
        connects_per_minute=options["max-connects-per-minute"],
        names_per_minute=options["max-names-per-minute"],
        name_time=options["name-time"],
        rate=options["rate"],
    )
    factory.protocol = ChatProtocol  # type: ignore[assignment]  # the stub wants less
    chat = ChatService(factory)
    served: list[tuple[str, IProtocolFactory]] = [(port, factory) for port in options["ports"]]
    if options["webs"]:
        from chatpair.doors.web import WebSite

        served += [(web, WebSite(factory)) for web in options["webs"]]
    for full, site in served:
        description = full.removeprefix(PREFIX)
        port = service(description, site)
        certificates = _certificates(description)
        if certificates is not None:
            chat.certificates.append(certificates)
        if full.startswith(PREFIX):
            port.endpoint = ProxiedEndpoint(port.endpoint, factory)
        port.endpoint = _Endpoint(port.endpoint, certificates)
        port.setServiceParent(chat)
    return chat
