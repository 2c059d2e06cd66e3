"""The client as it is started, in a pipe, with a server that does not speak JSON."""

import signal

from chatpair.client.talk import NO_JSON
from tests.support.clients import PAIRED, TO_BOB, WELCOME, Host, Piped, sleeps, unread
from tests.support.server import TIMEOUT


def test_an_older_server_is_talked_with_plainly() -> None:
    with Host() as host, Piped(*host.address, *TO_BOB) as alice:
        host.accepts("alice")
        assert host.line() == b"To:bob\r\n"
        host.says(PAIRED)
        alice.write(b"one\nQuit\n")
        alice.close_input()
        assert [host.line() for _ in range(3)] == [b"one\r\n", b" Quit\r\n", b"Quit\r\n"]
        host.says("Quit")
        alice.ends(0, NO_JSON, WELCOME, PAIRED)


def test_an_older_server_is_given_names_from_a_pipe_until_one_is_free() -> None:
    with Host() as host, Piped(*host.address) as alice:
        alice.write(b"bob\nalice\n")
        host.takes("Mode:json")
        host.says("OK")
        host.takes("bob")
        host.says("Reuse")
        assert host.line() == b""
        host.takes("alice")
        host.says("OK")
        alice.close_input()
        assert host.line() == b"Quit\r\n"
        host.says("Quit")
        alice.ends(0, NO_JSON, "The name bob is taken.", WELCOME)


def test_a_second_interrupt_ends_even_if_nobody_reads_the_output() -> None:
    with Host() as host, unread(*host.address, *TO_BOB) as (alice, _):
        host.accepts("alice")
        host.says(PAIRED)
        assert host.line() == b"To:bob\r\n"
        while not (host.pends() and sleeps(alice)):
            if not host.pends():
                host.socket.send(b"[Sun Nov 22 20:22:01 2026] bob: (%s)\r\n" % (b"x" * 16_000))
        alice.send_signal(signal.SIGINT)
        assert host.line() == b"Quit\r\n"
        alice.send_signal(signal.SIGINT)
        assert alice.wait(TIMEOUT) == 130
