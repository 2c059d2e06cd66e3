"""The page in a real browser: who may call, and calls that ring."""

from tests.support.browser import Pages
from tests.support.server import Server


def test_do_not_disturb(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.says("/dnd on")
    alice.shows("You are not disturbed now.")
    bob.says("To:alice")
    assert bob.line() == "alice does not want to be disturbed."
    alice.says("/DND  Off ")
    alice.shows("You can be called again.")
    alice.says("/dnd", "/dnd maybe", "/ring off it", "/dnd off")
    alice.shows(
        "You are not disturbed now.",
        "Say /dnd on or /dnd off.",
        "Say /ring on or /ring off.",
        "You can be called again.",
    )
    bob.calls("alice")
    alice.shows("You are chatting with bob.")


def test_a_call_rings_until_it_is_answered_or_in_vain(web: Server, pages: Pages) -> None:
    alice, carol = pages.open(web.web_port, "alice"), pages.open(web.web_port, "carol")
    alice.says("/ring on")
    alice.shows("Your line rings when somebody calls.")
    carol.says("To:alice", "/who")  # which comes after the answer
    carol.shows("alice's line is ringing.")
    carol.until(lambda: carol.find("#here").is_displayed(), "list")
    alice.shows("carol is calling. To:carol to answer.")
    alice.says("To:carol", "hello")
    carol.shows("You are chatting with alice.", "alice: hello")
    carol.says("/bye")
    carol.shows("You are free.")
    alice.says("/ring off", "/ring on")
    alice.shows("Your line does not ring any more.", "Your line rings when somebody calls.")
    carol.says("/to alice")
    alice.shows("carol is calling. To:carol to answer.")
    alice.says("/quit")
    carol.shows("alice's line is ringing.", "alice does not answer.")


def test_blocks(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    bob.calls("alice")
    alice.shows("You are chatting with bob.")
    alice.says("/block bob", "/BLOCK carol", "/unblock dave", "/unblock carol", "/block alice")
    alice.shows(
        *("You are free.", "You have blocked bob.", "You have blocked carol."),
        *("You have not blocked dave.", "You have unblocked carol."),
        "You can't block yourself.",
    )
    assert bob.line() == "Quit."
    bob.says("To:alice")
    assert bob.line() == "alice is talking with someone else."
    alice.says("/unblock bob")
    alice.shows("You have unblocked bob.")
    bob.calls("alice")
    alice.shows("You are chatting with bob.")
