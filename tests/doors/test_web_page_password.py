"""The page in a real browser: names with passwords."""

import signal
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Page, Pages
from tests.support.certificates import made
from tests.support.doors import Servers
from tests.support.server import WEB, Server, own_address

AUTH = ("--auth", "memory:alice:tr0ub4dor")
SECRET = "tr0ub4dor"
NEEDED = "alice needs its password."
SET_SAFE = "Object.defineProperty(window, 'isSecureContext', {value: arguments[0]})"


@pytest.fixture
def guarded(servers: Servers) -> Iterator[Server]:
    """A server that asks alice for her password."""
    with servers.lent(WEB, *AUTH) as running:
        yield running
        assert SECRET.encode() not in running.output


def refused(page: Page, text: str) -> None:
    """Wait until the form says why there is no name."""
    page.until(lambda: page.find("#refusal").text == text, text)


def asked(page: Page, text: str) -> None:
    """Wait until the form asks for a password, and the next key goes there."""
    refused(page, text)
    assert page.find("#password").is_displayed()
    assert page.here().switch_to.active_element == page.find("#password")
    assert page.find("#password").get_attribute("value") == ""


def proves(page: Page, password: str) -> None:
    """Say a password in the form."""
    page.find("#password").send_keys(password, Keys.ENTER)


def keeps_no_password(page: Page) -> None:
    """Check that it is in nothing that the browser keeps, or shows."""
    kept = "return JSON.stringify([sessionStorage, localStorage, document.cookie, location.href])"
    text = page.run(kept)
    assert '\\"alice\\"' in text
    assert SECRET not in text
    assert page.find("#password").get_attribute("value") == ""


def test_a_name_with_a_password(guarded: Server, pages: Pages) -> None:
    page = pages.open(guarded.web_port)
    page.run(SET_SAFE, False)  # so that others could read it
    page.enters("alice")
    refused(page, "This needs TLS.")
    assert not page.find("#password").is_displayed()
    page = pages.open(guarded.web_port)
    assert not page.find("#password").is_displayed()
    page.enters("ALICE")
    asked(page, "ALICE needs its password.")
    field = page.find("#password")
    assert (field.accessible_name, field.get_attribute("type")) == ("Password", "password")
    assert field.get_attribute("autocomplete") == "current-password"
    proves(page, "")
    asked(page, "ALICE needs its password.")
    proves(page, "wrong")
    asked(page, "Wrong password.")
    proves(page, SECRET)
    page.shows("Welcome, alice.")
    page.stands("alice", "with nobody", "connected")
    keeps_no_password(page)
    page.reload()
    page.shows("Welcome, alice.", "Connected again.")
    page.find("#quit").click()
    refused(page, "You have left.")
    assert not page.find("#password").is_displayed()
    page.find("#name").clear()
    page.enters("alice")
    asked(page, NEEDED)
    page.find("#password").send_keys(SECRET)
    page.find("#name").send_keys(*[Keys.BACKSPACE] * len("alice"))
    assert not page.find("#password").is_displayed()
    assert page.find("#password").get_attribute("value") == ""
    page.enters("bob")
    page.shows("Welcome, bob.")


def test_a_server_that_returns_is_told_the_password_again(pages: Pages) -> None:
    with Server(*AUTH, port=WEB) as web:
        page = pages.open(web.web_port)
        page.enters("alice")
        asked(page, NEEDED)
        proves(page, SECRET)
        page.shows("Welcome, alice.")
        web.kill(signal.SIGKILL)
        web.wait()
    again = f"tcp:{web.web_port}:interface=127.0.0.1"
    with Server(*AUTH, port=f"web:{again}") as web:
        page.shows("The server does not know you any more, so you begin anew.", "Connected again.")
        keeps_no_password(page)
        page.reload()  # which forgets it
        page.shows("Connected again.")
        web.kill(signal.SIGKILL)
        web.wait()
    with Server(*AUTH, port=f"web:{again}"):
        asked(page, NEEDED)
        assert page.find("#name").get_attribute("value") == "alice"
        proves(page, "wrong")
        asked(page, "Wrong password.")
        proves(page, SECRET)
        page.shows("Welcome, alice.")
        page.stands("alice", "with nobody", "connected")


def test_who_enters_twice_is_in_once(guarded: Server, pages: Pages) -> None:
    page = pages.open(guarded.web_port)
    page.run(
        """const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) {
          send.call(this, data);
          if (!JSON.parse(data).name) return;
          WebSocket.prototype.send = send;
          document.getElementById('enter').requestSubmit();
        };"""
    )
    page.enters("bob")
    page.shows("Welcome, bob.")
    page.says("/who")
    items = By.CSS_SELECTOR, "#here li"
    page.until(
        lambda: [one.text for one in page.here().find_elements(*items)] == ["bob"], "one of bob"
    )


def test_a_page_that_others_can_read_asks_for_no_password(pages: Pages) -> None:
    address = own_address()
    with Server(*AUTH, port="web:tcp:0:interface=0.0.0.0") as web:
        page = pages.open(web.web_port)
        for believes_it_is_safe in (False, True):
            page.here().get(f"http://{address}:{web.web_port}/")
            if believes_it_is_safe:  # the server says that it is not
                page.run(SET_SAFE, True)
            page.enters("alice")
            refused(page, "This needs TLS.")
            assert not page.find("#password").is_displayed()
            page.find("#name").clear()
            page.enters("bob")
            page.shows("Welcome, bob.")
            page.find("#quit").click()
            refused(page, "You have left.")


def test_a_page_over_tls_takes_a_password(pages: Pages) -> None:
    address = own_address()
    certificate = made().issues("web", address)
    with Server(*AUTH, port=f"web:{certificate.port}") as web:
        page = pages.open(web.web_port)
        page.here().execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
        page.here().get(f"https://{address}:{web.web_port}/")
        page.enters("alice")
        asked(page, NEEDED)
        proves(page, SECRET)
        page.shows("Welcome, alice.")
