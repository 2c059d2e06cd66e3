"""Numbers, what became of each say, and lines that are taken over after a drop."""

from collections.abc import Callable

from chatpair.conformance.case import Stage, case
from chatpair.conformance.lines import TEXT
from chatpair.conformance.party import Broken, Program, encode

NOTHING_LOST = "Nothing lost"


@case(
    NOTHING_LOST,
    "Each event marked in the table carries ``seq``: 1, 2, 3, ... for as long as you "
    "have your name.",
)
def events_are_numbered(stage: Stage) -> None:
    alice, bob = stage.programs()  # which are the events 1 and 2
    alice.does("foo")
    alice.told("error", seq=3)
    alice.does("who")
    alice.told("who", seq=None)
    alice.is_idle()
    bob.does("say", id=1, text="hi")
    alice.told("message", seq=4)
    alice.acknowledges()
    bob.told("status", seq=3)
    alice.does("bye")
    alice.told("free", seq=5)
    bob.told("left", seq=4)


@case(
    "Codes of errors",
    "a line was no JSON object, or not of the right shape, or with a number out of range",
)
def an_acknowledgement_of_what_was_not_told(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("ack", seq=99)
    alice.told("error", of="ack", code="bad-line")


@case(NOTHING_LOST, "``confirmed``: the peer's client has acknowledged it.")
def confirmed(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text="hi")
    bob.told("message")
    bob.is_idle()
    alice.is_idle()  # nothing is known before bob has acknowledged it
    bob.acknowledges()
    alice.told("status", id=1, status="confirmed")


@case(NOTHING_LOST, "``handed``: the peer's side of the server's kernel has it.")
def handed(stage: Stage) -> None:
    alice, bob = stage.mixed()
    alice.does("say", id=1, text="hi")
    alice.told("status", id=1, status="handed")
    bob.hears_text(alice.name, "hi")


@case(NOTHING_LOST, "With ``nobody`` an ``error`` comes first, with a text for people.")
def said_to_nobody(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("say", id=1, text="hi")
    alice.told("error", of="say", code="nobody")
    alice.told("status", id=1, status="failed", why="nobody")


@case(NOTHING_LOST, "One that you skip has failed.")
def says_that_are_skipped(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=3, text="hi")
    bob.told("message", text="hi")
    alice.statuses_are(2, "failed", "missing")
    bob.acknowledges()
    alice.statuses_are(3, "confirmed")


@case(NOTHING_LOST, "One that the server has already is not passed on again.")
def says_that_come_twice(stage: Stage) -> None:
    alice, bob = stage.programs()
    for identifier in (1, 1, 2, 1):
        alice.does("say", id=identifier, text=str(identifier))
    for text in ("1", "2"):
        bob.told("message", text=text)
    alice.is_idle()
    bob.is_idle()


@case(NOTHING_LOST, "one status speaks for all ids before it that had none")
def each_say_has_one_outcome(stage: Stage) -> None:
    alice, bob = stage.programs()
    for identifier in range(1, 51):
        alice.does("say", id=identifier, text=str(identifier))
    for identifier in range(1, 51):
        bob.told("message", text=str(identifier))
        if identifier in (1, 30, 50):
            bob.acknowledges()
    alice.statuses_are(50, "confirmed")
    alice.is_idle()


@case(NOTHING_LOST, "To a pair that is over nothing is said: the text has failed, ``nobody``.")
def said_to_a_pair_that_is_over(stage: Stage) -> None:
    alice, bob = stage.programs()
    bob.does("quit")
    alice.told("left", why="quit")
    thief = stage.takes_name("bob")
    thief.says(f"To:{alice.name}", "/help")
    alice.told("paired", peer=bob.name, pair=2)
    alice.does("say", id=1, text="a secret", to=bob.name, pair=1)
    alice.told("error", of="say", code="nobody")
    alice.told("status", id=1, status="failed", why="nobody")
    alice.does("say", id=2, text="hello", pair=2)
    thief.hears(f"You are chatting with {alice.name}.")
    while (line := thief.line()) and not line.startswith("["):
        pass
    if line is None or not line.endswith(": (hello)"):
        raise Broken(f"{line!r} was told to who took the name")


@case("What a client says", "Whom it is meant for: nobody else gets it.")
def said_to_another(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text="a secret", to=stage.name("carol"))
    alice.told("error", of="say", code="nobody")
    alice.statuses_are(1, "failed", "nobody")
    bob.is_idle()


@case(NOTHING_LOST, "how the peer, or the server, went before it confirmed")
def said_to_who_leaves(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text="one")
    alice.does("say", id=2, text="two")
    bob.told("message", text="one")
    bob.acknowledges()
    alice.statuses_are(1, "confirmed")
    bob.does("quit")
    alice.statuses_are(2, "failed", "quit")
    alice.told("left", why="quit")


@case(
    NOTHING_LOST,
    "When a pair ends while something is on its way, it may still be confirmed for a minute",
)
def confirmed_after_the_pair(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text="one")
    alice.does("bye")
    alice.told("free")
    bob.told("message", text="one")
    bob.told("left", why="bye")
    bob.acknowledges()
    alice.statuses_are(1, "confirmed")


HELD = "you keep your name and your pair, your peer is told ``held``, and what it says is kept."


@case(NOTHING_LOST, HELD)
def a_line_that_is_held(stage: Stage) -> None:
    _is_held(stage, Program.closes)


@case(NOTHING_LOST, HELD)
def a_line_that_is_held_after_a_reset(stage: Stage) -> None:
    _is_held(stage, Program.resets)


def _is_held(stage: Stage, end: Callable[[Program], None]) -> None:
    alice, bob = stage.programs()
    end(bob)
    alice.told("held", peer=bob.name)
    alice.does("say", id=1, text="one")
    alice.does("say", id=2, text="two")
    other = stage.speaks("other")
    other.does("name", name=bob.name)
    other.told("error", of="name", code="reuse")
    again, _ = stage.resumes(bob, bob.seen, peer=alice.name, got=0, pair=1)
    again.told("message", text="one")
    again.told("message", text="two")
    alice.told("back", peer=bob.name)
    again.acknowledges()
    alice.statuses_are(2, "confirmed")


@case(NOTHING_LOST, "and you get all that came after it.")
def what_was_seen_is_not_told_again(stage: Stage) -> None:
    alice, bob = stage.programs()
    for identifier in range(1, 11):
        alice.does("say", id=identifier, text=str(identifier))
    alice.does("bye")
    for _ in range(10):
        bob.told("message")
    bob.told("left")
    for seen in (2, 7, 12):
        bob.closes()
        bob, _ = stage.resumes(bob, seen, peer=None)
        for number in range(seen - 1, 11):
            bob.told("message", text=str(number), seq=number + 2)
        bob.told("left", seq=13)
        bob.is_idle()


@case(
    NOTHING_LOST,
    "A key works as well while the old connection still looks alive; that one is "
    "closed then, with ``bad-key``.",
)
def a_line_is_taken_over(stage: Stage) -> None:
    alice, bob = stage.programs()
    again, _ = stage.resumes(bob, bob.seen, peer=alice.name)
    bob.told("error", of=None, code="bad-key", seq=None)
    bob.is_closed()
    again.does("say", id=1, text="here I am")
    event = alice.event() or {}
    while event.get("event") in ("held", "back"):
        event = alice.event() or {}
    if event.get("text") != "here I am":
        raise Broken(f"alice was to hear of bob's, and was told {event}")


@case("Codes of errors", "no line is held for that key")
def a_key_that_is_wrong(stage: Stage) -> None:
    alice = stage.speaks("alice")
    alice.does("resume", key=f"{stage.name('x')}-{stage.name('y')}")
    alice.told("error", of="resume", code="bad-key")
    gone = stage.program("gone")
    gone.does("quit")
    gone.told("quit")
    alice.does("resume", key=gone.key, seen=0)
    alice.told("error", of="resume", code="bad-key")


@case(
    NOTHING_LOST,
    "The answer ``resumed`` has ``got``, the last id that arrived: say again those "
    "above it, and no others.",
)
def drops_at_every_byte_that_is_said(stage: Stage) -> None:
    alice, bob = stage.programs()
    cut, identifier = 1, 1
    while cut <= len(whole := encode("say", id=identifier, text=TEXT)):
        alice.sends(whole[:cut])
        (alice.closes, alice.resets)[cut % 2]()
        again, got = stage.resumes(alice, alice.seen, peer=bob.name)
        if got not in (identifier - 1, identifier):
            raise Broken(f"got {got} was told, where {identifier} was said last")
        if got < identifier:
            again.does("say", id=identifier, text=TEXT)
        event = bob.event() or {}
        while event.get("event") in ("held", "back"):
            event = bob.event() or {}
        if event.get("text") != TEXT:
            raise Broken(f"bob was to hear {TEXT!r} once, and was told {event}")
        bob.acknowledges()
        while (event := again.event() or {}).get("status") != "confirmed":
            if event.get("event") == "error":
                raise Broken(f"alice was told {event}")
        again.acknowledges()
        alice, cut, identifier = again, cut + 1, identifier + 1


@case(NOTHING_LOST, "every message and every event arrives once and in order.")
def drops_at_every_byte_that_is_told(stage: Stage) -> None:
    alice, bob = stage.mixed()
    bob.says(TEXT)
    size = len((alice.line() or "").encode()) + 2
    alice.seen += 1
    for cut in range(1, size):
        bob.says(TEXT)
        alice.takes(cut)
        (alice.closes, alice.resets)[cut % 2]()
        bob.hears_like(".* has lost the connection\\..*")
        alice, _ = stage.resumes(alice, alice.seen, peer=bob.name)
        alice.told("message", text=TEXT, seq=alice.seen + 1)
        bob.hears_like(".* is back\\.")
        alice.is_idle()


@case(NOTHING_LOST, "1,000 events or 512 KiB are kept; then your peer has to wait")
def a_peer_that_does_not_acknowledge(stage: Stage) -> None:
    alice, bob = stage.programs()
    last, most = 1_500, 1_010
    alice.sends(b"".join(encode("say", id=at, text=str(at)) for at in range(1, last + 1)))
    heard = quiet = 0
    while quiet < 3 or heard < 900:
        bob.does("ping")
        before = heard
        while (event := bob.event() or {}).get("text") == str(heard + 1):
            heard += 1
        if event.get("event") != "pong":
            raise Broken(f"bob was to hear {heard + 1}, and was told {event}")
        quiet = quiet + 1 if heard == before else 0
    if heard > most:
        raise Broken(f"{heard} messages came, none of which was acknowledged")
    for number in range(heard + 1, last + 1):
        bob.acknowledges()
        bob.told("message", text=str(number))
    bob.acknowledges()
    for identifier, status, _ in alice.statuses(last):
        alice.acknowledges()
        if status != "confirmed":
            raise Broken(f"{identifier} was to be confirmed, and is {status}")
