"""Nodes that are started wrongly, or before their engine."""

import re
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster import SHORT, Cluster, Node, pair
from tests.support.engine import Engine
from tests.support.forks import BIN
from tests.support.server import Process


def test_two_nodes_of_one_id(tmp_path: Path, shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        alice, bob = pair(cluster.nodes[0], cluster.nodes[1])
        arguments = ["--cluster", shared_engine.url, "--node", "n1", "--lease", f"{SHORT:g}"]
        pid = tmp_path / "twistd.pid"
        twistd = [str(BIN / "twistd"), "-n", f"--pidfile={pid}", "chatpair", "--port", "tcp:0"]
        with Process([*twistd, *arguments]) as twin:
            assert twin.wait() == 1
        assert not pid.exists()
        assert twin.output.count(b"#critical] Another node has the id n1.") == 1
        assert b"Traceback" not in twin.output
        alice.says("not disturbed")
        assert bob.text() == "not disturbed"


def test_two_switchboards_on_one_engine(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine") as engine, ExitStack() as stack:
        rules = ("on", "nopass", "~team:*", "+@all", "-client")
        assert engine.command("ACL", "SETUSER", "default", "reset", *rules) == b"OK"
        for prefix, shown in (("team:a:", False), ("team:b:", True)):
            if shown:
                assert engine.command("ACL", "SETUSER", "default", "+client") == b"OK"
            url = f"{engine.url}?prefix={prefix}"
            first, second = (
                stack.enter_context(Node(f"n{number}", url, lease=SHORT)) for number in (1, 2)
            )
            for node in (first, second):
                node.joins()
            first.meets(second)
            alice, bob = pair(first, second)
            alice.says("hello")
            assert bob.text() == "hello"
        names = re.findall(rb"name=(\S*)", engine.command("CLIENT", "LIST"))
        assert sorted(name for name in names if name) == [b"chatpair-n1"] * 2 + [b"chatpair-n2"] * 2
