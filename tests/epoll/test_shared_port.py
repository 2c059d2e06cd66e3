"""Servers that listen on the same port, among which the kernel shares out the connections."""

from tests.support.server import Client, Server


def test_two_servers_on_one_port() -> None:
    with Server(port="epoll:0:shared=yes") as one:
        port = f"epoll:{one.port}:interface=0.0.0.0:shared=yes"
        with Server(port=port) as other:
            welcomed = 0
            strangers: list[Client] = []
            while welcomed < 2:  # each has its own alice
                strangers.append(one.client())
                strangers[-1].says("alice")
                welcomed += strangers[-1].line() == "OK"
            one.stop()
            for number in range(20):
                assert other.client(f"user{number}")
