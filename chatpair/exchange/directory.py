"""What the exchange asks of the other servers of a cluster; here, of none."""

from typing import Any, Literal, Protocol, TypeAlias

from twisted.internet.defer import Deferred, succeed

from chatpair.exchange.messages import Error, Here
from chatpair.exchange.names import Name
from chatpair.exchange.user import Connection, User

Claimed: TypeAlias = Literal["yours", "taken", "later"]


class Directory(Protocol):
    """Knows whose names are whose at all nodes, and reaches users of others.

    What is done here is what one does that knows no other node.
    """

    def check(self) -> bool:
        """Tell whether this node still is what it was; else its users have been ended.

        It is asked before anything is done that comes from outside.
        """
        return True

    def claim(self, name: Name) -> Deferred[Claimed] | None:
        """Take a name for this node, if there are others; who cancels that has not got it."""
        return None

    def release(self, name: Name) -> None:
        """Let a name of this node be free again."""
        return

    def call(self, caller: User, text: str) -> Deferred[None] | None:
        """Call somebody at another node, unless the call can be decided here.

        Fires when the caller's input may go on. To cancel that does not end the call.
        """
        return None

    def call_under_way(self, caller: User) -> Deferred[None]:
        """Return what fires when a caller's input need not wait for a call, perhaps at once."""
        return succeed(None)

    def is_calling(self, caller: User) -> bool:
        """Tell whether a user has called somebody at another node, who has not answered."""
        return False

    def take_back_call(self, caller: User) -> bool:
        """Let a user's call to another node be under way or ring no more; return whether it did."""
        return False

    def who(self) -> Deferred[Here] | None:
        """Fire with who is at all nodes, unless there is but this one."""
        return None

    def host_of(self, name: Name) -> Deferred[str | None]:
        """Fire with where the user of a name is, if that is at another node and known."""
        return succeed(None)

    def may_resume(self) -> bool:
        """Tell whether another node may have a user who comes back here."""
        return False

    def find_key(
        self, key: str, connection: Connection, *, counting: bool
    ) -> Deferred[str | Error | None]:
        """Fire with the node that has the user of a key that came on a connection, if one has."""
        return succeed(None)

    def carry(self, connection: Any, node: str, data: bytes) -> None:
        """Let a node go on with a connection, whose bytes these are that it is to have first."""
        return

    def token_suffix(self) -> str:
        """Return what a token ends with that this node gives."""
        return ""

    def stop(self) -> None:
        """Tell other nodes that all users here are gone."""
        return


class OnlyNode(Directory):
    """That of a server that is alone."""
