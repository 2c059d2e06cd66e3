"""The exchange of one node of several: names are claimed, and whom it does not know it asks for."""

from collections.abc import Callable
from typing import Any, Literal

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatpair.cluster import frames
from chatpair.cluster.across import not_ready
from chatpair.cluster.asking import Answers, Asking
from chatpair.cluster.frames import Frame
from chatpair.cluster.lines import LinesAcross
from chatpair.cluster.mesh import Mesh, NotReady, node_of
from chatpair.cluster.remote import RemoteUser
from chatpair.exchange import keys
from chatpair.exchange.calls import Blocking, Rules
from chatpair.exchange.messages import Ending, Error, Here, Left, Present
from chatpair.exchange.names import Name, NameTable
from chatpair.exchange.user import Connection, User
from chatpair.factory import MAX_LISTED, ChatFactory, taken

Outcome = Literal["yours", "taken", "later"]

LISTING_SECONDS = 0.25
"""Seconds from one question who is here to the next at least: each costs all nodes a list."""

_log = Logger()

_FROZEN = Error(
    None, "try-later", "The server was cut off from the others for too long. Please come back."
)


class ClusterFactory(LinesAcross):
    """Owns the users of one node, and knows those of others who have to do with them.

    It is the mesh's MeshListener.
    """

    def __init__(self, clock: IReactorTime, mesh: Mesh, **options: Any) -> None:
        """Take the other nodes, and what a ChatFactory takes."""
        super().__init__(clock, **options)
        self.mesh = mesh
        self._uids = 0
        self._claiming = NameTable()
        self._asking = Asking(clock, mesh.send)
        self._listing: list[Deferred[Here]] = []  # who asks who is here
        self._next_listing: list[Deferred[Here]] = []  # and who does while others are asked
        self._asked_lately = False
        self.handlers: dict[type[Frame], Callable[[str, Any], object]] = {
            frames.Call: self.call_came,
            frames.Cancel: self.cancelled,
            frames.Accepted: self.accepted,
            frames.Rings: self.rings_there,
            frames.Refused: self.refused,
            frames.Unanswered: self.unanswered,
            frames.Left: self.left,
            frames.Away: self.is_away,
            frames.Typing: self.types,
            frames.Flow: self.flow_came,
            frames.Lines: self.lines_came,
            frames.Said: self.said,
            frames.Settled: self.settled,
            frames.Ask: self._who_asked,
            frames.Answer: self._asking.answered,
            frames.AskKey: self._key_asked,
            frames.AnswerKey: self._asking.answered,
            frames.AskHost: self._host_asked,
            frames.AnswerHost: self._asking.answered,
        }
        """What takes a frame of each kind, and the inc that it is from."""

    def logPrefix(self) -> str:
        """Return what the log calls it, as on a server that is alone."""
        return ChatFactory.__name__

    # Names

    def claim(
        self,
        text: str,
        connection: Connection,
        host: str | None,
        *,
        counting: bool = False,
        proven: bool = False,
    ) -> User | Error | Deferred[User | Error]:
        """Make a user of whoever is on the connection once no node has the name, or say why not."""
        name = self.may_claim(text, host, proven=proven)
        if isinstance(name, Error):
            return name
        if self._claiming.has(name):
            return taken(name)
        self._claiming.add(name)
        asked = self.mesh.claim(name)
        given_up = False

        def give_up(_: object) -> None:
            nonlocal given_up
            given_up = True
            asked.cancel()  # or it would stand in the way of who says the name next

        answer: Deferred[User | Error] = Deferred(give_up)

        def claimed(outcome: Outcome) -> None:
            self._claiming.remove(name)
            if given_up:
                return
            if outcome == "yours":
                answer.callback(self.enter(name, connection, host, counting=counting))
            else:
                answer.callback(taken(name) if outcome == "taken" else not_ready("name"))

        asked.addErrback(_later).addCallback(claimed)
        asked.addErrback(lambda why: _log.failure("A claim failed", failure=why))
        return answer

    def is_full(self) -> bool:
        """Tell whether there are as many users or connections as may be, with who is to come."""
        coming = len(self._claiming)
        return super().is_full() or len(self.users) + coming >= self.max_users

    def enter(
        self, name: Name, connection: Connection, host: str | None, *, counting: bool
    ) -> User:
        """Make a user, and give it the number that other nodes know it by."""
        user = super().enter(name, connection, host, counting=counting)
        self._uids += 1
        self._here[user] = self._uids, self.clock.seconds()
        self._by_uid[self._uids] = user
        return user

    def leave(self, user: User, why: Ending, reason: str) -> None:
        """End a user, and let the name be free for all nodes."""
        super().leave(user, why, reason)
        uid, _ = self._here.pop(user)
        del self._by_uid[uid]
        self.mesh.release(user.name)

    # Blocks

    def known(self, user: User, name: Name) -> User | None:
        """Return whom a user means by a name, if that one is here or has to do with the user."""
        local = super().known(user, name)
        if local is not None:
            return local
        others = [self.pairs.get(user), *(caller for caller in self.callers_of(user))]
        return next((one for one in others if one is not None and one.name.is_same(name)), None)

    def _is_blocked(self, caller: User, rules: Rules) -> bool:
        if isinstance(caller, RemoteUser) and not self.has_account(caller.name):
            host, came = caller.host, caller.came
            if host and any(one.host == host and one.began < came for one in rules.blocks):
                return True
        return super()._is_blocked(caller, rules)

    def _block(self, user: User, name: Name) -> Deferred[None] | None:
        super()._block(user, name)
        if not self.mesh.ready or self._block_across(user, name) is None:
            return None
        known: Deferred[None] = Deferred()  # for one to wait: others are asked one name at a time
        located = self.mesh.locate(name.key)
        located.addCallback(self._ask_host, name.key).addCallback(self._host_known, user, name)
        # If that fails it is by name alone.
        located.addBoth(lambda _: known.callback(None))
        return known

    def _ask_host(self, inc: str | None, key: str) -> Deferred[Answers]:
        if inc is None or inc == self.mesh.me:
            return succeed([])
        return self._asking.ask([inc], lambda ask: frames.AskHost(ask, key))

    def _host_known(self, answers: Answers, user: User, name: Name) -> None:
        for _, answer in answers:
            old = self._block_across(user, name)
            if old is not None and answer.host not in (None, old.host):
                self._replace(self._rules_of(user), old, old.name, answer.host)

    def _block_across(self, user: User, name: Name) -> Blocking | None:
        """Return what blocks a name, if that may be another node's and its host counts."""
        if name.key in self.users or self.has_account(name) or user not in self._rules:
            return None
        return self._rules[user].block_of(name)

    def _host_asked(self, inc: str, frame: frames.AskHost) -> None:
        user = self.users.get(frame.key)
        host = user.host_now() if user is not None else None
        self.mesh.send(inc, frames.AnswerHost(frame.ask, host))

    # Who is here

    def who(self) -> Here | Deferred[Here]:
        """List who is at all nodes, as far as they answer.

        While others are asked for somebody, whoever asks too waits for the next answers: those
        that are on their way were given before. All who ask within LISTING_SECONDS share them.
        """
        if not (self.mesh.ready and self.mesh.members):
            return self.who_is_here()
        listed: Deferred[Here] = Deferred()
        self._next_listing.append(listed)
        self._ask_who()
        return listed

    def _ask_who(self) -> None:
        if self._listing or self._asked_lately or not self._next_listing:
            return
        self._asked_lately = True
        self.clock.callLater(LISTING_SECONDS, self._ask_who_again)
        self._listing, self._next_listing = self._next_listing, []
        self._asking.ask(self.mesh.members, frames.Ask).addCallback(self._list)

    def _ask_who_again(self) -> None:
        self._asked_lately = False
        self._ask_who()

    def _list(self, answers: Answers) -> None:
        here = self.who_is_here()
        found = [(name.key, name.text, paired) for name, paired in self._present()]
        total = len(here.names) + here.more
        for _, answer in answers:
            found += [(key, text, paired) for text, key, paired in answer.names]
            total += max(answer.count, len(answer.names))
        found = sorted(found)[:MAX_LISTED]
        names = [Present(text, paired) for _, text, paired in found]
        listing, self._listing = self._listing, []
        self._ask_who()
        for listed in listing:
            listed.callback(Here(names, total - len(names)))

    def _present(self) -> list[tuple[Name, bool]]:
        """Return the first of the users here, by name, and whether they talk."""
        listed = [self.users[key] for key in self._names.first(MAX_LISTED)]
        return [(user.name, user in self.pairs) for user in listed]

    def _who_asked(self, inc: str, frame: frames.Ask) -> None:
        names = [(name.text, name.key, paired) for name, paired in self._present()]
        self.mesh.send(inc, frames.Answer(frame.ask, names, len(self.users)))

    # Keys

    def new_token(self) -> str:
        """Return a key that no user has, and that tells the node to ask for it."""
        return f"{keys.token()}-{node_of(self.mesh.me)}"

    def find_key(self, key: str, host: str | None, *, counting: bool) -> Deferred[str | None]:
        """Fire with the inc of the other node that has the user of a key, if one has.

        Somebody at the host says so: wrong keys are counted against it at each node that is asked.
        Fails with NotReady if none says so, and one that is alive does not answer.
        """
        incs = self.mesh.members
        if counting:
            node = key.split("-", 2)[2:]
            incs = frozenset(inc for inc in incs if [node_of(inc)] == node)
        asked = self._asking.ask(incs, lambda ask: frames.AskKey(ask, key, host, counting))

        def found(answers: Answers) -> str | None:
            where = next((inc for inc, answer in answers if answer.is_here), None)
            silent = incs & self.mesh.members - {inc for inc, _ in answers}
            if where is None and silent:
                raise NotReady
            return where

        return asked.addCallback(found)

    def _key_asked(self, inc: str, frame: frames.AskKey) -> None:
        keyring = self._tokens if frame.counting else self._words
        try:
            owner = keyring.owner_of(frame.key, frame.host)
        except keys.TooManyTries:
            owner = None
        self.mesh.send(inc, frames.AnswerKey(frame.ask, owner is not None))

    # What the mesh tells

    def received(self, inc: str, frame: Frame) -> None:
        """Take what another node has told; what is wrong with it harms nobody else."""
        handler = self.handlers.get(type(frame))
        if handler is None or inc not in self.mesh.members:
            return
        try:
            handler(inc, frame)
        except Exception:
            _log.failure("What {inc} told was wrong: {kind}", inc=inc, kind=type(frame).__name__)

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the incs of the others; end all that users here have with those of dead ones."""
        for inc in self.known_nodes() - members:
            self.forget_node(inc)

    def forget_node(self, inc: str) -> None:
        """End all that users here have with a node that is dead, and wait for no answer of it."""
        super().forget_node(inc)
        self._asking.forget_node(inc)

    def known_nodes(self) -> set[str]:
        """Return the incs of the nodes with which users here have something."""
        return super().known_nodes() | self._asking.waits_for()

    def frozen(self) -> None:
        """End all users: others may have their names."""
        for user in list(self.users.values()):
            self._dismiss(user, _FROZEN, "cut off")

    def reborn(self) -> None:
        """Forget all that is shared with other nodes: they have taken this one for dead."""
        self.members_changed(frozenset())

    def names(self) -> list[Name]:
        """Return the names of the users here."""
        return [user.name for user in self.users.values()]

    def expelled(self, name: Name) -> None:
        """End the user of a name that another node has taken."""
        user = self.users.get(name.key)
        if user is not None:
            text = f"The name {user} was taken while this server was cut off."
            self._dismiss(user, Error(None, "reuse", text), "expelled")

    def _dismiss(self, user: User, why: Error, reason: str) -> None:
        if self.users.get(user.name.key) is not user:
            return  # whoever went before has ended it
        connection = user.connection
        self.leave(user, "lost", reason)
        if connection is not None:
            connection.dismissed(why)

    # The end

    def forget_all(self) -> None:
        """Tell other nodes that all users here are gone."""
        for user, remote in list(self.pairs.items()):
            if isinstance(remote, RemoteUser):
                remote.tell(Left(user.name.text, "stopped"))
        super().forget_all()
        self._here.clear()
        self._by_uid.clear()


def _later(why: Failure) -> Outcome:
    if not why.check(CancelledError):
        _log.failure("A name can't be claimed", failure=why)
    return "later"
