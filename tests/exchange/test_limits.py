"""What strangers may do how often, how long without a name, and how fast a user may speak."""

import itertools
from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock

from chatpair.exchange import limits
from chatpair.exchange.limits import HostLimit, Pace, host_of, is_stranger
from tests.support.exchange import Exchange, Party
from tests.support.transcript import play, scenes

STRANGER = "192.0.2.7"  # of RFC 5737, like the others here
TOO_OFTEN = "You are connecting too often; try again in a minute."
TOO_MANY_NAMES = "You are taking names too often; try again in a minute."


# Who is one host


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3:3:4:5:6", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::1", "::1"),
        ("what:is this", "what:is this"),
    ],
)
def test_what_counts_as_one_host(address: str, host: str) -> None:
    kind = IPv6Address if ":" in address else IPv4Address
    assert host_of(kind("TCP", address, 40_000)) == host


def test_a_unix_socket_has_no_host() -> None:
    assert host_of(UNIXAddress("/run/chatpair.sock")) is None


def test_an_exempt_network_has_no_hosts() -> None:
    exempt = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/48")]
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8:0:2::1"):
        assert host_of(IPv4Address("TCP", address, 40_000), exempt) is None
    for address in ("192.0.3.7", "2001:db8:1:2::/64", "what:is this", "host-7"):
        assert host_of(IPv4Address("TCP", address, 40_000), exempt) == address


def test_this_machine_is_no_stranger_and_others_are() -> None:
    assert not any(map(is_stranger, ("127.0.0.1", "127.9.9.9", "::1", None)))
    assert all(map(is_stranger, ("192.0.2.7", "128.0.0.1", "2001:db8::/64", "::2")))


# So many times a minute


def test_no_limit() -> None:
    limit = HostLimit(Clock(), 0)
    limit.spend("one")
    assert not limit.is_spent("one")
    assert len(limit._times) == 0


def test_only_so_many_hosts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOSTS", 3)
    clock = Clock()
    limit = HostLimit(clock, 1)
    for host in "abcd":
        limit.spend(host)
    assert [limit.is_spent(host) for host in "abcd"] == [False, True, True, True]
    clock.advance(60)
    limit.spend("e")
    assert len(limit._times) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 40)), max_size=60))
@example([("a", 0), ("a", 1), ("a", 1), ("a", 57), ("b", 0), ("a", 1), ("a", 0)])  # to the second
def test_nobody_has_more_than_the_limit_from_the_first_time_on(
    steps: list[tuple[str, float]],
) -> None:
    clock = Clock()
    limit = HostLimit(clock, 3)
    spent: dict[str, list[float]] = {}
    for host, seconds in steps:
        clock.advance(seconds)
        times = spent.setdefault(host, [])
        if times and clock.seconds() - times[0] >= 60:
            times.clear()
        assert limit.is_spent(host) == (len(times) >= 3)
        if len(times) < 3:
            limit.spend(host)
            times.append(clock.seconds())


# What a stranger is told


def test_who_connects_too_often_is_told_so() -> None:
    exchange = Exchange(connects_per_minute=2)
    first, second, third = (exchange.connect(STRANGER) for _ in range(3))
    assert [party.closed for party in (first, second, third)] == [False, False, True]
    assert third.heard() == [TOO_OFTEN]
    assert not exchange.connect("192.0.2.8").closed
    for party in (first, second, third):
        party.drops()
    assert exchange.connect(STRANGER).heard() == [TOO_OFTEN]
    exchange.clock.advance(60)
    assert not exchange.connect(STRANGER).closed


def test_one_network_counts_as_one_host_for_every_limit() -> None:
    exchange = Exchange(connects_per_minute=2)
    parties = [exchange.connect(f"2001:db8::{number}") for number in range(3)]
    assert [party.closed for party in parties] == [False, False, True]
    exchange = Exchange(max_per_host=2)
    parties = [exchange.connect(f"2001:db8::{number}") for number in range(3)]
    assert parties[2].heard() == ["There are too many connections from your address."]


def test_this_machine_may_connect_as_often_as_it_likes() -> None:
    exchange = Exchange(connects_per_minute=1, names_per_minute=1)
    for number in range(5):
        party = exchange.connect("127.0.0.1")
        party.says(f"u{number}")
        assert party.heard() == ["OK"]


def named(exchange: Exchange, name: str) -> Party:
    party = exchange.connect(STRANGER)
    party.says(name)
    return party


def test_who_takes_too_many_names_is_told_so_and_may_try_later() -> None:
    exchange = Exchange(names_per_minute=2)
    for name in ("alice", "bob"):
        assert named(exchange, name).heard() == ["OK"]
    carol = exchange.connect_json(STRANGER)
    for _ in range(2):
        carol.does("name", name="carol")
        error = {"event": "error", "of": "name", "code": "try-later", "text": TOO_MANY_NAMES}
        assert carol.events() == [error]
    assert not carol.closed
    assert named(exchange, "dave").heard() == [TOO_MANY_NAMES]
    exchange.clock.advance(60)
    carol.does("name", name="carol")
    assert carol.events()[0]["event"] == "named"


def test_a_name_that_is_refused_does_not_count() -> None:
    exchange = Exchange(names_per_minute=2)
    party = named(exchange, "alice")
    other = exchange.connect(STRANGER)
    for name in ("alice", "OK", "alice", "x" * 33):
        other.says(name)
    assert len(other.heard()) == 4
    other.says("bob")
    assert (party.heard(), other.heard()) == (["OK"], ["OK"])


def test_the_time_without_a_name() -> None:
    exchange = Exchange(name_time=2.5)
    party = exchange.connect()
    exchange.clock.advance(2.4)
    assert not party.closed
    exchange.clock.advance(0.1)
    assert party.heard() == ["No name came within 2.5 seconds."]
    assert party.closed


def test_each_refusal_is_counted_in_the_log() -> None:
    exchange = Exchange(connects_per_minute=2, names_per_minute=1, max_per_host=2)
    named(exchange, "alice")
    named(exchange, "bob")
    exchange.connect(STRANGER)
    alone = Exchange(connects_per_minute=1)
    alone.connect(STRANGER)
    alone.connect(STRANGER)
    assert exchange.factory.activity._tallies["refused"].reasons == {
        "names too often": 1,
        "too many from one host": 1,
    }
    assert not alone.factory.activity._tallies  # the first is written at once
    alone.connect(STRANGER)
    assert alone.factory.activity._tallies["refused"].reasons == {"connecting too often": 1}


# How fast


class Speaker:
    """Somebody who says a line as soon as it may be said, and when that was."""

    def __init__(self, rate: int) -> None:
        self.clock = Clock()
        self.clock.advance(1_795_393_321)
        self.began = self.clock.seconds()
        self.pace = Pace(self.clock, rate, lambda: None)
        self.said: list[float] = []

    def speaks(self, lines: int) -> None:
        for _ in range(lines):
            while self.pace.exhausted:
                self.clock.advance(self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds())
            self.pace.spend(1)
            self.said.append(self.clock.seconds() - self.began)


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(1, 30), st.floats(0, 3)), max_size=8))
def test_a_seconds_worth_at_once_and_then_the_rate(
    rate: int, bursts: list[tuple[int, float]]
) -> None:
    speaker = Speaker(rate)
    for lines, rest in bursts:
        speaker.speaks(lines)
        speaker.clock.advance(rest)
    for index, start in enumerate(speaker.said):
        for count, end in enumerate(itertools.islice(speaker.said, index, None), 1):
            assert count <= rate * (1 + end - start) + 0.01


def test_a_fast_speaker_is_slowed_no_more_than_that() -> None:
    speaker = Speaker(10)
    speaker.speaks(110)
    assert speaker.said[9] == 0
    assert speaker.said[-1] == pytest.approx(10, abs=0.01)


def test_who_has_stopped_is_called_no_more() -> None:
    clock = Clock()
    called: list[None] = []
    pace = Pace(clock, 1, lambda: called.append(None))
    pace.spend(1)
    assert pace.exhausted
    pace.stop()
    assert not clock.getDelayedCalls()
    pace.spend(1)
    clock.pump([1, 1])
    assert (called, pace.exhausted) == ([None], False)


def texts(party: Party) -> list[str]:
    return [line.partition(": (")[2].removesuffix(")") for line in party.heard()]


@pytest.mark.parametrize("chunk", [True, False])
def test_a_fast_speaker_loses_nothing(chunk: bool) -> None:
    exchange = Exchange(rate=10)
    alice, bob = exchange.pair()
    exchange.clock.advance(60)
    lines = [str(number) for number in range(25)]
    if chunk:
        alice.sends("".join(f"{line}\n" for line in lines).encode())
    else:
        alice.says(*lines)
    assert texts(bob) == lines[:10]
    assert alice.paused
    assert exchange.factory.activity._tallies["slowed"].names == ["alice"]
    exchange.clock.pump([0.1, 0] * 5)
    assert texts(bob) == lines[10:15]
    exchange.clock.pump([0.1, 0] * 11)
    assert texts(bob) == lines[15:]
    assert not alice.paused
    assert not exchange.clock.getDelayedCalls()[1:]  # the log's, and none of the speaker's
    assert exchange.factory.activity._tallies["slowed"].count == 1


SLOWED = r"""
Commands count, and keep their order.
    the server has rate=2
    alice talks with bob
    60 seconds pass
    alice sends b'one\ntwo\n/bye\nfour\nQuit\n' ; bob < [now] alice: (one) | [now] alice: (two)
    0.5 seconds pass ; alice < You are free. ; bob < Quit.
    0.5 seconds pass ; alice < [nobody]
    0.5 seconds pass ; alice < Quit | (closed)
What a slowed speaker sent before it was lost arrives.
    the server has rate=1
    alice talks with bob
    60 seconds pass
    alice sends b'one\ntwo\nthree\n' ; bob < [now] alice: (one)
    alice is lost ; bob < [now] alice: (two) | [now] alice: (three) | Quit.
"""


@scenes(SLOWED)
def test_who_is_slowed(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)
    exchange.clock.pump([60, 60])
    assert not exchange.clock.getDelayedCalls()


def test_programs_are_slowed_too_but_not_their_acknowledgements() -> None:
    exchange = Exchange(rate=2)
    alice, bob = exchange.enter_json("alice"), exchange.enter("bob")
    alice.does("to", name="bob")
    alice.events()
    bob.heard()
    exchange.clock.advance(60)
    for number in range(1, 5):
        alice.say(number, f"{number}a\n{number}b")
    alice.does("ack", seq=2)
    alice.does("ping")
    assert texts(bob) == ["1a", "1b"]
    assert [event["event"] for event in alice.events()] == ["status", "pong"]
    exchange.clock.pump([1, 0])
    assert texts(bob) == ["2a", "2b"]  # each of its two lines counts
    exchange.clock.pump([1, 0] * 2)
    assert texts(bob) == ["3a", "3b", "4a", "4b"]
    assert [event["id"] for event in alice.events()] == [2, 3, 4]


def test_without_a_rate_many_lines_are_one_chunk(exchange: Exchange) -> None:
    alice, _ = exchange.pair()
    assert alice.protocol.takes_chunks
    assert alice.protocol.session.pace is None
