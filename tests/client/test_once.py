"""What scripts ask for: chatpair say, chatpair listen and chatpair who."""

import signal
import sys

import pytest

from chatpair.client.ending import ExitStatus
from tests.support.clients import COMMAND, Piped, spins_until
from tests.support.server import Client, Process, Server

NO_WRITE = "The output can't be written: No space left on device."


def once(server: Server, *arguments: str, command: list[str] = COMMAND) -> Piped:
    """Run the client with a verb and its arguments."""
    return Piped(*arguments, "--server", f"localhost:{server.port}", command=command)


def arrives(client: Client, name: str) -> None:
    """Wait until somebody is here."""

    def is_here() -> bool:
        client.says("/who")
        return name in client.line()

    spins_until(is_here)


def test_something_is_said(server: Server) -> None:
    bob = server.client("bob")
    with once(server, "say", "bob", "The build is done.\nAll of it.", "--name", "cron") as cron:
        assert bob.line() == "You are chatting with cron."
        assert [bob.text(), bob.text(), bob.line()] == ["The build is done.", "All of it.", "Quit."]
        cron.ends(ExitStatus.OK)
    with once(server, "say", "bob", "hi") as somebody:
        name = bob.line().removeprefix("You are chatting with ").removesuffix(".")
        assert len(name.rpartition("-")[2]) == 8
        assert bob.text() == "hi"
        somebody.ends(ExitStatus.OK)


def test_something_is_said_to_who_comes_later(server: Server) -> None:
    with once(server, "say", "bob", "hi", "--wait", "--name", "cron") as cron:
        carol = server.client("carol")
        arrives(carol, "cron")
        bob = server.client("bob")
        assert bob.line() == "You are chatting with cron."
        assert bob.text() == "hi"
        cron.ends(ExitStatus.OK)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["listen"], "chatpair listen: --name is needed: by it others call"),
        (["listen", "--count", "0"], "must be a number over 0, not '0'"),
        (["listen", "--seconds", "inf"], "must be a number over 0, not 'inf'"),
        (
            ["listen", "--name", "x", "--json", "--exec", "cat"],
            "--json and --exec can't be together",
        ),
        (["say", "bob"], "the following arguments are required: TEXT"),
        (["say", "bob", ""], "must be what to say, and is empty"),
        (["who", "--port", "1"], "which port? 1 or "),
    ],
)
def test_what_is_wrong(server: Server, arguments: list[str], why: str) -> None:
    with once(server, *arguments) as client:
        assert client.wait() == ExitStatus.USAGE
        assert why in client.notices()[-1]


def test_who_is_here(server: Server) -> None:
    _alice, bob = server.client("alice"), server.client("bob")
    bob.calls("alice")
    with once(server, "who", "--name", "carol") as client:
        client.ends(ExitStatus.OK)
        assert client.output == b"alice\ttalking\nbob\ttalking\n"
    with once(server, "who", "--json") as client:
        client.ends(ExitStatus.OK)
        one, two = (b'{"name":"%b","paired":true}' % name for name in (b"alice", b"bob"))
        assert client.output == b'{"event":"who","names":[%b,%b],"more":0}\n' % (one, two)


def test_what_is_said_is_written_and_has_arrived_then(server: Server) -> None:
    bob = server.client("bob")
    with once(server, "listen", "--name", "ear", "--count", "2") as ear:
        arrives(bob, "ear")
        for text in ("one", "two"):
            with once(server, "say", "ear", text) as client:
                client.ends(ExitStatus.OK)
        ear.ends(ExitStatus.OK)
        assert ear.output == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("shell", "status", "why"),
    [
        ('exec "$0" "$@" >/dev/full', ExitStatus.USAGE, NO_WRITE),
        ('"$0" "$@" | true; exit ${PIPESTATUS[0]}', 128 + signal.SIGPIPE, "The output was closed."),
    ],
)
def test_what_can_t_be_written_has_not_arrived(
    shell: str, status: int, why: str, server: Server
) -> None:
    bob = server.client("bob")
    with once(server, "listen", "--name", "ear", command=["bash", "-c", shell, *COMMAND]) as ear:
        arrives(bob, "ear")
        with once(server, "say", "ear", "hi") as client:
            client.ends(ExitStatus.NOT_DELIVERED, "ear left before it had arrived.")
        ear.ends(status, why)


ANSWER = 'read x && test -z "$x" || echo "$CHATPAIR_EVENT from $CHATPAIR_PEER: $x"'


def test_a_command_answers(server: Server) -> None:
    bob = server.client("bob")
    with once(server, "listen", "--name", "bot", "--exec", ANSWER, "--count", "2") as bot:
        arrives(bob, "bot")
        bob.calls("bot")
        bob.says("1; date", "$(date)")
        answers = [f"message from bob: {text}" for text in ("1; date", "$(date)")]
        assert [bob.text(), bob.text(), bob.line()] == [*answers, "Quit."]
        bot.ends(ExitStatus.OK)


def test_what_comes_while_an_answer_is_on_its_way_arrives_with_its_command(server: Server) -> None:
    command = 'read x; test "$x" != stop || exit 3; echo "$x"'
    address = f"localhost:{server.port}"
    program = f"""
import asyncio, sys
from chatpair import NotDelivered
from chatpair.aio import Line

async def main():
    async with Line("{address}", "alice") as alice:
        await alice.call("bot")
        first = asyncio.ensure_future(alice.say("go"))
        second = asyncio.ensure_future(alice.say("stop"))
        print(await first)
        try:
            print(await second)
        except NotDelivered as why:
            print(why.code)

asyncio.run(main())
assert "twisted.internet.reactor" not in sys.modules
"""
    bob = server.client("bob")
    with once(server, "listen", "--name", "bot", "--exec", command) as bot:
        arrives(bob, "bot")
        with Process([sys.executable, "-c", program]) as alice:
            assert (alice.wait(), alice.output) == (0, b"confirmed\nquit\n")
        assert bot.wait() == ExitStatus.COMMAND


def test_a_long_answer_is_said_in_pieces(server: Server) -> None:
    bob = server.client("bob")
    command = "test $CHATPAIR_EVENT = call || head -c 70000 /dev/zero | tr '\\0' y"
    with once(server, "listen", "--name", "bot", "--exec", command, "--count", "1") as bot:
        arrives(bob, "bot")
        bob.calls("bot")
        bob.says("x" * 60_000)  # which the command does not read
        assert "".join(bob.text() for _ in range(5)) == "y" * 70_000
        bot.ends(ExitStatus.OK)


@pytest.mark.parametrize(("end", "status"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_what_a_command_fails_on_has_not_arrived(server: Server, end: str, status: int) -> None:
    bob = server.client("bob")
    command = f"echo so >&2; test $CHATPAIR_EVENT = call || {end}"
    with once(server, "listen", "--name", "bot", "--exec", command) as bot:
        arrives(bob, "bot")
        with once(server, "say", "bot", "hi") as client:
            client.ends(ExitStatus.NOT_DELIVERED, "bot left before it had arrived.")
        bot.ends(ExitStatus.COMMAND, "so", "so", f"The command ended with status {status}.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_events_are_written_until_a_signal_ends_it_politely(
    server: Server, number: signal.Signals
) -> None:
    bob = server.client("bob")
    with once(server, "listen", "--name", "ear", "--json") as ear:
        arrives(bob, "ear")
        bob.calls("ear")
        bob.says("hi")
        ear.wait_for(rb'{"event":"paired","peer":"bob".*\n.*"from":"bob","text":"hi".*\n\Z')
        ear.kill(number)
        assert bob.line() == "Quit."
        assert ear.wait() == 128 + number
