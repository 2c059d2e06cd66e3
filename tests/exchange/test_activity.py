"""The log tells who came and went, and never what they said."""

from twisted.internet.task import Clock

from chatpair.exchange.activity_log import ActivityLog
from tests.support.exchange import Exchange


def test_tells_who_came_and_went_and_why(logged: list[str]) -> None:
    exchange = Exchange()
    alice, bob = exchange.pair()
    alice.says("my secret")
    alice.says("Quit")
    bob.drops()
    exchange.enter("carol").drops(clean=True)
    exchange.connect().sends(b"\x16\x03\x01")
    assert logged == ["came: alice; 1 here, 0 pairs"]
    exchange.clock.advance(60)
    assert logged[1:] == [
        "came: bob, carol; went: alice (quit), bob (reset), carol (closed); "
        "refused: 1 (TLS 1); 0 here, 0 pairs"
    ]
    exchange.clock.advance(60)
    exchange.enter("dave")
    assert logged[2:] == ["came: dave; 1 here, 0 pairs"]
    assert not any("secret" in line for line in logged)


def test_writes_a_line_a_minute_however_many_come(logged: list[str]) -> None:
    clock = Clock()
    log = ActivityLog(clock, lambda: (1, 0))
    for _ in range(180):
        for number in range(10):
            log.came(f"u{number}")
            log.went(f"u{number}", "reset" if number % 2 else "quit")
            log.refused("full")
        clock.advance(1)
    assert len(logged) == 4
    names = ", ".join(f"u{number % 10}" for number in range(20))
    gone = ", ".join(f"u{number % 10} ({('quit', 'reset')[number % 2]})" for number in range(20))
    assert logged[2] == (
        f"came: 600, first {names}; went: 600 (quit 300, reset 300), first {gone}; "
        "refused: 600 (full 600); 1 here, 0 pairs"
    )


def test_writes_the_rest_at_the_end(logged: list[str]) -> None:
    clock = Clock()
    log = ActivityLog(clock, lambda: (0, 0))
    log.close()
    assert logged == []
    log.came("Аня")  # which any log can show
    log.went("alice", "quit")
    log.close()
    assert logged == [
        r"came: \u0410\u043d\u044f; 0 here, 0 pairs",
        "went: alice (quit); 0 here, 0 pairs",
    ]
    assert clock.getDelayedCalls() == []
