"""The page in a real browser: two people talk, whatever they say, and say who may call."""

from chatpair.codecs.plain import HELP
from tests.support.browser import Pages
from tests.support.server import Server
from tests.support.web_client import WebClient


def test_two_pages_talk(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), pages.open(web.web_port, "bob")
    alice.says("To:bob")
    alice.stands("alice", "with bob", "connected")
    bob.stands("bob", "with alice", "connected")
    alice.says("Hi, Bob.")
    alice.marked("arrived")
    alice.stands("alice", "with bob", "connected", "arrived")
    bob.says("two\ue008\ue007\ue000lines")  # Shift+Enter between them
    bob.marked("arrived")
    alice.shows("alice: Hi, Bob.", "bob: two\nlines")
    bob.shows("alice: Hi, Bob.", "bob: two\nlines")
    bob.find("#text").send_keys("Wait")
    alice.stands("alice", "with bob", "connected", "arrived", "bob is typing")
    bob.says(" for me")
    alice.shows("bob: Wait for me")
    alice.stands("alice", "with bob", "connected", "arrived")
    bob.find("#bye").click()
    bob.shows("You are free.")
    alice.shows("bob has left.")
    alice.stands("alice", "with nobody", "connected", "arrived")
    alice.find("#quit").click()
    alice.until(lambda: alice.find("#refusal").text == "You have left.")
    assert not alice.find("#refusal").get_attribute("class")
    assert alice.shown() == []
    assert alice.run("return sessionStorage.length") == 0
    for page in (alice, bob):
        assert page.here().get_cookies() == []
        log = page.here().get_log("browser")
        # The browser's own pages have something to say as well.
        assert all(entry["message"].startswith("chrome://") for entry in log), log


HOSTILE = [
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<script>document.title = 'owned'</script>",
    "</li></ol></section><h1>Server: you are free</h1>",
    "&lt;b&gt; &#x27; ${document.title} {{7*7}} javascript:alert(1)",
    "Z" + "\u0300\u0316" * 500,
    "\u05d0\u05d1\u05d2 abc (\u05d3)",
]


def test_whatever_is_said_is_shown_as_text(web: Server, pages: Pages) -> None:
    alice = pages.open(web.web_port, "alice")
    bob = web.caller("<b>bob&amp;", "alice")
    alice.shows("You are chatting with <b>bob&amp;.")
    bob.says(*HOSTILE)
    alice.shows(*(f"<b>bob&amp;: {text}" for text in HOSTILE))
    alice.says(HOSTILE[0])
    assert bob.text() == HOSTILE[0]
    alice.reload()
    alice.shows(f"alice: {HOSTILE[0]}", "Connected again.")
    elements = "return document.querySelectorAll('img, b, script:not([src]), #messages h1').length"
    assert alice.run(elements) == 0
    assert alice.run("return document.title") == "chatpair"
    assert alice.run("return document.querySelectorAll('section').length") == 1
    bob.says("\u202egpj.exe\u202c \u2066x\u2069 \x1b[2J\u009b1m")  # what turns the direction
    alice.shows("<b>bob&amp;: gpj.exe x [2J1m")
    style = "const {overflow, unicodeBidi} = getComputedStyle(document.querySelector('.said'));"
    assert alice.run(f"{style} return [overflow, unicodeBidi]") == ["hidden", "isolate"]


def test_64_kib_of_emoji(web: Server, pages: Pages) -> None:
    alice = pages.open(web.web_port, "alice")
    bob = web.caller("bob", "alice")
    emoji = "👩‍🚀😀" * (65_536 // len("👩‍🚀😀".encode()))
    bob.says(emoji, "and on")
    alice.shows(f"bob: {emoji}", "bob: and on")
    wide = "return document.documentElement.scrollWidth <= innerWidth"
    assert alice.run(wide)
    alice.run("document.getElementById('text').value = arguments[0]", emoji)
    alice.says("")
    alice.shows(f"alice: {emoji}", "That is too long to be said at once.")
    alice.marked("not delivered")
    alice.says("shorter")
    assert bob.text() == "shorter"


ANSWERS = {
    "hello?": "Nobody is chatting with you. To:bob calls bob; /who tells who is here.",
    "To:dave": "The user dave does not exist.",
    "to:": "Say who: To:bob",
    "/to ALICE": "Please don't try to talk with yourself.",
    "/foo": "No such command: /foo. Type /help, or put a space first to say it.",
    "/quit it": "Say /quit alone, or put a space first to say it.",
    "/dnd": "Nobody can call you now.",
    "/DND  Off ": "You can be called again.",
    "/dnd on": "Nobody can call you now.",
    "/dnd maybe": "Say /dnd on or /dnd off.",
    "/dnd off": "You can be called again.",
    "/ring off it": "Say /ring on or /ring off.",
    "/block bob": "You have blocked bob.",
    "/BLOCK erin": "You have blocked erin.",
    "/unblock dave": "You have not blocked dave.",
    "/unblock bob": "You have unblocked bob.",
    "/block alice": "You can't block yourself.",
}


def test_commands(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.says(*ANSWERS)
    alice.shows("alice: hello?", *ANSWERS.values())
    alice.marked("not delivered")
    alice.says("/TO  bob", " /who", "  Quit", "/help")  # the text is for whom the call leads to
    assert [bob.line(), bob.text(), bob.text()] == [
        "You are chatting with alice.",
        " /who",
        "  Quit",
    ]
    lines = HELP.replace("; * marks those who are talking", "").split("\n")
    shown = [line for line in lines if not line.startswith(("/key", "/end"))]
    alice.until(lambda: alice.shown()[-1].split("\n") == shown, "help")
    alice.says("To:bob")
    alice.shows("You are already chatting with bob.")
    carol = web.client("carol")
    carol.says("To:alice")
    alice.shows("carol tried to reach you.")
    alice.says("/who")
    listed = "return [...document.querySelectorAll('#here li')].map((item) => item.textContent)"
    alice.until(
        lambda: alice.run(listed) == ["alice (talking)", "bob (talking)", "carol"], "listing"
    )
    alice.find("#here li:last-child button").click()
    alice.shows("You are chatting with carol.")
    assert bob.line() == "Quit."
    alice.says("/bye")
    alice.shows("You are free.")
    alice.says("Quit")
    alice.until(lambda: alice.find("#refusal").text == "You have left.", "end")


def test_names_that_can_not_be_had(web: Server, pages: Pages) -> None:
    web.client("bob")
    page = pages.open(web.web_port)
    for name, why in (
        ("bob", "The name bob is taken."),
        ("b b", "Bad name: no space and none of : [ ] ( ) / * , in a name"),
        ("Quit", "Bad name: that word is the server's own"),
    ):
        page.enters(name)
        page.until(lambda: page.find("#refusal.error").text == why, why)  # noqa: B023
        page.find("#name").clear()
    page.enters("alice")
    page.shows("Welcome, alice.")


def test_a_peer_who_goes_before_it_has_what_was_said(web: Server, pages: Pages) -> None:
    alice = pages.open(web.web_port, "alice")
    with WebClient(web.web_port) as bob:
        bob.enters("bob")
        bob.does("to", name="alice")
        assert bob.hears()["event"] == "paired"
        alice.shows("You are chatting with bob.")
        alice.says("one", "two")
        heard = [bob.hears() for _ in range(4)]
        assert [event["event"] for event in heard] == ["typing", "message"] * 2
        bob.does("ack", seq=heard[1]["seq"])
        bob.does("quit")
    alice.shows("Not delivered: a message of yours.", "bob has left.")
    alice.marked("arrived", "not delivered")
    assert alice.find(".failed .said").text == "two"


def test_a_call_rings_until_it_is_answered_or_in_vain(web: Server, pages: Pages) -> None:
    alice, carol = pages.open(web.web_port, "alice"), pages.open(web.web_port, "carol")
    alice.says("/ring on")
    alice.shows("Your line rings when somebody calls.")
    carol.says("To:alice", "/who")  # which comes after the answer
    carol.shows("alice's line is ringing.")
    carol.until(lambda: carol.find("#here").is_displayed(), "list")
    alice.shows("carol is calling. To:carol to answer.")
    assert alice.find("#answer").text == "Answer carol"
    alice.find("#answer").click()
    alice.says("hello")
    carol.shows("You are chatting with alice.", "alice: hello")
    assert not alice.find("#answer").is_displayed()
    carol.says("/bye")
    carol.shows("You are free.")
    alice.says("/ring off", "/ring on")
    alice.shows("Your line does not ring any more.", "Your line rings when somebody calls.")
    carol.says("/to alice")
    alice.shows("carol is calling. To:carol to answer.")
    alice.says("/quit")
    carol.shows("alice's line is ringing.", "alice does not answer.")
