"""A port of epoll:, for the tests of it and of its connections."""

from collections.abc import Iterator

import pytest

from tests.support.turns import Listening


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.close()
