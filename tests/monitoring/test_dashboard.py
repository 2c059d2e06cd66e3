"""The dashboard's queries, and what the page says, are of what a real server tells."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from benchmarks.servers import free_port
from tests.support.clients import spins_until
from tests.support.cluster import Cluster, Node
from tests.support.engine import Engine
from tests.support.server import TIMEOUT, Process, require
from tests.support.watching import METRICS, asked, metrics_port

DOCS = Path(__file__).parents[2] / "docs"
PANELS = json.loads((DOCS / "grafana.json").read_text())["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
CONFIGURATION = """
global:
  scrape_interval: 500ms
scrape_configs:
  - job_name: chatpair
    static_configs:
      - targets: ["127.0.0.1:{}"]
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of a cluster where all that is counted has happened once."""
    with (
        Engine(tmp_path_factory.mktemp("engine")) as engine,
        Cluster(engine, 2, *METRICS, "--rate", "1") as cluster,
    ):
        alice, _ = cluster.pair()
        happens(cluster.nodes[0])
        alice.says("one", "two")
        yield cluster.nodes[0]


def happens(node: Node) -> None:
    """Let a line fail, a call be in vain, a key be wrong, somebody go, and a check come."""
    carol = node.client("carol")
    carol.says("nobody is there", "To:nobody", "Quit")
    assert carol.line().startswith("Nobody")
    late = node.client()
    late.says("Back:a-b-c")
    assert late.line() == "No line is held for that key."
    late.close()


def test_the_page_and_the_dashboard_have_the_figures_that_there_are(node: Node) -> None:
    text = asked(node, "/metrics")[1]
    told = set(re.findall(r"^# TYPE (chatpair_\w+?)(?:_created)? ", text, re.M))
    page = (DOCS / "monitoring.rst").read_text()
    assert set(re.findall(r"^``(chatpair_\w+)``  ", page, re.M)) == told
    samples = set(re.findall(r"^(\w+)[ {]", text, re.M))
    used = {name for query in QUERIES for name in re.findall(r"\b(?:chatpair|process)_\w+", query)}
    assert used <= samples
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in used}
    assert {name for name in shown if name.startswith("chatpair")} == told


def test_the_figures_are_named_as_prometheus_has_it(node: Node) -> None:
    with Process([require("promtool"), "check", "metrics"]) as lint:
        lint.close_input(asked(node, "/metrics")[1].encode())
        assert (lint.wait(), lint.output) == (0, b"")


def test_prometheus_answers_each_query_of_the_dashboard(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(CONFIGURATION.format(metrics_port(node)))
    port = free_port()
    where = [f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with Process([require("prometheus"), f"--config.file={path}", *where]) as prometheus:
        prometheus.wait_for("Server is ready to receive web requests")

        def has_an_answer(query: str) -> bool:
            asks = urlencode({"query": query})
            with urlopen(f"http://127.0.0.1:{port}/api/v1/query?{asks}", timeout=TIMEOUT) as answer:
                return bool(json.load(answer)["data"]["result"])

        for query in QUERIES:
            query = query.replace("$job", "chatpair").replace("$__rate_interval", "1m")
            spins_until(lambda query=query: has_an_answer(query))  # type: ignore[misc]
