"""What one would write first on Twisted, as a yardstick: python line_receiver.py PORT."""

import sys
from time import ctime

from twisted.internet import reactor
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

names: dict[bytes, "Chat"] = {}
pairs: dict["Chat", "Chat"] = {}


class Chat(LineReceiver):
    """The first line is a name, To:bob pairs, and any other line goes to the peer."""

    delimiter = b"\n"
    name = b""

    def lineReceived(self, line: bytes) -> None:
        if not self.name:
            self.name = line
            names[line] = self
            self.sendLine(b"OK\r")
        elif line.startswith(b"To:") and line[3:] in names:
            peer = names[line[3:]]
            pairs[self], pairs[peer] = peer, self
            self.sendLine(b"You are chatting with %b.\r" % peer.name)
            peer.sendLine(b"You are chatting with %b.\r" % self.name)
        elif self in pairs:
            pairs[self].sendLine(b"[%b] %b: (%b)\r" % (ctime().encode(), self.name, line))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        names.pop(self.name, None)
        pairs.pop(pairs.pop(self, self), None)


if __name__ == "__main__":
    port = int(sys.argv[1])
    factory = ServerFactory()
    factory.protocol = Chat
    reactor.listenTCP(port, factory, 1_024, "127.0.0.1")
    reactor.run()
