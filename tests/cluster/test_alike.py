"""Users of different nodes hear just what users of one node do: the same scenes, played across."""

import pytest

from tests.exchange import test_blocks, test_calls, test_held, test_held_bounds
from tests.sessions import test_json_states, test_states
from tests.support.cluster_scenes import Across
from tests.wire import test_flow

OTHERWISE = {
    # A name that another node has is blocked as it was typed.
    "test_blocks_of_one_node",
    # They look into one factory, or want another one.
    "test_a_text_is_told_whole_when_its_listener_leaves",
    "test_json_of_one_node",
    "test_many_wrong_keys_of_one_host",
    "test_what_a_wrapped_transport_has_is_not_handed",
    "test_where_names_are_owned_hosts_do_not_count",
    # It takes seconds, and nothing of it is between nodes.
    "test_many_held_users_cost_one_timer",
    # They look before the next turn.
    "test_a_text_of_many_lines_is_told_as_the_kernel_takes_them_and_others_have_turns",
}


@pytest.fixture
def exchange() -> Across:
    """Three nodes in the place of one exchange."""
    return Across()


globals().update(
    (f"{name}_of_{module.__name__}".replace(".", "_"), test)
    for module in (
        test_blocks,
        test_calls,
        test_flow,
        test_held,
        test_held_bounds,
        test_json_states,
        test_states,
    )
    for name, test in vars(module).items()
    if name.startswith("test_") and name not in OTHERWISE
)
