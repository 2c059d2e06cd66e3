"""A program: nodes in one process tell each other numbers, each over an engine's URL of its own.

python -m tests.support.links_nodes LEASE COUNT URL...

It prints how many tenths of the frames have arrived, and "all" once every node has got all.
"""

import random
import sys
from typing import Any

import msgspec
from twisted.internet import reactor as installed
from twisted.logger import FileLogObserver, formatEventAsClassicLogText, globalLogPublisher

from chatpair.cluster.address import EngineAddress
from chatpair.cluster.engine import Engine
from chatpair.cluster.links import Links

reactor: Any = installed


class Node:
    """One node, which sends as many frames to each other one as were asked for."""

    count = 0
    nodes: dict[str, "Node"]
    arrived = 0

    def __init__(self, inc: str, url: str, lease: float) -> None:
        self.inc = inc
        self.engine = Engine(reactor, EngineAddress.parse(url), patience=lease / 2)
        self.links = Links(
            reactor,
            self.engine,
            self.received,
            lambda inc: None,
            lease=lease,
            encode=msgspec.msgpack.encode,
            decode=msgspec.msgpack.Decoder(list[Any]).decode,
            unknown=print,
        )
        self.sent: dict[str, int] = {}
        self.got: dict[str, int] = {}
        self.engine.start(self.connected, lambda: None, lambda why: print(why, flush=True))

    def connected(self) -> None:
        """Begin, or go on."""
        if self.links.me:
            self.links.reconnected()
            return
        self.links.opened(self.inc)
        others = frozenset(self.nodes) - {self.inc}
        self.sent = dict.fromkeys(others, 0)
        self.got = dict.fromkeys(others, 0)
        self.links.members_changed(others)
        self.speak()

    def speak(self) -> None:
        """Send some frames to each other node that is not full."""
        for inc, sent in self.sent.items():
            for number in range(sent, min(self.count, sent + random.randrange(4))):
                if not self.links.is_full(inc):
                    self.links.send(inc, [number, "x" * random.choice([1, 100, 1_000])])
                    self.sent[inc] = number + 1
        reactor.callLater(0.002, self.speak)

    def received(self, inc: str, frame: Any) -> None:
        """Check that a frame is the next one."""
        if frame[0] != self.got[inc]:
            print(f"wrong: {frame[0]} after {self.got[inc]}", flush=True)
        self.got[inc] += 1
        Node.arrived += 1
        total = self.count * len(self.nodes) * (len(self.nodes) - 1)
        if Node.arrived % (total // 10) == 0:
            print("arrived", Node.arrived * 10 // total, flush=True)
        if Node.arrived == total:
            print("all", flush=True)


if __name__ == "__main__":
    globalLogPublisher.addObserver(FileLogObserver(sys.stdout, formatEventAsClassicLogText))
    Node.count = int(sys.argv[2])
    urls = {f"n{number}.00000000": url for number, url in enumerate(sys.argv[3:])}
    Node.nodes = {}
    for inc, url in urls.items():
        Node.nodes[inc] = Node(inc, url, float(sys.argv[1]))
    reactor.run()
