"""As whom a node joins, and who may be in its way."""

import secrets

from chatpair.cluster.connect import Process
from chatpair.cluster.validity import SILENCE


class Obstacle:
    """Members that keep this node from joining: what is left of dead ones, or alive."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of none."""
        self._seen = ""
        self._dead_at = 0.0
        self._first_met: float | None = None

    def if_dead(self, now: float) -> str:
        """Return what was seen of them if they are dead unless it has changed, else nothing."""
        return self._seen if now >= self._dead_at else ""

    def meet(self, seen: str, silence: float, patience: float, now: float) -> bool:
        """Take what is counted of them, the seconds in which it would change if they were alive,
        and those that they have to be gone; tell whether they are alive, and will not go.
        """
        is_first, has_changed = self._first_met is None, seen != self._seen
        if has_changed:
            self._seen, self._dead_at = seen, now + silence
        if self._first_met is None:
            self._first_met = now
        return has_changed and not is_first and now - self._first_met >= patience


class Joining:
    """What a node says when it asks to be a member, and what it was told when it might not."""

    tries = 0
    """How often it has asked."""

    def __init__(self, node_id: str, lease: float) -> None:
        """Take the seconds of a lease."""
        self._id = node_id
        self._lease = lease
        self._former: list[str] = []  # its incarnations that may be members still
        self._obstacle = Obstacle()
        self.me = self._new_inc()

    def _new_inc(self) -> str:
        return f"{self._id}.{secrets.token_hex(4)}"

    def be_another(self) -> None:
        """Ask as another from now on: as what it was it is dead, or is to be."""
        self._former.append(self.me)
        self.me = self._new_inc()

    def connected(self) -> None:
        """Watch anew who is in the way: they may not have reached the engine either."""
        self._obstacle.forget()

    def asks(self, process: Process, now: float) -> list[bytes | str | int]:
        """Return what JOIN is to be told, once more."""
        self.tries += 1
        who = self.me, self.tries, f"{process.word}.{secrets.token_hex(8)}", process.lost_epoch
        dead = self._obstacle.if_dead(now).encode("latin-1")
        return [*who, f"{self._lease:g}", dead, *self._former]

    def succeeded(self) -> None:
        """Know of nobody in the way, and of none that it was."""
        self._obstacle.forget()
        self._former.clear()

    def refused(self, kind: str, rest: list[str], now: float) -> str:
        """Take what JOIN has answered; return why this node can never be a member, if so."""
        meet = self._obstacle.meet
        if kind == "RIVAL" and meet(rest[0], SILENCE * self._lease, self._lease, now):
            return f"Another node has the id {self._id}."
        if kind == "LEASE" and meet(rest[0], SILENCE * float(rest[1]), 0.0, now):
            return f"The other nodes have --lease {rest[1]}, which must be the same for all."
        return ""
