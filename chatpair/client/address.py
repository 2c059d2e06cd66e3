"""Where a server is, as people write it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import ValidationError, convert
from twisted.internet.abstract import isIPv6Address
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from chatpair.client.connection import endpoint_at
from chatpair.client.settings import HOST, PORT
from chatpair.extras import how_to_install

USUAL_PORT = 9_999

_TLS = "tls:"


def read_port(text: str) -> int:
    """Return a port; raises ValueError with what it must be."""
    try:
        port: int = convert(int(text), PORT.type)
    except (ValueError, ValidationError):
        raise ValueError(f"must be {PORT.words}, not {text!r}") from None
    return port


class Address(NamedTuple):
    """A server's host and port, if there is one: HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return what a text means; raises ValueError with what it must be."""
        host, port = text, ""
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            port = rest.removeprefix(":")
            if not bracket or (rest and port == rest):
                host = ""
        elif text.count(":") == 1:
            host, port = text.split(":")
        elif ":" in text and not isIPv6Address(text):
            host = ""
        try:
            convert(host, HOST.type)
        except ValidationError:
            raise ValueError(f"must be {HOST.words}, not {text!r}") from None
        return cls(host, read_port(port) if port else None)


class Place(NamedTuple):
    """Where a server of a program is: a host, a port, and whether it speaks TLS there."""

    host: str
    port: int
    has_tls: bool

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Return what HOST, HOST:PORT, [ADDRESS]:PORT or one of them after tls: means."""
        address = Address.parse(text.removeprefix(_TLS))
        return cls(address.host, address.port or USUAL_PORT, text.startswith(_TLS))


def tls_endpoint(reactor: Any, host: str, port: int, ca: str) -> IStreamClientEndpoint:
    """Return the way to a server that speaks TLS; raises ValueError if that can't be."""
    if not (find_spec("OpenSSL") and find_spec("service_identity")):
        raise ValueError(f"TLS needs more packages: {how_to_install('tls')}")
    from chatpair.client.tls import TLSEndpoint

    return TLSEndpoint(reactor, host, port, Path(ca).expanduser() if ca else None)


def endpoint_of(reactor: Any, text: str, ca: str) -> IStreamClientEndpoint:
    """Return the way to a server, with whom to trust in TLS; raises ValueError for no address.

    What is none of Place's is a description of an endpoint of Twisted's, such as unix:/run/chat.
    """
    try:
        host, port, has_tls = Place.parse(text)
    except ValueError as why:
        try:
            endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        except ValueError:
            raise why from None
        return endpoint
    return tls_endpoint(reactor, host, port, ca) if has_tls else endpoint_at(reactor, host, port)
