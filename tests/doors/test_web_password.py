"""Names with passwords at the web door, for programs: where a password may be said."""

import pytest

from tests.support.certificates import made
from tests.support.server import Door, Server, own_address
from tests.support.web_client import WebClient


@pytest.mark.parametrize("has_tls", [False, True])
def test_where_a_program_may_say_a_password(has_tls: bool) -> None:
    port = made().issues("web", "localhost").port if has_tls else "tcp:0:interface=0.0.0.0"
    trusted = made().trusting() if has_tls else None
    with Server("--auth", "memory:alice:secret", port=f"web:{port}") as web:
        for host in (own_address(), "127.0.0.1"):
            with WebClient(Door(web.web_port, tls=trusted, host=host)) as alice:
                alice.does("name", name="alice", password="secret")
                answer = alice.hears()
                if has_tls or host == "127.0.0.1":
                    assert (answer["event"], answer["name"]) == ("named", "alice")
                else:
                    assert (answer["code"], answer["text"]) == ("password", "This needs TLS.")
                alice.does("quit")
                assert [event["event"] for event in alice.rest()] == ["quit"]
