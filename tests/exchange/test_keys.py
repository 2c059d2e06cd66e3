"""Keys: what they look like, whose they are, and how often one may guess."""

import pytest
from mnemonic import Mnemonic
from twisted.internet.task import Clock

from chatpair.exchange.keys import (
    NEAR_MISSES,
    WRONG_KEYS,
    WRONG_KEYS_SECONDS,
    Keyring,
    TooManyTries,
    token,
    words,
)


def test_words_are_three_of_a_list_that_people_can_type() -> None:
    known = set(Mnemonic("english").wordlist)
    keys = {words() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert len(key.split("-")) == 3
        assert known.issuperset(key.split("-"))


def test_tokens_have_128_bits_beside_what_tells_them_from_others() -> None:
    handle, secret = token().split("-")
    assert len(bytes.fromhex(secret)) * 8 == 128
    assert handle
    assert len({token() for _ in range(100)}) == 100


def test_whose_key_it_is() -> None:
    ring: Keyring[str] = Keyring(Clock())
    ring.add("blue-fox-nine", "alice")
    ring.add("blue-fox-ten", "bob")
    ring.add("red-fox-nine", "carol")
    assert ring.owner_of("blue-fox-nine", "host") == "alice"
    assert ring.owner_of("blue-fox-ten", "host") == "bob"
    for wrong in ("blue-fox", "blue", "", "-", "blue-fox-nine-", "red-fox-ten", "blüe", "\ud7ff"):
        assert ring.owner_of(wrong, "host") is None
    ring.remove("blue-fox-nine", "alice")
    ring.remove("blue-fox-nine", "alice")
    assert ring.owner_of("blue-fox-nine", "host") is None
    assert ring.owner_of("blue-fox-ten", "host") == "bob"


def test_a_host_that_guesses_is_to_wait() -> None:
    clock = Clock()
    spoilt: list[str] = []
    ring: Keyring[str] = Keyring(clock, spoilt.append)
    ring.add("blue-fox-nine", "alice")
    for number in range(WRONG_KEYS):
        assert ring.owner_of(f"guess-{number}", "bad") is None
        ring.was_wrong("bad")
    for key in ("guess", "blue-fox-nine"):
        with pytest.raises(TooManyTries):
            ring.owner_of(key, "bad")
    assert ring.owner_of("blue-fox-nine", "good") == "alice"
    clock.advance(WRONG_KEYS_SECONDS)
    assert ring.owner_of("blue-fox-nine", "bad") == "alice"
    assert clock.getDelayedCalls() == []
    assert spoilt == []


def test_a_key_that_was_nearly_guessed_too_often_opens_nothing() -> None:
    spoilt: list[str] = []
    ring: Keyring[str] = Keyring(Clock(), spoilt.append)
    ring.add("blue-fox-nine", "alice")
    ring.add("red-fox-nine", "bob")
    for number in range(NEAR_MISSES):
        assert spoilt == []
        assert ring.owner_of(f"blue-fox-{number}", f"host-{number}") is None
    assert spoilt == ["alice"]
    assert ring.owner_of("blue-fox-nine", "host") is None
    assert ring.owner_of("red-fox-nine", "host") == "bob"


def test_a_right_key_is_no_miss_of_another() -> None:
    ring: Keyring[str] = Keyring(Clock(), pytest.fail)
    ring.add("blue-fox-nine", "alice")
    ring.add("blue-dog-ten", "bob")
    for _ in range(NEAR_MISSES + 1):
        assert ring.owner_of("blue-dog-ten", "host") == "bob"


def test_this_machine_is_no_host_to_guess_from() -> None:
    ring: Keyring[str] = Keyring(Clock(), pytest.fail)
    for _ in range(WRONG_KEYS + 1):
        assert ring.owner_of("wrong", None) is None
        ring.was_wrong(None)


def test_nothing_is_kept_of_wrong_tokens() -> None:
    ring: Keyring[str] = Keyring(Clock())
    right = token()
    ring.add(right, "alice")
    handle = right.partition("-")[0]
    for _ in range(1_000):
        assert ring.owner_of(token(), "host") is None
        assert ring.owner_of(f"{handle}-{token()}", "host") is None
        ring.was_wrong("host")
    assert not ring._wrong._times
    assert ring.owner_of(right, "host") == "alice"
