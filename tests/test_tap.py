"""The options and the service, without a process."""

import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from ipaddress import ip_network
from pathlib import Path

import pytest
from twisted.application.service import Service
from twisted.internet.testing import MemoryReactorClock

from chatpair import tap
from chatpair.extras import how_to_install
from chatpair.ownership import Ownership
from chatpair.signals import Signals
from tests.support.exchange import Exchange
from tests.support.options import parsed, refusal
from tests.support.server import TIMEOUT


def test_the_defaults() -> None:
    factory = tap.makeService(parsed()).factory
    assert parsed()["ports"] == ["epoll:9999:interface=127.0.0.1"]
    assert factory.settings.max_line == 65_536
    assert factory.settings.linger == 60
    assert factory.settings.max_users == 10_000
    assert factory.settings.max_per_host == 100
    assert (factory.settings.name_time, factory.settings.rate) == (30, 0)
    assert (factory.visitors._connects._limit, factory.users._new_names._limit) == (300, 100)
    assert factory.settings.motd == ""


def test_every_option_reaches_the_factory(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_bytes("Grüße.\n[x]\n\x1b[2J[y]\nQuit.\n".encode())
    options = parsed(
        *("--port", "tcp:0:interface=127.0.0.1", "-p", "0", "--max-line=100", "--linger=1.5"),
        *("--max-users=2", "--max-per-host=3", f"--motd={motd}", "--rate=6", "--name-time=1.5"),
        *("--max-connects-per-minute=4", "--max-names-per-minute=5"),
        *("--exempt", "192.0.2.0/24", "--exempt=2001:db8::7"),
    )
    service = tap.makeService(options)
    assert options["ports"] == ["tcp:0:interface=127.0.0.1", "epoll:0"]
    assert len(service.services) == 2
    factory = service.factory
    assert (factory.settings.max_line, factory.settings.linger) == (100, 1.5)
    assert (factory.settings.max_users, factory.settings.max_per_host) == (2, 3)
    assert (factory.visitors._connects._limit, factory.users._new_names._limit) == (4, 5)
    assert (factory.settings.name_time, factory.settings.rate) == (1.5, 6)
    assert factory.settings.exempt == (ip_network("192.0.2.0/24"), ip_network("2001:db8::7"))
    assert factory.settings.motd == "Grüße.\n [x]\n [2J[y]\n Quit."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "nonsense"], "--port nonsense: no port number, and no endpoint"),
        (["--port", "tcp:x"], "that works here: a part of it is missing, unknown or no number"),
        (["--port", "99999"], "the highest port is 65535"),
        (["--port", "tcp:1:colour=red"], "here: a part of it is missing, unknown or no number"),
        (["--port", ""], "--port : no port number, and no endpoint"),
        (["--port", "ssl:1:privateKey=/nowhere"], "here: /nowhere: No such file or directory"),
        (["--port", "tls:/nowhere:port=1"], "here: /nowhere: No such file or directory"),
        (["--port", "tls:/proc/self/fd:port=1"], "has no .pem files with a certificate for a name"),
        (["--port", "ssl:1:privateKey=/dev/null"], "here: "),
        (["--max-line", "0"], "--max-line 0: not 1 or more"),
        (["--max-line", "many"], "--max-line many: not a whole number"),
        (["--linger", "-1"], "--linger -1: not 0 or more"),
        (["--linger", "nan"], "--linger nan: not 0 or more"),
        (["--linger", "inf"], "--linger inf: not 0 or more"),
        (["--linger", "soon"], "--linger soon: not a number"),
        (["--max-users", "0"], "--max-users 0: not 1 or more"),
        (["--max-per-host", "1.5"], "--max-per-host 1.5: not a whole number"),
        (["--max-connects-per-minute", "-1"], "--max-connects-per-minute -1: not 0 or more"),
        (["--max-names-per-minute", "x"], "--max-names-per-minute x: not a whole number"),
        (["--name-time", "0"], "--name-time 0: not 1 or more"),
        (["--rate", "0.5"], "--rate 0.5: not a whole number"),
        (["--exempt", "192.0.2.7/24"], "--exempt 192.0.2.7/24: 192.0.2.7/24 has host bits set"),
        (["--motd", "/nowhere"], "--motd: can't read /nowhere: No such file or directory"),
        (["--handover", "tcp:1"], "--handover tcp:1: not unix:PATH or systemd"),
        (["--handover", "unix:"], "--handover unix:: not unix:PATH or systemd"),
        (["--log-format", "xml"], "--log-format xml: text or json"),
        (
            ["--log-format", "json"],
            "--log-format json: only what twistd writes to a file or",
        ),
        (["--metrics", "x"], "--metrics x: no port number"),
        (["--web", "x"], "that works here: Unknown endpoint type: 'x'"),
        (["--web-origin", "chat.example"], "--web-origin chat.example: say http:// or https://"),
        (["--colour"], "option --colour not recognized"),
    ],
)
def test_an_option_that_is_wrong(options: list[str], message: str) -> None:
    assert message in refusal(*options)


@pytest.mark.parametrize("missing", ["OpenSSL", "service_identity"])
def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for port in ("ssl:1", "tls:/etc:port=1", "haproxy:ssl:1"):
        message = f"--port {port} needs more packages: {how_to_install('tls')}"
        assert refusal("--port", port) == message


def test_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parsed("--port", "0", "--web", "0", "--web", "unix:/run/web")
    assert options["webs"] == ["tcp:0", "unix:/run/web"]
    assert len(tap.makeService(options).services) == 3
    for name, module in (("web", "doors.web"), ("metrics", "monitoring.metrics")):
        monkeypatch.setitem(sys.modules, f"chatpair.{module}", None)
        assert refusal(f"--{name}", "0") == f"--{name} needs more packages: {how_to_install(name)}"


def test_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/a venv/bin/python")
    pip = "'/a venv/bin/python' -m pip install"
    assert how_to_install("auth") == f"{pip} 'bcrypt>=4'"
    assert how_to_install("metrics") == f"{pip} 'prometheus-client>=0.20'"
    assert how_to_install("web") == f"{pip} 'twisted[websocket]'"

    def not_installed(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.requires", not_installed)
    assert how_to_install("web") == f"{pip} '.[web]'"


def test_what_no_option_asks_for_is_not_imported() -> None:
    program = (
        "import sys; from chatpair import tap; options = tap.Options(); options.parseOptions([]);"
        "tap.makeService(options); print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, timeout=TIMEOUT
    )
    modules = set(ran.stdout.decode().split())
    assert "chatpair.factory" in modules
    assert not modules & {"chatpair.doors.tls", "chatpair.doors.web", "twisted.web", "wsproto"}
    assert not modules & {"chatpair.monitoring.metrics", "prometheus_client"}
    assert not modules & {
        "chatpair.passwords.accounts",
        "chatpair.passwords.htpasswd",
    }
    assert not modules & {"chatpair.cluster", "txredisapi", "hiredis"}


def test_room_is_made_for_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: asked.append(limit))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    assert tap._allow_open_files(2_000) == 2_000
    assert tap._allow_open_files(1_000) == 1_000
    assert tap._allow_open_files(10_000) == 4_096
    limit = resource.RLIMIT_NOFILE
    assert asked == [(limit, (2_000, 4_096)), (limit, (4_096, 4_096))]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert tap._allow_open_files(10_000) == 10_000
    assert len(asked) == 2


@pytest.fixture
def service(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> tap.ChatService:
    """The service of an exchange, which heeds no signals of this process."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return tap.ChatService(
        exchange.factory, Signals(MemoryReactorClock(), str, None), Ownership(None)
    )


def test_stopping_waits_for_the_last_connection_and_is_told(
    exchange: Exchange, service: tap.ChatService
) -> None:
    metrics = Service()
    metrics.setName("metrics")
    metrics.setServiceParent(service)
    service.privilegedStartService()
    service.startService()
    alice = exchange.enter("alice")
    stopped: list[object] = []
    service.stopService().addCallback(stopped.append)
    assert alice.heard() == ["The server is stopping."]
    assert stopped == []
    assert metrics.running
    alice.drops(clean=True)
    assert len(stopped) == 1
    assert not metrics.running
