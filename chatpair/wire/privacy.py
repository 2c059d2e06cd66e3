"""Whether others on the way can read what goes over a connection."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import ISSLTransport

NEEDS_TLS = "This needs TLS."
"""What to say where a password would go over a connection that others can read."""


def is_private(transport: Any) -> bool:
    """Tell whether a transport is of TLS, a unix socket or this machine's loopback.

    Behind a proxy that says so (haproxy:) the peer is who speaks to that. One that does not, as
    a forwarded port, looks like this machine.
    """
    peer = transport.getPeer()
    while not ISSLTransport.providedBy(transport):
        below = getattr(transport, "transport", None)  # of a wrapper, or a WebSocket
        if below is None:
            return isinstance(peer, UNIXAddress) or _is_loopback(getattr(peer, "host", None))
        transport = below
    return True


def _is_loopback(host: object) -> bool:
    try:
        address = ip_address(str(host))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
