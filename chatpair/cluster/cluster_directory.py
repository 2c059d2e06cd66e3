"""The directory of a node of several: names are claimed of all, and users of others reached."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from chatpair.cluster import frames
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.frames import Frame
from chatpair.cluster.mesh import node_of
from chatpair.cluster.questions import Questions
from chatpair.cluster.remote_calls import RemoteCalls
from chatpair.cluster.remote_users import RemoteUsers
from chatpair.cluster.seldom import Seldom
from chatpair.cluster.tunnels import Tunnels
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.messages import Error
from chatpair.exchange.names import Name
from chatpair.exchange.user import Connection, User

_log = Logger()

_FROZEN = Error(
    None, "try-later", "The server was cut off from the others for too long. Please come back."
)

_NOT_UNDERSTOOD = Error("to", "try-later", "The other server does not understand this one.")


class ClusterDirectory:
    """What the exchange of a node asks of the others, and what it is told of them.

    It is the exchange's Directory and the mesh's MeshListener.
    """

    def __init__(self, mesh: EngineMesh) -> None:
        """Take the other nodes; what serves is next."""
        self._mesh = mesh
        self._others: frozenset[str] = frozenset()
        self.check = mesh.check
        self.claim = mesh.claim
        self.release = mesh.release

    def serve(self, exchange: Exchange) -> None:
        """Be the directory of an exchange, which was made with it."""
        mesh = self._mesh
        self._exchange = exchange
        self.here: Mapping[str, User] = exchange.users
        self._seldom = Seldom(exchange.clock, _log)
        self.users = users = RemoteUsers(mesh, exchange)
        self.calls = calls = RemoteCalls(mesh, exchange, users)
        self.questions = questions = Questions(mesh, exchange)
        self.tunnels = tunnels = Tunnels(mesh, exchange)
        self.call = calls.call
        self.call_under_way = calls.call_under_way
        self.is_calling = calls.is_calling
        self.take_back_call = calls.take_back_call
        self.who = questions.who
        self.host_of = questions.host_of
        self.carry = tunnels.carry
        self._handlers: dict[type[Frame], Callable[[str, Any], object]] = {
            frames.Call: calls.called,
            frames.Cancel: calls.cancelled,
            frames.Answered: calls.answered,
            frames.Told: users.told,
            frames.Lines: users.lines_came,
            frames.Flow: users.flow_changed,
            frames.Settled: users.settled,
            frames.Ask: questions.asked,
            frames.Answer: questions.answered,
            frames.WrongKey: lambda _, key: exchange.held.key_was_wrong(key.host, counting=False),
            frames.Garbled: self._garbled,
            frames.NotUnderstood: self._not_understood,
            frames.Version: self._version_told,
            frames.TunnelOpened: tunnels.opened,
            frames.TunnelData: tunnels.told,
            frames.TunnelTaken: tunnels.told,
            frames.TunnelEnded: tunnels.told,
        }

    # Keys

    def may_resume(self) -> bool:
        return bool(self._mesh.members)

    def find_key(
        self, key: str, connection: Connection, *, counting: bool
    ) -> Deferred[str | Error | None]:
        """Fire with the node that has the user of a key, if one has.

        Who comes through a tunnel is at the right node already.
        """
        if self.tunnels.leads_to(connection):
            return succeed(None)
        finding = self.questions.find_key(key, connection.host, counting=counting)
        return Deferred.fromCoroutine(finding)

    def token_suffix(self) -> str:
        return f"-{node_of(self._mesh.me)}"

    # What the mesh tells

    def received(self, inc: str, frame: Frame) -> None:
        """Take what another node has told; what is wrong with it harms nobody else."""
        try:
            self._handlers[type(frame)](inc, frame)
        except Exception as why:
            text, kind = "What {inc} told was wrong: {kind}: {why}", type(frame).__name__
            self._seldom.warn(text, event="bad_frame", inc=inc, kind=kind, why=repr(why))

    def _garbled(self, inc: str, frame: frames.Garbled) -> None:
        """Say what was not understood, and what only this node can take back."""
        text = "What {inc} told is not understood; is it of another version?"
        self._seldom.warn(text, event="not_understood", inc=inc)
        match frame.head:
            case [50, *_]:
                return
            case [20, int(uid), int(call), *_]:
                self.calls.answered(inc, frames.Answered(uid, call, _NOT_UNDERSTOOD))
            case [23, int(ask), *_]:
                self.questions.unanswered(inc, ask)
            case [40 | 41 | 42 | 43, int(tunnel), *_]:
                self.tunnels.told(inc, frames.TunnelEnded(tunnel, "lost"))
        self._mesh.send(inc, frames.NotUnderstood(frame.head))

    def _version_told(self, inc: str, frame: frames.Version) -> None:
        """Say it, if another version than this one's is told; it need not be understood."""
        if frame.version == frames.VERSION:
            return
        text = "{inc} speaks version {theirs} of what servers tell each other, and this one {ours}"
        if abs(frame.version - frames.VERSION) > 1:
            text += "; only adjoining ones understand all"
        ours = frames.VERSION
        _log.warn(text, event="other_version", inc=inc, theirs=frame.version, ours=ours)

    def _not_understood(self, inc: str, frame: frames.NotUnderstood) -> None:
        """Take back what a frame from here has begun: nothing may wait for it at either end."""
        match frame.head:
            case [1, int(uid), int(call), *_]:
                self.calls.answered(inc, frames.Answered(uid, call, _NOT_UNDERSTOOD))
            case [20, int(uid), int(call), *_]:
                self.calls.cancelled(inc, frames.Cancel(uid, call))
            case [10 | 11 | 21, int(there), int(here), *more]:
                says = [say for say in more[1:] if say]
                self.users.settled(inc, frames.Settled(here, says, "failed", "lost"))
                self.users.part(inc, there, here)
            case [22, int(ask), *_]:
                self.questions.unanswered(inc, ask)
            case [40 | 41 | 42 | 43, int(tunnel), *_]:
                self.tunnels.told(inc, frames.TunnelEnded(-tunnel, "lost"))

    def room_changed(self, inc: str) -> None:
        self.calls.ask_again()
        self.users.room_changed(inc)
        self.tunnels.room_changed(inc)

    def members_changed(self, members: frozenset[str]) -> None:
        """Take the incs of the others; end all that users here have with those of dead ones."""
        self._forget(self._others - members)
        self._others = members

    def reborn(self) -> None:
        self._forget(self._others)

    def _forget(self, incs: frozenset[str]) -> None:
        for inc in incs:
            for part in (self.calls, self.users, self.questions, self.tunnels):
                part.forget_node(inc)

    def frozen(self) -> None:
        for user in list(self.here.values()):
            self._dismiss(user, _FROZEN, "cut off")

    def expelled(self, name: Name) -> None:
        user = self.here.get(name.key)
        if user is not None:
            text = f"The name {user} was taken while this server was cut off."
            self._dismiss(user, Error(None, "reuse", text), "expelled")

    def _dismiss(self, user: User, why: Error, reason: str) -> None:
        if self.here.get(user.name.key) is user:  # whoever went before may have ended it
            user.inbox.connection.dismissed(why)  # or it went on when its call is taken back
            self._exchange.leave(user, "lost", reason)

    # The end

    def stop(self) -> None:
        self.calls.stop()
        self.users.stop()
