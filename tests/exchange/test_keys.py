"""Keys: what they look like, whose they are, and how often one may guess."""

import pytest
from mnemonic import Mnemonic
from twisted.internet.task import Clock

from chatpair.exchange.keys import NEAR_MISSES, WRONG_KEYS, Keyring, token, words


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
