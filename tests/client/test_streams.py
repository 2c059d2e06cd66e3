"""Standard input and output of the client are other programs' too, and may fail."""

import os
import socket
from pathlib import Path

import pytest

from chatpair.client.ending import ExitStatus
from tests.support.clients import PAIRED, TO_BOB, WELCOME, Piped, Unread, at
from tests.support.server import Server

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_what_can_not_be_written_is_not_confirmed(server: Server) -> None:
    with FULL.open("wb") as full, Unread(*at(server, "--name", "bob"), stdout=full) as bob:
        assert bob.notice() == "Welcome, bob."
        with Piped(*at(server, *TO_BOB)) as alice:
            assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
            alice.close_input(b"hello\n")
            why = "The output can't be written: No space left on device."
            bob.ends(ExitStatus.USAGE, "You are chatting with alice.", why)
            left = "bob left before all had arrived."
            alice.ends(ExitStatus.NOT_DELIVERED, "bob has left.", left)


@pytest.mark.parametrize("is_pipe", [True, False], ids=["pipe", "socket"])
def test_others_who_have_the_same_descriptors_go_on_to_block(
    server: Server, *, is_pipe: bool
) -> None:
    bob = server.client("bob")
    if is_pipe:
        pipes = os.pipe(), os.pipe()
        (theirs_in, say), (hear, theirs_out) = pipes
    else:
        ours, theirs = socket.socketpair()
        say, theirs_in = ours.detach(), theirs.detach()
        hear, theirs_out = os.dup(say), os.dup(theirs_in)
    arguments = at(server, "--name", "alice", "--to", "bob")
    with Unread(*arguments, stdin=theirs_in, stdout=theirs_out) as alice:
        assert [alice.notice(), alice.notice()] == [WELCOME, PAIRED]
        os.write(say, b"hi\n")
        assert [bob.line(), bob.text()] == ["You are chatting with alice.", "hi"]
        bob.says("hello")
        assert os.read(hear, 100) == b"hello\n"
        if is_pipe:
            assert os.get_blocking(theirs_in)
            assert os.get_blocking(theirs_out)
        bob.says("Quit")
        assert alice.notice() == "bob has left."
        if is_pipe:
            os.close(say)
        else:
            with socket.socket(fileno=say) as said:
                said.shutdown(socket.SHUT_WR)
        alice.ends(0)
    assert os.get_blocking(theirs_in)
    assert os.get_blocking(theirs_out)
    for fd in (theirs_in, hear, theirs_out):
        os.close(fd)
