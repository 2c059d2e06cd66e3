"""Chromium without a screen, and the page of the web door in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.server import TIMEOUT, require

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1000,700"),
)


@contextmanager
def browser(profile: Path) -> Iterator[Chrome]:
    """Start Chromium with a profile of its own, and nothing fetched for it."""
    options = ChromeOptions()
    options.binary_location = require("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(require("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A tab with the page in it."""

    def __init__(self, driver: Chrome, port: int | None) -> None:
        """Take the browser, and the port of the server; without it the tab is open already."""
        self.driver = driver
        if port is not None:
            driver.switch_to.new_window("tab")
            driver.get(f"http://127.0.0.1:{port}/")
        self.handle = driver.current_window_handle

    def here(self) -> Chrome:
        """Return the browser with this tab in front."""
        if self.driver.current_window_handle != self.handle:
            self.driver.switch_to.window(self.handle)
        return self.driver

    def find(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector finds."""
        return self.here().find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: object) -> Any:
        """Return what JavaScript returns."""
        return self.here().execute_script(script, *arguments)

    def until(self, condition: Callable[[], Any], what: object = "") -> Any:
        """Wait until something is true of the page; return it."""
        self.here()
        waiting: WebDriverWait[Chrome] = WebDriverWait(self.driver, TIMEOUT, poll_frequency=0.05)
        try:
            return waiting.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"no {what} in {self.status()} {self.shown()}") from None

    def shown(self) -> list[str]:
        """Return the entries of the conversation, as text: those of people with a name before."""
        shown: list[str] = self.run(
            """return [...document.querySelectorAll('#messages li')].map((item) => item
            .matches('.note') ? item.textContent : item.querySelector('bdi').textContent + ': ' +
            item.querySelector('.said').textContent)"""
        )
        return shown

    def shows(self, *entries: str) -> None:
        """Wait until the conversation ends with some entries."""
        self.until(lambda: self.shown()[-len(entries) :] == list(entries), entries)

    def status(self) -> list[str]:
        """Return the parts of the status line."""
        parts: list[str] = self.run(
            """return [...document.querySelectorAll('#status > *')].map((part) => part.textContent)
            .filter(Boolean)"""
        )
        return parts

    def stands(self, *parts: str) -> None:
        """Wait for a status line."""
        self.until(lambda: self.status() == list(parts), parts)

    def marked(self, *marks: str) -> None:
        """Wait until a screen reader says what became of each text that was said here."""
        all_marks = "[...document.querySelectorAll('.mark .unseen')].map((m) => m.textContent)"
        self.until(lambda: self.run(f"return {all_marks}") == list(marks), marks)

    def enters(self, name: str) -> None:
        """Say a name in the form."""
        self.find("#name").send_keys(name, Keys.ENTER)

    def says(self, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            self.find("#text").send_keys(line, Keys.ENTER)

    def reload(self) -> None:
        """Load the page again."""
        self.here().refresh()


class Pages:
    """Pages in tabs of one browser, which are closed in the end."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self._first = driver.current_window_handle

    def open(self, port: int, name: str = "", *, remembers: bool = False) -> Page:
        """Open a page, and say a name if there is one; it may remember a tab that was closed."""
        if not remembers:
            origin = {"origin": f"http://127.0.0.1:{port}", "storageTypes": "local_storage"}
            self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", origin)
        page = Page(self.driver, port)
        if name:
            page.enters(name)
            page.stands(name, "with nobody", "connected")
        return page

    def __enter__(self) -> Self:
        self.driver.get_log("browser")  # which forgets what other tests' pages said
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self.driver.window_handles:
            if handle != self._first:
                self.driver.switch_to.window(handle)
                self.driver.close()
        self.driver.switch_to.window(self._first)
