"""TLS to a server: connected only when the server has proved that it is who was meant."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from chatpair.client.connection import endpoint_at

HANDSHAKE_SECONDS = 30.0
"""How long a server may take to answer in TLS."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

# OpenSSL's X509_V_ERR_*.
_OF_DATES = {9: "its certificate is not valid yet", 10: "its certificate has expired"}
_NOT_TRUSTED = "nobody who is trusted here has signed its certificate; --ca FILE trusts others"

_REASONS = {
    "wrong version number": "it speaks no TLS",
    "packet length too long": "it speaks no TLS",
    "record layer failure": "it speaks no TLS",
    "http request": "it speaks no TLS",
    "unsupported protocol": "it speaks no TLS 1.2 or newer",
    "tlsv1 alert protocol version": "it speaks no TLS 1.2 or newer",
}


class NoTLS(Exception):
    """There is no connection; the text, which goes after "Can't connect: ", says why."""


def read_authorities(path: Path) -> Any:
    """Return trust in the certificates of a file; raises ValueError, with a line for people."""
    try:
        found = _PEM.findall(path.read_bytes())
        return trustRootFromCertificates([Certificate.loadPEM(pem) for pem in found or [b""]])
    except OSError as why:
        raise ValueError(f"--ca {path}: {why.strerror}") from None
    except crypto.Error:
        raise ValueError(f"--ca {path}: there are no certificates in it, as PEM") from None


@implementer(IHandshakeListener)
class _Handshake(Protocol):
    """Stands before a protocol, which is connected when the handshake is done."""

    transport: Any

    def __init__(self, factory: IProtocolFactory, host: str, clock: IReactorTime) -> None:
        self.connected_protocol: Deferred[IProtocol] = Deferred(lambda _: self._give_up())
        self._factory = factory
        self._host = host
        self._clock = clock
        self._protocol: IProtocol | None = None
        self._timed_out = False

    def connectionMade(self) -> None:
        """Wait, but not for ever."""
        self.transport.setTcpNoDelay(True)
        self._timeout = self._clock.callLater(HANDSHAKE_SECONDS, self._time_out)

    def _time_out(self) -> None:
        self._timed_out = True
        self.transport.abortConnection()

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        """Connect the protocol, unless it was the wrong server."""
        if self.transport.disconnecting:
            return
        self._timeout.cancel()
        protocol = self._factory.buildProtocol(self.transport.getPeer())
        if protocol is None:
            self.transport.abortConnection()
            return
        self._protocol = protocol
        protocol.makeConnection(self.transport)
        self.connected_protocol.callback(protocol)

    def dataReceived(self, data: bytes) -> None:
        """Hand it on."""
        assert self._protocol is not None
        self._protocol.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the protocol, or why there is none."""
        if self._timeout.active():
            self._timeout.cancel()
        if self._protocol is not None:
            self._protocol.connectionLost(reason)
        elif not self.connected_protocol.called:
            self.connected_protocol.errback(NoTLS(self._explain(reason.value)))

    def _explain(self, why: BaseException | None) -> str:
        if self._timed_out:
            return "it does not answer in TLS"
        if isinstance(why, VerificationError):
            return f"its certificate is not for {self._host}"
        if not isinstance(why, SSL.Error) or not why.args or not why.args[0]:
            return "it closes the connection when asked for TLS"
        reasons = [reason for _, _, reason in why.args[0]]
        if "certificate verify failed" in reasons:
            return _OF_DATES.get(self._verify_result(), _NOT_TRUSTED)
        known = [_REASONS[reason] for reason in reasons if reason in _REASONS]
        return known[0] if known else f"TLS fails: {', '.join(reasons)}"

    def _verify_result(self) -> int:
        """Return what OpenSSL found wrong; pyOpenSSL has no public way to ask."""
        with suppress(ImportError, AttributeError):
            from OpenSSL._util import lib

            return int(lib.SSL_get_verify_result(self.transport.getHandle()._ssl))
        return 0


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """Where a server is that speaks TLS, and whose certificate must be for its name."""

    def __init__(self, reactor: Any, host: str, port: int, authorities: Path | None) -> None:
        """Take whom to trust, if it is not whom the system does; raises ValueError about that."""
        self._reactor = reactor
        self._host = host
        self._port = port
        self._trust = platformTrust() if authorities is None else read_authorities(authorities)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with NoTLS, or as HostnameEndpoint does."""
        try:
            options = optionsForClientTLS(self._host.partition("%")[0], self._trust)
        except Exception as why:  # a host that is no host name raises what it likes
            return fail(why)
        handshake = _Handshake(protocolFactory, self._host, self._reactor)
        endpoint = endpoint_at(self._reactor, self._host, self._port)
        connecting = wrapClientTLS(options, endpoint).connect(
            Factory.forProtocol(lambda: handshake)
        )
        connected = handshake.connected_protocol

        def failed(why: Failure) -> None:
            if not connected.called:
                connected.errback(why)

        connecting.addErrback(failed)
        connected.addErrback(self._cancel, connecting)
        return connected

    def _cancel(self, why: Failure, connecting: Deferred[IProtocol]) -> Failure:
        connecting.cancel()
        return why
