"""What strangers may do how often, how long without a name, and how fast a user may speak."""

from ipaddress import ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from chatpair.exchange import limits
from chatpair.exchange.directory import Claimed
from chatpair.exchange.limits import HostLimit, host_of, is_stranger
from tests.support.exchange import Exchange, Party
from tests.support.transcript import play, scenes

STRANGER = "192.0.2.7"  # of RFC 5737, like the others here
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


def test_a_unix_socket_and_an_exempt_network_have_no_hosts() -> None:
    assert host_of(UNIXAddress("/run/chatpair.sock")) is None
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


SCENES = """
Who connects too often is told so.
    one, two, three, four connect from 192.0.2.7
    last connects from 192.0.2.7
        last < You are connecting too often; try again in a minute. | (closed)
    other connects from 192.0.2.8
    one is lost
    two is lost
    three is lost
    four is lost
    last connects from 192.0.2.7
        last < You are connecting too often; try again in a minute. | (closed)
    60 seconds pass ; other < No name came within 30 seconds. | (closed)
    last connects from 192.0.2.7
This machine may connect as often as it likes, and take any name.
    alice, bob, carol, dave, erin enter from 127.0.0.1
Who takes too many names is told so and may try later.
    alice, bob enter from 192.0.2.7
    carol connects in JSON from 192.0.2.7
    carol: name(name=carol)
        carol < error(of=name, code=try-later, text=[too many names])
    carol: name(name=carol)
        carol < error(of=name, code=try-later, text=[too many names])
    dave connects from 192.0.2.7
    dave: dave -> You are taking names too often; try again in a minute.
    60 seconds pass ; dave < No name came within 30 seconds. | (closed)
    carol: name(name=carol) -> named(name=carol, key=[key])
A name that is refused does not count.
    alice enters from 192.0.2.7
    bob connects from 192.0.2.7
    bob: alice | OK | alice -> Reuse | Bad name: that word is the server's own | Reuse
    bob: bob -> OK
"""


@scenes(SCENES.replace("[too many names]", TOO_MANY_NAMES))
def test_what_a_stranger_is_told(scene: str) -> None:
    play(Exchange(max_connects_per_minute=4, max_names_per_minute=2), scene)


def named(exchange: Exchange, name: str) -> Party:
    party = exchange.connect(STRANGER)
    party.says(name)
    return party


def test_who_shows_a_key_of_a_line_that_is_gone_has_an_old_name() -> None:
    exchange = Exchange(max_names_per_minute=2)
    named = []
    for number in range(6):
        party = exchange.connect_json(STRANGER)
        party.does("resume", key=f"{number:08}-00", seen=0)
        party.does("name", name=f"u{number}")
        named.append(party.events()[-1]["event"] == "named")
    assert named == [True] * 4 + [False] * 2  # as anybody could say that it is one


def test_names_that_are_under_way_count(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Exchange(max_names_per_minute=2)
    asked: list[Deferred[Claimed]] = []

    def claim(_: object) -> Deferred[Claimed]:
        asked.append(Deferred())
        return asked[-1]

    monkeypatch.setattr(exchange.factory.directory, "claim", claim)
    alice, bob, carol = (named(exchange, name) for name in ("alice", "bob", "carol"))
    assert (alice.heard(), bob.heard(), carol.heard()) == ([], [], [TOO_MANY_NAMES])
    asked[0].callback("taken")
    asked[1].callback("yours")
    carol.says("carol", "dave")
    asked[2].callback("yours")
    assert (alice.heard(), bob.heard(), carol.heard()) == (["Reuse"], ["OK"], ["OK"])
    assert named(exchange, "erin").heard() == [TOO_MANY_NAMES]


def test_a_name_is_free_again_when_it_can_not_be_claimed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(exchange.factory.directory, "claim", lambda _: fail(OSError()))
        alice = named(exchange, "alice")
        assert alice.heard() == ["The switchboard is not ready."]
    alice.says("alice")
    assert alice.heard() == ["OK"]


def test_each_refusal_is_counted_in_the_log() -> None:
    exchange = Exchange(max_connects_per_minute=2, max_names_per_minute=1, max_per_host=2)
    named(exchange, "alice")
    named(exchange, "bob")
    exchange.connect(STRANGER)
    alone = Exchange(max_connects_per_minute=1)
    alone.connect(STRANGER)
    alone.connect(STRANGER)
    assert exchange.factory.activity._tallies["refused"].reasons == {
        "names too often": 1,
        "too many from one host": 1,
    }
    assert not alone.factory.activity._tallies  # the first is written at once
    alone.connect(STRANGER)
    assert alone.factory.activity._tallies["refused"].reasons == {"connecting too often": 1}
