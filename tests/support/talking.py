"""Pairs of all kinds who talk all the time, and see that each line comes once and in order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from threading import Condition

from tests.support.json_client import JsonLines
from tests.support.server import TIMEOUT, Client, Connection, Door


def sends(speaker: Connection, data: bytes) -> None:
    """Send a line, in two pieces."""
    speaker.socket.sendall(data[:3])
    speaker.socket.sendall(data[3:])


def says(speaker: Client, *lines: str) -> None:
    """Say lines of text."""
    for line in lines:
        sends(speaker, f"{line}\n".encode())


class Talkers:
    """All who talk, each in a thread, until they are told to end."""

    def __init__(self, ports: Sequence[int], pool: ThreadPoolExecutor) -> None:
        self._doors = cycle(map(Door, ports))
        self._is_patient = len(ports) > 1  # for a slow node's users seem to be away
        self._pool = pool
        self._changed = Condition()
        self.over = False
        self.replaced = 0
        """How often the server was replaced."""
        self.rounds = 0
        """How often anybody has done what it does again and again."""
        self._all: list[Connection] = []

    def tell(self, *, rounds: int = 0, replaced: int = 0, over: bool = False) -> None:
        """Let all know what has happened."""
        with self._changed:
            self.rounds += rounds
            self.replaced += replaced
            self.over |= over
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT)

    def _wait_for_another(self) -> None:
        before = self.replaced
        self.wait(lambda: self.replaced > before or self.over)

    def _numbers(self) -> Iterator[int]:
        """Yield 1, 2, 3, ..., a round each, until all is over."""
        for number in count(1):
            if self.over:
                return
            yield number
            self.tell(rounds=1)

    def _add(self, talker: Connection) -> None:
        talker.is_patient = self._is_patient
        self._all.append(talker)

    def _comes(self, *first: str) -> Client:
        client = Client(next(self._doors))
        self._add(client)
        says(client, *first)
        return client

    def _pair(self, name: str, *then: str) -> tuple[Client, Client]:
        """Connect two who talk, and let the second say something."""
        one, other = self._comes(f"{name}-a"), self._comes(f"{name}-b")
        assert (one.line(), other.line()) == ("OK", "OK")
        one.calls(f"{name}-b")
        assert other.line() == f"You are chatting with {name}-a."
        says(other, *then)
        return one, other

    def chat(self, name: str) -> None:
        """Say a number, and say it back."""
        one, other = self._pair(name)
        for number in self._numbers():
            for speaker, listener in ((one, other), (other, one)):
                says(speaker, str(number))
                assert listener.text() == str(number)

    def count(self, name: str) -> None:
        """Say, acknowledge, and know that it arrived."""
        one, other = JsonLines(next(self._doors)), JsonLines(next(self._doors))
        for talker in (one, other):
            self._add(talker)
        one.enters(f"{name}-a")
        other.enters(f"{name}-b")
        one.does("to", name=f"{name}-b")
        for talker in (one, other):
            assert talker.events("paired")[0]["seq"] == 2
        heard = {one: 2, other: 2}
        for number in self._numbers():
            sends(one, one.encoded("say", id=number, text=str(number)))
            (message,) = other.events("message")
            assert message["text"] == str(number)
            other.does("ack", seq=message["seq"])
            (status,) = one.events("status")
            assert (status["id"], status["status"]) == (number, "confirmed")
            one.does("ack", seq=status["seq"])
            for talker, event in ((one, status), (other, message)):
                assert event["seq"] == heard[talker] + 1 or self._is_patient
                assert event["seq"] > heard[talker]
                heard[talker] = event["seq"]

    def come_back(self, name: str) -> None:
        """Lose the connection after each replacement, with a key."""
        one, other = self._pair(name, "/key")
        key = other.line().split()[3].rstrip(".")
        for number in self._numbers():
            other.resets()
            if not self._is_patient:
                assert one.line().startswith(f"{name}-b has lost the connection")
            says(one, str(number))
            self._wait_for_another()
            other = self._comes(f"Back:{key}")
            assert other.line() == "OK"
            while f": ({number})" not in other.line():  # perhaps with (again) after it
                pass
            assert self._is_patient or one.line() == f"{name}-b is back."

    def only_listen(self, name: str) -> None:
        """Be told something by who has said all."""
        one, other = self._pair(name)
        other.ends_input()
        assert other.line() == "Listening."
        for number in self._numbers():
            says(one, str(number))
            assert other.text() == str(number)

    def ring(self, name: str) -> None:
        """Call before a replacement, and answer after it."""
        one, other = self._comes(f"{name}-a"), self._comes(f"{name}-b", "/ring on")
        assert (one.line(), other.line()) == ("OK", "OK")
        assert other.line() == "Your line rings when somebody calls."
        for _ in self._numbers():
            says(one, f"To:{name}-b")
            assert one.line() == f"{name}-b's line is ringing."
            assert other.line().startswith(f"{name}-a is calling.")
            self._wait_for_another()
            says(other, f"To:{name}-a")
            assert other.line() == f"You are chatting with {name}-a."
            assert one.line() == f"You are chatting with {name}-b."
            says(one, "/bye")
            assert one.line() == "You are free."
            assert other.line() == "Quit."

    def be_deaf(self, name: str) -> None:
        """Read nothing until the end."""
        one, other = self._pair(name)

        def speak() -> None:
            for number in self._numbers():
                says(one, f"{number} {'x' * 60_000}")
                if number % 2 == 0:
                    self._wait_for_another()
            says(one, "last")

        speaking = self._pool.submit(speak)
        while not self.over:
            self._wait_for_another()
        for number, text in enumerate(iter(other.text, "last"), 1):
            assert text == f"{number} {'x' * 60_000}"
        speaking.result(TIMEOUT)

    def leave(self) -> None:
        """Close all connections."""
        for talker in self._all:
            talker.leaves()


KINDS = (
    *(Talkers.chat, Talkers.count, Talkers.come_back),
    *(Talkers.only_listen, Talkers.ring, Talkers.be_deaf),
)


def talk(
    ports: Sequence[int], pairs: int, replacements: int, replace: Callable[[], object]
) -> None:
    """Let pairs of all kinds talk while a server is replaced so often.

    Who comes takes the next of its ports, which may be several nodes'.
    """
    with ThreadPoolExecutor(2 * pairs) as pool:
        talkers = Talkers(ports, pool)
        talks = [
            pool.submit(KINDS[number % len(KINDS)], talkers, f"p{number}")
            for number in range(pairs)
        ]
        try:
            for _ in range(replacements):
                due = talkers.rounds + pairs
                talkers.wait(lambda due=due: talkers.rounds >= due or any(t.done() for t in talks))  # type: ignore[misc]
                replace()
                talkers.tell(replaced=1)
            talkers.tell(over=True)
            for one in talks:
                one.result(TIMEOUT)
        finally:
            talkers.tell(over=True)
            talkers.leave()
