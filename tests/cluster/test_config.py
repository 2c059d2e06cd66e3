"""Nodes that are started wrongly, or before their engine."""

import re
from contextlib import ExitStack
from pathlib import Path

from tests.support.clients import spins_until
from tests.support.cluster import NOT_READY, SHORT, Cluster, Node, pair
from tests.support.engine import Engine
from tests.support.forks import BIN
from tests.support.proxy import Proxy
from tests.support.server import Process


def test_no_engine_at_start(shared_engine: Engine) -> None:
    with Proxy(shared_engine.port) as way:
        way.cut()
        with Node("n1", f"redis://127.0.0.1:{way.port}", lease=SHORT) as node:
            node.logs(rf"No engine at 127\.0\.0\.1:{way.port}: .*; trying again")
            assert node.asked("alice") == NOT_READY
            way.mend()
            node.joins()
            spins_until(lambda: node.gives("alice"))
        assert node.output.count(b"No engine at") == 1
        assert b"Traceback" not in node.output


def test_two_nodes_of_one_id(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        alice, bob = pair(cluster.nodes[0], cluster.nodes[1])
        arguments = ["--cluster", shared_engine.url, "--node", "n1", "--lease", f"{SHORT:g}"]
        with Process(
            [str(BIN / "twistd"), "-n", "--pidfile=", "chatpair", "--port", "tcp:0", *arguments]
        ) as twin:
            assert twin.wait() == 1
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
