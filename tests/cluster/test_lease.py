"""A node is a member, or knows in time that it may not be one: whatever stops or ends."""

import pytest

from chatpair.cluster.lease import INTERVAL
from chatpair.cluster.validity import SILENCE, VALID
from tests.support.cluster_nodes import LEASE, STEP, Node, World

pytestmark = pytest.mark.engine


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


@pytest.mark.parametrize(
    ("unused_for", "most"), [(LEASE, 0), (LEASE / 2, LEASE * (SILENCE - 0.5 + INTERVAL))]
)
def test_an_engine_that_was_unused_for_a_while_settles_for_the_rest(
    world: World, unused_for: float, most: float
) -> None:
    node = Node(world, "a")
    world.nodes.append(node)
    node.wire.unused_for = unused_for
    node.wire.connect(node.lease)
    early = node.enter("alice")
    assert world.wait_until(lambda: early) <= most
    assert early == ["yours"]
    # But for as long as ever once it has lost its data.
    world.store.flush()
    world.wait(LEASE * INTERVAL + STEP)
    assert not node.lease.ready
    assert world.wait_until(lambda: node.lease.ready) >= LEASE * (SILENCE - INTERVAL)


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
    assert one.members == {other.lease.me} == one.lease.members.alive
    third = world.start("c")
    assert third.members == {one.lease.me, other.lease.me}
    one.lease.heartbeat_soon()  # as when a frame came of one unknown
    assert one.members == {other.lease.me, third.lease.me}
    assert other.lease.meet(third.lease.me)  # as the engine names it
    assert other.members == {one.lease.me, third.lease.me} == other.lease.members.alive
    world.wait(LEASE * INTERVAL + STEP)
    assert other.members == {one.lease.me, third.lease.me}
    world.kill(third)
    world.wait(LEASE)
    assert not one.lease.meet(third.lease.me)  # as an answer may that is late
    assert not one.lease.meet("what somebody wrote")
    assert one.members == {other.lease.me} == one.lease.members.alive


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


OTHER_LEASE = f"The other nodes have --lease {LEASE:g}, which must be the same for all."


@pytest.mark.parametrize(
    ("node_id", "seconds", "why"),
    [
        ("c", LEASE / 10, OTHER_LEASE),
        ("c", LEASE * 2, OTHER_LEASE),
        ("a", LEASE, "Another node has the id a."),
    ],
)
def test_a_node_with_another_lease_or_the_id_of_one_is_refused(
    world: World, pair: tuple[Node, Node], node_id: str, seconds: float, why: str
) -> None:
    refused = world.start(node_id, seconds)
    waited = world.wait_until(lambda: why in refused.told)
    assert (waited >= LEASE) == (node_id == "a")  # which may be about to go
    world.wait(2 * LEASE)
    assert refused.told == [why]
    assert [node.lease.ready for node in (*pair, refused)] == [True, True, False]
    assert refused.enter("bob") == ["later"]


def test_another_lease_may_be_begun_when_all_are_dead(
    world: World, pair: tuple[Node, Node]
) -> None:
    for node in pair:
        node.wire.cut(node.lease)
    hasty = world.start("c", LEASE / 10)
    assert world.wait_until(lambda: hasty.lease.ready) >= LEASE * SILENCE
    assert hasty.enter("alice") == ["yours"]


# Away from the engine


@pytest.mark.parametrize(
    ("whoever", "seconds"), [("both", LEASE / 2), ("both", LEASE * 6), ("one", LEASE * VALID - 1)]
)
def test_all_goes_on_when_the_engine_was_away_for_everybody_or_for_short(
    world: World, one: Node, other: Node, whoever: str, seconds: float
) -> None:
    world.away(seconds, *([one, other] if whoever == "both" else [one]))
    world.wait(2 * LEASE)
    assert one.told == ["not ready", "ready"]
    assert other.told == (one.told if whoever == "both" else [])
    assert one.members == {other.lease.me}
    assert other.enter("alice") == ["taken"]


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
