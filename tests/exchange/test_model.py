"""The exchange against a small model."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatpair.exchange.ringing import RING_SECONDS
from chatpair.exchange.settings import Settings
from chatpair.exchange.user import MAX_TRIED
from tests.support.exchange import FIRST_CALL, NOBODY, PAIRED, Exchange, Party, said

NAMES = ["ann", "ben", "cat", "dan", "eve"]
PARTIES = 7

any_party = st.integers(0, PARTIES - 1)
calls = st.sampled_from(NAMES).map("To:{}".format)
switches = st.sampled_from(["/dnd", "/dnd off", "/ring", "/ring on", "/ring off"])
blocks = st.builds("/{} {}".format, st.sampled_from(["block", "unblock"]), st.sampled_from(NAMES))
lines = st.one_of(
    st.sampled_from(NAMES),
    calls,
    switches,
    blocks,
    st.sampled_from(["/bye", "/who", "hello", " To:ann", ""]),
    st.sampled_from(["hi", "Quit"]),
)


@dataclass(eq=False)
class Modelled:
    """A party, what the model says of it, and what it should have heard."""

    party: Party
    name: str = ""
    peer: "Modelled | None" = None
    can_call: bool = False
    listens: bool = False
    gone: bool = False
    rest: str = ""
    expected: list[str] = field(default_factory=list)
    tried: Counter[float] = field(default_factory=Counter)
    host: str = ""
    connected: float = 0  # at what time
    came: int = 0  # with a name, before or after others did something
    dnd: bool = False
    rings: bool = False
    blocked: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # name, host, moment


class ExchangeModel(RuleBasedStateMachine):
    """Whatever a few parties do, each hears just what the design's table says."""

    @initialize(named=st.integers(0, len(NAMES)))
    def open(self, named: int) -> None:
        self.exchange = Exchange(linger=1_000_000)
        self.moments = count()
        self.ringing: dict[Modelled, tuple[Modelled, float]] = {}  # whom a caller calls, till when
        self.all = [self.connect(number) for number in range(PARTIES)]
        for number in range(named):
            self.send(number, [NAMES[number]], True)

    def connect(self, number: int) -> Modelled:
        host = f"host-{number % 3}"
        party = self.exchange.connect(host)
        return Modelled(party, host=host, connected=self.exchange.clock.seconds())

    # What the parties do

    @rule(number=any_party, name=st.sampled_from(NAMES))
    def come(self, number: int, name: str) -> None:
        if self.all[number].gone:
            self.drop(number, True)
        if not self.all[number].name:
            self.send(number, [name], True)

    @rule(number=any_party, line=switches | blocks)
    def set(self, number: int, line: str) -> None:
        self.send(number, [line], True)

    @rule(caller=any_party, callee=any_party, third=any_party, late=st.booleans())
    def ring(self, caller: int, callee: int, third: int, late: bool) -> None:
        one, other = self.all[caller], self.all[callee]
        if one.name and other.name:
            self.send(callee, ["/ring on", "/bye"], True)
            self.send(caller, [f"To:{other.name}"], True)
            if late:
                self.wait(29)
            if one.name and third != caller:
                self.send(third, [f"To:{one.name}"], True)

    @rule(number=any_party, segment=st.lists(lines, min_size=1, max_size=5), whole=st.booleans())
    def send(self, number: int, segment: list[str], whole: bool) -> None:
        one = self.all[number]
        text = "\n".join(segment) + ("\n" if whole else "")
        one.party.sends(b"" if one.listens else text.encode())
        if not one.listens:
            *whole_lines, one.rest = (one.rest + text).split("\n")
            for line in whole_lines:
                self.take(one, line)

    @rule(first=any_party, second=any_party)
    def call_each_other(self, first: int, second: int) -> None:
        one, other = self.all[first], self.all[second]
        if one.name and other.name and one is not other:
            self.send(first, [f"To:{other.name}"], True)
            self.send(second, [f"To:{one.name}"], True)

    @rule(number=any_party, clean=st.booleans())
    def drop(self, number: int, clean: bool) -> None:
        one = self.all[number]
        one.party.drops(clean)
        self.leave(one)
        self.all[number] = self.connect(number)

    @rule(number=any_party, last=calls | blocks | st.sampled_from(["/bye", "Quit", "hi"]))
    def say_the_last_and_half_close(self, number: int, last: str) -> None:
        self.send(number, [last], False)
        self.half_close(number)

    @rule(number=any_party)
    def half_close(self, number: int) -> None:
        one = self.all[number]
        if one.listens or one.gone:
            return
        one.party.ends_input()
        rest, one.rest = one.rest, ""
        if rest:
            self.take(one, rest)
        one.listens = True
        if one.peer is not None:
            one.expected.append("Listening.")
        else:
            self.leave(one)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.exchange.clock.advance(1)
            now = self.exchange.clock.seconds()
            for one in self.all:
                if not (one.name or one.gone) and now == one.connected + Settings().name_time:
                    one.expected.append("No name came within 30 seconds.")
                    one.gone = True
            for one, (other, until) in list(self.ringing.items()):
                if now == until:
                    self.take_back(one)
                    one.expected.append(f"{other.name} does not answer.")

    # What the model makes of it

    def take(self, one: Modelled, line: str) -> None:
        if one.gone:
            return
        if line == "Quit":
            one.expected.append("Quit")
            self.leave(one)
        elif line.startswith("/") and (answer := bad_command(line)):
            one.expected.append(answer)
        elif line.startswith("/who"):
            here = sorted((m for m in self.all if m.name), key=lambda m: m.name.lower())
            marked = [m.name + "*" * (m.peer is not None) for m in here]
            one.expected.append(f"Here: {', '.join(marked)}")
        elif not one.name:
            self.take_name(one, line)
        elif line.startswith("To:"):
            self.take_call(one, line[3:])
        elif line.startswith(("/dnd", "/ring")):
            self.take_switch(one, line)
        elif line.startswith(("/block", "/unblock")):
            self.take_block(one, *line.split(None, 1))
        elif line.startswith("/bye") and (self.take_back(one) or one.peer is not None):
            self.part(one)
            one.can_call = False
            one.expected.append("You are free.")
        elif one.peer is None:
            is_first = not (one.can_call or line.startswith("/bye"))
            one.expected.append(FIRST_CALL if is_first else NOBODY)
            one.can_call |= is_first
        else:
            one.peer.expected.append(said(self.exchange, line, one.name))

    def take_name(self, one: Modelled, line: str) -> None:
        if answer := bad_name(line):
            one.expected.append(answer)
        elif any(m.name == line for m in self.all):
            one.expected.append("Reuse")
        else:
            one.name = line
            one.came = next(self.moments)
            one.expected.append("OK")

    def take_switch(self, one: Modelled, line: str) -> None:
        on = not line.endswith("off")
        if line.startswith("/dnd"):
            one.dnd = on
            one.expected.append("Nobody can call you now." if on else "You can be called again.")
        else:
            one.rings = on
            what = "rings when somebody calls" if on else "does not ring any more"
            one.expected.append(f"Your line {what}.")

    def take_block(self, one: Modelled, do: str, name: str) -> None:
        if answer := bad_name(name):
            one.expected.append(answer)
        elif do == "/unblock" and name not in one.blocked:
            one.expected.append(f"You have not blocked {name}.")
        elif do == "/unblock":
            del one.blocked[name]
            one.expected.append(f"You have unblocked {name}.")
        elif name == one.name:
            one.expected.append("You can't block yourself.")
        else:
            host = next((m.host for m in self.all if m.name == name), "")
            if name not in one.blocked or host not in ("", one.blocked[name][1]):
                one.blocked[name] = name, host, next(self.moments)
            if one in self.ringing and self.ringing[one][0].name == name:
                self.take_back(one)
            if one.peer is not None and one.peer.name == name:
                self.part(one)
                one.can_call = False
                one.expected.append("You are free.")
            one.expected.append(f"You have blocked {name}.")

    def blocks(self, one: Modelled, caller: Modelled) -> bool:
        """Tell whether somebody blocks a caller, by name or as one who came back."""
        return caller.name in one.blocked or any(
            caller.host == host and caller.came > moment for _, host, moment in one.blocked.values()
        )

    def take_call(self, one: Modelled, name: str) -> None:
        other = next((m for m in self.all if m.name == name), None)
        if other is one:
            one.expected.append("Please don't try to talk with yourself.")
        elif other is None:
            one.expected.append(f"The user {name} does not exist.")
        elif other is one.peer:
            one.expected.append(f"You are already chatting with {name}.")
        elif other in self.ringing and self.ringing[other][0] is one:
            self.part(other)
            self.make_pair(one, other)
        elif self.blocks(other, one):
            one.expected.append(f"{name} is talking with someone else.")
        elif other.dnd:
            one.expected.append(f"{name} does not want to be disturbed.")
        elif other.peer is not None:
            one.expected.append(f"{name} is talking with someone else.")
            self.announce(other, f"{one.name} tried to reach you.")
        elif other.rings:
            self.take_ring(one, other)
        else:
            self.make_pair(one, other)

    def take_ring(self, one: Modelled, other: Modelled) -> None:
        if one not in self.ringing or self.ringing[one][0] is not other:
            line = f"{one.name} is calling. To:{one.name} to answer."
            if not self.announce(other, line):
                one.expected.append(f"{other.name} is not reading at the moment.")
                return
            self.take_back(one)
            self.ringing[one] = other, self.exchange.clock.seconds() + RING_SECONDS
        one.expected.append(f"{other.name}'s line is ringing.")

    def announce(self, one: Modelled, line: str) -> bool:
        second = self.exchange.clock.seconds()
        one.tried[second] += 1
        if one.tried[second] > MAX_TRIED:
            return False
        one.expected.append(line)
        return True

    def take_back(self, one: Modelled) -> bool:
        other, _ = self.ringing.pop(one, (None, 0))
        if other is not None and not (other.dnd or self.blocks(other, one)):
            self.announce(other, f"{one.name} tried to reach you.")
        return other is not None

    def make_pair(self, one: Modelled, other: Modelled) -> None:
        self.part(one)
        one.peer, other.peer = other, one
        for user, peer in ((one, other), (other, one)):
            if user in self.ringing and self.ringing[user][0] is peer:
                del self.ringing[user]
            else:
                self.take_back(user)
            user.can_call = True
            user.expected.append(PAIRED.format(peer.name))

    def part(self, one: Modelled) -> None:
        other, one.peer = one.peer, None
        if other is not None:
            other.peer = None
            other.expected.append("Quit.")
            if other.listens:
                self.leave(other)

    def leave(self, one: Modelled) -> None:
        one.gone = True
        one.blocked.clear()
        self.take_back(one)
        for caller, (callee, _) in list(self.ringing.items()):
            if callee is one:
                del self.ringing[caller]
                caller.expected.append(f"{one.name} does not answer.")
        one.name = ""
        self.part(one)

    # What must hold

    @invariant()
    def each_has_heard_what_it_should(self) -> None:
        for one in self.all:
            assert one.party.heard() == one.expected
            one.expected.clear()
            assert one.party.closed == one.gone

    @invariant()
    def the_tables_are_sound(self) -> None:
        check_tables(self.exchange)
        factory = self.exchange.factory
        names = {m.name.lower() for m in self.all if m.name}
        assert set(factory.users) == names
        ringing = {(one.name, other.name) for one, (other, _) in self.ringing.items()}
        assert {
            (one.name.text, other.name.text) for one, other in factory.ringing.items()
        } == ringing
        assert set(factory.ringing._waiting) == factory.ringing.keys()


def bad_name(text: str) -> str:
    """Return what is answered to a text that can be no name, or nothing."""
    if not text or text.lower().startswith(("to:", "/")):
        return "Say your name first. /help tells the rest."
    if len(text) > 32:
        return "Bad name: 1 to 32 characters"
    if not text.isalpha():
        return "Bad name: no space and none of : [ ] ( ) / * , in a name"
    return ""


def bad_command(line: str) -> str:
    """Return what is answered to a line that begins as a command but is none, or nothing."""
    word, *rest = line.split(None, 1)
    if word not in ("/bye", "/who", "/dnd", "/ring", "/block", "/unblock"):
        return f"No such command: {word}. Type /help, or put a space first to say it."
    if word in ("/dnd", "/ring") and rest not in ([], ["on"], ["off"]):
        return f"Say {word} on or {word} off."
    if word in ("/bye", "/who") and rest:
        return f"Say {word} alone, or put a space first to say it."
    return ""


def check_tables(exchange: Exchange) -> None:
    """Names are unique; pairs are of two users who are here, and nobody is in two."""
    factory = exchange.factory
    here = set(factory.users.values())
    assert len(here) == len(factory.users)
    assert all(user.name.key == key for key, user in factory.users.items())
    assert sorted(factory.users) == factory.users._keys
    for user, peer in factory.pairs.items():
        assert user is not peer
        assert factory.pairs[peer] is user
        assert user in here


TestExchangeModel = ExchangeModel.TestCase
TestExchangeModel.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=40
)
