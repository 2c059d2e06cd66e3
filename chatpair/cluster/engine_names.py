"""The names in the engine: whose they are, and the members that have them."""

from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any, Literal, NamedTuple

from twisted.internet.defer import Deferred, succeed
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
    answer: "Deferred[Outcome] | None"  # or it is claimed again, of which there are many


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
        self._again: dict[str, Name] = {}  # to be claimed again for users that are here
        self._taken: list[Name] = []  # of those, what others have
        self._claimed_again: Deferred[list[Name] | None] | None = None
        self._tidy: Stay | None = None  # as what nothing is ours but the names of users here
        self._under_way: set[str] = set()  # what takes a while, and is done once at a time

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
        self._finish_again(None)
        claims, self._claims = self._claims, {}
        for key, claim in claims.items():
            self._releases[key] = None
            _answer(claim.answer, "later")

    def forget(self) -> None:
        """Own no name any more: the node is to join as another, and all it had will be swept."""
        self._held.clear()
        self._unwanted.update(self._sent or ())
        self.closed()
        self._releases.clear()

    # The node asks:

    def claim(self, name: Name) -> "Deferred[Outcome]":
        """Ask for a name.

        "later" means that the engine was not there or has lost its data; it is then sure to be
        released. If the Deferred is cancelled, the name is released once it is ours.
        """
        key = name.key
        if self._stay is None:
            return succeed("later")
        is_sent = key in (self._sent or ()) and key not in self._unwanted
        if is_sent or any(key in ours for ours in (self._claims, self._again, self._held)):
            return succeed("taken")  # by a user of this node
        self._releases.pop(key, None)
        answer: Deferred[Outcome] = Deferred(lambda _: self.release(name))
        self._claims[key] = _Claim(name, answer)
        self._flush()
        return answer

    def claim_again(self, names: list[Name]) -> "Deferred[list[Name] | None]":
        """Ask for names of users that are here, also while the engine settles; fires with those
        that others have taken, or None if it was closed before that was known of all.
        """
        self._again = {name.key: name for name in names}
        for key in self._again:
            self._releases.pop(key, None)
        self._taken = []
        answer: Deferred[list[Name] | None] = Deferred()
        self._claimed_again = answer
        self._flush()
        return answer

    def _finish_again(self, taken: list[Name] | None) -> None:
        answer, self._claimed_again = self._claimed_again, None
        self._again.clear()
        if answer is not None:
            answer.callback(taken)

    def release(self, name: Name) -> None:
        """Let a name be free, as soon as the engine can be told."""
        key = name.key
        self._held.discard(key)
        self._again.pop(key, None)
        if self._sent is not None and key in self._sent and key not in self._claims:
            self._unwanted.add(key)
            return
        claim = self._claims.pop(key, None)
        self._releases[key] = None
        if claim is not None:
            _answer(claim.answer, "later")
        self._flush()

    def release_others(self) -> None:
        """Release what the engine says is ours and nobody here has, once: its data may be old."""
        if self._tidy is not self._stay:
            self._begin("release", self._release_others)

    def sweep(self) -> None:
        """Let the names of the dead be swept, some at a time."""
        self._begin("sweep", self._sweep)

    def _begin(self, what: str, does: Callable[[], Coroutine[Deferred[Any], Any, None]]) -> None:
        """Do something unless it is under way; if it fails, the next heartbeat tries it again."""
        if what not in self._under_way:
            self._under_way.add(what)
            doing = Deferred.fromCoroutine(does()).addErrback(lambda _: None)
            doing.addCallback(lambda _: self._under_way.discard(what))

    async def _sweep(self) -> None:
        left = True
        while left and self._stay is not None:
            left = await self._engine.script(SWEEP, KEYS, [*self._stay])

    async def _release_others(self) -> None:
        stay, cursor = self._stay, b""
        while stay is not None and cursor != b"0":
            of = self._engine.key(f"{PREFIX}of:{stay.inc}")
            cursor, fields = await self._engine.command("HSCAN", of, cursor or 0, "COUNT", 500)
            if stay is not self._stay:
                return
            ours = self._held | self._claims.keys() | (self._sent or {}).keys()
            keys = (field.decode("utf-8", "replace") for field in fields[::2])
            self._releases.update((key, None) for key in keys if key not in ours)
            self._flush()
        self._tidy = stay

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
        return owner.decode("latin-1") or None

    # Batches

    def _flush(self) -> None:
        if self._stay is not None and self._sent is None and not self._again:
            self._finish_again(self._taken)  # whoever is told may ask for more at once
        if self._stay is None or self._sent is not None:
            return
        if not (self._claims or self._releases or self._again):
            return
        releases = list(islice(self._releases, BATCH))
        self._sent = {key: self._claims.pop(key) for key in list(islice(self._claims, BATCH))}
        for key in list(islice(self._again, BATCH - len(self._sent))):
            self._sent[key] = _Claim(self._again.pop(key), None)
        for key in releases:
            del self._releases[key]
        self._turn += 1
        stay = self._stay
        arguments: list[bytes | str | int] = [*stay, self._turn, len(releases), *releases]
        for name, answer in self._sent.values():
            mode, kind = "again" if answer is None else "new", "a" if name.is_plain else "u"
            arguments += [mode, kind, name.key, len(name.skeletons), *name.skeletons]
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
        answers: list[tuple[Deferred[Outcome] | None, Outcome]] = []
        for (key, (name, answer)), outcome in zip(sent.items(), outcomes, strict=True):
            is_again = answer is None and key not in unwanted
            if outcome == b"taken":
                answers.append((answer, "taken"))
                if is_again:
                    self._held.discard(key)
                    self._taken.append(name)
            elif outcome == b"yours" and key not in unwanted:
                self._held.add(key)
                answers.append((answer, "yours"))
            elif is_again and self._claimed_again is not None:
                self._again[key] = name  # when it is open again
            else:
                if same and key not in self._claims and key not in self._held:
                    self._releases[key] = None
                answers.append((answer, "later"))
        for waiting, what in answers:
            _answer(waiting, what)
        if is_done:  # else there is no use before `opened`
            self._flush()


def _answer(answer: "Deferred[Outcome] | None", outcome: Outcome) -> None:
    if answer is not None and not answer.called:
        answer.callback(outcome)


def _failed(why: Failure) -> None:
    _log.failure("What came of claims could not be told", why)
