"""What Prometheus and health checks ask for: /metrics and /health.

All figures are read when they are asked for, from what the exchange has anyhow. prometheus-client's
own resource for Twisted would do that in a thread, while the reactor's changes the tables.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from twisted.internet import unix
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IDelayedCall
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from chatpair import __version__
from chatpair.cluster.mesh import node_of
from chatpair.exchange.exchange import Exchange
from chatpair.wire.liveness import innermost

if TYPE_CHECKING:
    from chatpair.cluster.engine_mesh import EngineMesh

DELAY_SECONDS = 1.0
"""How often it is looked how late the reactor is."""

_TEXT = "text/plain; charset=utf-8"

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_COUNTED = {
    "came": ("chatpair_users_came", "Users who have come.", ""),
    "went": ("chatpair_users_gone", "Users who have gone, and why.", "reason"),
    "refused": ("chatpair_refused", "Connections, names and keys that were refused.", "reason"),
    "left without a name": ("chatpair_unnamed", "Connections that ended before a name came.", ""),
    "slowed": ("chatpair_users_slowed", "Users who spoke faster than --rate allows.", ""),
    "called": ("chatpair_calls", "Calls of users here, and what came of them.", "outcome"),
    "failed": ("chatpair_lines_failed", "Texts that were not passed on or not taken.", "reason"),
}
"""What the exchange counts by itself: name, help, and the label of why."""


def door_of(transport: Any) -> str:
    """Return by which way a connection has come: tcp, unix, tls, web or cluster."""
    plain = "unix" if isinstance(innermost(transport), unix.Server) else "tcp"
    door: str = getattr(transport, "door", plain)
    return door


def unsent_bytes(transport: Any) -> int:
    """Return how much of what was written to a transport the kernel has not taken."""
    inner = innermost(getattr(transport, "transport", transport))
    if isinstance(inner, FileDescriptor):
        return len(inner.dataBuffer) - inner.offset + inner._tempDataLen
    unsent: int = getattr(inner, "unsent", 0)
    return unsent


class Figures(Collector):
    """The figures of an exchange, and of its cluster if there is one."""

    def __init__(self, chat: Exchange, mesh: "EngineMesh | None") -> None:
        self._chat = chat
        self._mesh = mesh

    def collect(self) -> Iterator[Metric]:
        """Yield all that there is to tell at this moment."""
        yield InfoMetricFamily("chatpair", "The server.", {"version": __version__})
        yield from self._of_connections()
        yield from self._counted()
        if self._mesh is not None:
            yield from _of_cluster(self._mesh)

    def _of_connections(self) -> Iterator[Metric]:
        chat = self._chat
        users: Counter[tuple[str, str]] = Counter()
        paused = unsent = 0
        for visitor in chat.visitors:
            transport = getattr(visitor, "transport", None)
            paused += visitor.paused
            unsent += unsent_bytes(transport)
            user = getattr(visitor, "user", None)
            if user is not None:
                users[door_of(transport), "paired" if user in chat.pairs else "idle"] += 1
        users["none", "held"] = len(chat.users) - users.total()
        here = GaugeMetricFamily("chatpair_users", "Users who are here.", labels=["door", "state"])
        for labels, number in users.items():
            here.add_metric(labels, number)
        yield here
        kept = sum(user.inbox.kept_bytes for user in chat.users.values())
        for name, text, value in (
            ("connections", "Connections, with a user or without.", len(chat.visitors)),
            ("paused_connections", "Connections that are not read, as what comes waits.", paused),
            ("pairs", "Pairs with a user here.", len(chat.pairs) / 2),
            ("unsent_bytes", "Bytes that wait until the kernel takes them.", unsent),
            ("kept_bytes", "Bytes that are kept for users until they have them.", kept),
        ):
            yield GaugeMetricFamily(f"chatpair_{name}", text, value)

    def _counted(self) -> Iterator[Metric]:
        activity = self._chat.activity
        yield CounterMetricFamily("chatpair_lines", "Lines that users said.", activity.lines)
        text = "Bytes of those lines."
        yield CounterMetricFamily("chatpair_line_bytes", text, activity.line_bytes)
        for what, (name, text, label) in _COUNTED.items():
            counted = {why: n for (happened, why), n in activity.totals.items() if happened == what}
            if not label:
                yield CounterMetricFamily(name, text, sum(counted.values()))
                continue
            family = CounterMetricFamily(name, text, labels=[label])
            for why, number in counted.items():
                family.add_metric([why], number)
            yield family


def _of_cluster(mesh: "EngineMesh") -> Iterator[Metric]:
    lease = mesh.lease
    for name, text, value in (
        ("ready", "Whether names can be claimed, and others called.", lease.ready),
        ("settling", "Whether the engine lost its data, and all claim again.", lease.settling),
        ("nodes", "Other nodes that are alive.", len(mesh.members)),
        ("lease_margin_seconds", "For how long users are safe here.", lease.validity.left),
        ("engine_round_trip_seconds", "What the last answer took.", lease.validity.round_trip),
    ):
        yield GaugeMetricFamily(f"chatpair_cluster_{name}", text, value)
    prefix, of = "chatpair_cluster_", ["node"]
    sent = CounterMetricFamily(f"{prefix}frames_sent", "Frames to a node.", labels=of)
    came = CounterMetricFamily(f"{prefix}frames_received", "Frames from a node.", labels=of)
    text = "Bytes that a node has not acknowledged."
    backlog = GaugeMetricFamily(f"{prefix}backlog_bytes", text, labels=of)
    for link in mesh.links:
        node = [node_of(link.inc)]
        sent.add_metric(node, link.frames_put)
        came.add_metric(node, link.frames_taken)
        backlog.add_metric(node, link.size)
    yield from (sent, came, backlog)


class _Page(Resource):
    """What a function returns, and nothing below it."""

    def __init__(self, body: Callable[[Request], bytes]) -> None:
        super().__init__()
        self._body = body

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Page(_nothing)

    def render_GET(self, request: Request) -> bytes:
        return self._body(request)

    def render_HEAD(self, request: Request) -> bytes:
        self._body(request)
        return b""  # for Twisted would log each request that has to be cut


def _nothing(request: Request) -> bytes:
    request.setResponseCode(http.NOT_FOUND)
    request.setHeader("Content-Type", _TEXT)
    return b"There is nothing here but /metrics and /health.\n"


class MetricsSite(Site):
    """What a port for --metrics serves."""

    noisy = False

    def __init__(
        self, chat: Exchange, mesh: "EngineMesh | None", stopping: Callable[[], bool]
    ) -> None:
        """Take what has the figures, and what tells whether the server stops."""
        self._chat = chat
        self._mesh = mesh
        self._stopping = stopping
        self._timer: IDelayedCall | None = None
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(Figures(chat, mesh))
        self._delay = Histogram(
            "chatpair_event_loop_delay_seconds",
            "How late a timer of a second was.",
            registry=registry,
            buckets=_BUCKETS,
        )
        root = _Page(_nothing)
        root.putChild(b"metrics", _Page(self._metrics))
        root.putChild(b"health", _Page(self._health))
        super().__init__(root, reactor=chat.clock)

    def _metrics(self, request: Request) -> bytes:
        """Return all figures, in the format that is asked for."""
        accepted = request.requestHeaders.getRawHeaders(b"Accept", [b""])
        encode, kind = choose_encoder(accepted[-1].decode("latin-1"))
        request.setHeader("Content-Type", kind)
        return encode(self._registry)

    def _health(self, request: Request) -> bytes:
        """Tell whether a newcomer could be given a name, and if not why."""
        why = self._obstacle()
        request.setResponseCode(http.SERVICE_UNAVAILABLE if why else http.OK)
        request.setHeader("Content-Type", _TEXT)
        return f"{why or 'ok'}\n".encode()

    def _obstacle(self) -> str:
        visitors, users = self._chat.visitors, self._chat.users
        if self._stopping():
            return "stopping"
        if len(visitors) >= self._chat.settings.max_connections:
            return "no files left"
        if users.full:
            return "full"
        return "" if self._mesh is None else self._mesh.obstacle

    def startFactory(self) -> None:
        """Write no access log; begin to look how late the reactor is."""
        self._look()

    def stopFactory(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if self._timer is not None:
            self._delay.observe(self._chat.clock.seconds() - self._timer.getTime())
        self._timer = self._chat.clock.callLater(DELAY_SECONDS, self._look)

    def log(self, request: object) -> None:
        """Write none."""
