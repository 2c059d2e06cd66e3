"""JSON: what each command does, and what is told of it."""

import re
import time

from chatpair.conformance.case import Stage, case
from chatpair.conformance.lines import CUT_SECONDS, MOST, TEXT
from chatpair.conformance.party import Broken, encode

JSON, CODES = "JSON", "Codes of errors"
SAYS, TELLS, NOTHING_LOST = "What a client says", "What the server says", "Nothing lost"
MAY = "Who may call"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@case(JSON, "The first line ``Mode:json`` turns a connection to JSON: one object a line, both ways")
def the_mode(stage: Stage) -> None:
    alice = stage.comes("alice")
    alice.says("Mode:json")
    alice.hears_like(r'\{"event":"mode".*\}')
    again = stage.speaks("again")
    again.is_idle()


@case(TELLS, "JSON is spoken from now on.")
def what_the_mode_tells(stage: Stage) -> None:
    alice = stage.comes("alice")
    alice.says("Mode:json")
    line = alice.line() or ""
    for part in ('"mode":"json"', '"version":1', '"hold":'):
        if part not in line.replace(" ", ""):
            raise Broken(f"{part} was to be in {line!r}")


@case(JSON, "Keys that the server does not know are ignored")
def keys_that_are_unknown(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("ping", foo=[1, {"bar": None}])
    alice.told("pong")


@case(CODES, "there is no such command")
def commands_that_are_unknown(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("foo")
    alice.told("error", of="foo", code="no-such")
    alice.is_idle()


@case(JSON, "A line that means nothing is answered with an ``error`` and changes nothing.")
def lines_of_the_wrong_shape(stage: Stage) -> None:
    alice, bob = stage.programs()
    for keys in ({}, {"id": 0, "text": "x"}, {"id": "1", "text": "x"}, {"id": 1, "text": None}):
        alice.does("say", **keys)
        alice.told("error", of="say", code="bad-line")
    alice.does("say", id=1, text="still there?")
    bob.told("message", text="still there?")


@case(
    JSON,
    "The server closes the connection after ``quit``, after three lines that are no JSON objects",
)
def three_lines_that_are_no_objects(stage: Stage) -> None:
    alice = stage.program("alice")
    for line in ("hello", "[]", "{"):
        alice.says(line)
        alice.told("error", code="bad-line")
    alice.is_closed()


@case("Lines", "Where the network cuts the bytes makes no difference.")
def cuts_at_every_byte_of_an_object(stage: Stage) -> None:
    alice, bob = stage.programs()
    cut, identifier = 1, 1
    while cut < len(whole := encode("say", id=identifier, text=TEXT)):
        alice.sends(whole[:cut])
        time.sleep(CUT_SECONDS)
        alice.sends(whole[cut:])
        bob.told("message", text=TEXT)
        cut, identifier = cut + 1, identifier + 1


@case(CODES, "a line was too long, and dropped")
def an_object_that_is_too_long(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text="x" * MOST)
    alice.told("error", code="too-long")
    alice.does("say", id=2, text="short")
    bob.told("message", text="short")


@case(SAYS, "Be known by a name.")
def a_name_in_json(stage: Stage) -> None:
    alice = stage.speaks("alice")
    alice.does("name", name=stage.name("alice"))
    event = alice.told("named", name=stage.name("alice"), seq=1)
    if not isinstance(event.get("key"), str) or not event["key"]:
        raise Broken(f"a key was to be in {event}")


@case(CODES, "somebody has that name")
def a_name_that_somebody_has(stage: Stage) -> None:
    alice, other = stage.program("alice"), stage.speaks("other")
    other.does("name", name=alice.name)
    other.told("error", of="name", code="reuse")


@case(CODES, "nobody can have that name, or there is no name yet and the command needs one")
def bad_names_in_json(stage: Stage) -> None:
    alice = stage.speaks("alice")
    alice.does("name", name="a b")
    alice.told("error", of="name", code="bad-name")
    for do, keys in (("to", {"name": "bob"}), ("say", {"id": 1, "text": "x"}), ("bye", {})):
        alice.does(do, **keys)
        alice.told("error", of=do, code="bad-name")


@case(CODES, "you are in a pair with whom you called, or have a name already")
def what_is_so_already(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("to", name=bob.name)
    alice.told("error", of="to", code="already")
    alice.does("name", name=stage.name("other"))
    alice.told("error", of="name", code="already")


@case(TELLS, "You talk with this peer from now on.")
def pairs_are_counted(stage: Stage) -> None:
    alice, bob, carol = stage.program("alice"), stage.program("bob"), stage.program("carol")
    for number, other in enumerate((bob, carol, bob), 1):
        alice.does("to", name=other.name)
        alice.told("paired", peer=other.name, pair=number)


@case(TELLS, "The peer is gone, and you are free.")
def how_a_peer_goes(stage: Stage) -> None:
    alice, bob = stage.programs()
    carol = stage.program("carol")
    alice.does("bye")
    alice.told("free")
    bob.told("left", peer=alice.name, why="bye")
    alice.does("to", name=bob.name)
    bob.told("paired")
    alice.does("to", name=carol.name)
    bob.told("left", peer=alice.name, why="switched")
    carol.told("paired")
    alice.does("quit")
    carol.told("left", peer=alice.name, why="quit")


@case(CODES, "nobody has the name that was called, or you have not blocked it")
def a_call_to_an_unknown_name(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("to", name=stage.name("bob"))
    alice.told("error", of="to", code="unknown")
    alice.does("unblock", name=stage.name("bob"))
    alice.told("error", of="unblock", code="unknown")


@case(CODES, "you called, or block, yourself")
def yourself(stage: Stage) -> None:
    alice = stage.program("alice")
    for do in ("to", "block"):
        alice.does(do, name=alice.name)
        alice.told("error", of=do, code="self")


@case(CODES, "whoever was called is in another pair")
def busy(stage: Stage) -> None:
    _, bob = stage.programs()
    carol = stage.program("carol")
    carol.does("to", name=bob.name)
    carol.told("error", of="to", code="busy")
    bob.told("tried", name=carol.name)


@case(CODES, "you are in no pair")
def nobody(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("bye")
    alice.told("error", of="bye", code="nobody")


@case(TELLS, "The peer says this.")
def a_message(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("say", id=1, text=TEXT)
    event = bob.told("message", **{"from": alice.name, "text": TEXT})
    if not TIME.fullmatch(str(event.get("time"))):
        raise Broken(f"a time as in RFC 3339 was to be in {event}")


@case(SAYS, "It may have several lines: whole to a json peer, one each to a plain.")
def a_text_of_several_lines(stage: Stage) -> None:
    alice, bob = stage.programs()
    carol = stage.enters("carol")
    alice.does("say", id=1, text="one\n\ntwo")
    bob.told("message", text="one\n\ntwo")
    alice.does("to", name=carol.name)
    carol.hears(f"You are chatting with {alice.name}.")
    alice.does("say", id=2, text="one\n\n[two")
    for text in ("one", "", "[two"):
        carol.hears_text(alice.name, text)


@case(TELLS, "The peer is typing.")
def typing(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("typing")
    event = bob.told("typing", **{"from": alice.name})
    if "seq" in event:
        raise Broken(f"no seq was to be in {event}")


@case(TELLS, "Who is here, sorted, and how many more there are.")
def who_in_json(stage: Stage) -> None:
    alice, bob = stage.programs()
    carol = stage.program("carol")
    carol.does("who")
    event = carol.told("who")
    ours = [{"name": it.name, "paired": it is not carol} for it in (alice, bob, carol)]
    if event.get("more") == 0 and [it for it in event["names"] if it in ours] != ours:
        raise Broken(f"{ours} were to be among {event['names']}, in this order")


@case(TELLS, "The answer to quit; nothing follows.")
def quit_in_json(stage: Stage) -> None:
    alice = stage.program("alice")
    alice.does("quit")
    alice.told("quit")
    alice.is_closed()


@case(SAYS, "Have said all on this connection, and listen on; ack, ping and quit still count.")
def the_end_in_json(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("end")
    alice.told("pong")
    alice.does("bye")
    alice.told("error", of="bye", code="already")
    alice.does("say", id=1, text="late")
    alice.told("error", of="say", code="already")
    alice.statuses_are(1, "failed", "nobody")
    bob.does("say", id=1, text="I see")
    alice.told("message", text="I see")
    alice.acknowledges()
    bob.statuses_are(1, "confirmed")
    alice.does("quit")
    alice.told("quit")


@case(
    NOTHING_LOST,
    "``end``, or a half-close, says that you have said all on this connection.",
    not_through=("tls",),
)
def half_closed_in_json(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.sends(encode("say", id=1, text="last").rstrip())
    alice.half_closes()
    bob.told("message", text="last")
    alice.told("pong")
    bob.does("say", id=1, text="I see")
    alice.told("message", text="I see")


@case(MAY, "Calls are refused with ``dnd``, and you are not told of them.")
def do_not_disturb_in_json(stage: Stage) -> None:
    alice, bob = stage.program("alice"), stage.program("bob")
    bob.does("dnd", on=True)
    bob.told("dnd", on=True)
    alice.does("to", name=bob.name)
    alice.told("error", of="to", code="dnd")
    bob.is_idle()
    bob.does("to", name=alice.name)
    bob.told("paired", peer=alice.name)


@case(MAY, "To answer, call back: that makes the pair, whatever either of you has set")
def ring_in_json(stage: Stage) -> None:
    alice, bob = stage.program("alice"), stage.program("bob")
    bob.does("ring", on=True)
    bob.told("ring", on=True)
    alice.does("to", name=bob.name)
    alice.told("error", of="to", code="ringing")
    bob.told("ringing", name=alice.name)
    bob.does("to", name=alice.name)
    bob.told("paired", peer=alice.name)
    alice.told("paired", peer=bob.name)


@case(
    MAY,
    "so are you when the caller says ``bye``, leaves, gets into another pair or "
    "rings at somebody else",
)
def a_call_that_is_taken_back(stage: Stage) -> None:
    alice, bob = stage.program("alice"), stage.program("bob")
    bob.does("ring", on=True)
    bob.told("ring", on=True)
    alice.does("to", name=bob.name)
    bob.told("ringing", name=alice.name)
    alice.does("quit")
    bob.told("tried", name=alice.name)


@case(MAY, "To bob you are busy, always, and you are not told when he calls.")
def block_in_json(stage: Stage) -> None:
    alice, bob = stage.programs()
    alice.does("block", name=bob.name)
    alice.told("free")
    alice.told("blocked", name=bob.name)
    bob.told("left", why="bye")
    bob.does("to", name=alice.name)
    bob.told("error", of="to", code="busy")
    alice.is_idle()
    alice.does("unblock", name=bob.name)
    alice.told("unblocked", name=bob.name)
