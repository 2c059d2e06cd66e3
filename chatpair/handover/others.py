"""What a snapshot has of the other nodes of a cluster; here, of none."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatpair.exchange.user import Receipt, User
from chatpair.handover import snapshot
from chatpair.handover.receipts import Receipts


class Others:
    """Takes and restores what a node has to do with others: here, with none."""

    # What is taken

    def key_of(self, one: User) -> str | None:
        """Return what a snapshot calls a user of another node, or nothing if it is none."""
        return None

    def take(self, receipts: Receipts) -> snapshot.Node | None:
        """Return all that other nodes have to do with this one."""
        return None

    def session(self, session: Any) -> snapshot.CarriedSession | None:
        """Return what there is of a session, if the user is at another node."""
        return None

    def transport(self, far: Any) -> snapshot.FarTransport | None:
        """Return what there is of a transport, if the client is at another node."""
        return None

    # What is restored

    def restore_users(self, node: snapshot.Node | None) -> dict[str, User]:
        """Know the users of other nodes; return them by what the snapshot calls them.

        Raises CantRead if this can't be that node, or is one and was none.
        """
        if node is not None:
            raise snapshot.CantRead("it is one of a cluster, and the new one is not")
        return {}

    def restore(
        self, node: snapshot.Node | None, people: dict[str, User], receipts: list[Receipt]
    ) -> None:
        """Know the rest, when all users are known and what was said.

        Raises CantRead if this can't be that node.
        """
        return

    def restore_session(self, protocol: Any, part: snapshot.CarriedSession) -> None:
        """Let another node go on with a connection."""
        return

    def restore_transport(self, part: snapshot.FarTransport, protocol: Any, output: bytes) -> Any:
        """Return the transport of a client that is at another node, with what is to be written."""
        raise snapshot.CantRead("a client is at another node")

    # When it goes on

    def heard(self) -> Deferred[None]:
        """Fire when the engine has said that all is as it was, or does not say so soon."""
        return succeed(None)

    def go_on(self) -> None:
        """Ask again what was asked, and answer what others have asked."""
        return

    def let_go(self) -> None:
        """Be no node any more, as another process is it."""
        return
