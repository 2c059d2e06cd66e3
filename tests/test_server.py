"""The server as it is started, over real sockets."""

from tests.server import Server


def test_two_talk(server: Server) -> None:
    alice, bob = server.pair()
    alice.says("hello")
    assert bob.text() == "hello"
