"""Say something to somebody, and exit with status 0 once it has arrived.

say.py HOST[:PORT] NAME TO TEXT
"""

import signal
import sys

from twisted.internet.task import react

from chatpair import Line, LineError


async def main(reactor, address, name, to, text):
    """Print what became of the text; wait for the server if it is not there."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # else Twisted would stop with status 0
        reactor.callWhenRunning(signal.signal, interrupt, signal.SIG_DFL)
    try:
        async with Line(address, name) as line:
            await line.call(to)
            print(await line.say(text))
    except LineError as why:
        sys.exit(str(why))


if len(sys.argv) != 5:
    sys.exit(__doc__)
react(main, sys.argv[1:])
