"""The service that the options of "twistd chatpair" ask for; it knows every room."""

import atexit
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.application.strports import service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from chatpair import __version__
from chatpair.doors.proxied import PREFIX, ProxiedFactory
from chatpair.doors.unix import remove_stale
from chatpair.factory import ChatFactory
from chatpair.options import Options, certificates_of, explain
from chatpair.protocol import ChatProtocol
from chatpair.readiness import notify
from chatpair.wire.liveness import set_options

if TYPE_CHECKING:
    from chatpair.cluster.engine_mesh import EngineMesh
    from chatpair.doors.tls import Certificates

__all__ = ["ChatService", "Options", "makeService"]  # twistd wants the second and the last

SPARE_FILES = 250
"""Files that may be open beside those of connections.

Twisted accepts a hundred connections at once, and may accept as many again before those close.
"""

_log = Logger()


@implementer(IStreamServerEndpoint)
class _Endpoint:
    """An endpoint whose port has the options of a socket that its connections are to inherit.

    And what a killed server left behind does not keep it from listening.
    """

    def __init__(self, of: IStreamServerEndpoint, certificates: "Certificates | None") -> None:
        self._of = of
        self._certificates = certificates

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        return Deferred.fromCoroutine(self._listen(protocolFactory))

    async def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            port = await self._of.listen(factory)
        except CannotListenError as why:
            path = why.port
            if not (isinstance(path, bytes) and remove_stale(Path(os.fsdecode(path)))):
                raise
            port = await self._of.listen(factory)
        sock = getattr(port, "socket", None)
        if isinstance(sock, socket.socket):
            set_options(sock)
        if self._certificates is not None:
            self._certificates.serve(port)
        return port


class ChatService(MultiService):
    """The exchange and the ports that it listens on."""

    def __init__(self, factory: ChatFactory, mesh: "EngineMesh | None" = None) -> None:
        super().__init__()
        self.factory = factory
        self._mesh = mesh
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
        if self._mesh is not None:
            self._mesh.start(self.fail)
        _log.info("chatpair {version} is ready", version=__version__)
        notify("READY=1")

    def fail(self, why: str) -> None:
        """Log one line, and end twistd with exit status 1 after all has stopped in its order."""
        from twisted.internet import reactor

        _log.critical("{why}", why=why)
        atexit.register(_end_with_status_1)

        def stop() -> None:
            with suppress(ReactorNotRunning):  # it stops already
                reactor.stop()

        reactor.callWhenRunning(stop)

    def read_certificates(self) -> None:
        """Read the certificates anew, for whoever connects from now on."""
        for certificates in self.certificates:
            of = certificates.description
            try:
                certificates.read()
            except Exception as error:  # OpenSSL and each kind of endpoint raise what they like
                why = explain(error)
                _log.error("The certificates of {of} stay as they were: {why}", of=of, why=why)
            else:
                _log.info("Read the certificates of {of} anew", of=of)

    def stopService(self) -> "Deferred[Any]":
        """Listen no more, and let everybody read what was said before."""
        if self._before_hangup is not None:
            signal.signal(signal.SIGHUP, self._before_hangup)
        notify("STOPPING=1")
        stopping = gatherResults([super().stopService(), self.factory.stop()])
        mesh = self._mesh
        return stopping if mesh is None else stopping.addCallback(lambda _: mesh.stop())


def _end_with_status_1() -> None:
    """Do all that Python does at the end, and have an exit status that twistd can't be given."""
    atexit.unregister(_end_with_status_1)
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(1)


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

    clock: Any = reactor
    accounts = None
    if options["sources"]:
        from chatpair.passwords.accounts import Accounts

        accounts = Accounts(options["sources"], clock)
    settings: dict[str, Any] = {
        "max_line": options["max-line"],
        "linger": options["linger"],
        "hold": options["hold"],
        "max_users": options["max-users"],
        "max_per_host": options["max-per-host"],
        "motd": options["motd-text"],
        "accounts": accounts,
        "registered_only": options["registered-only"],
        "connects_per_minute": options["max-connects-per-minute"],
        "names_per_minute": options["max-names-per-minute"],
        "name_time": options["name-time"],
        "rate": options["rate"],
    }
    if options["cluster"] is None:
        factory, mesh = ChatFactory(clock, **settings), None
        factory.protocol = ChatProtocol  # type: ignore[assignment]  # the stub wants less
    else:
        from chatpair.cluster.node import make_node

        where = options["cluster"], options["node"], options["lease"]
        factory, mesh = make_node(clock, *where, **settings)
    chat = ChatService(factory, mesh)
    sites: list[tuple[str, IProtocolFactory]] = [(port, factory) for port in options["ports"]]
    if options["webs"]:
        from chatpair.doors.web import WebSite

        sites += [(web, WebSite(factory)) for web in options["webs"]]
    for full, site in sites:
        description = full.removeprefix(PREFIX)
        behind_proxy = full.startswith(PREFIX)
        port = service(description, ProxiedFactory(site, factory) if behind_proxy else site)
        certificates = certificates_of(description)
        if certificates is not None:
            chat.certificates.append(certificates)
        port.endpoint = _Endpoint(port.endpoint, certificates)
        port.setServiceParent(chat)
    return chat
