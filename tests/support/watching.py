"""What Prometheus or a health check asks a server."""

from contextlib import closing
from http.client import HTTPConnection

from tests.support.server import TIMEOUT, Server

METRICS = ("--metrics", "tcp:0:interface=127.0.0.1")
"""The options of a server that is watched."""


def metrics_port(server: Server) -> int:
    """Return where it is asked."""
    return int(server.wait_for(r"MetricsSite starting on (\d+)")[1])


def asked(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    """Return the status and the body of an answer."""
    where = "127.0.0.1", metrics_port(server)
    with closing(HTTPConnection(*where, timeout=TIMEOUT)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def scraped(server: Server) -> dict[str, float]:
    """Return all figures, by name and labels as they are written."""
    status, text = asked(server, "/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
