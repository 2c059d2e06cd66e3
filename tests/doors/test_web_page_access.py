"""The page in a real browser: small screens, the keyboard alone, screen readers, notifications."""

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import Page, Pages
from tests.support.server import Server

# WCAG 2.2, sections 1.4.3 and "relative luminance".
FAINT = """
const luminance = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (color !== 'rgba(0, 0, 0, 0)') return color;
  }
};
const found = [];
for (const element of document.querySelectorAll('main:not([hidden]) *')) {
  const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!hasText && !element.matches('textarea, input')) continue;
  const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) found.push([element.outerHTML, contrast]);
}
return found;
"""


def presses(page: Page, *keys: str) -> None:
    """Press keys, wherever the focus is."""
    ActionChains(page.here()).send_keys(*keys).perform()


def focus(page: Page) -> WebElement:
    """Return what has the focus."""
    return page.here().switch_to.active_element


def tabs_to(page: Page, text: str) -> None:
    """Press Tab until something of that text has the focus, which must be visible."""
    for _ in range(20):
        presses(page, Keys.TAB)
        if focus(page).text == text:
            assert focus(page).value_of_css_property("outline-style") == "solid"
            return
    raise AssertionError(f"Tab does not lead to {text}")


def test_with_the_keyboard_alone(web: Server, pages: Pages) -> None:
    bob = web.client("bob")
    alice = pages.open(web.web_port)
    presses(alice, "alice", Keys.ENTER)
    alice.shows("Welcome, alice.")

    # An input method may use Enter for itself.
    dispatch = """document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown',
    {key: 'Enter', isComposing: arguments[0], keyCode: arguments[1], bubbles: true}))"""
    presses(alice, "/help")
    alice.run(dispatch, True, 13)
    alice.run(dispatch, False, 229)  # Safari's
    assert alice.shown() == ["Welcome, alice."]
    alice.run(dispatch, False, 13)
    alice.until(lambda: alice.shown()[-1].startswith("To:bob"), "help")

    tabs_to(alice, "Who is here")
    presses(alice, Keys.ENTER)
    alice.until(lambda: alice.find("#here").is_displayed(), "list")
    assert focus(alice).get_attribute("aria-expanded") == "true"
    tabs_to(alice, "bob")
    presses(alice, Keys.ENTER)
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    presses(alice, "Hi, Bob.", Keys.ENTER)
    assert bob.text() == "Hi, Bob."
    tabs_to(alice, "Hang up")
    presses(alice, Keys.SPACE)
    assert bob.line() == "Quit."
    alice.shows("You are free.")
    tabs_to(alice, "Leave")
    presses(alice, Keys.ENTER)
    alice.until(lambda: focus(alice).get_attribute("id") == "name", "form")


def test_everything_has_a_name_and_colours_that_are_easy_to_tell_apart(
    web: Server, pages: Pages
) -> None:
    alice, bob = pages.open(web.web_port), web.client("bob")
    assert roles(alice) == [("heading", "chatpair"), ("textbox", "Your name"), ("button", "Enter")]
    assert alice.find("#refusal").aria_role == "alert"
    alice.enters("bob")
    alice.until(lambda: alice.find("#refusal").text, "refusal")
    colours_are_easy_to_tell_apart(alice)
    alice.find("#name").clear()
    alice.enters("alice")
    alice.shows("Welcome, alice.")
    alice.says("nobody hears", "To:bob", "hello", "/who")
    assert [bob.line(), bob.text()] == ["You are chatting with alice.", "hello"]
    bob.says("hi")
    alice.shows("bob: hi")
    alice.marked("not delivered", "sent")
    alice.until(lambda: alice.find("#here").is_displayed(), "list")
    colours_are_easy_to_tell_apart(alice)
    assert roles(alice) == [
        *(("heading", "chatpair"), ("status", "")),
        *(("button", "Who is here"), ("button", "Hang up"), ("button", "Notify me")),
        *(("button", "Leave"), ("list", "Who is here")),
        *(("button", "alice (talking)"), ("button", "bob (talking)")),
        *(("log", "Conversation"), ("textbox", "What you say"), ("button", "Send")),
    ]
    assert alice.find("#log").get_attribute("aria-live") == "polite"
    failed, sent = alice.here().find_elements(By.CSS_SELECTOR, ".mark span:not(.unseen)")
    assert (sent.text, sent.get_attribute("aria-hidden")) == ("\u2713", "true")
    assert failed.get_attribute("aria-hidden") == "true"


def roles(page: Page) -> list[tuple[str, str]]:
    """Return what a screen reader makes of what is shown."""
    selector = "h1, input, button, textarea, [role=status], [role=log], #here"
    found = page.here().find_elements(By.CSS_SELECTOR, selector)
    return [(one.aria_role, one.accessible_name) for one in found if one.is_displayed()]


def colours_are_easy_to_tell_apart(page: Page) -> None:
    """Check the colours of what is shown, by day and by night."""
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.here().execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        assert (int(ground.strip("rgb()").split(",")[0]) > 128) == (scheme == "light")
        assert page.run(FAINT) == [], scheme


def is_small(page: Page, width: int, height: int) -> None:
    """Let the screen be a phone's."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
    page.here().execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def test_on_a_phone(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("b" * 32)
    is_small(alice, 320, 480)
    bob.calls("alice")
    for text in ("x" * 500, "word " * 100, "https://example.org/" + "y" * 200, "end"):
        bob.says(text)
        alice.says(text.strip())
    ends = {"alice: end", f"{'b' * 32}: end"}
    alice.until(lambda: ends < set(alice.shown()), ends)
    alice.says("/who")
    alice.until(lambda: alice.find("#here").is_displayed(), "list")
    for height in (480, 240):
        is_small(alice, 320, height)
        assert alice.run("return [innerWidth, innerHeight]") == [320, height]
        for selector in ("html", "#log", "#talk", "#status", "#tools", "#here"):
            assert alice.run(
                """const e = document.querySelector(arguments[0]);
                return e.scrollWidth <= e.clientWidth
                && (e.id || e.scrollHeight <= e.clientHeight)""",
                selector,
            ), selector
        fits = """const box = document.querySelector('#say').getBoundingClientRect();
        return box.top >= 0 && box.bottom <= innerHeight"""
        assert alice.run(fits)


def test_whoever_reads_the_end_goes_on_to(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    bob.calls("alice")
    bob.says(*map(str, range(50)))
    alice.shows("bob: 49")
    from_end = """const log = document.getElementById('log');
    return log.scrollHeight - log.clientHeight - log.scrollTop"""
    assert alice.run(from_end) < 2
    is_small(alice, 400, 300)  # as with a keyboard on it
    alice.until(lambda: alice.run(from_end) < 2, "end")
    scrolled = (
        "document.getElementById('log').scrollTop = 0; return new Promise(requestAnimationFrame)"
    )
    alice.run(scrolled)
    bob.says("more")
    alice.shows("bob: more")
    assert alice.run("return document.getElementById('log').scrollTop") == 0
    bob.says("and more")
    alice.until(lambda: alice.find("#new").text == "2 new", "count")
    alice.find("#new").click()
    alice.until(lambda: alice.run(from_end) < 2, "end")
    assert not alice.find("#new").is_displayed()


def test_notifications(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.run(
        """window.told = []; window.asked = 0;
        window.Notification = class {
          static permission = 'default';
          static async requestPermission() { asked += 1; this.permission = 'granted'; }
          constructor(title, { body }) { told.push([title, body]); }
        };
        window.hides = (is) => {
          Object.defineProperty(document, 'hidden', { value: is, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        };"""
    )
    alice.run("hides(true)")
    bob.calls("alice")
    bob.says("before")
    alice.shows("bob: before")
    assert alice.run("return [told, asked, document.title]") == [[], 0, "(1) chatpair"]
    alice.run("hides(false)")
    alice.find("#notify").click()
    alice.until(lambda: not alice.find("#notify").is_displayed(), "answer")
    bob.says("seen")
    alice.shows("bob: seen")
    alice.run("hides(true)")
    bob.says("<b>unseen</b>", "y" * 500)
    alice.shows("bob: <b>unseen</b>", f"bob: {'y' * 500}")
    bob.says("Quit")
    alice.shows("bob has left.")
    told = [["bob", "<b>unseen</b>"], ["bob", "y" * 200], ["chatpair", "bob has left."]]
    assert alice.run("return [told, asked, document.title]") == [told, 1, "(2) chatpair"]
    alice.run("hides(false)")
    assert alice.run("return document.title") == "chatpair"
    alice.says("/ring on")
    alice.shows("Your line rings when somebody calls.")
    alice.run("hides(true)")
    web.client("carol").says("To:alice")
    rings = "carol is calling. To:carol to answer."
    alice.shows(rings)
    assert alice.run("return told") == [*told, ["chatpair", rings]]
