"""TLS on an endpoint of Twisted's: certificates that are read anew, and true ends and receipts."""

from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.internet import interfaces
from twisted.internet.endpoints import _parse, serverFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from zope.interface import implementer

from chatpair.codecs.plain import NO_PLAIN_TEXT
from chatpair.wire.liveness import innermost
from chatpair.wire.turns import TLS_BYTES_A_TURN, read_no_more_at_once

# RFC 8446, section 5.1: the first byte of a handshake record.
_HANDSHAKE = b"\x16"


class _Connection(SSL.Connection):
    """Keeps from Twisted that the other end has closed: it would do so too, at once.

    What came before that is perhaps not handled yet.
    """

    def recv(self, *arguments: Any) -> bytes:
        """Return what is in all records that have come: each may have a byte, and cost a turn."""
        data = bytearray()
        with suppress(SSL.Error):  # or, if nothing has come before it, raise it
            while True:
                data += super().recv(*arguments)
        if data:
            return bytes(data)
        try:
            return super().recv(*arguments)
        except SSL.ZeroReturnError:
            raise SSL.WantReadError from None


MOST_UNHEARD = 2**20
"""Bytes that are read from who reads nothing. TLS answers some by itself (RFC 8446, KeyUpdate)."""


@implementer(IHalfCloseableProtocol)
class TLSTransport(TLSMemoryBIOProtocol):
    """TLS on a TCP connection, that ends as TCP does, and writes at once.

    Twisted's BufferingTLSTransport gathers what is written until the reactor's next turn, and
    tells a producer only once that it should pause: so nobody knew when the kernel has what.
    """

    transport: Any
    door = "tls"
    """How users are counted who come by it."""
    input_was_cut = False
    """Whether the input ended without a word in TLS: whoever is on the way can do that."""
    output_ended = False
    """Whether the other end has closed in TLS, and with that has stopped listening."""
    _fresh = True  # nothing has come
    _paused = False
    _ends_output = False  # when the handshake is done
    _unheard = 0  # bytes that have come since what is written is not taken

    @property
    def in_handshake(self) -> bool:
        """Whether nothing can be told yet."""
        return not self._handshakeDone

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(transport)
        read_no_more_at_once(transport, TLS_BYTES_A_TURN)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let the connection underneath pause and resume a producer.

        Before the handshake is done, when that would not do, nobody is told much.
        """
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Hand on no more, not even an end that has come, which is to be read after all else."""
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self.transport.resumeProducing()
        self._tell_end()

    def dataReceived(self, data: bytes) -> None:
        fresh, self._fresh = self._fresh, False
        if fresh and not data.startswith(_HANDSHAKE):
            self.transport.write(NO_PLAIN_TEXT.encode() + b"\r\n")
            self.transport.loseConnection()
            return
        super().dataReceived(data)
        if not self._handshakeDone or self._tlsConnection is None:
            return
        if self._ends_output and not self._appSendBuffer:
            self._ends_output = False
            self._end_output()
        takes_nothing = getattr(innermost(self), "producerPaused", False)
        self._unheard = self._unheard + len(data) if takes_nothing else 0
        if self._unheard > MOST_UNHEARD or self._lostTLSConnection:  # not by the other end
            self.transport.abortConnection()
        else:
            self._tell_end()

    def _tell_end(self) -> None:
        connection = self._tlsConnection
        if self._paused or self.output_ended or connection is None:
            return
        if connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
            self.output_ended = True
            if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
                self.wrappedProtocol.readConnectionLost()
            else:
                self.loseConnection()

    def readConnectionLost(self) -> None:
        """Take the end of the connection's input for a half-close, as without TLS."""
        if self.output_ended:
            return  # it is closing
        if self._handshakeDone and IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.input_was_cut = True
            self.wrappedProtocol.readConnectionLost()
        else:
            self.transport.connectionLost(Failure(ConnectionDone()))

    def loseWriteConnection(self) -> None:
        """Close this half once all is written, and tell the protocol, which may read on.

        The other end need not answer (RFC 8446, section 6.1).
        """
        if self._handshakeDone:
            self._end_output()
        elif self._appSendBuffer:
            self._ends_output = True
        else:
            self.abortConnection()

    def _end_output(self) -> None:
        connection = self.getHandle()
        with suppress(SSL.Error):
            connection.shutdown()
            self.transport.write(connection.bio_read(2**15))
        self.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """Close once all is written, whether or not the other end answers that."""
        if self._handshakeDone:
            super().loseConnection()
            self.transport.loseConnection()
        else:
            self.abortConnection()


def _of_files(description: str) -> SSL.Context:
    from twisted.internet import reactor

    endpoint: Any = serverFromString(reactor, description)
    context: SSL.Context = endpoint._sslContextFactory.getContext()
    return context


def _of_directory(path: str) -> dict[str, SSL.Context]:
    # Where Twisted has the endpoint; its own look-up is a line in the log for each stranger.
    from twisted.protocols._sni import PEMObjects

    directory = FilePath(path)
    directory.listdir()  # which raises what walking it does not
    options = PEMObjects.fromDirectory(directory).inferDomainMapping()
    contexts = {name.lower(): each.getContext() for name, each in options.items()}
    if not contexts:
        raise ValueError(f"{path} has no .pem files with a certificate for a name, and its key")
    return contexts


@implementer(interfaces.IOpenSSLServerConnectionCreator)
class Certificates:
    """The certificates of an endpoint, as its description names their files."""

    def __init__(self, description: str) -> None:
        """Read them; raises whatever a file that is wrong makes Twisted or OpenSSL raise."""
        self.description = description
        self.read()

    def read(self) -> None:
        """Read them anew, for connections to come; when that raises, all stays as it was."""
        parts, keys = _parse(self.description)
        self._by_name: dict[str, SSL.Context]
        if parts[0] == "tls":
            by_name = _of_directory(keys["path"] if "path" in keys else parts[1])
            default = next(iter(by_name.values()))
        else:
            by_name, default = {}, _of_files(self.description)
        for context in (default, *by_name.values()):
            context.set_min_proto_version(SSL.TLS1_2_VERSION)
            context.set_tlsext_servername_callback(self._choose)
        self._by_name, self._default = by_name, default

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        parent = "*." + name.partition(".")[2]
        context = self._by_name.get(name) or self._by_name.get(parent)
        if context is not None:
            connection.set_context(context)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return _Connection(self._default)

    def serve(self, port: Any, wrapped: interfaces.IProtocolFactory) -> None:
        """Let a port that Twisted has opened for a factory use these, and our transport."""
        twisteds = port.factory
        factory = TLSMemoryBIOFactory(self, False, wrapped)
        factory.protocol = TLSTransport
        factory.doStart()
        port.factory = factory
        twisteds.doStop()
