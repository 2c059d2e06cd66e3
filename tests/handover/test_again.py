"""A server is replaced again and again, and nothing is left of those before."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.servers import free_port
from tests.support.clients import spins_until
from tests.support.replacing import Replaced
from tests.support.server import Door, Server
from tests.support.watching import METRICS, scraped


def files_of(server: Server) -> Counter[str]:
    """Count the files that a server has open, by kind."""
    kinds: Counter[str] = Counter()
    for file in Path(f"/proc/{server.popen.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            kinds[str(file.readlink()).split(":")[0]] += 1
    return kinds


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.endurance)])
def test_nothing_is_left_behind(times: int, tmp_path: Path) -> None:
    tcp, proxied, path = free_port(), free_port(), str(tmp_path / "chat")
    ports = (f"tcp:{tcp}", f"unix:{path}", f"haproxy:tcp:{proxied}")
    options = [option for port in ports for option in ("--port", port)]
    doors = (Door(tcp), Door(path), Door(proxied, proxied=True))
    with Replaced(tmp_path, *options, *METRICS, port=f"epoll:{free_port()}") as replaced:
        clients = [
            replaced.server.client(f"user-{number}", door=door)
            for number, door in enumerate((None, *doors))
        ]
        for client in clients:
            client.says("/key")
            client.line()
        for one, other in ((0, 1), (2, 3)):
            clients[one].calls(f"user-{other}")
            assert clients[other].line() == f"You are chatting with user-{one}."
        replaced.replace()
        first = files_of(replaced.server)
        memory = replaced.server.resident_kib()
        for number in range(times):
            replaced.replace()
            for one, other in ((0, 1), (3, 2)):
                clients[one].says(f"again {number}")
                assert clients[other].text() == f"again {number}"
            figures = scraped(replaced.server)
            assert (figures["chatpair_connections"], figures["chatpair_pairs"]) == (4, 2)
            # Whoever has asked for the figures is perhaps not gone yet.
            spins_until(lambda: files_of(replaced.server) == first)
            left = sorted(one.name for one in tmp_path.iterdir())
            assert left == ["chat", "chat.lock", "handover.socket"]
            assert str(Path(f"{path}.lock").readlink()) == str(replaced.server.popen.pid)
        assert replaced.server.resident_kib() < 1.1 * memory
    assert sorted(one.name for one in tmp_path.iterdir()) == []
