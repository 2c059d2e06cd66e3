"""Say to whoever calls what they say.

echo.py HOST[:PORT] NAME
"""

import asyncio
import sys

from chatpair import NotDelivered, Refused
from chatpair.aio import Line


async def main(address, name):
    """Echo until Ctrl-C."""
    async with Line(address, name) as line:
        async for message in line.messages():
            try:
                await line.say(message.text)
            except NotDelivered:
                print(f"{message.sender} has left too soon.", file=sys.stderr)


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    asyncio.run(main(*sys.argv[1:]))
except Refused as why:
    sys.exit(str(why))
except KeyboardInterrupt:
    pass
