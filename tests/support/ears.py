"""Users without a protocol: who hears what is told, and does what the test says."""

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from chatpair.exchange.counted_inbox import CountedInbox
from chatpair.exchange.messages import (
    AnyEvent,
    Error,
    Free,
    Left,
    Message,
    Paired,
    Say,
    Setting,
    Status,
    Timestamp,
)
from chatpair.exchange.user import Inbox, User
from chatpair.factory import ChatFactory


class Ear:
    """A connection that takes all at once, and what its user did and was told."""

    full = False
    host = None

    def is_all_delivered(self) -> bool:
        """Never be sure."""
        return False

    def __init__(self, factory: ChatFactory, name: str, *, counting: bool) -> None:
        self.factory = factory
        self.name = name
        self.user: User | None = None
        self.peer = ""  # as it was told
        self.said: list[list[str]] = []  # in each pair that it was told of
        self.heard: list[list[str]] = []
        self.says: list[str] = []  # what a counting one has said, the first at 0
        self.statuses: list[Status] = []
        self.acknowledges = True
        self.counts = counting
        self._claim()

    def _claim(self) -> None:
        self._inbox = CountedInbox(self) if self.counts else Inbox(self)
        self.claiming = self.factory.users.claim(self.name, self._inbox)
        self.claiming.addCallbacks(self._claimed, self._gave_up)

    def goes_on(self, factory: ChatFactory) -> None:
        """Be at another factory that knows all; what was asked is asked again."""
        self.factory = factory
        if self.user is not None:
            self.user = factory.users[self.user.name.key]
            self._inbox = self.user.inbox
            self._inbox.connection = self
        elif not self.claiming.called:
            self._claim()

    def _claimed(self, answer: User | Error) -> None:
        if isinstance(answer, User):
            self.user = answer
            if self.counts:
                self.factory.held.give_token(answer)

    @staticmethod
    def _gave_up(why: Failure) -> None:
        why.trap(CancelledError)

    # What a user needs of its connection

    def tell(self, event: AnyEvent) -> None:
        """Take an event."""
        match event:
            case Paired(peer):
                self._begins(peer)
            case Left(peer):
                assert self.peer == peer
                self.peer = ""
            case Free():
                self.peer = ""
            case Message(sender, text):
                assert self.peer == sender
                self.heard[-1] += text.split("\n")
            case Status():
                self.statuses.append(event)

    def _begins(self, peer: str) -> None:
        self.peer = peer
        self.said.append([])
        self.heard.append([])

    def tell_for_receipt(self, *events: AnyEvent) -> None:
        """Take events, and tell that the kernel has them."""
        for event in events:
            self.tell(event)
        if self.user is not None:
            self.factory.receipts.handed(self.user)

    def tell_lines(self, sender: str, lines: bytes, seconds: float) -> int:
        """Take many lines."""
        self.tell(Message(sender, lines[:-1].decode(), Timestamp(seconds)))
        return 0

    def pair_changed(self) -> None:
        """Know that the pair is another one."""

    bind = pair_changed

    def flow_changed(self) -> None:
        """Know that the peer may take more."""

    def no_name_came(self) -> None:
        """Never happen."""

    no_line_came = drain = stop = abort = taken_over = no_name_came

    def dismissed(self, why: Error) -> None:
        """Be none any more."""
        self.user = None

    # What the user does

    @property
    def may_speak(self) -> bool:
        """Whether the input of a connection would be handled."""
        user, directory = self.user, self.factory.directory
        return user is not None and bool(directory.call_under_way(user).called)

    def calls(self, name: str) -> None:
        """Call somebody."""
        assert self.user is not None
        self.factory.calls.call(self.user, name)

    def hangs_up(self) -> None:
        """End the pair, or take the call back."""
        assert self.user is not None
        self.factory.calls.hang_up(self.user)

    def sets(self, setting: Setting) -> None:
        """Set something."""
        assert self.user is not None
        self.factory.calls.apply(self.user, setting)

    def say(self, text: str) -> None:
        """Say a text."""
        assert self.user is not None
        number = 0
        if self.counts:
            self.says.append(text)
            number = len(self.says)
        if self.peer:
            self.said[-1].append(text)
        self.factory.pairs.say(self.user, Say(number, text))

    def say_lines(self, *lines: str) -> None:
        """Say many lines at once, as a plain user may who talks."""
        assert self.user is not None
        peer = self.factory.pairs.peer_of(self.user)
        assert peer is not None
        self.said[-1] += lines
        data = "".join(f"{line}\n" for line in lines).encode()
        peer.inbox.listener.tell_lines(self.name, data, self.factory.clock.seconds())

    def acknowledge(self) -> None:
        """Acknowledge all."""
        assert self.user is not None
        assert isinstance(self._inbox, CountedInbox)
        self.factory.receipts.acknowledge(self.user, self._inbox.seq)

    def leaves(self) -> None:
        """Quit, or give a claim up."""
        self.claiming.cancel()  # if it is under way
        if self.user is not None:
            user, self.user = self.user, None
            self.factory.leave(user, "quit", "quit")
