"""The client with TLS, as it is started, and servers that are and are not who was meant."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatpair.client.connection import SPEAKS_TLS
from chatpair.extras import how_to_install
from tests.support.certificates import made, usual
from tests.support.clients import Piped, at
from tests.support.library import SCENARIOS, try_in
from tests.support.reactor import Reactor
from tests.support.server import TIMEOUT, Server

NOT_TRUSTED = "nobody who is trusted here has signed its certificate; --ca FILE trusts others"


@pytest.fixture
def door() -> str:
    """A port with TLS."""
    return "ssl"


def with_tls(server: Server, host: str = "localhost", *options: str) -> list[str]:
    """Return the arguments that lead to a server with TLS."""
    return [host, *at(server, "--tls", "--ca", str(made().root), "--name", "alice", *options)]


def refuses(port: int, why: str, host: str = "localhost", *options: str) -> None:
    """See that a client with TLS does not go on with a server, and why."""
    trust = options or ("--ca", str(made().root))
    with Piped(host, "--port", str(port), "--tls", "--name", "alice", *trust) as alice:
        alice.ends(2, f"Can't connect to {host}, port {port}: {why}")


def has_ipv6() -> bool:
    """Tell whether this machine can talk with itself over IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_two_talk(server: Server, host: str) -> None:
    bob = server.client("bob")
    with Piped(*with_tls(server, host, "--to", "bob")) as alice:
        alice.close_input("grüß dich\nand this".encode())
        assert bob.line() == "You are chatting with alice."
        assert [bob.text(), bob.text()] == ["grüß dich", "and this"]
        assert bob.line() == "Quit."
        alice.ends(0, "Welcome, alice.", "You are chatting with bob.")


@pytest.mark.parametrize("world", ["twisted", "asyncio"])
def test_two_programs_talk(
    server: Server, reactor: Reactor, monkeypatch: pytest.MonkeyPatch, world: str
) -> None:
    # What Twisted writes with TLS it writes a turn later, of a reactor that it finds by itself.
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: reactor.reactor)
    try_in(world, reactor, SCENARIOS["an_echo"], f"tls:localhost:{server.port}", str(made().root))


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_an_ipv6_address_is_a_name() -> None:
    with (
        Server(port=f"{usual().directory_port}:interface=\\:\\:1") as server,
        Piped(*with_tls(server, "::1", "--to", "bob")) as alice,
    ):
        alice.ends(4, "Welcome, alice.", "The user bob does not exist.")


def test_the_system_is_trusted_by_itself(server: Server) -> None:
    arguments = ["localhost", *at(server, "--tls", "--name", "alice", "--to", "bob")]
    environment = {**os.environ, "SSL_CERT_FILE": str(made().root)}
    with Piped(*arguments, env=environment) as alice:
        alice.ends(4, "Welcome, alice.", "The user bob does not exist.")
    refuses(server.port, NOT_TRUSTED, "localhost", "--to", "bob")


def test_a_line_goes_on_after_a_drop(server: Server) -> None:
    """A connection that the server cuts is made again, with TLS."""
    with Piped(*with_tls(server)) as alice:
        assert alice.notice() == "Welcome, alice."
        server.kill()
        assert alice.notice().startswith("The connection is lost. Trying again;")
        with Server(port=usual().port.replace("ssl:0:", f"ssl:{server.port}:")) as other:
            assert alice.notice() == "Connected again."
            bob = other.caller("bob", "alice")
            assert alice.notice() == "You are chatting with bob."
            alice.write(b"hello\n")
            assert bob.text() == "hello"


# Servers that are not who was meant


@pytest.mark.parametrize(
    ("name", "days", "host", "why"),
    [
        ("other.example", (-1, 1), "localhost", "its certificate is not for localhost"),
        ("192.0.2.1", (-1, 1), "127.0.0.1", "its certificate is not for 127.0.0.1"),
        ("localhost", (-2, -1), "localhost", "its certificate has expired"),
        ("localhost", (1, 2), "localhost", "its certificate is not valid yet"),
    ],
)
def test_a_certificate_for_another_name_or_time(
    name: str, days: tuple[int, int], host: str, why: str
) -> None:
    start, end = (datetime.now(UTC) + timedelta(day) for day in days)
    other = made().issues(f"{name}{days[0]}", name, not_before=start, not_after=end)
    with Server(port=other.port) as server:
        refuses(server.port, why, host)


def test_a_certificate_of_an_authority_that_is_not_trusted(server: Server) -> None:
    """The server's own is no authority that vouches for it."""
    path = usual().chain.parent / "none"
    path.write_bytes(usual().leaf.read_bytes())
    refuses(server.port, NOT_TRUSTED, "localhost", "--ca", str(path))


def test_a_server_without_tls() -> None:
    with Server() as server:
        refuses(server.port, "it speaks no TLS")


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """Listen, answer a first connection with some bytes, and close it; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(TIMEOUT)

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it closes the connection when asked for TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks no TLS"),
        (b"\x15\x03\x01\0\x02\x02\x46", "it speaks no TLS 1.2 or newer"),
        (b"\x15\x03\x01\0\x02\x02\x28", "TLS fails: tls alert handshake failure"),
    ],
)
def test_servers_that_do_not_go_on(data: bytes, why: str) -> None:
    with answering(data) as number:
        refuses(number, why, "127.0.0.1")


def test_a_host_that_is_no_name() -> None:
    with Piped("a..b", "--tls", "--name", "alice") as alice:
        assert alice.wait() == 2
        [line] = alice.notices()
        assert line.startswith("Can't connect to a..b, port 9999: ")


# Who forgets the option


def test_a_server_with_tls_is_told_of(server: Server) -> None:
    with answering(b"\x15\x03\x01\0\x02\x02\x46") as another_kind:
        for number in (server.port, another_kind):
            with Piped("127.0.0.1", "--port", str(number), "--name", "alice") as alice:
                alice.ends(2, SPEAKS_TLS)
    assert SPEAKS_TLS.endswith("try --tls.")


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), ("nonsense", "there are no certificates in it, as PEM")],
)
def test_a_file_of_authorities_that_is_none(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with Piped("--tls", "--ca", str(path), "--name", "alice") as alice:
        alice.ends(1, f"chatpair: --ca {path}: {why}")


def test_an_extra_that_is_missing_is_named() -> None:
    missing = "import sys; sys.modules['OpenSSL'] = None; "
    run = missing + "from chatpair.client.__main__ import main; main()"
    with Piped("--tls", "--name", "alice", command=[sys.executable, "-c", run]) as alice:
        alice.ends(1, f"chatpair: TLS needs more packages: {how_to_install('tls')}")
