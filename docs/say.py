"""Say something to somebody, and exit with status 0 once it has arrived.

say.py HOST PORT NAME TO TEXT
"""

import signal
import sys

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import react

from chatpair.client.line import Line
from chatpair.client.session import NotDelivered, Refused


async def main(reactor, host, port, name, to, text):
    """Print what became of the text; wait for the server if it is not there."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # else Twisted would stop with status 0
        reactor.callWhenRunning(signal.signal, interrupt, signal.SIG_DFL)
    endpoint = HostnameEndpoint(reactor, host, int(port))
    try:
        async with Line(endpoint, name) as line:
            await line.call(to)
            print(await line.say(text))
    except (NotDelivered, Refused) as why:
        sys.exit(str(why))


if len(sys.argv) != 6:
    sys.exit(__doc__)
react(main, sys.argv[1:])
