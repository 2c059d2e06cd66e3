"""Waiting until somebody is there and free, and calling them then."""

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from chatpair.client.conversation import Conversation
from chatpair.client.errors import Refused
from chatpair.client.line import Line
from chatpair.client.plain_line import PlainLine
from chatpair.client.session import is_same_name

AnyLine: TypeAlias = Conversation | PlainLine

WAIT_SECONDS = 1.0, 5.0
"""How long to wait at first, and at most, before looking again whether somebody is free."""


async def call_when_free(
    line: AnyLine | Line,
    name: str,
    clock: IReactorTime,
    is_wanted: Callable[[], bool],
    tell: Callable[[str], object],
    called: Callable[[str], object],
) -> None:
    """Call somebody as soon as they are there and free; tell their name as they write it.

    Gives up as soon as that is wanted no more. Raises Refused for a reason that waiting does
    not mend, and Ended if the line ends. That it takes a while is told once.
    """
    seconds, most = WAIT_SECONDS
    told = False
    while is_wanted():
        if await _may_be_free(line, name) and is_wanted():
            try:
                called(await line.call(name))
                return
            except Refused as why:
                if is_wanted() and why.code not in ("unknown", "busy", "dnd"):
                    raise
        if not is_wanted():
            break
        if not told:
            told = True
            tell(f"Waiting for {name} ...")
        await deferLater(clock, seconds)
        seconds = min(2 * seconds, most)


async def _may_be_free(line: AnyLine | Line, name: str) -> bool:
    """Tell whether to call: whoever is called while busy is bothered with that."""
    if isinstance(line, PlainLine):
        return True  # an old server would take the question for text
    here = await line.who()
    for one in here.names:
        if is_same_name(one.name, name):
            return not one.paired
    return here.more > 0
