"""Whether a server takes newcomers: what --check asks, as a client."""

from secrets import token_hex
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IStreamClientEndpoint

from chatpair.client.ending import DONE, Ending, ExitStatus, refusal
from chatpair.client.errors import NotJson, Refused
from chatpair.client.line import Line

CHECK_SECONDS = 10.0
"""How long the server may take to let somebody in, and to say goodbye."""

_NO_ANSWER = Ending(ExitStatus.NO_CONNECTION, "The server does not answer.")


async def check(endpoint: IStreamClientEndpoint, name: str, password: str, clock: Any) -> Ending:
    """Take a name, a random one if none is given, and quit; raise what connecting raises."""
    line = Line(endpoint, name or f"check-{token_hex(4)}", password=password, clock=clock)

    async def come_and_go() -> None:
        await line.start(patient=False)
        await line.quit()

    try:
        await Deferred.fromCoroutine(come_and_go()).addTimeout(CHECK_SECONDS, clock)
    except DeferredTimeout:
        return _NO_ANSWER
    except Refused as why:
        return refusal(why.code, why.text)
    except NotJson as why:
        return Ending(ExitStatus.NO_CONNECTION, f"No server of chatpair: {why}")
    return DONE
