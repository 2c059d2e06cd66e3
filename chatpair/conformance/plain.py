"""What the server says to a person, and to a program of the original article."""

import re

from chatpair.conformance.case import Stage, case
from chatpair.conformance.party import Broken

UNNAMED, NAMED, KEY, MAY = "Before a name", "With a name", "Plain, with a key", "Who may call"
BUSY = "{} is talking with someone else."
FREE_AGAIN = "You are free."
NOBODY = "Nobody is chatting with you\\..*"


@case(UNNAMED, "``OK`` means that it is yours, ``Reuse`` that somebody has it", articles=True)
def a_name(stage: Stage) -> None:
    alice, other = stage.enters("alice"), stage.comes("other")
    other.says(alice.name)
    other.hears("Reuse")


@case(UNNAMED, "that nobody can have it; you may try any number of times")
def names_that_nobody_can_have(stage: Stage) -> None:
    alice = stage.comes("alice")
    for name in ("a b", "x" * 33, "OK", "Quit.", "[x", "a:b", "a/b", "a*", "a,b", "(a)"):
        alice.says(name)
        alice.hears_like("Bad name: .+")
    alice.says(stage.name("alice"))
    alice.hears("OK")


@case(UNNAMED, "Upper and lower case are the same name.")
def case_of_names(stage: Stage) -> None:
    alice, other = stage.enters("alice"), stage.comes("other")
    other.says(alice.name.upper())
    other.hears("Reuse")


@case(
    UNNAMED,
    "A command that needs a name, and an empty line, are answered ``Say your name "
    "first. /help tells the rest.``",
)
def commands_before_a_name(stage: Stage) -> None:
    alice = stage.comes("alice")
    for line in ("", "To:bob", "/bye", "/key"):
        alice.says(line)
        alice.hears("Say your name first. /help tells the rest.")
    alice.says("/who")
    alice.hears_like("Here:.*")
    alice.says("Quit")
    alice.hears("Quit")
    alice.is_closed()


@case(
    NAMED,
    "Both of you are told ``You are chatting with bob.``, each with the other's name.",
    articles=True,
)
def a_call(stage: Stage) -> None:
    stage.pair()


@case(NAMED, "``To:`` matches in any case, and spaces around the name do not count.")
def ways_to_call(stage: Stage) -> None:
    alice, bob = stage.enters("alice"), stage.enters("bob")
    for call in ("to: {} ", "TO:{}", "/to {}", "/TO  {} "):
        alice.says(call.format(bob.name))
        alice.hears(f"You are chatting with {bob.name}.")
        bob.hears(f"You are chatting with {alice.name}.")
        alice.says("/bye")
        alice.hears(FREE_AGAIN)
        bob.hears("Quit.")


@case(
    NAMED, "If nobody has the name, the answer is ``The user bob does not exist.``", articles=True
)
def a_call_to_who_is_not_there(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says(f"To:{stage.name('bob')}")
    alice.hears(f"The user {stage.name('bob')} does not exist.")


@case(
    NAMED,
    "If it is your own, the answer is ``Please don't try to talk with yourself.``",
    articles=True,
)
def a_call_to_yourself(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says(f"To:{alice.name}")
    alice.hears("Please don't try to talk with yourself.")


@case(
    NAMED, "If bob is in a pair, the answer is ``bob is talking with someone else.``", articles=True
)
def a_call_to_who_talks(stage: Stage) -> None:
    carol = stage.enters("carol")
    _, bob = stage.pair()
    carol.says(f"To:{bob.name}")
    carol.hears(BUSY.format(bob.name))


@case(NAMED, "and bob is told ``carol tried to reach you.``")
def who_tried(stage: Stage) -> None:
    carol = stage.enters("carol")
    _, bob = stage.pair()
    carol.says(f"To:{bob.name}")
    bob.hears(f"{carol.name} tried to reach you.")


@case(NAMED, "If it is your own peer, the answer is ``You are already chatting with bob.``")
def a_call_to_the_peer(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says(f"To:{bob.name}")
    alice.hears(f"You are already chatting with {bob.name}.")


@case(NAMED, "If there is no name, the answer is ``Say who: To:bob``")
def a_call_to_nobody(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says("To:", "/to")
    alice.hears("Say who: To:bob", "Say who: To:bob")


@case(NAMED, "In a pair, a call that succeeds ends the old pair, whose other end is told ``Quit.``")
def another_call(stage: Stage) -> None:
    alice, bob = stage.pair()
    carol = stage.enters("carol")
    stage.calls(alice, carol)
    bob.hears("Quit.")
    alice.says("hello")
    carol.hears_text(alice.name, "hello")


@case(NAMED, "a call that fails leaves it as it was.")
def another_call_that_fails(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says(f"To:{stage.name('nobody')}", "still there?")
    alice.hears(f"The user {stage.name('nobody')} does not exist.")
    bob.hears_text(alice.name, "still there?")


@case(NAMED, "Two who call each other at the same moment are one pair.")
def calls_that_cross(stage: Stage) -> None:
    alice, bob = stage.enters("alice"), stage.enters("bob")
    alice.says(f"To:{bob.name}", "/who")
    bob.says(f"To:{alice.name}", "/who")
    for party, other in ((alice, bob), (bob, alice)):
        told = []
        while not (line := party.line() or "Here: ").startswith("Here: "):
            told.append(line)
        if told.count(f"You are chatting with {other.name}.") != 1 or "Quit." in told:
            raise Broken(f"{party.who} was to be told of one pair, and was told {told}")
    alice.says("hello")
    line = bob.line() or ""
    if line == f"You are already chatting with {alice.name}.":
        line = bob.line() or ""
    if not line.endswith(f"] {alice.name}: (hello)"):
        raise Broken(f"bob was to hear alice, and heard {line!r}")


@case(
    NAMED,
    "Other text goes to the peer, who is told ``[Sun Nov 22 20:22:01 2026] alice: (text)``",
    articles=True,
)
def a_text(stage: Stage) -> None:
    alice, bob = stage.pair()
    for text in ("hello", "To", "(x) y: ]", "grüße"):
        alice.says(text)
        bob.hears_text(alice.name, text)
    bob.says("hi")
    alice.hears_text(bob.name, "hi")


@case(
    NAMED,
    "Without a peer, text is answered with a line that begins ``Nobody is chatting with you.``",
    articles=True,
)
def a_text_to_nobody(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says("hello")
    alice.hears_like(NOBODY)


@case(NAMED, "with a space in front any line is text. ``quit`` is text.")
def commands_that_are_text(stage: Stage) -> None:
    alice, bob = stage.pair()
    for text in (" To:x", " /bye", " Quit", "quit", "Quit ", "Quit.", ""):
        alice.says(text)
        bob.hears_text(alice.name, text)


@case(
    "Plain",
    "A line that starts with ``[`` is what the peer said; every line of the server's "
    "own starts otherwise.",
)
def brackets(stage: Stage) -> None:
    alice = stage.enters("alice")
    for line in ("[x] y: (z)", "To:[x", "/[x", "[", "/to [x] y: (z)", "/help"):
        alice.says(line)
    alice.says("Quit")
    while (line := alice.line() or "Quit") != "Quit":
        if line.startswith("["):
            raise Broken(f"{line!r} looks like a peer's line")


@case(NAMED, "``/bye`` ends the pair: you are told ``You are free.``, and the peer ``Quit.``")
def bye(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("/bye", "anybody?")
    alice.hears(FREE_AGAIN)
    alice.hears_like(NOBODY)
    bob.hears("Quit.")
    stage.calls(bob, alice)


@case(NAMED, "``Here: alice, bob*, carol*``, sorted, where ``*`` is in a pair; at most 200 names")
def who(stage: Stage) -> None:
    alice, bob = stage.pair()
    carol = stage.enters("carol")
    carol.says("/who")
    names = carol.hears_like("Here: (.+)")[1].split(", ")
    ours = [f"{alice.name}*", f"{bob.name}*", carol.name]
    if len(names) > 201 or (
        not names[-1].startswith("and ") and [name for name in names if name in ours] != ours
    ):
        raise Broken(f"{ours} were to be among {names}, in this order")


@case(NAMED, "``/help`` is answered with the commands, a line each.")
def help_(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says("/help", "/foo")
    told = []
    while not (line := alice.line() or "No such").startswith("No such"):
        told.append(line)
    for command in ("To:", "/bye", "/who", "/key", "/end", "/quit"):
        if not any(command in line for line in told):
            raise Broken(f"{command} was to be in the help: {told}")


@case(NAMED, "``No such command: /foo. Type /help, or put a space first to say it.``")
def unknown_commands(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("/foo bar", "/", "hello")
    for word in ("/foo", "/"):
        alice.hears(f"No such command: {word}. Type /help, or put a space first to say it.")
    bob.hears_text(alice.name, "hello")


@case(
    NAMED,
    "is answered ``Quit``, and the connection closes; the peer is told ``Quit.``",
    articles=True,
)
def quit_(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("Quit")
    alice.hears("Quit")
    alice.is_closed()
    bob.hears("Quit.")


@case(NAMED, "the peer is told ``Quit.``, and the name is free again")
def a_name_that_is_free_again(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.says("/quit")
    alice.hears("Quit")
    alice.is_closed()
    stage.takes_name("alice")


@case(MAY, "Calls are refused with ``dnd``, and you are not told of them.")
def do_not_disturb(stage: Stage) -> None:
    alice, bob = stage.enters("alice"), stage.enters("bob")
    bob.says("/dnd on")
    bob.hears_like(".+")
    alice.says(f"To:{bob.name}")
    alice.hears_like(f"{bob.name} .+")
    bob.says("/dnd off")
    bob.hears_like("(?!.*reach).+")
    stage.calls(alice, bob)


@case(
    MAY,
    "A call while you are free does not make a pair but rings for 30 seconds: you "
    "are told ``ringing``",
)
def ring(stage: Stage) -> None:
    alice, bob = stage.enters("alice"), stage.enters("bob")
    bob.says("/ring on")
    bob.hears("Your line rings when somebody calls.")
    alice.says(f"To:{bob.name}")
    alice.hears(f"{bob.name}'s line is ringing.")
    bob.hears(f"{alice.name} is calling. To:{alice.name} to answer.")
    stage.calls(bob, alice)


@case(
    MAY,
    "To bob you are busy, always, and you are not told when he calls. A pair with "
    "him ends as with ``bye``.",
)
def block(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says(f"/block {bob.name}")
    alice.hears(FREE_AGAIN, f"You have blocked {bob.name}.")
    bob.hears("Quit.")
    bob.says(f"To:{alice.name}")
    bob.hears(BUSY.format(alice.name))
    alice.says(f"/unblock {bob.name}")
    alice.hears(f"You have unblocked {bob.name}.")
    stage.calls(bob, alice)


@case(
    KEY,
    "from then on the line is held too, and ``Back:`` with the words, in place of a "
    "name, takes it over",
)
def a_key(stage: Stage) -> None:
    alice, bob = stage.pair()
    bob.says("/key")
    pattern = r"Your key is (\S+)\. After a drop, say Back:\1 instead of a name\."
    key = bob.hears_like(pattern)[1]
    alice.says("one")
    bob.hears_text(alice.name, "one")
    bob.resets()
    alice.hears(f"{bob.name} has lost the connection. What you say is kept for a while.")
    alice.says("two")
    again = stage.comes("bob, back")
    again.says(f"Back:{key}")
    again.hears("OK")
    again.hears_like(r"\[.{24}\] " + re.escape(alice.name) + r" \(again\): \(one\)")
    again.hears(f"You are chatting with {alice.name}.")
    again.hears_text(alice.name, "two")
    alice.hears(f"{bob.name} is back.")
    again.says("here I am")
    alice.hears_text(bob.name, "here I am")
