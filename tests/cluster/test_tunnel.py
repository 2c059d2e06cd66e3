"""Clients that come back at another node than their user's."""

import json
from ipaddress import ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from chatpair.cluster.far_transport import FarTransport
from chatpair.cluster.questions import ASKING_SECONDS
from chatpair.exchange.keys import WRONG_KEYS
from chatpair.wire.privacy import is_private
from tests.exchange.test_answers import JSON, PLAIN, in_json
from tests.support.cluster import NOT_READY
from tests.support.cluster_scenes import Across, play_across
from tests.support.exchange import PAIRED, Party, said
from tests.support.transcript import scenes

NO_LINE = "No line is held for that key."
TOO_MANY = "There were too many wrong keys. Try later."

SCENES = r"""
The input may end before the key is found.
    alice, bob enter at a
    alice: /key -> Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    b can not tell a
    alice comes back as again at b
    again sends b"To:bob\nhello"
    again ends the input
    all arrives
        alice < Another connection has taken this line over. | (closed)
        bob < You are chatting with alice. | [now] alice: (hello)
        again < OK | You are free. | You are chatting with bob. | Listening.
A connection that is lost before the key is found changes nothing.
    alice enters at a and has a key
    b can not tell a
    alice comes back as again at b
    again is lost
    all arrives
Lines that waited to be read are said when the client is lost.
    bob enters at a
    alice enters at a and comes back at b
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    bob takes no more
    alice: one
    alice: two
    alice is lost ; bob < [now] alice: (one) | [now] alice: (two)
    bob takes all -> alice has lost the connection. What you say is kept for a while.
A full way makes both ends wait.
    bob enters at a
    alice enters at a and comes back at b
    alice: To:bob -> You are chatting with bob. ; bob < You are chatting with alice.
    a can tell b four things
    b can tell a four things
    bob: 1 | 2 | 3 | 4 | 5
    alice: 6 | 7 | 8 | 9 | 10
    bob waits
    alice waits
    all arrives
        bob < [now] alice: (6) | [now] alice: (7) | [now] alice: (8) | [now] alice: (9) |
            [now] alice: (10)
        alice < [now] bob: (1) | [now] bob: (2) | [now] bob: (3) | [now] bob: (4) | [now] bob: (5)
    bob is read
    alice is read
No timer of the node that is connected to ends a client.
    alice enters at a and comes back at b
    carol enters in JSON at a and comes back at b
    80 seconds pass
    carol: ping() -> pong()
    80 seconds pass
    carol: ping() -> pong()
The node of the user ends a silent program.
    carol enters in JSON at a and comes back at b
    91 seconds pass
        carol < error(of=null, code=try-later, text=Nothing came for 90 seconds.) | (closed)
A connection counts at the node that it is to.
    the server has max_per_host=1
    alice enters at a and comes back at b.home
    carol connects at a.home
    dave connects at b.home -> There are too many connections from your address. | (closed)
Who has a line elsewhere comes back through a full node.
    the server has max_users=1
    bob enters at b
    alice enters at a and comes back at b
    carol connects at b
    carol: carol -> The server is full. | (closed)
A node that is cut off knows of no key that it is wrong.
    alice enters at a and has a key
    node b is cut off
    alice comes back as again at b ; again < The switchboard is not ready.
    node b is back
    again: Back:alice's key -> OK | You are free.
        alice < Another connection has taken this line over. | (closed)
A key that nobody can tell of now is not taken for wrong.
    alice enters at a and has a key
    nothing arrives
    alice comes back as again at b
    2 seconds pass ; again < The switchboard is not ready.
    all arrives
    again: Back:alice's key -> OK | You are free.
        alice < Another connection has taken this line over. | (closed)
The node of the user dies.
    alice enters at a and comes back at b
    node a dies ; alice < The server that held your line is gone. | (closed)
The node of the connection dies.
    alice enters at a and comes back at b
    node b dies
    alice comes back as again at a ; again < OK | You are free.
The node dies that has the key while another is asked.
    alice enters at a and has a key
    c can not tell b
    alice comes back as again at b
    node a dies
    all arrives ; again < No line is held for that key.
A node stops.
    alice enters at a and comes back at b
  * node a stops ; alice < The server is stopping. | (closed)
  * node b stops ; alice < The server is stopping. | (closed)
There are no tunnels through tunnels.
    alice enters at a and has a key
    carol enters at c and has a key
    b can not tell a
    a can not tell b
    alice comes back as again at b
    b tells a one thing
    a tells b one thing
    alice: Quit -> Quit | (closed)
    all arrives ; again < No line is held for that key.
    again: Back:carol's key -> No line is held for that key.
    again: dave -> OK
"""


@scenes(SCENES)
def test_who_comes_back_at_another_node(scene: str) -> None:
    play_across(scene)


def with_key(across: Across) -> str:
    """Let alice come to the first node; return her key."""
    alice = across.connect("a")
    alice.says("alice", "/key")
    return alice.heard()[1].split()[3].rstrip(".")


def back(across: Across, where: str, key: str) -> list[str]:
    """Try a key at a node, which is done with it; return the answer."""
    party = across.connect(where)
    party.says(f"Back:{key}")
    heard = party.heard()
    party.drops()
    across.network.settle()
    return heard


# Keys


def test_wrong_keys_are_counted_at_all_nodes() -> None:
    across = Across()
    key = with_key(across)
    for _ in range(WRONG_KEYS):
        assert back(across, "b.host", "no-such-key") == [NO_LINE]
    for node in "abc":
        assert back(across, f"{node}.host", key) == [TOO_MANY]
    assert back(across, "b.other", key)[0] == "OK"


def test_a_node_at_which_a_host_has_guessed_too_often_tells_of_no_key() -> None:
    across = Across()
    key = with_key(across)
    for _ in range(WRONG_KEYS):
        across.network.node("a").factory.held.key_was_wrong("host", counting=False)
    assert back(across, "b.host", key) == [TOO_MANY]
    assert back(across, "b.other", key)[0] == "OK"


def test_a_key_of_a_node_that_does_not_answer_yet_is_no_wrong_one() -> None:
    across = Across()
    key = with_key(across)
    for node in "bc":
        across.network.link(node, "a").held = True
        for _ in range(2 * WRONG_KEYS):
            again = across.connect(f"{node}.host")
            again.says(f"Back:{key}")
            across.clock.advance(ASKING_SECONDS)
            assert again.heard() == [NOT_READY]
    across.network.settle()
    for _ in range(2 * WRONG_KEYS):  # nor is one that is right at one of the others
        for node in "bc":
            assert back(across, f"{node}.host", key)[0] == "OK"


# What is carried


def carried() -> tuple[Across, Party, Party]:
    """Let alice, who is at the first node, be back at the second and talk with bob."""
    across = Across()
    key = with_key(across)
    bob, alice = across.connect("a"), across.connect("b.10.0.0.1")
    bob.says("bob")
    alice.says(f"Back:{key}")
    alice.says("To:bob")
    assert alice.heard()[-1] == PAIRED.format("bob")
    bob.heard()
    return across, alice, bob


def test_a_last_line_that_was_cut_is_not_said() -> None:
    _, alice, bob = carried()
    alice.sends(b"half a li")
    vars(alice.transport)["input_was_cut"] = True
    alice.ends_input()
    assert "That line was not sent: it has no end." in alice.heard()
    assert bob.heard() == []


def test_ctrl_c_in_a_telnet_is_carried_through_a_door_that_knows_the_first_protocol() -> None:
    across = Across()
    key = with_key(across)
    again = across.connect("b")
    received = again.protocol.dataReceived  # haproxy's door keeps it
    received(f"Back:{key}\r\n".encode())
    across.network.settle()
    received(b"/wh\xff\xf4")
    assert again.heard()[-1] == "Quit"
    assert not across.factory.users


def test_a_long_text_is_told_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    across = Across()
    alice, bob = across.enter_json("alice"), across.enter_json("bob")
    bob.does("to", name="alice")
    again = across.connect_json("b")
    again.resumes(alice, 2)
    again.heard()
    written: list[bytes] = []
    monkeypatch.setattr(again.transport, "write", written.append)
    bob.say(1, "x" * 60_000)
    across.network.settle()
    [text] = written
    assert text.endswith(b"}\r\n")


@pytest.mark.parametrize(
    ("host", "tls", "private"),
    [
        ("127.0.0.1", False, True),
        ("10.0.0.1", False, False),
        ("10.0.0.1", True, True),
        ("10.1.0.1", False, False),
        ("10.1.0.1", True, True),
    ],
)
def test_what_is_private_stays_so(host: str, tls: bool, private: bool) -> None:
    across = Across()
    across.network.node("b").factory.settings.exempt = (ip_network("10.1.0.0/16"),)
    key = with_key(across)
    again = across.connect(f"b.{host}")
    if tls:
        alsoProvides(again.transport, ISSLTransport)
    again.says(f"Back:{key}")
    again.heard()
    [far] = across.network.node("a").directory.tunnels._ends.values()
    assert isinstance(far, FarTransport)
    assert is_private(far) == private


def outcome(
    lines: list[str], cuts: list[int], *, ends: bool, speaks_json: bool, far: bool
) -> list[object]:
    """Return what all are told if somebody is back, at another node or not, and sends lines."""
    across = Across()
    network, a = across.network, across.network.node("a")
    others = [a.enter("bob"), a.enter_json("carol")]
    again = across.connect("b.host" if far else "a.host")
    if speaks_json:
        first = json.dumps({"do": "resume", "key": a.enter_json("alice").key, "seen": 1})
        lines = ["Mode:json", first, *lines]
    else:
        lines = [f"Back:{with_key(across)}", *lines]
    data = "\n".join(lines).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        again.sends(data[begin:end])
        if begin % 3:
            network.settle()
    network.settle()
    if ends and not again.closed:
        again.ends_input()
        network.settle()
    return [again.closed, *(party.heard() for party in (again, *others))]


@given(
    st.lists(st.sampled_from(PLAIN), max_size=8)
    | st.lists(st.sampled_from(JSON), min_size=1, max_size=8).map(
        lambda commands: in_json(commands, []).split("\n")[1:]
    ),
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_a_tunnel_changes_nothing_that_is_told(
    lines: list[str], ends: bool, cuts: list[int]
) -> None:
    speaks_json = bool(lines) and lines[0].startswith("{")
    far = outcome(lines, cuts, ends=ends, speaks_json=speaks_json, far=True)
    assert far == outcome(lines, [], ends=ends, speaks_json=speaks_json, far=False)


# Flow


def test_who_speaks_to_a_client_that_does_not_read_waits() -> None:
    across, alice, bob = carried()
    alice.fills()
    for number in range(2_000):
        if not bob.paused:
            bob.says(f"{number} {'x' * 100}")
            across.network.settle()
    told = len(alice.heard())
    assert bob.paused
    assert 0 < told < 2_000
    alice.drains()
    across.network.settle()
    assert not bob.paused
    bob.says("the last")
    assert alice.heard()[-1] == said(across, "the last", "bob")


def test_a_client_whose_line_is_not_read_waits() -> None:
    across, alice, bob = carried()
    bob.fills()
    sent = 0
    while not alice.paused and sent < 2_000:
        alice.says("x" * 99)
        across.network.settle()
        sent += 1
    assert alice.paused
    bob.drains()
    across.network.settle()
    assert not alice.paused
    assert len(bob.heard()) == sent
