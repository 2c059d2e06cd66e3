"""The engine says of names what a table of names says."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatpair.cluster import scripts
from chatpair.cluster.engine_names import BATCH
from chatpair.cluster.mesh import NotReady
from chatpair.exchange.directory import Claimed
from chatpair.exchange.names import NameIndex, parse
from tests.support.cluster_nodes import LEASE, STEP, Node, Store, World

pytestmark = pytest.mark.engine

# Two that are one in many ways: by case, by look, by width; and two that only seem so.
TEXTS = ["bam", "barn", "bаm", "bаrn", "Bam", "ｂａｍ", "bam1", "alice", "аlice", "al1ce"]
NODES = ["a", "b", "c"]


def asks(engine: Store, script: scripts.Script, *arguments: str | int) -> Any:
    """Return the reply to a script."""
    return engine.do(script, (1, scripts.KEY, *arguments))


def join(engine: Store, inc: str) -> str:
    """Let a node join; return the epoch, or nothing if it was refused."""
    kind, *rest = asks(engine, scripts.JOIN, inc, 1, "run", "word", "10", "")
    return rest[0].decode() if kind == b"MEMBER" else ""


any_step = st.one_of(
    st.tuples(st.just("claim"), st.sampled_from(NODES), st.sampled_from(TEXTS)),
    st.tuples(st.just("release"), st.sampled_from(NODES), st.integers(0, 9)),
    st.tuples(st.sampled_from(["die", "sweep"]), st.sampled_from(NODES), st.none()),
)


@settings(max_examples=150)
@given(st.lists(any_step, max_size=60))
def test_names_are_taken_as_in_a_table(
    kept_store: Store, steps: list[tuple[str, str, Any]]
) -> None:
    kept_store.flush()
    incs = {node: f"{node}.0" for node in NODES}
    table = NameIndex()
    owned: dict[str, dict[str, str]] = {inc: {} for inc in incs.values()}
    turn = 0

    def names(inc: str, *arguments: str | int) -> list[str]:
        nonlocal turn
        turn += 1
        reply = asks(kept_store, scripts.NAMES, inc, 1, epoch, turn, *arguments)
        assert reply[0] == b"MEMBER"
        return [each.decode() for each in reply[1:]]

    (epoch,) = {join(kept_store, inc) for inc in incs.values()}
    kept_store.command("DEL", scripts.PREFIX + "settling")
    for what, node, detail in steps:
        inc = incs[node]
        mine = owned[inc]
        if what == "claim":
            name = parse(detail)
            if name.key in mine:
                continue  # a node keeps its own users apart
            kind = "a" if name.is_plain else "u"
            (outcome,) = names(inc, 0, "new", kind, name.key, len(name.skeletons), *name.skeletons)
            assert outcome == ("taken" if table.has(name) else "yours")
            if outcome == "yours":
                table.add(name)
                mine[name.key] = detail
        elif what == "release" and mine:
            key = sorted(mine)[detail % len(mine)]
            assert names(inc, 1, key) == []
            table.remove(parse(mine.pop(key)))
        elif what == "die":
            assert asks(kept_store, scripts.LEAVE, inc, 1, epoch) == 0
            for text in owned.pop(inc).values():
                table.remove(parse(text))
            incs[node] = f"{node}.{int(inc[2:]) + 1}"
            assert join(kept_store, incs[node]) == epoch
            owned[incs[node]] = {}
        else:
            asks(kept_store, scripts.SWEEP, inc, 1, epoch)
    while asks(kept_store, scripts.SWEEP, incs["a"], 1, epoch):
        pass
    assert kept_store.names() == {key: inc for inc, mine in owned.items() for key in mine}


def test_many_names_are_swept_some_at_a_time(world: World) -> None:
    one, other = world.ready("a", "b")
    count = scripts.SWEPT * 2 + 50
    for number in range(count):
        one.enter(f"user{number}")
    assert len(world.store.names()) == count
    other.wire.is_slow = True
    one.lease.leave()
    assert other.enter("user7") == []
    other.wire.run(1)
    other.wire.answer()
    assert "user7" in other.users  # free at once
    world.wait_until(lambda: other.wire.sent)
    other.wire.catches_up()  # of the heartbeat
    for left in (count - scripts.SWEPT, count - 2 * scripts.SWEPT, 0):
        other.wire.run()
        assert world.store.command("HLEN", f"{scripts.PREFIX}of:{one.lease.me}") == left
        other.wire.answer()
    assert world.store.names() == {"user7": other.lease.me}


def test_the_last_to_leave_leaves_no_names_behind(world: World) -> None:
    one, other = world.ready("a", "b")
    for number in range(scripts.SWEPT * 2):
        one.enter(f"user{number}")
        other.enter(f"other{number}")
    other.wire.cut(other.lease)  # so that nobody sweeps
    for node in (one, other):
        node.wire.connect(node.lease)
        node.lease.leave()
    assert world.store.names() == {}
    kinds = {key.split(b":")[1] for key in world.store.command("KEYS", "*")}
    assert kinds <= {b"epoch", b"lease"}, kinds


def test_who_asks_for_more_when_all_is_claimed_again_has_no_batch_beside_another(
    world: World,
) -> None:
    one, other = world.ready("a", "b")
    other.enter("eve")
    other.enter("ann")
    one.wire.is_slow = True

    def ask_for_more(outcomes: list[Claimed]) -> None:
        assert outcomes == ["taken", "taken"]
        for name in names:
            one.directory.release(name)

    names = [parse("eve"), parse("ann")]
    one.directory.claim_again(names).addCallback(ask_for_more)
    outcome = one.enter("bob")
    one.wire.catches_up()
    assert len([script for script, *_ in one.wire.sent if script is scripts.NAMES]) == 1
    one.wire.is_slow_no_more()
    assert outcome == ["yours"]


def test_what_is_claimed_again_goes_on_after_a_batch_is_lost(world: World) -> None:
    (one,) = world.ready("a")
    for number in range(BATCH + 2):
        one.enter(f"user{number}")
    world.store.flush()
    one.wire.is_slow = True

    def asks_for_names() -> bool:
        return any(script is scripts.NAMES for script, *_ in one.wire.sent)

    while not asks_for_names():
        one.wire.catches_up()
        world.wait(STEP)
    one.leave(f"user{BATCH + 1}")  # which is to be in the second batch
    one.wire.lose()
    one.wire.answer()
    assert not asks_for_names()
    one.wire.is_slow_no_more()
    world.wait(LEASE)
    assert one.lease.ready
    assert world.store.names() == {f"user{n}": one.lease.me for n in range(BATCH + 1)}


def test_who_joins_late_or_is_to_be_swept_is_no_member_again(kept_store: Store) -> None:
    kept_store.flush()
    epoch = join(kept_store, "a.0")
    assert join(kept_store, "a.0") == ""  # as one that was sent before
    asks(kept_store, scripts.LEAVE, "a.0", 1, epoch)
    assert join(kept_store, "a.0") == ""


def test_only_names_that_somebody_had_are_given_while_it_settles(kept_store: Store) -> None:
    kept_store.flush()
    epoch = join(kept_store, "a.0")
    claims: list[str | int] = ["new", "a", "bob", 1, "bob", "again", "a", "eve", 1, "eve"]
    reply = asks(kept_store, scripts.NAMES, "a.0", 1, epoch, 1, 0, *claims)
    assert reply == [b"MEMBER", b"later", b"yours"]


def test_many_claims_are_few_commands_of_bounded_size(world: World) -> None:
    (node,) = world.ready("a")
    node.wire.is_slow = True
    outcomes = [node.enter(f"user{number}") for number in range(2 * BATCH)]  # in one turn
    sizes = []
    while any(not outcome for outcome in outcomes):
        before = len(node.users)
        assert len(node.wire.sent) == 1
        node.wire.catches_up()
        sizes.append(len(node.users) - before)
    assert sizes == [1, BATCH, BATCH - 1]


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_claim_that_was_lost_leaves_no_name(world: World, is_done: bool, is_late: bool) -> None:
    (node,) = world.ready("a")
    node.wire.is_slow = True
    sent, waits = node.enter("bob"), node.enter("ben")
    if is_done:
        node.wire.run()
    node.wire.cut(node.lease, left=is_late)
    assert sent == waits == ["later"]
    node.wire.is_slow = False
    node.wire.connect(node.lease)
    for _, script, rest in world.store.limbo:
        world.store.do(script, rest)
    assert world.store.names() == {}
    assert node.enter("bob") == node.enter("ben") == ["yours"]


@pytest.mark.parametrize("is_sent", [False, True])
def test_what_was_released_as_the_engine_went_is_free_at_the_return(
    one: Node, other: Node, is_sent: bool
) -> None:
    one.wire.is_slow = True
    if is_sent:
        one.leave("alice")
    one.wire.cut(one.lease)
    if not is_sent:
        one.leave("alice")
    assert other.enter("alice") == ["taken"]
    one.wire.is_slow = False
    one.wire.connect(one.lease)
    assert other.enter("alice") == ["yours"]


def test_a_name_that_is_claimed_while_its_release_is_under_way_is_kept(
    one: Node, other: Node
) -> None:
    one.wire.is_slow = True
    one.leave("alice")
    outcome = one.enter("alice")
    one.wire.is_slow_no_more()
    assert outcome == ["yours"]
    assert other.enter("alice") == ["taken"]


def test_a_claim_that_is_cancelled_leaves_no_name(world: World) -> None:
    (node,) = world.ready("a")
    node.wire.is_slow = True
    claim = node.lease.claim(parse("bob"))
    claim.addErrback(lambda why: None)
    claim.cancel()
    node.wire.is_slow_no_more()
    assert world.store.names() == {}
    assert node.enter("bob") == ["yours"]


def test_a_fault_in_what_is_tried_again_is_logged(world: World, logged: list[str]) -> None:
    (node,) = world.ready("a")
    node.enter("bob")
    world.store.flush()  # so that it is looked for names of nobody here
    node.here = type("Faulty", (dict,), {"__contains__": None})(node.users)
    world.wait(2 * LEASE)
    assert node.lease.ready
    assert "What a member has to do failed" in logged


def test_nobody_can_tell_where_a_name_is_while_the_engine_is_away(world: World) -> None:
    (node,) = world.ready("a")
    failed: list[Failure] = []
    node.wire.is_slow = True
    Deferred.fromCoroutine(node.directory.locate("bob")).addErrback(failed.append)
    node.wire.cut(node.lease)
    Deferred.fromCoroutine(node.directory.locate("bob")).addErrback(failed.append)
    assert [why.type for why in failed] == [NotReady, NotReady]
