"""A program: two clients of the library talk to a real server through a proxy that cuts them off.

One of them is asyncio's, and the other Twisted's.

python -m tests.support.bad_proxy PORT CUTS SEED
"""

import asyncio
import random
import sys
from collections import defaultdict, deque
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater, react
from twisted.protocols import portforward
from twisted.python.failure import Failure

from chatpair import Line, aio
from chatpair.client import connection
from chatpair.client.conversation import Conversation

SAYS_AT_ONCE = 20

MOST_BYTES = 3_000
"""What a connection lets through at most before it is cut."""

HOW = {
    **dict.fromkeys(("closed", "reset", "lost by the client alone"), 3),
    # These a client notices only by its pings.
    **dict.fromkeys(("lost by the server alone", "silent"), 1),
}
"""How connections end, and how often."""


class Fate:
    """How much a connection through the proxy lets through, and how it ends."""

    cuts = 0
    wanted = 0

    def __init__(self, reactor: Any, proxy: portforward.ProxyServer) -> None:
        self._reactor = reactor
        self._proxy = proxy
        self._left = random.randrange(MOST_BYTES) if Fate.cuts < Fate.wanted else sys.maxsize
        self._waiting: defaultdict[Any, deque[bytes]] = defaultdict(deque)
        self.over = False

    def passes(self, source: portforward.Proxy, data: bytes) -> None:
        """Pass on what came from one side, in pieces, some of them late."""
        data, self._left = data[: self._left], max(0, self._left - len(data))
        cut = random.randrange(len(data) + 1)
        waiting = self._waiting[source]
        if not waiting:
            self._reactor.callLater(random.choice([0, 0, 0.001]), self._pass_next, source)
        waiting += (data[:cut], data[cut:])

    def _pass_next(self, source: portforward.Proxy) -> None:
        waiting = self._waiting[source]
        if self.over or source.peer is None:
            return
        towards: Any = source.peer.transport
        towards.write(waiting.popleft())
        if waiting:
            self._reactor.callLater(0, self._pass_next, source)
        elif self._left == 0:
            self._cut(*random.choices([*HOW], [*HOW.values()]))

    def _cut(self, how: str) -> None:
        self.over = True
        Fate.cuts += 1
        client: Any = self._proxy.transport
        server: Any = self._proxy.peer.transport if self._proxy.peer is not None else None
        for end, name in ((client, "client"), (server, "server")):
            if end is None:
                continue
            if how == "closed":
                end.loseConnection()
            elif how in ("reset", f"lost by the {name} alone"):
                end.abortConnection()


class BadClient(portforward.ProxyClient):
    """The proxy's connection to the server."""

    def dataReceived(self, data: bytes) -> None:
        """Pass it on, or not."""
        if isinstance(self.peer, BadServer) and not self.peer.fate.over:
            self.peer.fate.passes(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the client's end go as well, unless it is to look alive."""
        if isinstance(self.peer, BadServer) and not self.peer.fate.over:
            super().connectionLost(reason)


class BadClientFactory(portforward.ProxyClientFactory):
    """Makes those."""

    protocol = BadClient
    noisy = False


class BadServer(portforward.ProxyServer):
    """The proxy's connection to a client."""

    clientProtocolFactory = BadClientFactory

    def connectionMade(self) -> None:
        """Draw a fate."""
        from twisted.internet import reactor

        self.fate = Fate(reactor, self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Pass it on, or not."""
        if not self.fate.over:
            self.fate.passes(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the server's end go as well, unless it is to look alive."""
        if not self.fate.over:
            super().connectionLost(reason)


def deferred(waits: Any) -> Deferred[Any]:
    """Return what fires with what a coroutine of asyncio returns, or the Deferred that it is."""
    return (
        waits if isinstance(waits, Deferred) else Deferred.fromFuture(asyncio.ensure_future(waits))
    )


class Talker:
    """One of the two, who says numbers until there were enough cuts."""

    def __init__(self, line: Any, conversation: Conversation) -> None:
        self.heard: list[str] = []
        self.outcomes: list[str] = []
        self.line = line
        self.conversation = conversation

    async def listen(self) -> None:
        """Note what the other says, to the end."""
        async for message in self.line.messages():
            self.heard.append(message.text)

    async def talk(self) -> int:
        """Say numbers; return how many."""
        count = 0
        while Fate.cuts < Fate.wanted:
            says: list[Deferred[Any]] = []
            for _ in range(SAYS_AT_ONCE):
                says.append(deferred(self.line.say(str(count))))
                count += 1
            self.outcomes += await gatherResults(says, consumeErrors=True)
        return count


async def main(reactor: Any, port: str, cuts: str, seed: str) -> None:
    """Let two talk until they were cut off often enough, and see that nothing was lost."""
    await deferLater(reactor, 0)  # the loop must run
    random.seed(int(seed))
    # A connection that was of no use, or is silent, costs seconds else.
    connection._delay = lambda _: 0.01
    connection.PING_SECONDS = connection.LOOK_SECONDS = 0.5
    factory = portforward.ProxyFactory("127.0.0.1", int(port))
    factory.protocol = BadServer
    factory.noisy = False
    listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
    address = f"127.0.0.1:{(await listening).getHost().port}"
    of_asyncio, of_twisted = aio.Line(address, "alice"), Line(address, "bob")
    alice = Talker(of_asyncio, of_asyncio._line._conversation)
    bob = Talker(of_twisted, of_twisted._conversation)
    await gatherResults([deferred(alice.line.start()), bob.line.start()])
    await deferred(alice.line.call("bob"))
    listens = [deferred(alice.listen()), Deferred.fromCoroutine(bob.listen())]
    Fate.wanted = int(cuts)
    for talker in (alice, bob):  # these connections have no end yet
        assert talker.conversation._connection is not None
        talker.conversation._connection.transport.abortConnection()
    counts = await gatherResults(
        [Deferred.fromCoroutine(alice.talk()), Deferred.fromCoroutine(bob.talk())]
    )
    for talker, other, count in ((alice, bob, counts[0]), (bob, alice, counts[1])):
        assert other.heard == [str(number) for number in range(count)], other.heard
        assert talker.outcomes == ["confirmed"] * count, talker.outcomes
    print(f"{Fate.cuts} cuts, {counts} says, nothing lost")
    await gatherResults([deferred(alice.line.quit()), bob.line.quit(), *listens])


if __name__ == "__main__":
    asyncioreactor.install()
    react(main, sys.argv[1:])
