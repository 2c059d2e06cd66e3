"""The names in the engine: whose they are, and the members that have them."""

from collections.abc import Container
from contextlib import suppress
from itertools import islice
from typing import Any, Literal, NamedTuple

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ResponseError

from chatpair.cluster.engine import Engine, EngineAway
from chatpair.cluster.mesh import NotReady, Stay
from chatpair.cluster.scripts import LOCATE, NAMES, PREFIX, SWEEP
from chatpair.exchange.directory import Claimed
from chatpair.exchange.names import Name

BATCH = 200
"""Claims and releases that the engine does in one go."""

_log = Logger()


class _Claim(NamedTuple):
    name: Name
    mode: Literal["new", "again"]
    """Whether a user is to be here by that name, or is already."""
    answer: "Deferred[Claimed]"

    def fire(self, outcome: Claimed) -> None:
        """Answer, unless that is of no use any more."""
        if not self.answer.called:
            self.answer.callback(outcome)


class EngineNames:
    """Claims and releases names for this node, in batches of which one is under way at a time.

    So what is asked for first is done first, whichever connection carries it. A batch that was
    lost may still be done later, but not once the next one is: they are counted.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stay: Stay | None = None
        self._turn = 0
        self._claims: dict[str, _Claim] = {}
        self._releases: dict[str, None] = {}  # until done; also of what may be ours for all we know
        self._sent: dict[str, _Claim] | None = None  # in the batch under way
        self._tidy: Stay | None = None  # as what nothing is ours but the names of users here

    # The lease tells:

    @property
    def is_open(self) -> bool:
        """Whether the engine can be asked."""
        return self._stay is not None

    def opened(self, stay: Stay) -> None:
        """Ask the engine from now on, as this; called again after each answer to the lease."""
        self._stay = stay
        self._flush()

    def closed(self) -> None:
        """Ask nothing until `opened`: claims that are not sent are answered "later"."""
        self._stay = None
        claims, self._claims = self._claims, {}
        self._releases.update((key, None) for key, one in claims.items() if one.mode == "new")
        for claim in claims.values():
            claim.fire("later")

    def forget(self) -> None:
        """Own no name any more: the node is to join as another, and all it had will be swept."""
        self.closed()
        self._releases.clear()

    # The node asks:

    def claim(self, name: Name) -> "Deferred[Claimed]":
        """Ask for a name, which nobody has here, nor asks for; this must be open.

        "later" means that the engine is away by then or has lost its data; it is then sure to be
        released. If the Deferred is cancelled, the name is released once it is ours.
        """
        answer: Deferred[Claimed] = Deferred(lambda _: self.release(name))
        self._wait(_Claim(name, "new", answer))
        self._flush()
        return answer

    def claim_again(self, names: list[Name]) -> "Deferred[list[Claimed]]":
        """Ask for names of users that are here, also while the engine settles.

        "later" means that this was closed before it was known. Of users that leave meanwhile the
        outcome is "yours".
        """
        claims = [_Claim(name, "again", Deferred()) for name in names]
        for claim in claims:
            self._wait(claim)
        self._flush()
        return gatherResults([claim.answer for claim in claims])

    def _wait(self, claim: _Claim) -> None:
        self._releases.pop(claim.name.key, None)
        self._claims[claim.name.key] = claim

    def release(self, name: Name) -> None:
        """Let a name be free, as soon as the engine can be told."""
        key = name.key
        claim = self._claims.pop(key, None)
        self._releases[key] = None
        if claim is not None:
            claim.fire("yours" if claim.mode == "again" else "later")
        self._flush()

    async def sweep(self) -> None:
        """Let the names of the dead be swept, some at a time."""
        left = True
        while left and self._stay is not None:
            left = await self._engine.script(SWEEP, *self._stay)

    async def release_others(self, here: Container[str]) -> None:
        """Release what the engine says is ours, once, but for the keys of names of users here: its
        data may be old.
        """
        stay, cursor = self._stay, b""
        while stay is not None and stay is not self._tidy:
            of = self._engine.key(f"{PREFIX}of:{stay.inc}")
            cursor, fields = await self._engine.command("HSCAN", of, cursor or 0, "COUNT", 500)
            if stay is not self._stay:
                return
            for key in (field.decode("utf-8", "replace") for field in fields[::2]):
                if not (key in here or key in self._claims or key in (self._sent or ())):
                    self._releases[key] = None
            self._flush()
            if cursor == b"0":
                self._tidy = stay

    async def locate(self, key: str) -> str | None:
        """Return the member that has a name with this key; raise NotReady."""
        reply: list[bytes] = [b"UNKNOWN"]
        if self._stay is not None:
            with suppress(EngineAway, ResponseError):
                reply = await self._engine.script(LOCATE, *self._stay, key)
        if reply[0] != b"MEMBER":
            raise NotReady
        return reply[1].decode("latin-1") or None

    # Batches

    def _flush(self) -> None:
        if self._stay is None or self._sent is not None or not (self._claims or self._releases):
            return
        releases = list(islice(self._releases, BATCH))
        self._sent = {key: self._claims.pop(key) for key in list(islice(self._claims, BATCH))}
        self._turn += 1
        stay = self._stay
        arguments: list[bytes | str | int] = [*stay, self._turn, len(releases), *releases]
        for name, mode, _ in self._sent.values():
            kind = "a" if name.is_plain else "u"
            arguments += [mode, kind, name.key, len(name.skeletons), *name.skeletons]
        done = self._engine.script(NAMES, *arguments)
        done.addErrback(lambda _: [b"UNKNOWN"])
        done.addCallback(self._done, stay, releases).addErrback(_failed)

    def _done(self, reply: Any, stay: Stay, releases: list[str]) -> None:
        sent, self._sent = self._sent or {}, None
        is_done = reply[0] == b"MEMBER"
        is_same = self._stay is None or self._stay.inc == stay.inc
        outcomes: list[Claimed] = ["later"] * len(sent)
        if is_done:
            outcomes = [each.decode() for each in reply[1:]]
            for key in releases:
                self._releases.pop(key, None)
        answers: list[tuple[_Claim, Claimed]] = []
        for (key, claim), outcome in zip(sent.items(), outcomes, strict=True):
            if key in self._releases or key in self._claims:  # the claimant is gone
                outcome = "yours" if claim.mode == "again" else "later"
            elif outcome == "later" and is_same and claim.mode == "new":
                self._releases[key] = None
            elif outcome == "later" and is_same and self._stay is not None:
                self._claims[key] = claim  # at the next `opened`
                continue
            answers.append((claim, outcome))
        for claim, outcome in answers:
            claim.fire(outcome)
        if is_done:  # else there is no use before `opened`
            self._flush()


def _failed(why: Failure) -> None:
    _log.failure("What came of claims could not be told", why)
