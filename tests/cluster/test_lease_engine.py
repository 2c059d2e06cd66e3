"""What nodes make of an engine that loses, refuses or holds what nobody should have written."""

import pytest

from chatpair.cluster.engine_names import BATCH
from chatpair.cluster.lease import INTERVAL, PATIENCE
from chatpair.cluster.validity import SILENCE
from tests.support.cluster_nodes import LEASE, STEP, Node, World

pytestmark = pytest.mark.engine


# The engine itself


@pytest.mark.parametrize("is_connected", [False, True], ids=["restarted", "flushed"])
@pytest.mark.parametrize("what", ["nothing", "old", "all"])
@pytest.mark.parametrize("seconds", [1.0, LEASE * 3])
def test_names_survive_in_the_nodes_what_the_engine_loses(
    world: World, one: Node, other: Node, is_connected: bool, what: str, seconds: float
) -> None:
    one.enter("old")
    data = world.store.data()
    one.leave("old")
    one.enter("bob")
    other.enter("eve")
    data = {"nothing": {}, "old": data, "all": world.store.data()}[what]
    if is_connected:
        world.store.flush()
    else:
        world.store.restart(data)
        world.away(seconds, one, other)
    stranger = world.start("c")  # before the others know
    early = stranger.enter("alice"), stranger.enter("bob"), stranger.enter("old")
    world.wait(LEASE * SILENCE - 1)
    assert early == ([], [], [])
    world.wait(2 * LEASE)
    assert early == (["taken"], ["taken"], ["yours"])
    for node in (one, other):
        assert [told for told in node.told if "ready" not in told] == ["joined"]
        assert node.lease.ready
        assert len(node.members) == 2
    owners = {"alice": one, "bob": one, "eve": other, "old": stranger}
    assert world.store.names() == {key: node.lease.me for key, node in owners.items()}


def test_who_died_in_data_that_were_lost_does_not_rise(
    world: World, one: Node, other: Node
) -> None:
    me = one.lease.me
    data = world.store.data()
    one.wire.cut(one.lease)
    world.wait(2 * LEASE)
    assert other.members == frozenset()
    assert other.enter("alice") == ["yours"]
    other.wire.cut(other.lease)
    world.store.restart(data)
    one.wire.connect(one.lease)  # as what it was, and the first to claim
    assert one.users.keys() == other.users.keys() == {"alice"}
    world.look()
    other.wire.connect(other.lease)
    world.wait(STEP)
    assert other.told[-2:] == ["joined", "expelled alice"]
    assert other.members == frozenset()
    world.wait(LEASE)
    assert "reborn" in one.told
    assert other.members == {one.lease.me} != {me}
    assert [*one.users, *other.users] == ["alice"]
    assert len(world.store.names()) == 1


def test_silence_means_nothing_while_the_engine_refuses(
    world: World, one: Node, other: Node
) -> None:
    me = one.lease.me
    one.lease.heartbeat_soon()  # so that it knows the last that it hears of the other
    world.store.command("CONFIG", "SET", "maxmemory", 1)
    world.wait(PATIENCE * LEASE)
    assert one.lease.check()
    assert not one.lease.ready
    outcome = one.enter("bob")
    world.wait(PATIENCE * LEASE)
    assert outcome == ["later"]
    world.store.command("CONFIG", "SET", "maxmemory", 0)
    world.wait(2 * LEASE)
    assert one.lease.ready
    assert one.users.keys() == {"alice"}
    assert other.members == {one.lease.me} == {me}
    assert {*one.told, *other.told} == {"not ready", "ready"}


def test_it_settles_until_the_slowest_has_claimed_all_again(
    world: World, one: Node, other: Node
) -> None:
    count = 16 * BATCH
    names = [f"user{number}" for number in range(count)]
    for name in names:
        one.enter(name)
    world.store.restart({})
    one.wire.is_slow = True
    world.away(0, one, other)
    late = other.enter(names[-1])
    one.wire.run(1)
    one.wire.answer()  # it has lost its names
    claimed = 0.0
    while not one.lease.entitled:
        one.wire.run(1)
        one.wire.answer()
        world.wait(LEASE / 10)  # which is when the next heartbeat is due
        claimed += LEASE / 10
        assert late in ([], ["later"])
    assert claimed > LEASE * (SILENCE + 0.2)
    one.wire.is_slow_no_more()
    world.wait(LEASE * INTERVAL + STEP)
    assert other.lease.ready
    assert len(world.store.names()) == count + 1
    assert other.enter(names[-1]) == ["taken"]
    assert not any("expelled" in told for told in one.told)


def test_it_settles_anew_when_the_engine_was_away_meanwhile(
    world: World, one: Node, other: Node
) -> None:
    world.store.restart({})
    world.away(0, one, other)
    world.wait(LEASE * SILENCE - 1)
    world.away(STEP, one, other)
    assert world.wait_until(lambda: one.lease.ready) >= LEASE * SILENCE


def test_who_dies_while_it_claims_again_keeps_nobody_waiting(
    world: World, one: Node, other: Node
) -> None:
    for number in range(2 * BATCH):
        one.enter(f"user{number}")
    world.store.restart({})
    one.wire.is_slow = True
    world.away(0, one, other)
    one.wire.run(1)
    one.wire.answer()  # it has joined
    world.kill(one)
    assert world.wait_until(lambda: other.lease.ready) <= LEASE * (SILENCE + 2 * INTERVAL)


# What others write


KEYS = ["epoch", "settling", "lease", "nodes", "dead", "stale", "of:ME"]
KEYS += ["name:bob", "look:a:bob", "look:u:bob"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "kind", [("SET", b"\xff"), ("SADD", b"\xff"), ("HSET", b"\xff\n", b"\xff")]
)
def test_what_others_write_keeps_no_name_from_anybody(
    world: World, one: Node, other: Node, key: str, kind: tuple[str | bytes, ...]
) -> None:
    me = one.lease.me
    command, *values = kind
    full = "{chatpair}:" + key.replace("ME", me)
    if key != "lease" or command != "SET":  # it is read when a node joins
        world.store.command("DEL", full)
    world.store.command(command, full, *values)
    late = one.enter("bob")
    world.wait(2 * LEASE)
    assert late in (["yours"], ["later"], [])
    for node, name in ((one, "bob" if late != ["yours"] else "ben"), (other, "eve")):
        assert node.lease.ready
        assert node.enter(name) == ["yours"]
    third = world.start("c")
    world.wait(LEASE)
    assert third.enter("alice") == third.enter("eve") == ["taken"]
    assert third.members == {one.lease.me, other.lease.me}
    assert "alice" in one.users


@pytest.mark.parametrize(
    "field", [b"\xff", b"\xff.\xff", b"a\nb.c", b"x.00000001", b"a.00000001", b""]
)
@pytest.mark.parametrize("value", [b"\xff", b"1:1:1", b"", b"9" * 400 + b":1:1"])
def test_what_others_write_of_members_is_dead_after_its_time(
    world: World, one: Node, other: Node, field: bytes, value: bytes
) -> None:
    world.store.command("HSET", "{chatpair}:nodes", field, value)
    world.store.command("SET", "{chatpair}:name:bob", field)
    world.wait(LEASE * INTERVAL + STEP)
    assert one.members <= {other.lease.me, "x.00000001", "a.00000001"}
    world.wait(2 * LEASE)
    assert one.members == {other.lease.me}
    assert other.enter("bob") == ["yours"]
    assert world.store.command("HLEN", "{chatpair}:nodes") == 2
    assert world.store.command("SCARD", "{chatpair}:dead") == 0
