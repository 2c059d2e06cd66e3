"""The least that a server of this kind can do in Python, as a yardstick: python relay.py PORT.

No framework, no limits, no check of anything: a connection's first line is its name, To:bob pairs
it, and what comes after that goes to the other, all lines of a read in one write.
"""

import select
import socket
import sys
from time import ctime, time

CHUNK = 65_536


class Connection:
    """One end: unnamed, then unpaired, then paired for good."""

    __slots__ = ("input", "name", "output", "peer", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.name = b""
        self.peer: Connection | None = None
        self.input = b""  # a line of which the end has not come
        self.output = b""  # what the kernel had no room for


class Relay:
    """All connections, and the epoll that tells which can be read."""

    def __init__(self, port: int) -> None:
        self.listening = socket.create_server(("127.0.0.1", port), backlog=1_024)
        self.listening.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listening, select.EPOLLIN)
        self.connections: dict[int, Connection] = {}
        self.names: dict[bytes, Connection] = {}
        self.second = 0
        self.start = b""  # of a line that is delivered, up to the name of who says it

    def run(self) -> None:
        """Serve until the process is ended."""
        listening = self.listening.fileno()
        while True:
            events = self.epoll.poll()
            if (second := int(time())) != self.second:
                self.second, self.start = second, b"[%b] " % ctime(second).encode()
            for fileno, event in events:
                if fileno == listening:
                    self.accept()
                elif event & select.EPOLLOUT:
                    self.flush(self.connections[fileno])
                else:
                    self.read(self.connections[fileno])

    def accept(self) -> None:
        """Let in one of those who wait."""
        sock, _ = self.listening.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[sock.fileno()] = Connection(sock)
        self.epoll.register(sock, select.EPOLLIN)

    def read(self, connection: Connection) -> None:
        """Take what one connection sent."""
        try:
            data = connection.socket.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            self.drop(connection)
            return
        lines, _, connection.input = (connection.input + data).rpartition(b"\n")
        if not lines:
            return
        if connection.peer is not None:
            start = self.start + connection.name + b": ("
            text = lines.replace(b"\n", b")\r\n" + start)
            self.write(connection.peer, start + text + b")\r\n")
        else:
            for line in lines.split(b"\n"):
                self.obey(connection, line)

    def obey(self, connection: Connection, line: bytes) -> None:
        """Name or pair a connection."""
        if not connection.name:
            connection.name = line
            self.names[line] = connection
            self.write(connection, b"OK\r\n")
            return
        peer = self.names.get(line.removeprefix(b"To:"))
        if peer is None:
            return
        for one, other in ((connection, peer), (peer, connection)):
            one.peer = other
            self.write(one, b"You are chatting with %b.\r\n" % other.name)

    def write(self, connection: Connection, data: bytes) -> None:
        """Send bytes, or keep what the kernel has no room for."""
        if not connection.output:
            try:
                data = data[connection.socket.send(data) :]
            except BlockingIOError:
                pass
            except ConnectionError:
                return  # an event tells of it
            if not data:
                return
            self.epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        connection.output += data

    def flush(self, connection: Connection) -> None:
        """Send what was kept."""
        data, connection.output = connection.output, b""
        self.epoll.modify(connection.socket, select.EPOLLIN)
        self.write(connection, data)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that is lost."""
        if connection.peer is not None:
            connection.peer.peer = None
        self.names.pop(connection.name, None)
        del self.connections[connection.socket.fileno()]
        connection.socket.close()


if __name__ == "__main__":
    Relay(int(sys.argv[1])).run()
