"""Twisted's own tests of TCP, on the ports of epoll:.

Run with "python -m twisted.trial tests.support.twisted_transports", as test_transport.py does.
"""

from typing import Any, ClassVar

from twisted.internet import reactor as installed_reactor
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import ClientFactory
from twisted.internet.test import test_tcp as with_reactors
from twisted.test import test_tcp as with_protocols

from chatpair.epoll.endpoint import EpollPort
from chatpair.epoll.poller import IN

EPOLL_REACTOR = "twisted.internet.epollreactor.EPollReactor"
OTHER_REACTORS = [
    "twisted.internet.selectreactor.SelectReactor",
    "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
]


def listen(reactor: Any, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
    """Listen on a port of ours; takes what a reactor's listenTCP takes."""
    listening = EpollPort(port, factory, backlog, interface, reactor)
    listening.startListening()
    return listening


class OnEpoll:
    """Has a reactor listen on our ports, and tell which of their connections it reads."""

    _reactors: ClassVar = [EPOLL_REACTOR, *OTHER_REACTORS]

    def buildReactor(self) -> Any:
        reactor = super().buildReactor()  # type: ignore[misc]
        readers, ports = reactor.getReaders, []

        def listen_tcp(*arguments: Any, **options: Any) -> Any:
            ports.append(listen(reactor, *arguments, **options))
            return ports[-1]

        def readers_and_connections() -> Any:
            connections = [one for port in ports for one in port.poller._connections if one]
            return readers() + [one for one in connections if one.events & IN]

        reactor.listenTCP, reactor.getReaders = listen_tcp, readers_and_connections
        return reactor


class Unbound:
    """Where nobody listens: in swapped roles the other end does, as soon as one connects."""

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 1)


class Swapped:
    """Has the end that connects be the one that our port accepts, and the other connect to it.

    Most of Twisted's tests look closely at the end that connects.
    """

    _reactors: ClassVar = [EPOLL_REACTOR]

    def buildReactor(self) -> Any:
        reactor = super().buildReactor()  # type: ignore[misc]
        connect, listeners = reactor.connectTCP, []

        def listen_tcp(port: int, factory: Any, *_: Any, **__: Any) -> Unbound:
            listeners.append(factory)
            return Unbound()

        def connect_tcp(host: str, port: int, factory: Any, *_: Any, **__: Any) -> Any:
            ours = listen(reactor, 0, factory, interface="127.0.0.1")
            other = ClientFactory()
            other.buildProtocol = listeners.pop().buildProtocol  # type: ignore[method-assign]
            return connect("127.0.0.1", ours.getHost().port, other)

        reactor.listenTCP, reactor.connectTCP = listen_tcp, connect_tcp
        return reactor


class OnInstalledReactor:
    """Has the reactor that is running already listen on our ports, for the time of a test."""

    def setUp(self) -> Any:
        def listen_tcp(*arguments: Any, **options: Any) -> Any:
            return listen(installed_reactor, *arguments, **options)

        self.patch(installed_reactor, "listenTCP", listen_tcp)  # type: ignore[attr-defined]
        return super().setUp()  # type: ignore[misc]


def skipped(reason: str) -> Any:
    """Return a test that trial skips."""

    def test(self: object) -> None:
        raise AssertionError

    test.skip = reason  # type: ignore[attr-defined]
    return test


def add_cases(mixin: type, base: Any, reason: str = "", *without: str) -> None:
    """Make a test case for each reactor of a mixin, and say why some tests are left out."""
    left_out = {name: skipped(reason) for name in without}
    built: Any = type(f"{mixin.__name__}{base.__name__}", (mixin, base), left_out)
    globals().update(built.makeTestCaseClasses())


add_cases(
    OnEpoll,
    with_reactors.TCPConnectionTestsBuilder,
    "expects that a reset goes unnoticed while nothing is read",
    "test_connectionLostAfterPausedTransport",
)

for base in (
    with_reactors.TCPPortTestsBuilder,
    with_reactors.TCPTransportTestsBuilder,
    with_reactors.TCP4ClientTestsBuilder,
    with_reactors.AbortConnectionTests,
):
    add_cases(OnEpoll, base)

add_cases(Swapped, with_reactors.AbortConnectionTests)
add_cases(
    Swapped,
    with_reactors.TCPTransportTestsBuilder,
    "about names of the end that listens, or expects that a write never goes out at once",
    "test_serverAddressTCP4",
    "test_serverAddressTCP6",
    "test_streamingProducer",
)
add_cases(
    Swapped,
    with_reactors.TCP4ClientTestsBuilder,
    "about connecting itself",
    "test_addresses",
    "test_badContext",
    "test_buildProtocolReturnsNone",
    "test_clientConnectionFailedStopsReactor",
    "test_connectPortNotNumeric",
    "test_connectPortOverflow",
    "test_connectPortUnderflow",
    "test_connectPortZero",
    "test_getaddrinfo_negative_port",
    "test_getaddrinfo_overflow_port",
    "test_interface",
)

for case in (
    with_protocols.FactoryTests,
    with_protocols.HalfCloseBuggyApplicationTests,
    with_protocols.HalfCloseNoNotificationAndShutdownExceptionTests,
    with_protocols.HalfCloseTests,
    with_protocols.ListeningTests,
    with_protocols.LoopbackTests,
    with_protocols.PauseProducingTests,
    with_protocols.WriteDataTests,
):
    left_out = {}
    if case is with_protocols.HalfCloseBuggyApplicationTests:
        reason = "leaves a connection half-closed, where ours are looked after"
        left_out["test_writeNotificationRaises"] = skipped(reason)
    globals()[f"OnEpoll{case.__name__}"] = type(
        f"OnEpoll{case.__name__}", (OnInstalledReactor, case), left_out
    )
