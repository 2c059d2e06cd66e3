"""What became of each say, told once and never too early."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from chatpair.exchange.messages import Failing, Outcome, Status
from chatpair.exchange.says import RUNS, Says

OUTCOMES: list[tuple[Outcome, Failing | None]] = [
    ("handed", None),
    ("confirmed", None),
    ("failed", "lost"),
    ("failed", "quit"),
]


def test_what_is_long_past_is_forgotten() -> None:
    says = Says()
    for number in range(1, RUNS + 11):
        says.take(number)
        says.settle([number], "handed" if number % 2 else "confirmed")
        says.to_tell()
    assert says.status_of(10) is None
    assert says.status_of(11) == Status(11, "handed")


# To take one and skip some before it, or to settle one of those that are open.
Settling = tuple[int, tuple[Outcome, Failing | None]]
STEPS: st.SearchStrategy[list[int | Settling]] = st.lists(
    st.integers(1, 3) | st.tuples(st.integers(0, 30), st.sampled_from(OUTCOMES))
)


@given(STEPS)
def test_each_is_told_what_became_of_it_once_and_in_order(steps: list[int | Settling]) -> None:
    says = Says()
    expected: dict[int, tuple[Outcome, Failing | None]] = {}
    told: dict[int, tuple[Outcome, Failing | None]] = {}
    open_says: list[int] = []
    last = 0
    for step in steps:
        if isinstance(step, int):
            for missing in range(last + 1, last + step):
                expected[missing] = ("failed", "missing")
            last += step
            assert says.take(last)
            open_says.append(last)
        elif step[0] < len(open_says):
            number = open_says.pop(step[0])
            says.settle([number], *step[1])
            expected[number] = step[1]
        for status in says.to_tell():
            for number in range(max(told, default=0) + 1, status.id + 1):
                told[number] = (status.status, status.why or None)
    due = {n: what for n, what in expected.items() if n < min(open_says, default=last + 1)}
    assert told == due
    assert says.got == last
    for number in range(1, last + 1):
        assert not says.take(number)  # which the server has, or which was skipped
        outcome, why = due.get(number, (None, None))
        known = Status(number, outcome, why or UNSET) if outcome else None
        assert says.status_of(number) == known
