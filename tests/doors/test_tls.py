"""TLS at a real server: its versions, its names, its ends, and certificates that are read anew."""

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from shutil import copyfile

import pytest

from tests.support.certificates import Certificate, made, usual
from tests.support.doors import Servers
from tests.support.server import TIMEOUT, Client, Door, Server

KINDS = ["ssl", "tls"]


def port_of(certificate: Certificate, kind: str) -> str:
    """Return where a server listens that has a certificate."""
    return certificate.port if kind == "ssl" else certificate.directory_port


of_both_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def kind() -> str:
    """Which of Twisted's endpoints a server has, where that makes no difference."""
    return "ssl"


@pytest.fixture
def server(kind: str, servers: Servers) -> Iterator[Server]:
    """A server with TLS."""
    with servers.lent(port_of(usual(), kind)) as running:
        yield running


def serial_of(server: Server, name: str | None = "localhost") -> int:
    """Connect, and return the serial number of the certificate that is shown to a name."""
    context = ssl.create_default_context(cafile=str(made().root))
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert()
        assert certificate
        return int(str(certificate["serialNumber"]), 16)


def log_of(server: Server) -> list[str]:
    """Return the lines of the log that are not of who came."""
    return [line for line in server.output.decode().splitlines() if "ActivityLog" not in line]


# Versions


@of_both_kinds
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_are_spoken(server: Server, version: ssl.TLSVersion) -> None:
    with Client(Door(server.port, tls=made().trusting(version))) as alice:
        assert isinstance(alice.socket, ssl.SSLSocket)
        assert alice.socket.version() == version.name.replace("_", ".")
        alice.says("alice", "Quit")
        assert [alice.line(), alice.line(), alice.line()] == ["OK", "Quit", ""]


@of_both_kinds
def test_an_old_version_is_refused(server: Server) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old = made().trusting(ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")  # with any other, OpenSSL does not even offer it
    before = log_of(server)
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        Client(Door(server.port, tls=old))
    server.client("alice")
    assert log_of(server) == before


# Strangers


@pytest.mark.parametrize("data", [b"alice\nTo:bob\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0"])
def test_what_is_no_tls_is_closed_and_no_line_in_the_log(server: Server, data: bytes) -> None:
    before = log_of(server)
    with Client(server.port) as stranger:
        stranger.sends(data)
        if data[:1] == b"\x16":
            socket.socket.shutdown(stranger.socket, socket.SHUT_WR)
            assert stranger.socket.recv(1_000) == b""
        else:
            assert stranger.line() == "This port talks TLS, not plain text."
            assert stranger.line() == ""
    with Client(server.port) as stranger:
        stranger.sends(data)
        stranger.resets()
    server.client("alice")
    assert log_of(server) == before


@of_both_kinds
def test_a_client_that_does_not_trust_the_server_is_no_line_in_the_log(server: Server) -> None:
    before = log_of(server)
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(Door(server.port, tls=ssl.create_default_context()))
    server.client("alice")
    assert log_of(server) == before


# Ends


def test_all_is_obeyed_though_its_sender_has_closed(server: Server) -> None:
    """As the end is signed, an unfinished line is said too."""
    bob = server.client("bob")
    alice = server.client()
    alice.sends(b"alice\n/who\n/who\nTo:bob\none\n/bye\nTo:bob\n/who\ntwo")
    assert isinstance(alice.socket, ssl.SSLSocket)
    with suppress(ssl.SSLError):  # as it has not read its answers
        alice.socket.unwrap()
    for text in ("one", "two"):
        assert bob.line() == "You are chatting with alice."
        assert bob.text() == text
        assert bob.line() == "Quit."


# Certificates


def replace(old: Certificate, new: Certificate) -> None:
    """Write the files of one over those of another."""
    for name in ("key", "leaf", "chain", "whole"):
        copyfile(getattr(new, name), getattr(old, name))


def serial_in(certificate: Certificate) -> int:
    """Return the serial number of a certificate."""
    decoded = ssl._ssl._test_decode_cert(str(certificate.leaf))  # type: ignore[attr-defined]
    return int(decoded["serialNumber"], 16)


def loses_its_key(had: Certificate, other: Certificate) -> None:
    for path in (had.key, had.whole):
        path.unlink()


def is_nonsense(had: Certificate, other: Certificate) -> None:
    for path in (had.leaf, had.whole):
        path.write_text("nonsense")


def has_another_key(had: Certificate, other: Certificate) -> None:
    had.key.write_bytes(other.key.read_bytes())
    had.whole.write_bytes(other.key.read_bytes() + had.leaf.read_bytes())


@of_both_kinds
def test_certificates_are_read_anew_unless_they_are_wrong_and_everybody_stays(kind: str) -> None:
    had, good, new = (made().issues(f"{kind}-{which}", "localhost") for which in range(3))
    replace(good, had)
    first, second = serial_in(had), serial_in(new)
    assert first != second
    with Server(port=port_of(had, kind)) as server:
        alice, bob = server.pair()
        assert serial_of(server) == first
        refusals = 0
        for breaks in (loses_its_key, is_nonsense, has_another_key):
            replace(had, good)
            breaks(had, new)
            for _ in range(2):
                refusals += 1
                server.kill(signal.SIGHUP)
                server.wait_for(
                    rf"(?s)(Can't read the certificates of \S* anew, .*?){{{refusals}}}\n"
                )
                assert serial_of(server) == first
            alice.tells(bob, "still here")
        lines = [line for line in server.output.decode().splitlines() if "Can't read" in line]
        assert len(lines) == refusals
        replace(had, new)
        assert serial_of(server) == first
        server.kill(signal.SIGHUP)
        server.wait_for("Read the certificates of .* anew\n")
        assert serial_of(server) == second
        alice.tells(bob, "still here")
        carol = server.client("carol")
        carol.says("/who")
        assert carol.line() == "Here: alice*, bob*, carol"


def test_a_certificate_is_picked_by_name() -> None:
    one = made().issues("by:name", "one.example", name="one")
    other = made().issues("by:name", "*.other.example", "other.example", name="other")
    numbers = {serial_in(one), serial_in(other)}
    with Server(port=one.directory_port) as server:
        before = log_of(server)
        for name, certificate in [
            ("one.example", one),
            ("ONE.example", one),
            ("a.other.example", other),
            ("other.example", other),
        ]:
            assert serial_of(server, name) == serial_in(certificate)
        for name in ("", "127.0.0.1", "two.example", "a.b.other.example", "a.one.example"):
            assert serial_of(server, name or None) in numbers
        assert log_of(server) == before
        three = made().issues("by:name", "three.example", name="three")
        server.kill(signal.SIGHUP)
        server.wait_for("Read the certificates of .* anew\n")
        assert serial_of(server, "three.example") == serial_in(three)
