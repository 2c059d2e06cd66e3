"""As whom a node joins, and who may be in its way."""

import secrets

from chatpair.cluster.connect import Process
from chatpair.cluster.validity import SILENCE


class Joining:
    """What a node says when it asks to be a member, and what it was told when it might not."""

    tries = 0
    """How often it has asked."""

    def __init__(self, node_id: str, lease: float) -> None:
        """Take the seconds of a lease."""
        self._id = node_id
        self._lease = lease
        self._former: list[str] = []  # its incarnations that may be members still
        self.me = self._new_inc()
        self.watch_anew()

    def _new_inc(self) -> str:
        return f"{self._id}.{secrets.token_hex(4)}"

    def be_another(self) -> None:
        """Ask as another from now on: as what it was it is dead, or is to be."""
        self._former.append(self.me)
        self.me = self._new_inc()

    def watch_anew(self) -> None:
        """Know of nobody in the way: who was may not have reached the engine either."""
        self._seen = ""  # what is counted of those who are
        self._dead_at = 0.0  # when they are dead, unless that changes
        self._first_met: float | None = None

    def asks(self, process: Process, now: float) -> list[bytes | str | int]:
        """Return what JOIN is to be told, once more."""
        self.tries += 1
        who = self.me, self.tries, f"{process.word}.{secrets.token_hex(8)}", process.lost_epoch
        dead = self._seen if now >= self._dead_at else ""
        return [*who, f"{self._lease:g}", dead.encode("latin-1"), *self._former]

    def succeeded(self) -> None:
        """Know of nobody in the way, and of none that it was."""
        self.watch_anew()
        self._former.clear()

    def refused(self, kind: str, rest: list[str], now: float) -> str:
        """Take what JOIN has answered; return why this node can never be a member, if so."""
        if kind == "RIVAL":
            lease, patience = self._lease, self._lease  # it may be about to go
            why = f"Another node has the id {self._id}."
        elif kind == "LEASE":
            lease, patience = float(rest[1]), 0.0
            why = f"The other nodes have --lease {rest[1]}, which must be the same for all."
        else:
            return ""
        was_met, has_changed = self._first_met is not None, rest[0] != self._seen
        if has_changed:
            self._seen, self._dead_at = rest[0], now + SILENCE * lease
        if self._first_met is None:
            self._first_met = now
        lives_on = has_changed and was_met and now - self._first_met >= patience
        return why if lives_on else ""
