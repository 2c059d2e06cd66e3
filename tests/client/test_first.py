"""How a line that is not patient starts: one attempt, which comes to a name or to nothing."""

import pytest
from twisted.internet.error import ConnectError, ConnectionLost

from chatpair.client.session import Refused
from chatpair.messages import Claim, Error, Named
from tests.support.played import Play, outcome, refused

FULL = Error("name", "try-later", "The server is full.")


def test_a_failed_attempt_ends_the_line() -> None:
    play = Play()
    started = outcome(play.line.start(patient=False))
    play.endpoint.refuse()
    play.clock.advance(0)
    assert [type(why) for why in started] == [ConnectError]
    assert play.finished == started
    assert (play.links, play.clock.getDelayedCalls()) == ([], [])


def test_a_failed_attempt_changes_nothing_for_who_has_quit() -> None:
    play = Play()
    started = outcome(play.line.start(patient=False))
    play.endpoint.refuse()
    play.line.quit()
    play.clock.advance(0)
    assert (len(started), play.finished) == (1, [None])


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("claims", [False, True])
def test_a_connection_lost_before_there_is_a_name_and_try_later_end_the_line(
    claims: bool, is_full: bool
) -> None:
    play = Play()
    started = outcome(play.line.start(patient=False))
    if claims:
        play.accepts()
        assert play.said() == [Claim("build")]
    else:
        play.remote = play.endpoint.accept()
    if is_full:
        play.remote.says(FULL)
        assert play.remote.transport.disconnecting
    play.remote.drops()
    ((why),) = started
    if is_full:
        assert (type(why), why.code, why.text) == (Refused, "try-later", "The server is full.")
    else:
        assert type(why) is ConnectionLost
    assert (play.finished, play.clock.getDelayedCalls()) == (started, [])


def test_a_line_that_has_its_name_is_patient() -> None:
    play = Play()
    started = outcome(play.line.start(patient=False))
    play.accepts()
    play.tells(Named("build", "key"))
    assert started == [None]
    play.drops()
    play.endpoint.refuse()
    play.clock.advance(1)
    play.accepts()
    play.remote.says(refused("resume", "try-later"))
    play.remote.drops()
    play.clock.advance(2)
    play.resumes(1, 0, peer=None)
    assert (play.line.connected, play.finished) == (True, [])
