"""The options of "twistd chatpair", read and checked."""

import os
import re
import select
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from twisted.cred import strcred
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from chatpair import __version__
from chatpair.codecs import plain
from chatpair.codecs.cleaning import clean
from chatpair.doors.proxied import PREFIX
from chatpair.exchange.settings import Settings
from chatpair.extras import how_to_install

if TYPE_CHECKING:
    from chatpair.doors.tls import Certificates

_KIND = "epoll" if hasattr(select, "epoll") else "tcp"
"""The endpoint that a port number means."""

_MEANINGS = {
    "max-line": "Bytes that a line may have; a longer one is dropped, and its sender told.",
    "linger": "Seconds that a user stays who only listens (nc -N) and is told nothing.",
    "hold": "Seconds that a line is held whose connection is lost without a Quit, for a client "
    "that speaks JSON and for whoever asked with /key; 0 holds none.",
    "max-users": "Users that may be here at a time; a newcomer is told that the server is full.",
    "max-per-host": "Connections that one address may have at a time; an IPv6 network (/64) "
    "counts as one.",
    "max-connects-per-minute": "Connections that one address may make in a minute, requests for "
    "the page among them; 0 for no limit. This machine's own may make any number.",
    "max-names-per-minute": "New names that one address may take in a minute; 0 for no limit. "
    "This machine's own may take any number.",
    "name-time": "Seconds that a connection may go without a name.",
    "rate": "Lines a second that a user may say, after as many at once, over all its connections; "
    "a faster one is slowed and loses nothing. 0 for no limit.",
    "motd": "A file of UTF-8 text to send to whoever has said a name.",
    "log-format": "How the log is written: text, or json, an object a line. [default: text]",
    "handover": "unix:PATH: a server that is started with the same takes over from this one, "
    "connections and all, and this one ends: a restart that nobody notices. Or systemd, which "
    "keeps all of it over a restart. [default: none]",
    "cluster": "The Valkey, or Redis 6.2 or newer, over which this server shares names and calls "
    "with others that are given the same: redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE], "
    "valkey:// the same, rediss:// and valkeys:// with TLS (trusting whom the system trusts, or "
    "those in ?ca=FILE), unix:///PATH[?db=DATABASE], or one that Sentinels know: "
    "redis+sentinel://HOST[:PORT],HOST[:PORT]/SERVICE[/DATABASE]. [default: none]",
    "cluster-auth": "A file whose first line is PASSWORD or USER:PASSWORD, for --cluster. Without "
    "it, and without a password in the URL, where others on this machine could see it, the "
    "environment variable CHATPAIR_CLUSTER_AUTH says the same.",
    "node": "What this server is called among those of its cluster: 1 to 32 of A-Z, a-z, 0-9, _ "
    "and -. No two may share it. [default: another at each start]",
    "lease": "Seconds after which the cluster takes a server for dead that is not heard of, and "
    "its users for gone; the same for all servers. [default: 10]",
}
"""The options that have a value, and what they are for."""

_LISTS = {
    "port": "Where to listen: a port number, or an endpoint description of Twisted's such as "
    "epoll:9999:interface=127.0.0.1, unix:/run/chatpair.sock or systemd:domain=INET:index=0. "
    "A number means epoll:, or tcp: where the system has no epoll. "
    "May be given more than once. [default: port 9999, for this machine alone]",
    "auth": "Which names have a password, and what checks it: htpasswd:FILE has lines as htpasswd "
    "-B writes them, and --help-auth lists others. A name that is not in there is anybody's. A "
    "checker that can't tell its names, as unix, has all. May be given more than once.",
    "exempt": "A network, such as 192.0.2.0/24 or 2001:db8::/48, or an address, whose addresses "
    "have no limits of their own: many people share one of them, as behind a company's router or "
    "a carrier's. Who blocks somebody there blocks nobody else. May be given more than once. "
    "[default: none]",
    "web": "Where to serve a page to chat from with a browser, and its WebSocket: a port number, "
    "which means tcp:, or an endpoint description as for --port. "
    "May be given more than once. [default: none]",
    "metrics": "Where to serve figures for Prometheus (/metrics), and whether newcomers can be let "
    "in (/health), to whoever connects: a port number, which means tcp:, or an endpoint "
    "description as for --port. [default: none]",
    "web-origin": "Where browsers find the page, such as https://chat.example.org, if a proxy in "
    "between asks for another host or port. May be given more than once. [default: none]",
}
"""Those that may be given more than once; the help would show a docstring's line breaks."""

_NUMBERS: dict[str, tuple[int, type[int] | type[float]]] = {
    "max-line": (1, int),
    "linger": (0, float),
    "hold": (0, int),
    "max-users": (1, int),
    "max-per-host": (1, int),
    "max-connects-per-minute": (0, int),
    "max-names-per-minute": (0, int),
    "name-time": (1, float),
    "rate": (0, int),
    "lease": (1, float),
}
"""Those that are numbers: the least that one may be, and whether it is whole."""

_ATTRIBUTES = {option: option.replace("-", "_") for option in _NUMBERS if option != "lease"}
"""Where the settings have them, and their defaults."""


def _value(option: str, text: str) -> str | float | Path:
    """Return what an option is given; raises ValueError with one line if it can't be that."""
    if option == "node" and not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise ValueError(f"--node {text}: not 1 to 32 of A-Z, a-z, 0-9, _ and -")
    if option == "log-format" and text not in ("text", "json"):
        raise ValueError(f"--log-format {text}: text or json")
    if option == "handover":
        if _KIND != "epoll":
            raise ValueError(f"--handover {text}: this system has no epoll")
        if text == "systemd":
            return text
        if not text.startswith("unix:") or text == "unix:":
            raise ValueError(f"--handover {text}: not unix:PATH or systemd")
        return Path(text.removeprefix("unix:")).absolute()  # --rundir comes later
    if option not in _NUMBERS:
        return text
    minimum, number = _NUMBERS[option]
    try:
        value = number(text)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        raise ValueError(f"--{option} {text}: not {kind}") from None
    if not minimum <= value < sys.maxsize:
        raise ValueError(f"--{option} {text}: not {minimum} or more")
    return value


class Options(usage.Options, strcred.AuthOptionMixin):
    """What an operator can choose."""

    supportedInterfaces = (IUsernamePassword,)
    longdesc = (
        "Two parties, people or programs, talk over one private line: with nc, telnet, or the "
        "client that the command chatpair starts."
    )
    optParameters = tuple(
        (option, None, default, meaning, partial(_value, option))
        for option, meaning in _MEANINGS.items()
        for default in (getattr(Settings, _ATTRIBUTES.get(option, ""), None),)
    )
    optFlags = (("registered-only", None, "Let nobody in but those whose name has a password."),)

    def __init__(self) -> None:
        super().__init__()
        self.docs.update(_LISTS)
        self.certificates: dict[str, Certificates] = {}
        """Those of endpoints, by their descriptions."""
        self.update({"ports": [], "sources": [], "webs": [], "exempted": [], "motd-text": ""})
        self.update({"origins": [], "metrics": None})

    def opt_port(self, description: str) -> None:
        self["ports"].append(self._endpoint_description("port", _KIND, description))

    opt_p = opt_port

    def opt_auth(self, description: str) -> None:
        kind = description.partition(":")[0]  # the rest may hold passwords
        try:
            checker = strcred.makeChecker(description)
            self.addChecker(checker)
            from chatpair.passwords.accounts import Source

            self["sources"].append(Source(checker))
        except strcred.InvalidAuthType:
            why = "there is no such kind; --help-auth lists them"
        except strcred.UnsupportedInterfaces:
            why = "it checks no passwords"
        except OSError as error:
            why = f"can't read {error.filename}: {error.strerror}"
        except Exception as error:  # each kind of checker raises what it likes
            why = str(error)
        else:
            return
        raise usage.UsageError(f"--auth {kind}: {why}")

    def opt_exempt(self, network: str) -> None:
        try:
            self["exempted"].append(ip_network(network))
        except ValueError as why:
            raise usage.UsageError(f"--exempt {network}: {why}") from None

    def opt_metrics(self, description: str) -> None:
        _needed("--metrics", "monitoring.metrics", "metrics")
        self["metrics"] = self._endpoint_description("metrics", "tcp", description)

    def opt_web(self, description: str) -> None:
        _needed("--web", "doors.web", "web")
        self["webs"].append(self._endpoint_description("web", "tcp", description))

    def opt_web_origin(self, text: str) -> None:
        origin = _needed("--web-origin", "doors.web", "web").origin_of(text)
        if origin is None:
            raise usage.UsageError(f"--web-origin {text}: say http:// or https://, and a host")
        self["origins"].append(origin)

    def _endpoint_description(self, option: str, kind: str, text: str) -> str:
        """Return the endpoint description that an operator meant, if Twisted can parse it.

        A number alone is a port of that kind.
        """
        from twisted.internet import reactor  # installs one: not before there is a choice

        description = text.removeprefix(PREFIX)
        has_tls = description.startswith(("ssl:", "tls:"))
        if has_tls and not (find_spec("OpenSSL") and find_spec("service_identity")):
            raise usage.UsageError(
                f"--{option} {text} needs more packages: {how_to_install('tls')}"
            )
        try:
            if description.isdecimal():
                if int(description) > 65_535:
                    raise ValueError("the highest port is 65535")
                description = f"{kind}:{description}"
            serverFromString(reactor, description)
            if has_tls:
                from chatpair.doors.tls import Certificates

                self.certificates[description] = Certificates(description)
        except Exception as why:  # each kind of endpoint raises what it likes
            raise usage.UsageError(
                f"--{option} {text}: no port number, and no endpoint description that works here: "
                f"{explain(why)}"
            ) from None
        return f"{PREFIX}{description}" if text.startswith(PREFIX) else description

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the options, or exit with one line that says what is wrong."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            why = str(error).removeprefix("Parameter type enforcement failed: ")
            sys.exit(f"chatpair: {why}\n{_command()} --help tells the options.")

    def settings(self) -> Settings:
        """Return what the exchange is to heed."""
        return Settings(
            **{attribute: self[option] for option, attribute in _ATTRIBUTES.items()},
            exempt=tuple(self["exempted"]),
            motd=self["motd-text"],
            registered_only=self["registered-only"],
        )

    def getSynopsis(self) -> str:
        return f"Usage: {_command()} [options]"

    def opt_version(self) -> None:
        """Show the version of chatpair and exit."""
        print(f"chatpair {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Read what else there is to read, and fill in the defaults."""
        if self["registered-only"] and not self["sources"]:
            raise usage.UsageError("--registered-only needs --auth: who is registered")
        if not self["ports"]:
            self["ports"].append(f"{_KIND}:9999:interface=127.0.0.1")
        if self["motd"] is not None:
            path = self["motd"] = Path(self["motd"]).absolute()  # --rundir comes later
            try:
                self["motd-text"] = read_motd(path)
            except OSError as why:
                raise usage.UsageError(f"--motd: can't read {path}: {why.strerror}") from None
        if self["log-format"] == "json":
            twistd = self.parent
            if twistd is None or twistd.get("syslog", True) or twistd["logger"]:
                text = "only what twistd writes to a file or to its standard output can be JSON"
                raise usage.UsageError(f"--log-format json: {text}")
        if self["cluster"] is None:
            for option in ("cluster-auth", "node", "lease"):
                if self[option] is not None:
                    raise usage.UsageError(f"--{option} needs --cluster: where the others meet")
        else:
            from chatpair.cluster.address import engine_address

            self["cluster"] = engine_address(self["cluster"], self["cluster-auth"])
            self["node"] = self["node"] or token_hex(4)
            self["lease"] = self["lease"] or 10.0


def _needed(option: str, module: str, extra: str) -> Any:
    """Return the module that an option needs, whose own needs are an extra's."""
    try:
        return import_module(f"chatpair.{module}")
    except ImportError:
        raise usage.UsageError(f"{option} needs more packages: {how_to_install(extra)}") from None


def _command() -> str:
    """Return the command that these are the options of, as it was typed."""
    command = Path(sys.argv[0]).name
    return command if command == "chatpair-server" else "twistd chatpair"


def read_motd(path: Path) -> str:
    """Return what a file says, as lines that can't be taken for others of the server."""
    return "\n".join(plain.quote(clean(line)) for line in path.read_bytes().splitlines())


def explain(why: Exception) -> str:
    """Return what is wrong with an endpoint, a certificate or a key, in one line."""
    if why.args and isinstance(why.args[0], list):  # OpenSSL's
        return ", ".join(reason for _, _, reason in why.args[0]) or type(why).__name__
    if isinstance(why, OSError) and why.strerror:
        to = f" to user {os.geteuid()}" if isinstance(why, PermissionError) else ""
        return f"{why.filename}: {why.strerror}{to}"
    if isinstance(why, TypeError) or "invalid literal" in str(why):  # Twisted's parsers raise it
        return "a part of it is missing, unknown or no number"
    return str(why) if type(why) is ValueError else f"{type(why).__name__}: {why}"
