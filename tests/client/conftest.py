"""Fixtures of the client's tests."""

import pytest


@pytest.fixture
def port() -> str:
    """Any port: a client does not notice which kind it is."""
    return "0"
