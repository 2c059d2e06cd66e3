"""Where the engine is, and how to get in: what --cluster and --cluster-auth say."""

import os
import re
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote

from twisted.python import usage

from chatpair.extras import how_to_install

if TYPE_CHECKING:
    from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

_FORMS = "redis://, rediss://, valkey://, valkeys://, unix:// or redis+sentinel://"
_URL = re.compile(
    r"(?:(?P<tcp>redis|valkey)(?P<tls>s?)(?P<sentinel>\+sentinel)?|unix)://"
    r"(?:(?P<credentials>[^/?#]*)@)?(?P<places>[^/?#]*)"
    r"(?P<path>[^?#]*)\??(?P<query>[^#]*)(?P<fragment>.*)",
    re.DOTALL,
)
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
        parts = _URL.match(url)
        if parts is None:
            raise ValueError(f"no URL that starts with {_FORMS}")
        if parts["places"] and parts["credentials"] is None and "@" in url:
            raise ValueError("a password with / ? or # in it; write %2F %3F %23, and %40 for @")
        if parts["fragment"]:
            raise ValueError("a URL with # in it; write %23")
        user, _, password = map(unquote, (parts["credentials"] or "").partition(":"))
        tls, is_tcp = bool(parts["tls"]), bool(parts["tcp"])
        query = _query(parts["query"], "prefix", *["ca"] * tls, *[] if is_tcp else ["db"])
        prefix = query.get("prefix", "")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"no prefix of keys: {prefix!r}")
        ca = Path(query["ca"]).absolute() if "ca" in query else None
        common = cls(user=user, password=password, tls=tls, ca=ca, prefix=prefix)
        if is_tcp:
            return common._with_places(parts)
        if parts["places"] or len(parts["path"]) < 2:
            raise ValueError("a unix socket is written unix:///PATH")
        path, database = unquote(parts["path"]), _database(query.get("db", ""))
        return replace(common, path=path, database=database)

    def _with_places(self, parts: re.Match[str]) -> Self:
        port = SENTINEL_PORT if parts["sentinel"] else PORT
        places = tuple(_place(place, port) for place in parts["places"].split(","))
        service, database = "", parts["path"][1:]
        if parts["sentinel"]:
            service, _, database = database.partition("/")
            if not service:
                raise ValueError("which service? Write redis+sentinel://HOST:PORT/SERVICE")
        elif len(places) > 1:
            raise ValueError("more than one host, which only +sentinel:// may have")
        if self.tls:
            self.tls_for(places[0][0])
        return replace(self, places=places, service=unquote(service), database=_database(database))

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


def _query(text: str, *known: str) -> dict[str, str]:
    found = parse_qs(text, keep_blank_values=True)
    for name, values in found.items():
        if name not in known or len(values) != 1 or not values[0]:
            raise ValueError(f"what does ?{name} mean there?")
    return {name: values[0] for name, values in found.items()}


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


def engine_address(url: str, auth: str | None) -> EngineAddress:
    """Return where an engine is, and the password for it, from wherever there is one."""
    if not (find_spec("txredisapi") and find_spec("hiredis")):
        raise usage.UsageError(f"--cluster needs more packages: {how_to_install('cluster')}")
    try:
        address = EngineAddress.parse(url)
    except ValueError as why:
        raise usage.UsageError(f"--cluster: {why}") from None
    except ImportError:
        raise usage.UsageError(
            f"--cluster with TLS needs more packages: {how_to_install('tls')}"
        ) from None
    credentials = os.environ.get("CHATPAIR_CLUSTER_AUTH")
    if auth is not None:
        if address.password:
            raise usage.UsageError("--cluster-auth: there is a password in --cluster already")
        credentials = _read_credentials(Path(auth))
    if credentials and not address.password:
        return address.with_credentials(credentials)
    if address.user and not address.password:
        raise usage.UsageError(f"--cluster: the user {address.user} has no password")
    return address


def _read_credentials(path: Path) -> str:
    try:
        lines = path.read_bytes().decode().splitlines()
    except OSError as why:
        raise usage.UsageError(f"--cluster-auth: can't read {path}: {why.strerror}") from None
    except ValueError:
        raise usage.UsageError(f"--cluster-auth: {path} is no text in UTF-8") from None
    if not lines or not lines[0]:
        raise usage.UsageError(f"--cluster-auth: there is no password in {path}")
    return lines[0]
