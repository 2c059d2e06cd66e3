"""The client as it is started, when the server or the peer is killed, or a connection cut."""

import signal
from collections import Counter

import pytest

from chatpair.client.ending import ExitStatus
from chatpair.client.pipe import ENDED_EARLY
from chatpair.client.screen import LINK_LOST
from tests.support.clients import CALLED, Piped, fill, two
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.steps import AGAIN, TALK_IS_OVER

OF_BOB = TALK_IS_OVER.replace("bob", "alice")


@pytest.mark.parametrize("input_has_ended", [False, True])
def test_a_server_that_is_killed_in_the_middle_is_a_problem_of_who_says_something(
    server: Server, input_has_ended: bool
) -> None:
    with two(server) as (alice, bob):
        alice.write(b"first\n")
        bob.wait_for("^first\n")
        bob.kill(signal.SIGSTOP)
        said = ["first", *fill(alice)]
        if input_has_ended:
            alice.close_input()
        server.kill()
        server.wait()
        with Server(port=f"epoll:{server.port}"):
            assert alice.notice() == LINK_LOST
            alice.ends(ExitStatus.NOT_DELIVERED, TALK_IS_OVER, ENDED_EARLY.text)
            bob.kill(signal.SIGCONT)
            assert [bob.notice() for _ in range(3)] == [CALLED, LINK_LOST, OF_BOB]
            bob.close_input()
            bob.ends(ExitStatus.OK)
            heard = bob.output.decode().splitlines()
            assert heard == said[: len(heard)]


# A connection that is cut


def test_a_pipe_s_lines_arrive_once_and_in_order_whatever_is_cut(server: Server) -> None:
    lines = [f"line {number} {'x' * (number % 40)}" for number in range(6_000)]
    # Each lets the handshake through at least; both speaker and listener are cut in the middle
    # of lines, of statuses and of acknowledgements.
    with (
        Proxy(server.port, 1_000, 30_001, 2_003, 100_007, 20_021) as to_alice,
        Proxy(server.port, 1_500, 1_013, 60_029, 20_011, 50_021) as to_bob,
        Piped(*to_alice.address, "--name", "alice") as alice,
    ):
        assert alice.notice() == "Welcome, alice."
        with Piped(*to_bob.address, "--name", "bob", "--to", "alice") as bob:
            bob.write("\n".join(lines).encode())
            bob.close_input()
            assert bob.wait() == 0
            notices = Counter(bob.notices())
        alice.close_input()
        assert alice.wait() == 0
        assert alice.output.decode().splitlines() == lines
        assert (to_alice.limits_left, to_bob.limits_left) == (0, 0)
        assert notices[LINK_LOST] == notices[AGAIN] == 5
        heard = Counter(alice.notices())
        assert heard[LINK_LOST] == heard[AGAIN] == 5
        assert heard["bob has left."] == 1
