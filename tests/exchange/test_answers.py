"""Connections that wait for an answer of the exchange's: a name or a call that takes a while."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from chatpair.exchange.names import parse
from tests.support.cluster_exchange import Network
from tests.support.exchange import Party
from tests.support.transcript import play, scenes

PLAIN = (
    *("alice", "bob", "x:y", "To:bob", "To:carol", "To:nobody", "to:", "/bye", "/who", "/dnd on"),
    *("/end", "/block bob", "Quit", "", "one", "two", " three"),
)
JSON: tuple[dict[str, Any], ...] = (
    *({"do": "name", "name": name} for name in ("alice", "bob", "x:y")),
    *({"do": "to", "name": name} for name in ("bob", "carol", "nobody")),
    *({"do": word} for word in ("bye", "who", "quit")),
    *({"do": "say", "id": 0, "text": text} for text in ("one", "two")),
    *({"do": "say", "id": 0, "text": "for bob", "to": "bob"},) * 2,
    *({"do": "ack", "seq": seq} for seq in (1, 3)),
    *({"do": "dnd", "on": True}, {"do": "no such"}),
)


def in_json(commands: list[dict[str, Any]], end: list[dict[str, Any]]) -> str:
    """Return the lines of commands, of which what is said is counted."""
    lines = ["Mode:json"]
    for number, command in enumerate(commands + end, 1):
        lines.append(json.dumps(command | {"id": number} if "id" in command else command))
    return "\n".join(lines)


def arrives(network: Network) -> bool:
    """Let the engine answer one question, or else one frame arrive; return whether any did."""
    waits = [link.deliver for link in network.links.values() if link.waiting]
    if network.asked:
        waits.insert(0, network.answer)
    for one in waits[:1]:
        one()
    network.take_turns()
    return bool(waits)


def outcome(pieces: list[bytes], answers: list[int], *, ends: bool) -> list[Any]:
    """Return what all are told if pieces are sent, and after each so much arrives, or all."""
    network = Network("a", "b")
    near, far = network.node("a"), network.node("b")
    others: list[Party] = [far.enter("bob"), near.enter_json("carol")]
    alice = near.connect("host")
    if answers:
        network.hold()
    for number, piece in enumerate(pieces):
        alice.sends(piece)
        network.take_turns()
        for _ in range(answers[number] if answers else 0):
            arrives(network)
    if ends and not alice.closed:
        alice.ends_input()
        network.take_turns()
    while arrives(network):
        pass
    return [alice.closed, *(comparable(party.heard()) for party in (alice, *others))]


def comparable(told: list[str]) -> list[Any]:
    """Return the lines that somebody was told, and what became of each text, whenever that came."""
    lines: list[Any] = []
    became: dict[int, Any] = {}
    for line in told:
        event: dict[str, Any] = json.loads(line) if line.startswith("{") else {"line": line}
        event = {what: value for what, value in event.items() if what not in ("key", "seq")}
        if event.get("event") == "status":
            every = range(max(became, default=0) + 1, event["id"] + 1)
            became |= dict.fromkeys(every, (event["status"], event.get("why")))
        else:
            lines.append(event)
    return [*lines, became]


STATUS_IS_LATE = in_json(
    [
        *({"do": "name", "name": "alice"}, {"do": "to", "name": "bob"}),
        *({"do": "say", "id": 0, "text": "one"}, {"do": "name", "name": "alice"}),
    ],
    [],
)


@example(lines=STATUS_IS_LATE, newline=False, ends=True, cuts=[], answers=[0] * 9)
@given(
    st.lists(st.sampled_from(PLAIN), max_size=8).map("\n".join)
    | st.builds(
        in_json,
        st.lists(st.sampled_from(JSON), max_size=8),
        st.sampled_from(([], [{"do": "end"}])),  # nothing follows it
    ),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=6),
    st.lists(st.integers(0, 3), min_size=9, max_size=9),
)
def test_late_answers_change_nothing_that_is_told(
    lines: str, newline: bool, ends: bool, cuts: list[int], answers: list[int]
) -> None:
    data = ("alice\n" * (not lines.startswith("Mode")) + lines + "\n" * newline).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert outcome(pieces, answers, ends=ends) == outcome([data], [], ends=ends)


SCENES = """
What follows a name waits for it.
    answers are late
    newcomer connects
    newcomer: alice | /who
    newcomer waits
    an answer comes ; newcomer < OK | Here: alice
    newcomer is read
Who waits for the answer to a call still hears the peer.
    alice talks with bob
    answers are late
    alice: To:nobody | hello
    bob: one ; alice < [now] bob: (one)
    an answer comes ; alice < The user nobody does not exist. ; bob < [now] alice: (hello)
Who is left while a call is under way stays though the input has ended.
    alice talks with bob
    answers are late
    alice sends b"To:nobody"
    alice ends the input
    bob: Quit -> Quit | (closed) ; alice < Quit.
    an answer comes ; alice < The user nobody does not exist. | (closed)
What was said after a call reaches nobody if the connection is lost before.
    alice talks with bob
    answers are late
    alice: To:nobody | a secret
    alice is lost ; bob < Quit.
    an answer comes
The server stops while a call is under way.
    alice talks with bob
    answers are late
    alice: To:carol | a secret for carol
    the server stops
        alice < The server is stopping. | (closed)
        bob < The server is stopping. | (closed)
Acknowledgements and pings do not wait.
    alice enters in JSON
    answers are late
    alice: to(name=nobody) | who() | ack(seq=1) | ping() -> pong()
    an answer comes
        alice < error(of=to, code=unknown, text=The user nobody does not exist.)
        alice < who(names=[{"name": "alice", "paired": false}], more=0)
Whoever is lost while its name is claimed never had it.
    answers are late
    newcomer connects
    newcomer: newcomer | newcomer | hello
    newcomer is lost
    an answer comes
The limit of the unnamed counts only while they are asked.
    another node has bob
    answers are late
    newcomer connects
    29 seconds pass
    newcomer: bob
    100 seconds pass
    an answer comes ; newcomer < Reuse
    29 seconds pass
    1 second passes ; newcomer < No name came within 30 seconds. | (closed)
The server stops while a name is claimed.
    answers are late
    newcomer connects
    newcomer: newcomer
    the server stops ; newcomer < The server is stopping. | (closed)
    an answer comes
"""


@scenes(SCENES)
def test_late_answers(scene: str) -> None:
    network = Network("a")
    node = network.node("a")
    play(
        node,
        scene,
        answers_are_late=lambda: setattr(network, "engine_held", True),
        an_answer_comes=network.answer,
        another_node_has_bob=lambda: network.names.add(parse("bob")),
    )
    network.settle()
    assert "newcomer" not in network.owners  # who is gone before that name is theirs
    assert node.waits_for_nothing()
