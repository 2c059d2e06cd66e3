"""The service that the options of "twistd chatpair" ask for; it knows every room."""

import atexit
import os
import resource
import socket
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService, Service
from twisted.application.strports import service
from twisted.internet import tcp
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import FileLogObserver, ILogObserver, LogEvent, Logger
from zope.interface import implementer

from chatpair import __version__, boot_clock
from chatpair.doors.proxied import PREFIX, ProxiedFactory
from chatpair.doors.unix import remove_stale
from chatpair.exchange.activity_log import ActivityLog
from chatpair.factory import ChatFactory
from chatpair.handover import passing, store
from chatpair.handover.others import Others
from chatpair.handover.ports import Ports
from chatpair.handover.service import Handover, HandoverDoor, Serving, stop
from chatpair.options import Options, explain, read_motd
from chatpair.ownership import Ownership
from chatpair.signals import Signals
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
@dataclass
class _Endpoint:
    """Sets what connections inherit, and listens though a killed server has left its socket."""

    of: IStreamServerEndpoint
    description: str
    ports: Ports
    certificates: "Certificates | None"
    activity: ActivityLog
    ownership: Ownership

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        return Deferred.fromCoroutine(self._listen(protocolFactory))

    async def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            port = await self.ports.listen(self.description, self.of, factory)
        except CannotListenError as why:
            path = why.port
            if not (isinstance(path, bytes) and remove_stale(Path(os.fsdecode(path)))):
                raise
            port = await self.ports.listen(self.description, self.of, factory)
        sock = getattr(port, "socket", None)
        if isinstance(sock, socket.socket):
            set_options(sock)
        address = port.getHost()
        if isinstance(address, UNIXAddress) and address.name:
            self.ownership.give_socket(Path(os.fsdecode(address.name)))
        if isinstance(port, tcp.Port):  # Twisted would write a line for each that it turns away
            observer: Any = self._turned_away
            port._logger = Logger(observer=observer)
        if self.certificates is not None:
            self.certificates.serve(port, factory)
        return port

    def _turned_away(self, event: LogEvent) -> None:
        if "address" in event or "acceptError" in event:
            self.activity.refused("no files left")


class ChatService(MultiService):
    """The exchange and the ports that it listens on."""

    log: FileLogObserver | None = None
    """What writes the log, if not what twistd has by itself."""

    def __init__(
        self,
        factory: ChatFactory,
        signals: Signals,
        ownership: Ownership,
        mesh: "EngineMesh | None" = None,
        handover: Handover | None = None,
    ) -> None:
        super().__init__()
        self.factory = factory
        self._signals = signals
        self._ownership = ownership
        self._mesh = mesh
        self._handover = handover
        self._errors = os.dup(2)  # for who has started this

    def setServiceParent(self, parent: Any) -> None:
        """Be part of an application, where twistd looks for what writes the log."""
        super().setServiceParent(parent)
        if self.log is not None:
            parent.setComponent(ILogObserver, self.log)

    def privilegedStartService(self) -> None:
        """Listen, or let twistd end with one line that says why not.

        There is room for as many files as there may be users, and for some without a name.
        """
        self._signals.heed()
        # To run out of files would cost three lines in the log for each connection.
        files = _allow_open_files(self.factory.settings.max_users + 2 * SPARE_FILES)
        self.factory.settings.max_connections = max(files - SPARE_FILES, files // 2)
        try:
            with self._handover.taking_over() if self._handover is not None else nullcontext():
                super().privilegedStartService()
            self._ownership.give_log()
        except Exception as why:  # each kind of endpoint raises what it likes
            _log.critical("{why}", event="start_failed", why=why)
            if not os.path.sameopenfile(self._errors, 2):  # in the background
                os.write(self._errors, f"chatpair: {why}\n".encode())  # twistd cuts what is long
            # twistd tells a waiting parent and removes its files, and then lets Python end with
            # a traceback, which has no more to tell.
            sys.excepthook = lambda *_: None
            raise
        os.close(self._errors)

    def startService(self) -> None:
        """Serve, and say so."""
        super().startService()
        self._ownership.complain()
        if self._mesh is not None:
            self._mesh.start(self.fail)
        from twisted.internet import reactor

        reactor.callWhenRunning(_tell_ready)  # SIGTERM has a handler by then

    def fail(self, why: str) -> None:
        """Log one line, and end twistd with exit status 1 after all has stopped in its order."""
        from twisted.internet import reactor

        _log.critical("{why}", event="gave_up", why=why)
        atexit.register(_end_with_status_1)
        reactor.callWhenRunning(stop)

    def stopService(self) -> "Deferred[Any]":
        """Listen no more, read what has come, and let everybody read what was said before.

        Who watches the server is told that until the end.
        """
        Service.stopService(self)
        self._signals.stop()
        if self._handover is not None and self._handover.over:
            return succeed(None)  # whatever there was is another process's
        _notify("STOPPING=1")
        read = self.factory.visitors.all_read()
        stopped = read.addCallback(lambda _: self.factory.stop())
        metrics, mesh = self.namedServices.get("metrics"), self._mesh
        doors = [maybeDeferred(door.stopService) for door in self if door is not metrics]
        stopping = DeferredList([stopped, *doors])
        if mesh is not None:
            stopping.addCallback(lambda _: mesh.stop())
        if metrics is not None:
            stopping.addCallback(lambda _: metrics.stopService())
        return stopping


def _tell_ready() -> None:
    _log.info("chatpair {version} is ready", event="ready", version=__version__)
    _notify("READY=1")


def _notify(state: str) -> None:
    """Tell a state to systemd, or whatever else started the server, if it asks (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.settimeout(5.0)  # to make room for it
            told.connect(f"\0{where[1:]}" if where.startswith("@") else where)
            told.send(state.encode())
    except OSError as why:
        text = "Can't tell {where} {state}: {why}"
        _log.warn(text, event="notify_failed", where=where, state=state, why=why)


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
            event="few_files",
            hard=hard,
        )
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _serving(factory: ChatFactory, ports: Ports, mesh: "EngineMesh | None") -> Serving:
    if mesh is None:
        return Serving(factory, ports, Others())
    from chatpair.handover.cluster import OtherNodes

    return Serving(factory, ports, OtherNodes(factory, mesh))


def _handover(
    where: Path | str | None, serving: Serving, ports: Ports, signals: Signals
) -> Handover | None:
    """Return what takes over and hands over there, if that is asked for."""
    if where is None:
        return None
    if isinstance(where, Path):
        return Handover(serving, ports, partial(passing.ask, where))
    handover = Handover(serving, ports, store.take)
    signals.restarts = handover.restart
    return handover


def makeService(options: Options) -> ChatService:
    """Return the service that the options ask for."""
    from twisted.internet import reactor

    clock: Any = reactor
    boot_clock.drive(clock)
    accounts = None
    if options["sources"]:
        from chatpair.passwords.accounts import Accounts

        accounts = Accounts(options["sources"], clock)
    settings = options.settings()
    if options["cluster"] is None:
        factory, mesh = ChatFactory(clock, settings, accounts=accounts), None
    else:
        from chatpair.cluster.cluster_directory import ClusterDirectory
        from chatpair.cluster.engine_mesh import EngineMesh

        mesh = EngineMesh(clock, options["cluster"], options["node"], options["lease"])
        mesh.listener = directory = ClusterDirectory(mesh)
        factory = ChatFactory(clock, settings, accounts=accounts, directory=directory)
        directory.serve(factory)
    ownership = Ownership(options.parent)
    signals = Signals(reactor, explain, ownership.log)
    for where, of_port in options.certificates.items():
        signals.reads(f"the certificates of {where}", of_port.read)
    for source in options["sources"]:
        if source.file is not None:
            signals.reads(f"--auth {source.file.path}", source.file.read_anew)
    if options["motd"] is not None:
        signals.reads(
            f"--motd {options['motd']}",
            lambda: setattr(settings, "motd", read_motd(options["motd"])),
        )
    sites: list[tuple[str, IProtocolFactory]] = []
    ports = Ports()
    handover = _handover(options["handover"], _serving(factory, ports, mesh), ports, signals)
    if handover is not None and isinstance(options["handover"], Path):
        where = quoteStringArgument(str(options["handover"]))
        # What is opened first the kernel closes last when this is killed: when nobody listens here
        # any more, the other ports are free.
        sites.append((f"unix:{where}:mode=600:lockfile=0", HandoverDoor(handover)))
    sites += [(port, factory) for port in options["ports"]]
    chat = ChatService(factory, signals, ownership, mesh, handover)
    if options["log-format"] == "json":
        from chatpair.monitoring.json_log import json_log

        chat.log = json_log(options.parent)
    if options["webs"]:
        from chatpair.doors.web import WebSite

        for web in options["webs"]:
            proxied = web.startswith(PREFIX)
            page = WebSite(factory, factory, origins=options["origins"], is_proxied=proxied)
            sites.append((web, page))
    metrics = None
    if options["metrics"] is not None:
        from chatpair.monitoring.metrics import MetricsSite

        metrics = MetricsSite(factory, mesh, lambda: not chat.running)
        sites.append((options["metrics"], metrics))
    for full, site in sites:
        description = full.removeprefix(PREFIX)
        port = service(description, site if description == full else ProxiedFactory(site, factory))
        certificates = options.certificates.get(description)
        port.endpoint = _Endpoint(
            port.endpoint, description, ports, certificates, factory.activity, ownership
        )
        if site is metrics:
            port.setName("metrics")
        port.setServiceParent(chat)
    return chat
