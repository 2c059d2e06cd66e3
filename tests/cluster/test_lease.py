"""A node is a member, or knows in time that it may not be one: whatever stops, ends or is lost."""

import pytest

from chatpair.cluster.engine_names import BATCH
from chatpair.cluster.lease import INTERVAL, PATIENCE
from chatpair.cluster.validity import SILENCE, VALID
from tests.support.cluster_nodes import LEASE, STEP, Node, World

pytestmark = pytest.mark.engine


@pytest.fixture
def pair(world: World) -> tuple[Node, Node]:
    """Two nodes that are ready, of which the first has alice."""
    one, other = world.ready("a", "b")
    assert one.enter("alice") == ["yours"]
    one.told.clear()
    other.told.clear()
    return one, other


@pytest.fixture
def one(pair: tuple[Node, Node]) -> Node:
    """The first of them, who has alice."""
    return pair[0]


@pytest.fixture
def other(pair: tuple[Node, Node]) -> Node:
    """The second."""
    return pair[1]


# Coming and going


def test_an_empty_engine_settles_before_any_name_is_given(world: World) -> None:
    node = world.start("a")
    early = node.enter("alice")
    node.wire.cut(node.lease)
    assert early == ["later"]  # as the engine went away
    node.wire.connect(node.lease)
    early = node.enter("alice")
    world.wait(LEASE * SILENCE - 1)
    assert early == []  # it waits
    assert world.wait_until(lambda: node.lease.ready) < LEASE
    assert early == ["yours"]
    second = world.start("b")
    assert second.lease.ready  # at once
    assert second.enter("bob") == ["yours"]


def test_an_engine_that_was_unused_for_long_gives_names_at_once(world: World) -> None:
    node = Node(world, "a")
    world.nodes.append(node)
    node.wire.unused_for = LEASE
    node.wire.connect(node.lease)
    assert node.enter("alice") == ["yours"]
    # But not once it has lost its data.
    world.store.flush()
    world.wait(LEASE * INTERVAL + STEP)
    assert not node.lease.ready
    assert world.wait_until(lambda: node.lease.ready) >= LEASE * (SILENCE - INTERVAL)


def test_an_engine_that_was_unused_for_a_while_settles_for_the_rest(world: World) -> None:
    node = Node(world, "a")
    world.nodes.append(node)
    node.wire.unused_for = LEASE / 2
    node.wire.connect(node.lease)
    early = node.enter("alice")
    assert world.wait_until(lambda: early) <= LEASE * (SILENCE - 0.5 + INTERVAL)
    assert early == ["yours"]


def test_a_claim_waits_for_an_engine_that_was_never_tried(world: World) -> None:
    (first,) = world.ready("a")
    node = Node(world, "b")
    world.nodes.append(node)
    outcome = node.enter("alice")
    node.wire.connect(node.lease)
    assert outcome == ["yours"]
    node.wire.cut(node.lease)
    assert node.enter("bob") == ["later"]
    assert first.enter("alice") == ["taken"]


def test_members_know_each_other(world: World, one: Node, other: Node) -> None:
    assert one.members == {other.lease.me} == one.lease.members
    third = world.start("c")
    assert third.members == {one.lease.me, other.lease.me}
    one.lease.heartbeat_soon()  # as when a frame came of one unknown
    assert one.members == {other.lease.me, third.lease.me}
    world.wait(LEASE * INTERVAL + STEP)
    assert other.members == {one.lease.me, third.lease.me}


def test_who_leaves_is_gone_at_once(world: World, one: Node, other: Node) -> None:
    one.lease.leave()
    assert other.enter("alice") == ["yours"]
    world.wait(LEASE * INTERVAL + STEP)
    assert other.members == frozenset()
    assert world.store.names() == {"alice": other.lease.me}


def test_who_is_killed_is_gone_within_a_lease(world: World, one: Node, other: Node) -> None:
    third = world.start("c")
    world.wait(LEASE * INTERVAL / 2)
    world.kill(one)
    gone = world.wait_until(lambda: other.members == {third.lease.me})
    gone += world.wait_until(lambda: third.members == {other.lease.me})
    assert LEASE * VALID < gone <= LEASE
    assert other.enter("alice") == ["yours"]
    assert world.store.names() == {"alice": other.lease.me}


def test_only_what_was_seen_is_declared_dead(world: World, one: Node, other: Node) -> None:
    one.is_frozen = True
    world.wait(LEASE * SILENCE - STEP)
    other.wire.is_slow = True
    world.wait(LEASE * INTERVAL * 3)
    assert other.wire.sent  # with its sentence
    one.lease.heartbeat_soon()
    other.wire.is_slow_no_more()
    assert one.lease.me in other.members


# An id is one node's


@pytest.mark.parametrize("seconds", [LEASE / 10, LEASE * 2])
def test_a_node_with_another_lease_is_refused(
    world: World, pair: tuple[Node, Node], seconds: float
) -> None:
    hasty = world.start("c", seconds)
    why = f"The other nodes have --lease {LEASE:g}, which must be the same for all."
    world.wait_until(lambda: why in hasty.told)
    world.wait(2 * LEASE)
    assert hasty.told == [why]
    assert [node.lease.ready for node in pair] == [True, True]
    assert hasty.enter("bob") == ["later"]


def test_another_lease_may_be_begun_when_all_are_dead(
    world: World, pair: tuple[Node, Node]
) -> None:
    for node in pair:
        node.wire.cut(node.lease)
    hasty = world.start("c", LEASE / 10)
    assert world.wait_until(lambda: hasty.lease.ready) >= LEASE * SILENCE
    assert hasty.enter("alice") == ["yours"]


def test_a_second_node_with_an_id_is_refused(world: World, one: Node) -> None:
    twin = world.start("a")
    world.wait_until(lambda: "Another node has the id a." in twin.told)
    assert not twin.lease.ready
    assert one.lease.ready
    assert twin.enter("bob") == ["later"]
    world.wait(LEASE)
    assert twin.told == ["Another node has the id a."]


def test_a_node_that_was_killed_can_start_again_within_a_lease(world: World, one: Node) -> None:
    world.kill(one)
    again = world.start("a")
    assert world.wait_until(lambda: again.lease.ready) <= LEASE
    assert again.enter("alice") == ["yours"]


# Away from the engine


@pytest.mark.parametrize("seconds", [LEASE / 2, LEASE * 6])
def test_all_goes_on_when_the_engine_was_away_for_everybody(
    world: World, one: Node, other: Node, seconds: float
) -> None:
    world.away(seconds, one, other)
    world.wait(2 * LEASE)
    assert {*one.told, *other.told} == {"ready", "not ready"}
    assert one.members == {other.lease.me}
    assert other.enter("alice") == ["taken"]


def test_who_is_cut_off_for_short_stays(world: World, one: Node, other: Node) -> None:
    world.away(LEASE * VALID - 1, one)
    assert one.told == ["not ready", "ready"]
    assert one.lease.me in other.members


def test_who_is_cut_off_for_long_is_dead_and_comes_back_as_another(
    world: World, one: Node, other: Node
) -> None:
    one.enter("bob")
    me = one.lease.me
    one.wire.cut(one.lease)
    world.wait(LEASE * VALID - 2)
    assert one.lease.holds_names
    world.wait(2 + STEP)
    assert not one.lease.holds_names
    assert one.lease.check()  # it knew in time
    assert not one.lease.entitled
    world.wait(LEASE)
    assert other.members == frozenset()
    assert other.enter("alice") == ["yours"]
    one.wire.connect(one.lease)
    world.wait(STEP)
    assert one.lease.holds_names
    assert one.told == ["not ready", "reborn", "joined", "expelled alice", "ready"]
    assert one.users.keys() == {"bob"}
    assert one.lease.me != me
    world.wait(LEASE)
    assert other.members == {one.lease.me}
    assert world.store.names() == {"alice": other.lease.me, "bob": one.lease.me}


def test_what_was_released_while_the_engine_was_away_is_free_at_the_return(
    world: World, one: Node, other: Node
) -> None:
    one.wire.cut(one.lease)
    one.leave("alice")
    assert other.enter("alice") == ["taken"]
    one.wire.connect(one.lease)
    assert other.enter("alice") == ["yours"]


def test_a_join_that_is_done_late_brings_nobody_back(world: World, one: Node) -> None:
    node = Node(world, "c")
    world.nodes.append(node)
    node.wire.is_slow = True
    node.wire.connect(node.lease)
    node.wire.cut(node.lease, left=True)
    node.wire.is_slow = False
    node.wire.connect(node.lease)
    assert node.enter("bob") == ["yours"]
    node.wire.cut(node.lease)
    world.wait(2 * LEASE)
    assert one.enter("bob") == ["yours"]
    ((_, script, rest),) = world.store.limbo
    assert world.store.do(script, rest)[0] == b"MEMBER"
    node.wire.is_slow = True
    node.wire.connect(node.lease)
    node.wire.catches_up()
    assert not node.lease.entitled
    assert "reborn" in node.told
    node.clock.advance(0)
    node.wire.catches_up()  # it has joined, and claims bob again
    assert not node.lease.entitled
    node.wire.catches_up()
    assert (node.lease.entitled, node.users) == (True, {})


def test_an_answer_that_is_too_late_proves_nothing(world: World, one: Node, other: Node) -> None:
    one.wire.is_slow = True
    one.lease.heartbeat_soon()
    one.wire.run()
    world.wait(LEASE)
    assert other.enter("alice") == ["yours"]
    one.wire.answer()
    assert not one.lease.entitled
    one.wire.is_slow = False
    world.wait(LEASE * INTERVAL)
    assert one.lease.entitled
    assert one.users == {}


def test_who_is_cut_off_beside_an_engine_that_answers_asks_at_once(
    world: World, one: Node, other: Node
) -> None:
    one.wire.is_slow = True
    world.wait_until(lambda: one.wire.sent)
    world.wait(LEASE * (VALID - INTERVAL) - 4 * STEP)
    one.wire.lose()
    one.wire.answer()  # an error: the next heartbeat is due in a while
    assert one.lease.ready
    assert not one.wire.sent
    world.wait_until(lambda: not one.lease.ready)
    one.wire.is_slow_no_more()
    assert one.lease.ready
    # An answer that is too old has the engine asked again at once, too.
    one.wire.is_slow = True
    world.wait_until(lambda: one.wire.sent)
    world.wait(LEASE * VALID)
    one.wire.is_slow_no_more()
    world.wait(STEP)
    assert one.lease.ready
    assert "reborn" not in one.told


def test_a_claim_that_is_answered_when_the_node_is_cut_off_gives_no_name(
    world: World, one: Node, other: Node
) -> None:
    one.wire.is_slow = True
    outcome = one.enter("bob")
    world.wait(LEASE * VALID + STEP)
    one.wire.run()
    one.wire.answer(1)
    assert not one.lease.entitled
    assert outcome == ["later"]
    one.wire.is_slow_no_more()
    assert other.enter("bob") == ["yours"]


# Frozen


@pytest.mark.parametrize("first", ["input", "timers"])
def test_who_was_frozen_past_its_lease_ends_its_users_first(
    world: World, one: Node, other: Node, first: str
) -> None:
    one.is_frozen = True
    world.wait(2 * LEASE)
    assert other.enter("alice") == ["yours"]
    if first == "input":
        assert not one.lease.check()
    world.wake(one)
    assert one.lease.check()
    assert one.told == ["not ready", "frozen", "reborn", "joined", "ready"]
    assert one.users == {}
    world.wait(LEASE)
    assert other.members == {one.lease.me}


def test_who_was_frozen_for_less_goes_on(world: World, one: Node, other: Node) -> None:
    one.is_frozen = True
    world.wait(LEASE * VALID - 1.5)
    assert one.lease.check()
    world.wake(one)
    world.wait(LEASE)
    assert (one.told, other.told) == ([], [])


def test_a_late_timer_is_no_frozen_process(world: World, one: Node) -> None:
    one.lease.heartbeat_soon()
    one.wire.cut(one.lease)
    world.wait(LEASE * VALID - 1)
    one.is_frozen = True
    world.wait(1 + LEASE * (SILENCE - VALID) - STEP)
    assert one.lease.check()
    world.wake(one)
    assert not one.lease.entitled
    assert one.users.keys() == {"alice"}


@pytest.mark.parametrize("is_done", [False, True])
def test_a_claim_answered_after_the_freeze_gives_no_name(
    world: World, one: Node, other: Node, is_done: bool
) -> None:
    one.wire.is_slow = True
    outcome = one.enter("bob")
    if is_done:
        one.wire.run()
    one.is_frozen = True
    world.wait(2 * LEASE)
    assert other.enter("bob") == ["yours"]
    one.wire.is_slow_no_more()  # before any timer
    assert outcome == ["later"]
    world.wake(one)
    one.wire.catches_up()
    world.wait(LEASE)
    assert one.lease.ready
    assert world.store.names() == {"bob": other.lease.me}


# The engine itself


def test_a_frozen_engine_kills_nobody(world: World, pair: tuple[Node, Node]) -> None:
    for node in pair:
        node.wire.is_slow = True
    world.wait(LEASE * 0.85)
    for node in pair:
        node.wire.is_slow_no_more()
    world.wait(2 * LEASE)
    for node in pair:
        assert "reborn" not in node.told
        assert node.lease.ready
        assert node.members


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
    world.wait(LEASE)
    assert "reborn" in one.told
    assert other.members == {one.lease.me} != {me}
    assert [*one.users, *other.users] == ["alice"]
    assert len(world.store.names()) == 1


def test_silence_means_nothing_while_the_engine_refuses(
    world: World, one: Node, other: Node
) -> None:
    me = one.lease.me
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
