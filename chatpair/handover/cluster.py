"""A node of a cluster, taken into a snapshot, and restored: what it has to do with the others.

Here too is read and set what each part else keeps for itself. The engine knows the node by its
inc, which stays, and is told nothing. What the old process has sent it may be done late: that is
harmless, as entries are numbered, and scripts refuse what is older than the last join or batch.
"""

from collections import deque
from collections.abc import Container
from itertools import count
from math import inf
from typing import Any, cast

from twisted.internet import defer
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ISSLTransport

from chatpair.cluster import frames
from chatpair.cluster.carried_session import CarriedSession
from chatpair.cluster.cluster_directory import ClusterDirectory
from chatpair.cluster.engine_mesh import EngineMesh
from chatpair.cluster.far_transport import FarTransport
from chatpair.cluster.lease import Lease
from chatpair.cluster.link import Link
from chatpair.cluster.links import Links
from chatpair.cluster.mesh import Stay, node_of
from chatpair.cluster.remote_calls import Pending
from chatpair.cluster.remote_users import RemoteInbox
from chatpair.cluster.way import Way
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.user import Receipt, User
from chatpair.handover import snapshot
from chatpair.handover.others import Others
from chatpair.handover.receipts import Receipts
from chatpair.handover.snapshot import GONE, CantRead
from chatpair.protocol import ChatProtocol
from chatpair.sessions.json import JsonSession

READY_SECONDS = 2.0
"""How long people wait at most until the new process has heard of the engine."""


class OtherNodes(Others):
    """What an exchange has to do with other nodes."""

    def __init__(self, exchange: Exchange, mesh: EngineMesh | None = None) -> None:
        """Take an exchange with a directory of a cluster, and its mesh if that has an engine."""
        self._exchange = exchange
        self._directory = cast(ClusterDirectory, exchange.directory)
        self._mesh = mesh
        self._listings: list[tuple[str, int]] = []

    # What is taken

    def key_of(self, one: User) -> str | None:
        """Return what a snapshot calls a user of another node, or nothing if it is none."""
        users = self._directory.users
        inbox = users.inbox_of(one)
        if inbox is None:
            return None
        return f"{inbox.uid} {inbox.inc}" if users.there(inbox.inc, inbox.uid) is one else GONE

    def take(self, receipts: Receipts) -> snapshot.Node:
        """Return all that other nodes have to do with this one."""
        users, calls = self._directory.users, self._directory.calls
        questions, tunnels = self._directory.questions, self._directory.tunnels
        here = {one: key for key, one in self._exchange.users.items()}
        counts = users._uids, calls._numbers, questions._numbers, tunnels._numbers
        node = snapshot.Node(
            users=[_user(one) for of_node in users._by_node.values() for one in of_node.values()],
            numbers=[next(numbers) for numbers in counts],
            uids={here[one]: uid for one, uid in users._uid_of.items() if one in here},
            calls=[
                snapshot.PendingCall.of(one, caller=here[one.caller], due=calls._slow.get(one))
                for one in calls._pending.values()
            ],
            rings={here[one]: call for one, call in calls._last_rings.items() if one in here},
            open=[
                (inc, uid, say, receipts.numbers_of([receipt])[0])
                for inc, some in users.unsettled.items()
                for (uid, say), receipt in some.items()
            ],
            listings=sorted(questions.listings),
        )
        if self._mesh is not None:
            node.lease, node.links = take_lease(self._mesh.lease), take_links(self._mesh.links)
        return node

    def session(self, session: Any) -> snapshot.CarriedSession | None:
        """Return what there is of a session, if the user is at another node."""
        if not isinstance(session, CarriedSession):
            return None
        way, counting = session.way, session._before.counting
        if way.ends.get((way.inc, way.number)) is not session:  # it is about to close
            return None
        return snapshot.CarriedSession.of(session, counting=counting, **_of_way(way))

    def transport(self, far: Any) -> snapshot.FarTransport | None:
        """Return what there is of a transport, if the client is at another node."""
        if not isinstance(far, FarTransport) or far.disconnecting or far.disconnected:
            return None
        way, is_private = far.way, ISSLTransport.providedBy(far)
        return snapshot.FarTransport.of(far, is_private=is_private, **_of_way(way))

    # What is restored

    def restore_users(self, node: snapshot.Node | None) -> dict[str, User]:
        """Know the users of other nodes; return them by what the snapshot calls them."""
        if node is None:
            raise CantRead("it is alone, and the new one is not")
        people = {}
        for part in node.users:
            one, inbox = self._directory.users.add(part.inc, part.uid, part.name, part.host)
            people[f"{part.uid} {part.inc}"] = one
            one.since, one.can_call, one.away_told = part.since, part.can_call, part.away_told
            part.copy_to(inbox, "name", "since", "can_call", "away_told", "peer", "settled")
            inbox._peer = self._exchange.users.get(part.peer)
        return people

    def restore(
        self, node: snapshot.Node | None, people: dict[str, User], receipts: list[Receipt]
    ) -> None:
        """Know the rest, when all users are known and what was said.

        Raises CantRead if this can't be that node.
        """
        assert node is not None
        users, calls = self._directory.users, self._directory.calls
        questions, tunnels = self._directory.questions, self._directory.tunnels
        users._uids, calls._numbers, questions._numbers, tunnels._numbers = map(count, node.numbers)
        for key, uid in node.uids.items():
            users._uid_of[people[key]], users._by_uid[uid] = uid, people[key]
        for inc, uid, say, receipt in node.open:
            users.unsettled[inc][uid, say] = receipts[receipt]
        due = {}
        for part in node.calls:
            caller = people[part.caller]
            pending = Pending(caller, part.number, part.text, part.key, part.inc, part.late)
            calls._pending[caller] = pending
            if part.due is not None:
                due[pending] = part.due
        calls._slow.restore(due.items())
        for key, call in node.rings.items():
            calls._last_rings[people[key]] = call
        self._listings = node.listings
        if self._mesh is not None and node.lease is not None and node.links is not None:
            restore_lease(self._mesh.lease, node.lease, self._exchange.users)
            restore_links(self._mesh.links, node.links)
        self._directory._others = self._directory._mesh.members

    def restore_session(self, protocol: ChatProtocol, part: snapshot.CarriedSession) -> None:
        """Let another node go on with a connection."""
        if part.counting:
            protocol.session = JsonSession(protocol)
        way = self._directory.tunnels.way(part.inc, part.number, part.on_way)
        session = CarriedSession(protocol, way)
        part.copy_to(session, "inc", "number", "counting", "on_way")

    def restore_transport(
        self, part: snapshot.FarTransport, protocol: ChatProtocol, output: bytes
    ) -> FarTransport:
        """Return the transport of a client that is at another node, with what is to be written."""
        opened = frames.TunnelOpened(part.number, part.host, part.is_private, is_json=False)
        way = self._directory.tunnels.way(part.inc, part.number, part.on_way)
        far = FarTransport(self._exchange.clock, way, opened, protocol)
        far._producer_waits = part.producer_waits or bool(output)
        far._unread, far._reading = part.unread, False
        far._input_ended, far.input_was_cut = part.input_ended, part.input_was_cut
        far.write(output)
        return far

    # When it goes on

    def heard(self) -> Deferred[None]:
        """Fire when the engine has said that all is as it was, or does not say so soon."""
        if self._mesh is None or not self._mesh.lease.entitled:
            return succeed(None)
        waiting = self._mesh.lease.until_ready().addTimeout(READY_SECONDS, self._exchange.clock)
        return waiting.addErrback(lambda why: why.trap(defer.TimeoutError) and None)

    def go_on(self) -> None:
        """Ask again what was asked, and answer what others have asked."""
        self._directory.calls.ask_again()
        for inc, ask in self._listings:
            self._directory.questions.asked(inc, frames.Ask(ask, True))

    def let_go(self) -> None:
        """Be no node any more, as another process is it."""
        if self._mesh is not None:
            self._mesh.let_go()


def _of_way(way: Way) -> dict[str, Any]:
    return {"inc": way.inc, "number": way.number, "on_way": way.on_way}


def _user(one: User) -> snapshot.RemoteUser:
    inbox = cast(RemoteInbox, one.inbox)
    return snapshot.RemoteUser.of(
        inbox,
        name=one.name,
        since=one.since,
        can_call=one.can_call,
        away_told=one.away_told,
        peer=inbox._peer.name.key if inbox._peer is not None else GONE,
        settled=[],
    )


# The mesh


def take_lease(lease: Lease) -> snapshot.Lease:
    """Return what a node knows of its membership and names."""
    names, members, stay = lease._names, lease.members, lease._stay
    return snapshot.Lease(
        seconds=lease._seconds,
        me=lease.me,
        tries=lease._joining.tries,
        former=lease._joining._former,
        join=stay.join if stay is not None else 0,
        epoch=stay.epoch if stay is not None else b"",
        owns=stay is not None and stay is lease._owner,
        until=lease.validity._until if lease.validity._until != inf else None,
        is_cut_off=lease.validity.is_cut_off,
        settling_since=lease._settling_since,
        alive=sorted(members.alive),
        gone=[*members._gone],
        turn=names._turn,
        doubtful=[*{*names._releases, *(names._sent or ())}],
    )


def restore_lease(lease: Lease, part: snapshot.Lease, here: Container[str]) -> None:
    """Be a member, or ask to be one, as the node that this is, whatever --node says.

    Take the keys of the names of users here. Raises CantRead if the lease is another.
    """
    names, validity, clock = lease._names, lease.validity, lease._clock
    if part.seconds != lease._seconds:
        raise CantRead(f"it is a node with --lease {part.seconds:g}, which must stay")
    joining, members = lease._joining, lease.members
    joining._id = node_of(part.me)
    joining.me, joining.tries, joining._former = part.me, part.tries, part.former
    lease._engine.name = f"chatpair-{joining._id}"
    names._turn = part.turn
    names._releases = dict.fromkeys(key for key in part.doubtful if key not in here)
    if part.join:
        lease._stay = Stay(part.me, part.join, part.epoch)
    lease._owner = lease._stay if part.owns else None
    lease._settling_since = part.settling_since
    members.alive = frozenset(part.alive)
    members._gone.extend(part.gone)
    validity.is_cut_off = part.is_cut_off
    if part.until is not None:
        validity._until = part.until
        left = max(part.until - clock.seconds(), 0.0)  # noticed in a turn of its own
        validity._timer = clock.callLater(left, validity._wait)


def take_links(links: Links) -> snapshot.Links:
    """Return what is on its way to other nodes, and how far what came from them was taken."""
    parts = [snapshot.Link.of(link, entries=[*link._entries]) for link in links]
    return snapshot.Links(links.me, parts, sorted(links._strangers))


def restore_links(links: Links, taken: snapshot.Links) -> None:
    """Go on with what is on its way, once the engine is there."""
    links.me = links._inbox._me = taken.me
    links._strangers = {*taken.strangers}
    for part in taken.links:
        link = links._links[part.inc] = Link(part.inc)
        part.copy_to(link, "entries")
        link._entries = deque(part.entries)
        link._frames_bytes = sum(map(len, part.frames))
        link._entries_bytes = sum(map(len, part.entries))
        link._sent = part.acked
        links.greet(part.inc)  # this process may be of another version
    links._ticking.start(links._tick_seconds, now=False)
