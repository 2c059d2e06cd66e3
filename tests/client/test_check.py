"""What --check finds out about a server."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatpair.client.check import CHECK_SECONDS, check
from chatpair.client.ending import Ending, ExitStatus
from tests.support.clients import Host, Piped, at
from tests.support.played import Endpoint
from tests.support.server import Server


def test_a_server_that_takes_nobody() -> None:
    with Server("--max-users", "1") as server:
        server.client("alice")
        with Piped(*at(server, "--check")) as client:
            client.ends(ExitStatus.NO_CONNECTION, "The server is full.")


def test_the_name_in_the_settings_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "chatpair").mkdir()
    (tmp_path / "chatpair" / "settings.toml").write_text('name = "alice"')
    server.client("alice")
    with Piped(*at(server, "--check"), env={"XDG_CONFIG_HOME": str(tmp_path)}) as client:
        client.ends(ExitStatus.OK)


def test_what_is_no_server_of_chatpair() -> None:
    with Host() as host, Piped("--check", *host.address) as client:
        host.takes("Mode:json")
        host.says("HTTP/1.1 400 Bad Request")
        client.ends(ExitStatus.NO_CONNECTION, "No server of chatpair: HTTP/1.1 400 Bad Request")


def test_a_server_that_does_not_answer() -> None:
    clock = Clock()
    endings: list[Ending] = []
    Deferred.fromCoroutine(check(Endpoint(), "", "", clock)).addCallback(endings.append)
    clock.advance(CHECK_SECONDS - 0.1)
    assert endings == []
    clock.advance(0.1)
    assert endings == [(ExitStatus.NO_CONNECTION, "The server does not answer.")]
