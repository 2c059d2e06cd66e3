"""The options of a cluster, and a server whose engine refuses it."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatpair.extras import how_to_install
from tests.support.clients import spins_until
from tests.support.engine import Engine
from tests.support.forks import BIN
from tests.support.options import parsed, refusal
from tests.support.server import TIMEOUT, Process


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no password in the environment."""
    monkeypatch.delenv("CHATPAIR_CLUSTER_AUTH", raising=False)


def test_what_a_cluster_has_by_default_or_by_choice() -> None:
    none = parsed()
    assert [none[name] for name in ("cluster", "node", "lease")] == [None, None, None]
    options, others = parsed("--cluster", "redis://h"), parsed("--cluster", "redis://h")
    assert str(options["cluster"]) == "h:6379"
    assert options["lease"] == 10
    assert len(options["node"]) == 8
    assert options["node"] != others["node"]
    chosen = parsed("--lease=1.5", "--node=a-B_9", "--cluster=unix:///s?db=2")
    assert (chosen["lease"], chosen["node"]) == (1.5, "a-B_9")
    assert (chosen["cluster"].path, chosen["cluster"].database) == ("/s", 2)


def test_where_the_password_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def credentials(url: str, *more: str) -> tuple[str, str]:
        address = parsed("--cluster", url, *more)["cluster"]
        return address.user, address.password

    file = tmp_path / "auth"
    file.write_text("bob:fi:le\nnotes\n")
    monkeypatch.setenv("CHATPAIR_CLUSTER_AUTH", "environment")
    assert credentials("redis://h") == ("", "environment")
    assert credentials("redis://eve@h") == ("eve", "environment")
    monkeypatch.setenv("CHATPAIR_CLUSTER_AUTH", ":environment")
    assert credentials("redis://eve@h") == ("", "environment")
    assert credentials("redis://:url@h") == ("", "url")
    assert credentials("redis://h", "--cluster-auth", str(file)) == ("bob", "fi:le")


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\nsecret")
    binary.write_bytes(b"\xff")
    cluster = ("--cluster", "redis://h")
    for arguments, why in [
        (("--cluster", "h"), "--cluster: no URL that starts with redis://"),
        (("--cluster", "redis://bob@h"), "--cluster: the user bob has no password"),
        ((*cluster, "--node", "a b"), "--node a b: not 1 to 32 of A-Z, a-z, 0-9, _ and -"),
        ((*cluster, "--node", ""), "--node : not 1 to 32 of"),
        ((*cluster, "--node", "a" * 33), "not 1 to 32 of"),
        ((*cluster, "--lease", "0.9"), "--lease 0.9: not 1 or more"),
        ((*cluster, "--lease", "x"), "--lease x: not a number"),
        ((*cluster, "--cluster-auth", "/nowhere"), "--cluster-auth: can't read /nowhere: No such"),
        ((*cluster, "--cluster-auth", str(empty)), "--cluster-auth: there is no password in "),
        (
            (*cluster, "--cluster-auth", str(binary)),
            f"--cluster-auth: {binary} is no text in UTF-8",
        ),
        (
            ("--cluster", "redis://:p@h", "--cluster-auth", str(empty)),
            "--cluster-auth: there is a password in --cluster already",
        ),
        (("--node", "a"), "--node needs --cluster: where the others meet"),
        (("--lease", "10"), "--lease needs --cluster"),
        (("--cluster-auth", "/f"), "--cluster-auth needs --cluster"),
    ]:
        assert why in refusal(*arguments)


@pytest.mark.parametrize(
    ("missing", "url", "what", "extra"),
    [
        ("txredisapi", "redis://h", "", "cluster"),
        ("hiredis", "redis://h", "", "cluster"),
        ("OpenSSL", "rediss://h", " with TLS", "tls"),
    ],
)
def test_the_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: str, url: str, what: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert (
        refusal("--cluster", url) == f"--cluster{what} needs more packages: {how_to_install(extra)}"
    )


# A refusal ends the server


@pytest.mark.engine
def test_a_refusal_ends_the_server(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", password="secret") as engine:
        url = f"redis://:wrong@127.0.0.1:{engine.port}"
        twist = [sys.executable, "-m", "twisted", "--log-format", "text"]
        arguments = ["chatpair", "--port", "tcp:0", "--cluster", url]
        with Process([*twist, *arguments]) as process:
            assert process.wait() == 1
            output = process.output
        why = f"The engine at 127.0.0.1:{engine.port} refuses the password: WRONGPASS"
        assert output.count(b"#critical] " + why.encode()) == 1
        assert b"wrong@" not in output
        assert b"Main loop terminated." in output


def test_a_refusal_ends_a_daemon(tmp_path: Path) -> None:
    pid, log = tmp_path / "twistd.pid", tmp_path / "twistd.log"
    with Engine(tmp_path / "engine", password="secret") as engine:
        command = [str(BIN / "twistd"), f"--pidfile={pid}", f"--logfile={log}", "chatpair"]
        command += ["--port", "tcp:0", "--cluster", engine.url]
        subprocess.run(command, check=True, timeout=TIMEOUT)
        spins_until(lambda: "Server Shut Down" in log.read_text() and not pid.exists())
        assert "does not let in: NOAUTH" in log.read_text()
        assert "Traceback" not in log.read_text()
