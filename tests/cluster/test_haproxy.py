"""A real haproxy before two nodes, configured as the page says, and nodes that fail."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cluster import Cluster
from tests.support.engine import Engine
from tests.support.server import Client, Door, Process, require

PAGE = Path(__file__).parents[2] / "docs" / "cluster.rst"

LOG = """\
global
    log stderr format raw local0 notice
defaults
    log global
"""


@contextmanager
def balanced(
    folder: Path, engine: Engine, inter: str = "1s"
) -> Iterator[tuple[Cluster, Process, Door]]:
    """Yield two nodes, a haproxy before them, and where that listens."""
    _, _, rest = PAGE.read_text().partition("see who connects::\n\n")
    text = LOG + rest.partition("\n\nwhere each node")[0] + "\n"
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster(engine, 2, port="haproxy:epoll:0"))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        changes = {"bind :9999": f"bind fd@{listening.fileno()}", "inter 1s": f"inter {inter}"}
        for number, node in enumerate(cluster.nodes, start=1):
            changes[f"10.0.0.{number}:9999"] = f"127.0.0.1:{node.port}"
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "haproxy.cfg").write_text(text)
        command = [require("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]
        process = stack.enter_context(Process(command, pass_fds=[listening.fileno()]))
        yield cluster, process, Door(listening.getsockname()[1])


def come(door: Door, mark: str) -> list[str]:
    """Let some come, one after the other, who stay until all have; return their answers."""
    with ExitStack() as stack:
        answers = []
        for number in range(8):
            client = stack.enter_context(Client(door))
            client.says(f"{mark}-{number}")
            answers.append(client.line())
        return answers


def test_a_killed_node_costs_nobody_who_comes_next_anything(
    tmp_path: Path, shared_engine: Engine
) -> None:
    with balanced(tmp_path, shared_engine, inter="24h") as (cluster, process, door):
        assert come(door, "before") == ["OK"] * 8
        cluster.nodes[0].dies()
        assert come(door, "after") == ["OK"] * 8
        assert b"is DOWN" not in process.output  # nothing but them has noticed it


def test_a_frozen_node_is_taken_out_and_comes_back(tmp_path: Path, shared_engine: Engine) -> None:
    with balanced(tmp_path, shared_engine) as (cluster, process, door):
        cluster.nodes[0].freeze()
        process.wait_for("Server nodes/a is DOWN")
        assert come(door, "meanwhile") == ["OK"] * 8
        cluster.nodes[0].thaw()
        process.wait_for("Server nodes/a is UP")
        assert come(door, "after") == ["OK"] * 8
