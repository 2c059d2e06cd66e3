"""Any event of the JSON codec, as Hypothesis makes them up from the types of its fields."""

from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields

from chatpair.exchange.messages import JsonCommand, JsonEvent, Timestamp

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(
    lambda when: Timestamp(round(when.replace(tzinfo=UTC).timestamp(), 3))
)
st.register_type_strategy(Timestamp, MOMENTS)
st.register_type_strategy(UnsetType, st.just(UNSET))
st.register_type_strategy(
    str, st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1)
)

# What hypothesis makes nothing of is the bounds of an integer.
NUMBERS = st.integers(1, 2**53 - 1)
SPECIAL = {
    **dict.fromkeys(("id", "got", "more", "hold", "seen"), NUMBERS),
    "seq": st.just(UNSET) | NUMBERS,
}


def _any(kind: type[Struct]) -> st.SearchStrategy[Any]:
    special = {f.name: SPECIAL[f.name] for f in fields(kind) if f.name in SPECIAL}
    return st.builds(kind, **special)


EVENTS: st.SearchStrategy[Any] = st.one_of(*map(_any, get_args(JsonEvent)))
COMMANDS: st.SearchStrategy[Any] = st.one_of(
    *(_any(kind) for kind in get_args(JsonCommand) if "seq" not in kind.__struct_fields__)
)
