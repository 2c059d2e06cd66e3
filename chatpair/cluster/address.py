"""Where the engine is, and how to get in: what --cluster says."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

_FORMS = "redis://, rediss://, valkey://, valkeys://, unix:// or redis+sentinel://"
_SCHEME = re.compile(r"(?:(redis|valkey)(s?)(\+sentinel)?|unix)\Z")
_PLACE = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]*))(?::(\d+))?\Z")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

_PREFIX = re.compile(r"[!-z|~]{0,100}")  # a brace would begin a hash tag of its own

PORT, SENTINEL_PORT = 6379, 26379


@dataclass(frozen=True)
class EngineAddress:
    """Where the engine is, and how to get in; as text it has no password, so logs may show it."""

    places: tuple[tuple[str, int], ...] = ()
    """Host and port of the engine, or of each Sentinel that knows it."""
    path: str = ""
    """The unix socket, if it is one."""
    service: str = ""
    """What Sentinels call it, if they are asked."""
    database: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    """A PEM file with whom to trust, if not whom the system trusts."""
    prefix: str = ""
    """What all keys begin with, where others share the database."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL; raises ValueError with one line, which has no password in it."""
        scheme, has_scheme, rest = url.partition("://")
        kind = _SCHEME.match(scheme)
        if kind is None or not has_scheme:
            raise ValueError(f"no URL that starts with {_FORMS}")
        # Newer Pythons take several hosts, of which one is an IPv6 address, for no URL.
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        parts = urlsplit(f"{scheme}://{rest.removeprefix(authority)}")
        if authority and "@" not in authority and "@" in rest:
            raise ValueError("a password with / ? or # in it; write %2F %3F %23, and %40 for @")
        if parts.fragment:
            raise ValueError("a URL with # in it; write %23")
        credentials, _, places = authority.rpartition("@")
        user, _, password = (unquote(part) for part in credentials.partition(":"))
        common = cls(user=user, password=password, tls=kind[2] == "s")
        if scheme == "unix":
            return common._with_socket(parts, places)
        return common._with_places(parts, places, sentinel=bool(kind[3]))

    def _with_socket(self, parts: SplitResult, host: str) -> Self:
        if host or len(parts.path) < 2:
            raise ValueError("a unix socket is written unix:///PATH")
        query = _query(parts, "db", "prefix")
        database = _database(query.get("db", ""))
        return replace(self, path=unquote(parts.path), database=database, prefix=_prefix(query))

    def _with_places(self, parts: SplitResult, places: str, sentinel: bool) -> Self:
        query = _query(parts, "prefix", *(["ca"] if self.tls else []))
        default = SENTINEL_PORT if sentinel else PORT
        found = tuple(_place(place, default) for place in places.split(","))
        service, database = "", parts.path.removeprefix("/")
        if sentinel:
            service, _, database = database.partition("/")
            if not service:
                raise ValueError(f"which service? Write {parts.scheme}://HOST:PORT/SERVICE")
        elif len(found) > 1:
            raise ValueError("more than one host, which only +sentinel:// may have")
        ca = Path(query["ca"]).absolute() if "ca" in query else None
        where = replace(self, places=found, service=unquote(service), database=_database(database))
        address = replace(where, ca=ca, prefix=_prefix(query))
        if address.tls:
            address.tls_for(address.places[0][0])
        return address

    def with_credentials(self, text: str) -> Self:
        """Return the same with what a file or the environment says: PASSWORD or USER:PASSWORD."""
        user, colon, password = text.partition(":")
        return replace(self, user=user if colon else self.user, password=password or text)

    def tls_for(self, host: str) -> "IOpenSSLClientConnectionCreator":
        """Return what checks that a host is who it says.

        Raises ValueError with one line about the file, or ImportError without the extra.
        """
        from OpenSSL import crypto
        from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

        if self.ca is None:
            return optionsForClientTLS(host)
        try:
            found = _CERTIFICATE.findall(self.ca.read_bytes())
            trusted = [Certificate.loadPEM(pem) for pem in found or [b""]]
        except OSError as why:
            raise ValueError(f"can't read {self.ca}: {why.strerror}") from None
        except crypto.Error:
            raise ValueError(f"{self.ca} has no certificates, as PEM") from None
        return optionsForClientTLS(host, trustRoot=trustRootFromCertificates(trusted))

    def __str__(self) -> str:
        if self.path:
            return self.path
        places = ", ".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.places
        )
        return f"{self.service} of the Sentinels {places}" if self.service else places


def _query(parts: SplitResult, *known: str) -> dict[str, str]:
    try:
        found = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        found = {parts.query: []}
    for name, values in found.items():
        if name not in known or len(values) != 1 or not values[0]:
            raise ValueError(f"what does ?{name} mean there?")
    return {name: values[0] for name, values in found.items()}


def _prefix(query: dict[str, str]) -> str:
    prefix = query.get("prefix", "")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"no prefix of keys: {prefix!r}")
    return prefix


def _place(text: str, default: int) -> tuple[str, int]:
    match = _PLACE.match(text)
    if match is None or not (match[1] or match[2]):
        raise ValueError(f"no host, or HOST:PORT: {text!r}")
    port = int(match[3] or default)
    if not 0 < port < 65_536:
        raise ValueError(f"no port: {port}")
    return match[1] or match[2], port


def _database(text: str) -> int:
    if text and not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"no number of a database: {text!r}")
    return int(text or 0)
