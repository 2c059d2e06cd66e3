"""The load's connections: how they are opened and paired, and how a line is checked."""

from __future__ import annotations

import errno
import re
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NoReturn

from benchmarks.dialects import Fault, Lines

CHUNK = 65_536
"""Bytes to read at once."""

CYCLE, CYCLE_BYTES = 10_000, 2**22
"""Lines, or bytes, after which their numbers begin anew; far more than are ever in flight."""

MARK = b"\0"
"""Stands for what precedes a text until that is known."""

PATIENCE_SECONDS = 60
"""How long nothing at all may come while something is due."""

ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ALPHABETS = {
    "ascii": ASCII,
    "tabs": ASCII.replace("m", "\t"),
    "utf8": "Εναφύλλοέπεσεστονερό古池や蛙飛びこむ水の音🙂🌊🍂",
}
"""What texts are made of."""

EVENTS = 256
OPENED_AT_ONCE = 10
"""Connections that wait to be accepted: ngircd's kernel queue is no longer than that."""

PORTS_OF_AN_ADDRESS = 20_000
BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of ip(7), which Python 3.11 lacks
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def line_texts(size: int, alphabet: str) -> list[bytes]:
    """Return texts of so many bytes: a number, and letters that are other ones in each place."""
    letters = ALPHABETS[alphabet]
    ring = letters * (2 + size // len(letters))
    cycle = min(CYCLE, CYCLE_BYTES // size)
    starts = [ring[n % len(letters) :].encode()[: size - 11] for n in range(len(letters))]
    # What is cut in the middle of a letter is made as long with dots.
    whole = [start.decode(errors="ignore").encode() for start in starts]
    padded = [text + b"." * (size - 11 - len(text)) for text in whole]
    return [b"%010d " % n + padded[n % len(letters)] for n in range(cycle)]


class Client:
    """One connection, its peer, and how far both are."""

    __slots__ = (
        "batches",
        "fileno",
        "head",
        "head_pattern",
        "name",
        "order",
        "peer",
        "receive",
        "received",
        "rest",
        "send",
        "sent",
        "sent_at",
        "socket",
    )
    peer: Client
    head_pattern: re.Pattern[bytes]

    def __init__(self, sock: socket.SocketType, name: bytes) -> None:
        self.socket = sock
        self.fileno = sock.fileno()
        self.receive = sock.recv
        self.send = sock.send
        self.name = name
        self.rest = b""  # of a line of which the end has not come, or an answer so far
        self.head = b""  # what preceded the text in the last line, and most likely will again
        self.order = b""
        self.sent = self.received = 0  # lines
        self.sent_at = 0  # the last line, by the monotonic clock in nanoseconds
        self.batches: deque[tuple[int, int]] = deque()  # lines sent together, and when

    def pairs(self, peer: Client, dialect: Lines) -> None:
        """Take somebody for the one to talk with."""
        self.peer = peer
        self.order = dialect.order(peer.name)
        self.head_pattern = dialect.head(peer.name, self.name)

    def send_all(self, data: bytes) -> None:
        """Send bytes, for which there is always room: few are in flight."""
        if self.send(data) != len(data):
            self.is_blocked()

    def is_blocked(self) -> NoReturn:
        """Give up."""
        raise Fault(f"the server has not read what {self.name.decode()} sent")

    def whole_lines(self, data: bytes) -> bytes:
        """Return all lines that have come with their ends, and keep the rest."""
        if not data:
            raise Fault(f"the server closed the connection of {self.name.decode()}")
        data = self.rest + data
        end = data.rfind(b"\n") + 1
        self.rest = data[end:]
        return data[:end]


class Clients:
    """All connections, and the epoll that tells which can be read.

    Pairs take turns with the ports; if they are to be across, the two of a pair have different
    ones.
    """

    def __init__(
        self, dialect: Lines, ports: Sequence[int], texts: list[bytes], across: bool = False
    ) -> None:
        self.dialect = dialect
        self.texts = texts
        self.across = across
        self.addresses = [("127.0.0.1", port) for port in ports]
        self.by_file: dict[int, Client] = {}
        self.opened = 0
        self._epoll = select.epoll()

    def poll(self, seconds: float | None = None) -> list[tuple[int, int]]:
        """Wait until something can be read or sent, or for so long; return the files and events."""
        events = self._epoll.poll(PATIENCE_SECONDS if seconds is None else seconds, EVENTS)
        if not events and seconds is None:
            raise Fault(f"nothing came in {PATIENCE_SECONDS} s, though something was due")
        return events

    def close(self) -> None:
        """Close all."""
        for client in self.by_file.values():
            client.socket.close()
        self._epoll.close()

    # Opening

    def open(self) -> Client:
        """Connect, and claim a name that nobody else has."""
        # The plain C type: what socket.socket adds costs as much as a system call.
        sock = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # Each address has its own ports; those of sessions that were reset are free again.
        if addresses := len(self.by_file) // PORTS_OF_AN_ADDRESS:
            sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            sock.bind((f"127.0.0.{1 + addresses}", 0))
        pair, second = divmod(self.opened, 2)
        address = self.addresses[(pair + (second and self.across)) % len(self.addresses)]
        client = self.by_file[sock.fileno()] = Client(sock, b"u%d" % self.opened)
        self.opened += 1
        status = sock.connect_ex(address)
        if status not in (0, errno.EINPROGRESS):
            raise OSError(status, "connect")
        try:
            client.send_all(self.dialect.introduction(client.name))
            self._epoll.register(client.fileno, select.EPOLLIN)
        except BlockingIOError:  # not yet connected
            self._epoll.register(client.fileno, select.EPOLLOUT)
        return client

    def reset(self, client: Client) -> None:
        """Close with a reset, as a crash does."""
        del self.by_file[client.fileno]
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        client.socket.close()

    def welcomed(self) -> Iterator[Client]:
        """Wait for something to come; yield those who have got their names."""
        for fileno, event in self.poll():
            client = self.by_file[fileno]
            if event == select.EPOLLOUT:
                client.send_all(self.dialect.introduction(client.name))
                self._epoll.modify(fileno, select.EPOLLIN)
            elif self.dialect.is_welcome(self._answer(client)):
                client.rest = b""
                yield client

    def open_pairs(self, count: int) -> Sequence[Client]:
        """Open so many pairs; return their clients, each beside its peer."""
        clients: list[Client] = []
        while len(clients) < 2 * count:
            number = min(OPENED_AT_ONCE, 2 * count - len(clients))
            newcomers = [self.open() for _ in range(number)]
            waiting = set(newcomers)
            while waiting:
                waiting.difference_update(self.welcomed())
            self._pair(newcomers)
            clients += newcomers
        return clients

    def _pair(self, clients: list[Client]) -> None:
        for one, other in zip(clients[::2], clients[1::2], strict=True):
            for client in (one, other):
                client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.pairs(other, self.dialect)
            other.pairs(one, self.dialect)
            if call := self.dialect.call(other.name):
                one.send_all(call)
        if not self.dialect.call(b""):
            return
        waiting = set(clients)
        while waiting:
            for fileno, _ in self.poll():
                client = self.by_file[fileno]
                if self.dialect.is_paired(self._answer(client), client.peer.name):
                    client.rest = b""
                    waiting.discard(client)

    def _answer(self, client: Client) -> bytes:
        """Return what has come since the last answer."""
        data = client.receive(CHUNK)
        if not data:
            raise Fault(f"the server closed the connection of {client.name.decode()}")
        if pongs := self.dialect.pongs(data):
            client.send_all(pongs)
        client.rest += data
        return client.rest

    # Checking

    def check(self, client: Client, data: bytes) -> int:
        """Check whole lines one by one; return how many are from the peer."""
        before = client.received
        for line in data.splitlines(keepends=True):
            if pong := self.dialect.pongs(line):
                client.send_all(pong)
            elif told := self.dialect.told(line):
                self._check_line(client, told)
                client.received += 1
        if data and self.dialect.counts:
            client.send_all(self.dialect.acknowledge(data))
        return client.received - before

    def _check_line(self, client: Client, line: bytes) -> None:
        due = self.texts[client.received % len(self.texts)] + self.dialect.ending
        match = client.head_pattern.match(line)
        got = line[match.end() :] if match else b""
        if match and got == due:
            client.head = match[0]
            return
        if not re.match(rb"\d{10} ", got):
            what = "something else came"
        elif got[:10] == due[:10]:
            what = "it came altered"
        elif got[:10] > due[:10]:
            what = "it was lost, or a later one came first"
        else:
            what = "an earlier one came again, or late"
        sender, receiver = client.peer.name.decode(), client.name.decode()
        raise Fault(f"line {due[:10].decode()} from {sender} to {receiver}: {what}: {line!r}")
