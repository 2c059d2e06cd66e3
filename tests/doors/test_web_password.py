"""Names with passwords at the web door, for programs: where a password may be said."""

import pytest

from tests.support.certificates import made
from tests.support.server import Door, Server, own_address
from tests.support.web_client import WebClient


@pytest.mark.parametrize(
    ("is_far", "has_tls", "is_private"),
    [(False, False, True), (True, False, False), (False, True, True), (True, True, True)],
)
def test_where_a_program_may_say_a_password(is_far: bool, has_tls: bool, is_private: bool) -> None:
    host = own_address() if is_far else "127.0.0.1"
    door = made().issues("web", "localhost").port if has_tls else "tcp:0:interface=0.0.0.0"
    trusted = made().trusting() if has_tls else None
    with (
        Server("--auth", "memory:alice:secret", port=f"web:{door}") as web,
        WebClient(Door(web.web_port, tls=trusted, host=host)) as alice,
    ):
        alice.does("name", name="alice", password="secret")
        answer = alice.hears()
        if is_private:
            assert (answer["event"], answer["name"]) == ("named", "alice")
        else:
            assert (answer["code"], answer["text"]) == ("password", "This needs TLS.")
