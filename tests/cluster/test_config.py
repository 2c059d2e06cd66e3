"""Nodes that are started wrongly, or before their engine."""

import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from benchmarks.servers import free_port
from tests.support.clients import spins_until
from tests.support.cluster import NOT_READY, SHORT, Cluster, Node, pair
from tests.support.engine import Engine
from tests.support.json_people import json_client
from tests.support.proxy import Proxy
from tests.support.server import BIN, TIMEOUT, Process


def ends(*options: str) -> str:
    """Start a server that must end by itself with status 1; return its one line of complaint."""
    where = ["--port", "epoll:0:interface=127.0.0.1"]
    arguments = [str(BIN / "twistd"), "-n", "--pidfile=", "chatpair", *where, *options]
    with Process(arguments, stdin=subprocess.DEVNULL) as server:
        assert server.wait() == 1
    assert b"Traceback" not in server.output
    lines = [line for line in server.output.decode().splitlines() if "#critical]" in line]
    assert len(lines) == 1, server.output.decode()
    return lines[0]


def test_no_engine_at_start(shared_engine: Engine) -> None:
    with Proxy(shared_engine.port) as way:
        way.cut()
        with Node("n1", f"redis://127.0.0.1:{way.port}", lease=SHORT) as node:
            node.logs(rf"No engine at 127\.0\.0\.1:{way.port}: .*; trying again")
            assert node.asked("alice") == NOT_READY
            client, _ = json_client(node)
            client.does("name", name="alice")
            (error,) = client.events("error")
            assert (error["of"], error["code"], error["text"]) == ("name", "try-later", NOT_READY)
            way.mend()
            node.joins()
            spins_until(lambda: node.asked("alice") == "OK")
            client.does("name", name="bob")
            client.events("named")
        assert node.output.count(b"No engine at") == 1
        assert b"Traceback" not in node.output


def test_a_port_where_nothing_listens() -> None:
    with Node("n1", f"redis://127.0.0.1:{free_port()}", lease=SHORT) as node:
        node.logs("No engine at .*; trying again")
        assert node.asked("alice") == NOT_READY
        assert node.stop() == -signal.SIGTERM


def test_a_wrong_password(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", password="right") as engine:
        line = ends("--cluster", f"redis://:wrong@127.0.0.1:{engine.port}")
        assert "password" in line
        assert "wrong" not in line.replace("wrong password", "").lower().replace("wrongpass", "")
        assert "NOAUTH" in ends("--cluster", engine.url)


def test_a_wrong_database(engine: Engine) -> None:
    assert "has no database 99" in ends("--cluster", f"{engine.url}/99")


def test_an_engine_without_streams() -> None:
    info = b"redis_version:4.0.14\r\nrun_id:0\r\n"
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"$%d\r\n%s\r\n" % (len(info), info))
            with suppress(ConnectionResetError):
                connection.recv(65_536)

    thread = threading.Thread(target=serve)
    thread.start()
    line = ends("--cluster", f"redis://127.0.0.1:{listening.getsockname()[1]}")
    assert "is Redis 4.0.14: chatpair needs Valkey, or Redis 6.2 or newer" in line
    thread.join(TIMEOUT)
    listening.close()


def test_two_nodes_of_one_id(shared_engine: Engine) -> None:
    with Cluster(shared_engine, 2, lease=SHORT) as cluster:
        alice, bob = pair(*cluster.nodes)
        line = ends("--cluster", shared_engine.url, "--node", "n1", "--lease", f"{SHORT:g}")
        assert line.endswith("Another node has the id n1.")
        alice.says("not disturbed")
        assert bob.text() == "not disturbed"
