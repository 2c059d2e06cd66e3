"""How long whoever says wrong passwords waits, and that nobody else does."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from chatpair.exchange.names import parse
from chatpair.exchange.users import WRONG_PASSWORD
from chatpair.passwords import accounts, wrong_passwords
from chatpair.passwords.accounts import Accounts
from chatpair.passwords.wrong_passwords import WrongPasswords
from tests.support.accounts import known, slow
from tests.support.exchange import LOOPBACK, Exchange, Party

OTHER = "127.0.0.2"
BUSY = ["There are too many passwords to check. Try later."]


def fails(exchange: Exchange, party: Party, password: str = "wrong") -> float:
    """Say a wrong password for alice; return how many seconds the answer takes."""
    party.says("alice", password)
    started = exchange.clock.seconds()
    heard = party.heard()
    while heard == ["Password:"] or not heard:
        exchange.clock.advance(0.5)
        heard = party.heard()
    assert heard[-1] == "Wrong password."
    return exchange.clock.seconds() - started


def test_each_wrong_password_makes_the_next_answer_later() -> None:
    exchange = Exchange(known(alice="secret"))
    waits = [fails(exchange, exchange.local()) for _ in range(9)]
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    alice = exchange.local("alice", "secret")
    exchange.clock.advance(60)
    alice.says("Quit")
    assert alice.heard() == ["Password:", "OK", "Quit"]
    assert fails(exchange, exchange.local()) == 0  # it was forgiven


def test_who_guesses_from_many_connections_is_no_faster() -> None:
    exchange = Exchange(known(alice="secret", bob="hunter2"))
    strangers = [exchange.local() for _ in range(20)]
    answered = []
    for second in range(30):
        for stranger in strangers:
            stranger.says("alice", "wrong")
        answers = [party.heard()[1:] for party in strangers]
        assert answers[1:-1] == [BUSY] * 18
        answered += [second] * (["Wrong password."] in answers)
        exchange.clock.advance(1)
        answered += [second + 1] * (strangers[-1].heard() == ["Wrong password."])
    assert answered == [0, 1, 3, 7, 15]
    bob = exchange.local("bob", "hunter2")
    assert bob.heard() == ["Password:", "OK"]
    alice = exchange.local("alice", "secret")
    exchange.clock.advance(1)
    assert alice.heard() == ["Password:", "OK"]


def test_another_spelling_of_the_name_is_no_other_name() -> None:
    exchange = Exchange(known(alice="secret"))
    party = exchange.local()
    for name in ("alice", "ALICE", "аlice"):
        party.says(name, "wrong")
        exchange.clock.advance(2)
    assert party.heard() == ["Password:", "Wrong password."] * 3
    assert exchange.accounts._wrong.wait("alice", LOOPBACK) == 2


def test_time_forgives() -> None:
    clock = Clock()
    counted = WrongPasswords(clock)
    counted.count("alice", None)
    counted.count("alice", None)
    assert counted.wait("alice", None) == 2
    clock.advance(wrong_passwords.FORGIVING_SECONDS)
    assert counted.wait("alice", None) == 0
    assert counted._counts == {}
    assert clock.getDelayedCalls() == []


def test_a_host_that_guesses_at_many_names_waits_too() -> None:
    counted = WrongPasswords(Clock())
    waits = []
    for number in range(20):
        counted.count(f"name{number}", LOOPBACK)
        counted.forgive("mine", LOOPBACK)
        waits.append(counted.wait("alice", LOOPBACK))
    assert waits == [0.0] * 10 + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert counted.wait("alice", OTHER) == 0


def test_those_without_a_host_wait_with_a_name_alone() -> None:
    counted = WrongPasswords(Clock())
    for number in range(20):
        counted.count(f"name{number}", None)
    assert (counted.wait("name0", None), counted.wait("alice", None)) == (1, 0)


def test_what_is_counted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_passwords, "MAX_COUNTS", 10)
    counted = WrongPasswords(Clock())
    for number in range(100):
        counted.count("alice", f"host{number}")
        assert len(counted._counts) <= 10
    assert counted.wait("alice", "host99") == 1
    assert counted.wait("alice", "host0") == 0


# What is checked at a time


def test_a_host_has_one_checked_at_a_time() -> None:
    exchange, checker = slow("alice", "bob")
    for _ in range(3):
        exchange.local().says("alice", "mine")
    exchange.connect(OTHER).says("bob", "other")
    assert [password for _, password, _ in checker.asked] == ["mine", "other"]
    checker.answers(False)
    assert [password for _, password, _ in checker.asked] == ["other"]
    exchange.clock.advance(1)
    assert [password for _, password, _ in checker.asked] == ["other", "mine"]


def test_who_goes_away_frees_its_place_when_the_check_is_done() -> None:
    exchange, checker = slow("alice")
    first, second, third = (exchange.local() for _ in range(3))
    for number, party in enumerate((first, second, third)):
        party.says("alice", f"password{number}")
    second.drops()
    first.drops()
    assert len(checker.asked) == 1
    assert checker.answers(False) == ("alice", "password0")
    exchange.clock.advance(1)
    assert checker.answers(True) == ("alice", "password2")
    assert third.heard() == ["Password:", "OK"]
    assert not checker.asked


def test_a_wrong_password_counts_though_its_connection_is_gone() -> None:
    exchange, checker = slow("alice")
    alice = exchange.local("alice", "wrong")
    alice.drops()
    checker.answers(False)
    late = exchange.local("alice", "secret")
    assert not checker.asked
    late.drops()
    exchange.clock.advance(2)
    assert not checker.asked  # nobody waits for it


def test_hosts_past_the_bound_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MAX_HOSTS", 2)
    exchange, checker = slow("alice")
    for number in range(2):
        exchange.connect(f"127.0.1.{number}").says("alice", "wrong")
    late = exchange.local("alice", "secret")
    assert late.heard() == ["Password:", *BUSY]
    checker.answers(False)
    late.says("alice", "secret")
    checker.answers(False)
    checker.answers(True)
    assert late.heard() == ["Password:", "OK"]


# Several checkers


def test_any_of_several_may_accept() -> None:
    exchange = Exchange(known(alice="one", bob="two"), known(Alice="three", carol="four"))
    for name, password in (("ALICE", "three"), ("bob", "two"), ("carol", "four")):
        party = exchange.local(name, password)
        assert party.heard() == ["Password:", "OK"]
    exchange.enter("dave").says("/who")
    assert sorted(exchange.factory.users) == ["alice", "bob", "carol", "dave"]
    assert exchange.factory.users["alice"].name.text == "Alice"


def test_a_checker_that_fails_is_one_line_and_what_others_find_wrong_counts() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    failing = known(alice="one")
    failing.ask = fail
    exchange = Exchange(failing, known(alice="two"))
    said = []
    with capturedLogs() as log:
        for _ in range(4):
            party = exchange.local("alice", "wrong")
            exchange.clock.advance(1)
            said.append(party.heard()[1:])
    assert said == [["That password can't be checked now. Try later."]] * 3 + [[]]
    assert len(log) == 1


def test_a_checker_that_can_not_tell_has_all_names() -> None:
    exchange, checker = slow()
    [source] = exchange.accounts._sources
    source.written = accounts.Source(checker).written
    bob = exchange.local("Bob", "secret")
    assert checker.answers(True) == ("Bob", "secret")
    assert bob.heard() == ["Password:", "OK"]


def test_nothing_to_check_is_wrong_at_once() -> None:
    checks = Accounts([], Clock())
    answers: list[object] = []
    checks.check(parse("alice"), b"x", None).addCallback(answers.append)
    assert answers == [WRONG_PASSWORD]
