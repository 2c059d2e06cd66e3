"""Say something to somebody, and know that it arrived: say.py HOST PORT NAME TO TEXT."""

import sys

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import react

from chatpair.client.line import Line


async def main(reactor, host, port, name, to, text):
    """Print what became of the text."""
    endpoint = HostnameEndpoint(reactor, host, int(port))
    async with Line(endpoint, name) as line:
        await line.call(to)
        print(await line.say(text))


react(main, sys.argv[1:])
