"""Telnet, in conversation through a real server: its keys, its commands, its window."""

import re
import signal

import pytest

from tests.programs.conftest import Start
from tests.support.programs import CLOSED, Telnet
from tests.support.server import Client, Server


def telnet_with_bob(start: Start, server: Server) -> tuple[Telnet, Client]:
    """Let alice, in a telnet, call bob."""
    bob = server.client("bob")
    alice = start("telnet", "alice")
    assert isinstance(alice, Telnet)
    alice.types("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.shows("You are chatting with bob.")
    return alice, bob


def test_a_closed_terminal_window_is_told_to_the_peer(start: Start, server: Server) -> None:
    alice, bob = telnet_with_bob(start, server)
    alice.closes_window()
    assert alice.wait() == -signal.SIGHUP
    assert bob.line() == "Quit."
    server.client("alice")


@pytest.mark.parametrize("before", ["", "toggle autosynch", "toggle autoflush"])
@pytest.mark.parametrize("interrupt", ["", "send ip"], ids=["Ctrl-C", "send ip"])
def test_an_interrupt_in_a_telnet_is_quit(
    start: Start, server: Server, before: str, interrupt: str
) -> None:
    """With autosynch telnet also marks the interrupt as urgent."""
    alice, bob = telnet_with_bob(start, server)
    if before:
        alice.orders(before)
        alice.types("I have set something.")
        assert bob.text() == "I have set something."
    if interrupt:
        alice.orders(interrupt)
    else:
        alice.types_bytes(b"half a sent\x03")
    alice.wait()
    assert bob.line() == "Quit."
    assert re.search(rf"Quit\r\n{CLOSED}\r\n$".encode(), alice.output)


AGAIN = "Here I am again."
SENT = ["ao", "ayt", "brk", "ec", "el", "ga", "nop", "synch", "do 6", "will 1"]
ORDERS = [*(f"send {what}" for what in SENT), "toggle binary", "mode character"]
FLUSHING = ["\x1c", "\x0f"]
"""Ctrl-\\ and Ctrl-O, after which telnet shows nothing until its timing mark is answered."""
TAKEN_FOR_A_KEY = ["ム", "Ã Ü", "한", "😃🚀", "привет é"]


@pytest.mark.parametrize(
    ("order", "key", "text"),
    [
        *((order, "", AGAIN) for order in ORDERS),
        *(("", key, AGAIN) for key in FLUSHING),
        *(("", "", text) for text in TAKEN_FOR_A_KEY),
    ],
)
def test_a_telnet_goes_on_after_whatever_it_can_send(
    start: Start, server: Server, order: str, key: str, text: str
) -> None:
    """Also after a letter of which it takes a part for a key."""
    alice, bob = telnet_with_bob(start, server)
    if order:
        alice.orders(order)
    for number in range(3):
        alice.types_bytes(key.encode())
        alice.types(text)
        assert bob.text() == text
        bob.says(f"Good {number}")
        alice.shows(f"bob: (Good {number})")
    assert b"?Invalid" not in alice.output
