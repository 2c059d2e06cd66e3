"""The names in the engine: whose they are, and the members that have them."""

from typing import Any, Literal, NamedTuple

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster.engine import Engine
from chatpair.cluster.mesh import NotReady
from chatpair.cluster.scripts import KEYS, LOCATE, NAMES, PREFIX, SWEEP
from chatpair.exchange.names import Name

BATCH = 200
"""Claims and releases that the engine does in one go."""

Outcome = Literal["yours", "taken", "later"]

_log = Logger()


class Stay(NamedTuple):
    """As what a node is a member: all scripts check it first."""

    inc: str
    join: int
    """How often the node had asked to join."""
    epoch: bytes


class _Claim(NamedTuple):
    name: Name
    mode: Literal["new", "again"]
    answer: "Deferred[Outcome]"


class EngineNames:
    """Claims and releases names for this node, in batches of which one is under way at a time.

    So what is asked for first is done first, whichever connection carries it. A batch that was
    lost may still be done later, but not once the next one is: they are counted.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stay: Stay | None = None
        self._turn = 0
        self._held: set[str] = set()
        self._claims: dict[str, _Claim] = {}
        self._releases: dict[str, None] = {}  # also of what may be ours for all we know
        self._sent: dict[str, _Claim] | None = None  # in the batch under way
        self._unwanted: set[str] = set()  # of those, whose claimant is gone
        self._sweeping = False

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
        for key, claim in claims.items():
            self._releases[key] = None
            _answer(claim, "later")

    def forget(self) -> None:
        """Own no name any more: the node is to join as another, and all it had will be swept."""
        self._held.clear()
        self._unwanted.update(self._sent or ())
        self.closed()
        self._releases.clear()

    # The node asks:

    def claim(self, name: Name, mode: Literal["new", "again"] = "new") -> "Deferred[Outcome]":
        """Ask for a name; "again" also while the engine settles.

        "later" means that the engine was not there or has lost its data; it is then sure to be
        released. If the Deferred is cancelled, the name is released once it is ours.
        """
        key = name.key
        if self._stay is None:
            return succeed("later")
        is_sent = key in (self._sent or ()) and key not in self._unwanted
        if mode == "new" and (is_sent or key in self._claims or key in self._held):
            return succeed("taken")  # by a user of this node
        self._releases.pop(key, None)
        answer: Deferred[Outcome] = Deferred(lambda _: self.release(name))
        self._claims[key] = _Claim(name, mode, answer)
        self._flush()
        return answer

    def claim_again(self, names: list[Name]) -> "Deferred[list[Name] | None]":
        """Ask for names of users that are here; fires with those that others have taken, or None
        if it is not known of all.
        """

        def answered(outcomes: list[Outcome]) -> list[Name] | None:
            taken = [name for name, what in zip(names, outcomes, strict=True) if what == "taken"]
            for name in taken:
                self._held.discard(name.key)
            return None if "later" in outcomes else taken

        return gatherResults([self.claim(name, "again") for name in names]).addCallback(answered)

    def release(self, name: Name) -> None:
        """Let a name be free, as soon as the engine can be told."""
        key = name.key
        self._held.discard(key)
        if self._sent is not None and key in self._sent and key not in self._claims:
            self._unwanted.add(key)
            return
        claim = self._claims.pop(key, None)
        self._releases[key] = None
        if claim is not None:
            _answer(claim, _unwanted(claim))
        self._flush()

    async def release_others(self) -> None:
        """Release what the engine says is ours and nobody here has: its data may be old."""
        stay, cursor = self._stay, b""
        while stay is not None and cursor != b"0":
            of = self._engine.key(f"{PREFIX}of:{stay.inc}")
            cursor, fields = await self._engine.command("HSCAN", of, cursor or 0, "COUNT", 500)
            if stay is not self._stay:
                return
            ours = self._held | self._claims.keys() | (self._sent or {}).keys()
            keys = (field.decode() for field in fields[::2])
            self._releases.update((key, None) for key in keys if key not in ours)
            self._flush()

    async def locate(self, key: str) -> str | None:
        """Return the member that has a name with this key; raise NotReady."""
        if self._stay is None:
            raise NotReady
        try:
            reply = await self._engine.script(LOCATE, KEYS, [*self._stay, key])
        except Exception as why:
            raise NotReady from why
        if reply[0] != b"MEMBER":
            raise NotReady
        owner: bytes = reply[1]
        return owner.decode() or None

    def sweep(self) -> None:
        """Let the names of the dead be swept, some at a time, if it is not under way."""
        if self._sweeping or self._stay is None:
            return

        def swept(left: int) -> None:
            self._sweeping = False
            if left:
                self.sweep()

        self._sweeping = True
        sweeping = self._engine.script(SWEEP, KEYS, [*self._stay])
        # If it fails, the next heartbeat tells that there is some left.
        sweeping.addErrback(lambda _: 0).addCallback(swept)

    # Batches

    def _flush(self) -> None:
        if self._stay is None or self._sent is not None or not (self._claims or self._releases):
            return
        releases = list(self._releases)[:BATCH]
        self._sent = {key: self._claims.pop(key) for key in list(self._claims)[:BATCH]}
        for key in releases:
            del self._releases[key]
        self._turn += 1
        stay = self._stay
        arguments: list[bytes | str | int] = [*stay, self._turn, len(releases), *releases]
        for claim in self._sent.values():
            name = claim.name
            kind = "a" if name.is_plain else "u"
            arguments += [claim.mode, kind, name.key, len(name.skeletons), *name.skeletons]
        done = self._engine.script(NAMES, KEYS, arguments)
        done.addErrback(lambda _: [b"UNKNOWN"])
        done.addCallback(self._done, stay, releases).addErrback(_failed)

    def _done(self, reply: Any, stay: Stay, releases: list[str]) -> None:
        sent, self._sent = self._sent or {}, None
        unwanted, self._unwanted = self._unwanted, set()
        is_done = reply[0] == b"MEMBER"
        same = self._stay is None or self._stay.inc == stay.inc
        outcomes = reply[1:] if is_done else [b"later"] * len(sent)
        if not is_done and same:
            self._releases.update(dict.fromkeys(key for key in releases if key not in self._claims))
        answers: list[tuple[_Claim, Outcome]] = []
        for (key, claim), outcome in zip(sent.items(), outcomes, strict=True):
            if outcome == b"taken":
                answers.append((claim, "taken"))
            elif outcome == b"yours" and key not in unwanted:
                self._held.add(key)
                answers.append((claim, "yours"))
            else:
                if same and key not in self._claims and key not in self._held:
                    self._releases[key] = None
                answers.append((claim, _unwanted(claim) if key in unwanted else "later"))
        for claim, answer in answers:
            _answer(claim, answer)
        if is_done:  # else there is no use before `opened`
            self._flush()


def _unwanted(claim: _Claim) -> Outcome:
    """Return what to answer when the claimant is gone: what was claimed again is done with."""
    return "yours" if claim.mode == "again" else "later"


def _answer(claim: _Claim, outcome: Outcome) -> None:
    if not claim.answer.called:
        claim.answer.callback(outcome)


def _failed(why: Failure) -> None:
    _log.failure("What came of claims could not be told", why)
