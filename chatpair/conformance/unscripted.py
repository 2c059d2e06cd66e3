"""The cases that are more than a scene: what is told many times, or not in the same words."""

from collections.abc import Callable
from itertools import count

from chatpair.conformance.case import Case, Play
from chatpair.conformance.party import Broken, Event, encode
from chatpair.conformance.stage import Stage

LINES, NAMED, NOTHING_LOST = "Lines", "With a name", "Nothing lost"

UNSCRIPTED: list[Case] = []


def case(section: str, rule: str, *, needs_json: bool = False) -> Callable[[Play], Play]:
    """Make a case of a function."""

    def add(play: Play) -> Play:
        name = play.__name__.replace("_", " ").strip()
        UNSCRIPTED.append(Case(name, section, rule, play, needs_json))
        return play

    return add


TEXT = "grüße 你 👋"

ROUNDS = 50
ENOUGH = 64 * 2**20
"""Bytes of which no server should keep as many for somebody who does not read."""


@case(
    LINES,
    "*A peer that does not read* makes who talks with it wait, and nobody else; it loses no line.",
)
def a_peer_that_does_not_read(stage: Stage) -> None:
    stage.plays("""
        alice and bob talk
        carol enters
        dave enters
        carol calls dave
    """)
    sent, unsent, rounds, said = 0, b"", 0, 0
    while rounds < ROUNDS:  # in which nothing was taken, though others were served
        if not unsent:
            said += 1
            unsent = f"{said:07} {'x' * 9_000}\n".encode()
        taken = stage.parties["alice"].offers(unsent)
        unsent, sent = unsent[taken:], sent + taken
        rounds = 0 if taken else rounds + 1
        if sent > ENOUGH:
            raise Broken(f"{sent} bytes were taken for bob, who does not read")
        if not taken:
            stage.plays("""
                carol> are you there?
                dave< [<time>] carol: (are you there?)
            """)
    for number in range(1, said + 1):
        if number == said:
            stage.sends("alice", unsent)
        line = stage.parties["bob"].line() or ""
        if not line.endswith(f": ({number:07} {'x' * 9_000})"):
            raise Broken(f"line {number} was due, and {line[:100]!r} came")


def _until(stage: Stage, who: str, beginning: str) -> list[str]:
    """Return what somebody is told up to a line that begins in a way, or to the end."""
    told: list[str] = []
    while (line := stage.parties[who].line()) is not None:
        told.append(line)
        if line.startswith(beginning):
            break
    return told


@case(NAMED, "Two who call each other at the same moment are one pair.")
def calls_that_cross(stage: Stage) -> None:
    stage.plays("""
        alice enters
        bob enters
        alice> To:bob | /who
        bob> To:alice | /who
    """)
    for who, other in (("alice", "bob"), ("bob", "alice")):
        told = _until(stage, who, "Here: ")
        if told.count(f"You are chatting with {stage.name(other)}.") != 1 or "Quit." in told:
            raise Broken(f"{who} was to be told of one pair, and was told {told}")
    stage.says("alice", "hello")
    line = stage.parties["bob"].line() or ""
    if line == f"You are already chatting with {stage.name('alice')}.":
        line = stage.parties["bob"].line() or ""
    if not line.endswith(f"] {stage.name('alice')}: (hello)"):
        raise Broken(f"bob was to hear alice, and heard {line!r}")


@case(
    "Plain",
    "A line that starts with ``[`` is what the peer said; every line of the server's "
    "own starts otherwise.",
)
def brackets(stage: Stage) -> None:
    stage.plays("""
        alice enters
        alice> [x] y: (z) | To:[x | /[x | [ | /to [x] y: (z) | /help | Quit
    """)
    for line in _until(stage, "alice", "Quit"):
        if line.startswith("["):
            raise Broken(f"{line!r} looks like a peer's line")


@case(NAMED, "``Here: alice, bob*, carol*``, sorted, where ``*`` is in a pair; at most 200 names")
def who(stage: Stage) -> None:
    stage.plays("""
        alice and bob talk
        carol enters
        carol> /who
    """)
    kind, _, listed = (stage.parties["carol"].line() or "").partition(" ")
    names = listed.split(", ")
    ours = [f"{stage.name('alice')}*", f"{stage.name('bob')}*", stage.name("carol")]
    is_whole = not names[-1].startswith("and ")
    if (
        kind != "Here:"
        or len(names) > 201
        or (is_whole and [name for name in names if name in ours] != ours)
    ):
        raise Broken(f"{ours} were to be among {names}, in this order")


@case("What the server says", "Who is here, sorted, and how many more there are.", needs_json=True)
def who_in_json(stage: Stage) -> None:
    stage.plays("""
        alice and bob talk in JSON
        carol enters in JSON
        carol> {"do":"who"}
    """)
    event = stage.parties["carol"].event() or {}
    ours = [{"name": stage.name(it), "paired": it != "carol"} for it in ("alice", "bob", "carol")]
    if event.get("more") == 0 and [it for it in event["names"] if it in ours] != ours:
        raise Broken(f"{ours} were to be among {event['names']}, in this order")


@case(NAMED, "``/help`` is answered with the commands, a line each.")
def help_(stage: Stage) -> None:
    stage.plays("""
        alice enters
        alice> /help | /foo
    """)
    told = _until(stage, "alice", "No such")
    for command in ("To:", "/bye", "/who", "/key", "/end", "/quit"):
        if not any(command in line for line in told):
            raise Broken(f"{command} was to be in the help: {told}")


def _say(number: int, text: object = None) -> str:
    return f'{{"do":"say","id":{number},"text":"{number if text is None else text}"}}'


@case(NOTHING_LOST, "one status speaks for all ids before it that had none", needs_json=True)
def each_say_has_one_outcome(stage: Stage) -> None:
    stage.plays("alice and bob talk in JSON")
    stage.says("alice", " | ".join(map(_say, range(1, 51))))
    for number in range(1, 51):
        stage.hears("bob", f'{{"event":"message","text":"{number}"}}')
        if number in (1, 30, 50):
            stage.plays("bob acknowledges")
    stage.plays("""
        alice learns: confirmed up to 50
        alice is idle
    """)


@case(
    NOTHING_LOST,
    "To a pair that is over nothing is said: the text has failed, ``nobody``.",
    needs_json=True,
)
def said_to_a_pair_that_is_over(stage: Stage) -> None:
    stage.plays("""
        alice and bob talk in JSON
        bob> {"do":"quit"}
        alice< {"event":"left","why":"quit"}
        carol takes the name of bob
        carol> To:alice | /help
        alice< {"event":"paired","peer":"bob","pair":2}
        alice> {"do":"say","id":1,"text":"a secret","to":"bob","pair":1} ->
            {"event":"error","of":"say","code":"nobody"} |
            {"event":"status","id":1,"status":"failed","why":"nobody"}
        alice> {"do":"say","id":2,"text":"hello","pair":2}
    """)
    first, *_, last = _until(stage, "carol", "[") or [""]
    if first != f"You are chatting with {stage.name('alice')}." or not last.endswith(": (hello)"):
        raise Broken(f"{first!r} and {last!r} was told to who took the name")


@case(NOTHING_LOST, "and you get all that came after it.", needs_json=True)
def what_was_seen_is_not_told_again(stage: Stage) -> None:
    stage.plays("alice and bob talk in JSON")
    stage.says("alice", " | ".join([*map(_say, range(1, 11)), '{"do":"bye"}']))
    stage.hears("bob", " | ".join(['{"event":"message"}'] * 10 + ['{"event":"left"}']))
    for seen in (2, 7, 12):
        stage.plays(f"""
            bob closes
            bob comes back, having seen {seen}, -> {{"event":"resumed","peer":null}}
        """)
        for number in range(seen - 1, 11):
            stage.hears("bob", f'{{"event":"message","text":"{number}","seq":{number + 2}}}')
        stage.plays("""
            bob< {"event":"left","seq":13}
            bob is idle
        """)


def _told_next(stage: Stage, who: str) -> Event:
    """Return what somebody is told next, but that the peer is held or back."""
    event = stage.parties[who].event() or {}
    while event.get("event") in ("held", "back"):
        event = stage.parties[who].event() or {}
    return event


@case(
    NOTHING_LOST,
    "A key works as well while the old connection still looks alive; that one is "
    "closed then, with ``bad-key``.",
    needs_json=True,
)
def a_line_is_taken_over(stage: Stage) -> None:
    stage.plays("alice and bob talk in JSON")
    old = stage.parties["bob"]
    stage.plays('bob comes back -> {"event":"resumed","peer":"alice"}')
    new, stage.parties["bob"] = stage.parties["bob"], old
    stage.plays("""
        bob< {"event":"error","of":null,"code":"bad-key","seq":null}
        bob is closed
    """)
    stage.parties["bob"] = new
    stage.says("bob", _say(1, "here I am"))
    event = _told_next(stage, "alice")
    if event.get("text") != "here I am":
        raise Broken(f"alice was to hear of bob's, and was told {event}")


@case(
    NOTHING_LOST,
    "The answer ``resumed`` has ``got``, the last id that arrived: say again those "
    "above it, and no others.",
    needs_json=True,
)
def drops_at_every_byte_that_is_said(stage: Stage) -> None:
    stage.plays("alice and bob talk in JSON")
    for cut in count(1):
        whole = encode("say", id=cut, text=TEXT)
        if cut > len(whole):
            return
        stage.sends("alice", whole[:cut])
        stage.noted.pop("got", None)
        stage.plays(f"""
            alice {("closes", "resets")[cut % 2]}
            alice comes back -> {{"event":"resumed","peer":"bob","got":"<got>"}}
        """)
        got = int(stage.noted["got"])
        if got not in (cut - 1, cut):
            raise Broken(f"got {got} was told, where {cut} was said last")
        if got < cut:
            stage.says("alice", _say(cut, TEXT))
        event = _told_next(stage, "bob")
        if event.get("text") != TEXT:
            raise Broken(f"bob was to hear {TEXT!r} once, and was told {event}")
        stage.plays("bob acknowledges")
        alice = stage.parties["alice"]
        while (event := alice.event() or {}).get("status") != "confirmed":
            if event.get("event") == "error":
                raise Broken(f"alice was told {event}")
        stage.plays("alice acknowledges")


@case(NOTHING_LOST, "every message and every event arrives once and in order.", needs_json=True)
def drops_at_every_byte_that_is_told(stage: Stage) -> None:
    stage.plays("alice, in JSON, and bob talk")
    stage.says("bob", TEXT)
    size = len((stage.parties["alice"].line() or "").encode()) + 2
    stage.parties["alice"].seen += 1
    for cut in range(1, size):
        stage.says("bob", TEXT)
        alice = stage.parties["alice"]
        alice.takes(cut)
        stage.plays(f"""
            alice {("closes", "resets")[cut % 2]}
            bob< <any> has lost the connection.<any>
            alice comes back -> {{"event":"resumed","peer":"bob"}}
            alice< {{"event":"message","text":"{TEXT}","seq":{alice.seen + 1}}}
            bob< <any> is back.
            alice is idle
        """)


@case(
    NOTHING_LOST,
    "1,000 events or 512 KiB are kept; then your peer has to wait",
    needs_json=True,
)
def a_peer_that_does_not_acknowledge(stage: Stage) -> None:
    stage.plays("alice and bob talk in JSON")
    last, most = 1_500, 1_010
    stage.says("alice", " | ".join(map(_say, range(1, last + 1))))
    heard = quiet = 0
    while quiet < 3 or heard < 900:
        stage.says("bob", '{"do":"ping"}')
        before = heard
        while (event := stage.parties["bob"].event() or {}).get("text") == str(heard + 1):
            heard += 1
        if event.get("event") != "pong":
            raise Broken(f"bob was to hear {heard + 1}, and was told {event}")
        quiet = quiet + 1 if heard == before else 0
    if heard > most:
        raise Broken(f"{heard} messages came, none of which was acknowledged")
    for number in range(heard + 1, last + 1):
        stage.plays(f"""
            bob acknowledges
            bob< {{"event":"message","text":"{number}"}}
        """)
    stage.plays("bob acknowledges")
    alice = stage.parties["alice"]
    for number, status, _ in alice.statuses(last):
        alice.acknowledges()
        if status != "confirmed":
            raise Broken(f"{number} was to be confirmed, and is {status}")
