"""Lines, whatever is in them: how they end, what is taken out, and how a connection ends."""

import time

from chatpair.conformance.case import Stage, case
from chatpair.conformance.party import Broken

LINES = "Lines"
TEXT = "grüße 你 👋"
MOST = 65_536
CUT_SECONDS = 0.002
"""What the network is given to send what comes before a cut alone."""

IAC, SE, IP, SB, WILL, WONT, DO, DONT = b"\xff \xf0 \xf4 \xfa \xfb \xfc \xfd \xfe".split()
ECHO, TIMING_MARK = b"\x01", b"\x06"


@case(LINES, "A client ends a line with LF, CR LF or CR NUL, the server with CR LF.")
def ends_of_lines(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends(b"one\ntwo\r\nthree\r\0four\n")
    for text in ("one", "two", "three", "four"):
        bob.hears_text(alice.name, text)
    newcomer = stage.comes("newcomer")
    newcomer.says("")
    due = b"Say your name first. /help tells the rest.\r\n"
    came = b""
    while not came.endswith(b"\n"):
        came += newcomer.takes(1)
    if came != due:
        raise Broken(f"{due!r} was due, and {came!r} came")


@case(LINES, "Where the network cuts the bytes makes no difference.")
def cuts_at_every_byte_of_a_line(stage: Stage) -> None:
    alice, bob = stage.pair()
    whole = f"{TEXT}\r\n".encode()
    for cut in range(1, len(whole)):
        alice.sends(whole[:cut])
        time.sleep(CUT_SECONDS)
        alice.sends(whole[cut:])
        bob.hears_text(alice.name, TEXT)


@case(LINES, "A line may have 65,536 bytes (``--max-line``).")
def the_longest_line(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("x" * MOST)
    bob.hears_text(alice.name, "x" * MOST)


@case(LINES, "A longer one is dropped up to its end, and its sender told, who stays connected.")
def a_line_that_is_too_long(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("before", "x" * (MOST + 1), "y" * (3 * MOST), "after")
    for _ in range(2):
        alice.hears_like("That line was not sent: .*")
    bob.hears_text(alice.name, "before")
    bob.hears_text(alice.name, "after")


@case(LINES, "A byte order mark at the start of the input is dropped.")
def a_byte_order_mark(stage: Stage) -> None:
    alice = stage.comes("alice")
    alice.sends(f"\ufeff{stage.name('alice')}\r\n/who\r\n".encode())
    alice.hears("OK")
    alice.hears_like(r"Here: .*")


@case(LINES, "Bytes that are not UTF-8 become U+FFFD.")
def bytes_that_are_no_text(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends(b"caf\xe9 ol\xc3\n")
    bob.hears_text(alice.name, "caf\ufffd ol\ufffd")


@case(LINES, "Texts and names are cleaned of control characters but tab")
def control_characters(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends("\x1b[2Ja\tb\x07c\x00d\u009de\u202ef\u2028g\n".encode())
    bob.hears_text(alice.name, "[2Ja\tbcdefg")


@case(LINES, "a backspace or DEL takes the letter before it along")
def backspaces(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends("helpü\x08\x7flo\n".encode())
    bob.hears_text(alice.name, "hello")


@case(
    LINES,
    "What telnet mixes into the text (IAC, RFC 854) is taken out of it, wherever the "
    "network cuts it.",
)
def telnet_is_taken_out(stage: Stage) -> None:
    alice, bob = stage.pair()
    whole = b"a" + IAC + SB + b"\x18\0x" + IAC + SE + b"b" + IAC + DONT + ECHO + b"c\xc3\xbc\r\n"
    for cut in range(1, len(whole)):
        alice.sends(whole[:cut])
        time.sleep(CUT_SECONDS)
        alice.sends(whole[cut:])
        bob.hears_text(alice.name, "abcü")


@case(
    LINES,
    "DO is answered WONT, and WILL is answered DONT, once for each option, but DO "
    "TIMING-MARK each time.",
)
def telnet_options_are_refused(stage: Stage) -> None:
    alice = stage.enters("alice")
    for asked, due in (
        (IAC + DO + ECHO, IAC + WONT + ECHO),
        (IAC + WILL + ECHO, IAC + DONT + ECHO),
        (IAC + DO + ECHO + IAC + DO + TIMING_MARK, IAC + WONT + TIMING_MARK),
        (IAC + DO + TIMING_MARK, IAC + WONT + TIMING_MARK),
    ):
        alice.sends(asked)
        if (came := alice.takes(3)) != due:
            raise Broken(f"{due!r} was due for {asked!r}, and {came!r} came")


@case(LINES, "Telnet's interrupt (IAC IP) means ``Quit``.")
def telnets_interrupt(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends(b"half" + IAC + IP)
    alice.hears("Quit")
    alice.is_closed()
    bob.hears("Quit.")


@case(
    LINES,
    "Whoever begins with an HTTP request, or with a TLS handshake where none is due, "
    "gets one line of text",
)
def http(stage: Stage) -> None:
    browser = stage.comes("browser")
    browser.sends(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    browser.hears_like("(?!HTTP).+")
    browser.is_closed()


@case(
    LINES,
    "with a TLS handshake where none is due, gets one line of text, and the connection closes.",
    not_through=("tls",),
)
def tls(stage: Stage) -> None:
    client = stage.comes("client")
    client.sends(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508))
    client.hears_like(".+")
    client.is_closed()


@case(LINES, "Who has no peer is closed once the answers are out.", not_through=("tls",))
def half_closed_alone(stage: Stage) -> None:
    alice = stage.enters("alice")
    alice.sends(b"/who\n/who")
    alice.half_closes()
    for _ in range(2):
        alice.hears_like("Here: .*")
    alice.is_closed()


@case(
    LINES,
    "The lines before it are handled, and in plain an unfinished last one too",
    not_through=("tls",),
)
def half_closed_in_a_line(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.sends(b"one\ntwo")
    alice.half_closes()
    bob.hears_text(alice.name, "one")
    bob.hears_text(alice.name, "two")


@case(
    LINES,
    "Who has one is told ``Listening.``, or a ``pong``, and stays until the pair ends.",
    not_through=("tls",),
)
def half_closed_and_listening(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.half_closes()
    alice.hears("Listening.")
    bob.says("I see", "/bye")
    alice.hears_text(bob.name, "I see")
    alice.hears("Quit.")
    alice.is_closed()
    bob.hears("You are free.")


@case(LINES, 'there ``/end`` or ``{"do":"end"}`` says the same.')
def the_end_in_a_word(stage: Stage) -> None:
    alice, bob = stage.pair()
    alice.says("one", "/end", "two")
    bob.hears_text(alice.name, "one")
    alice.hears("Listening.")
    bob.says("I see", "Quit")
    alice.hears_text(bob.name, "I see")
    alice.hears("Quit.")
    alice.is_closed()
    bob.hears("Quit")


LOST = "*A connection that is lost*, however it was, frees the peer, who is told ``Quit.``"


@case(LINES, LOST, articles=True)
def a_closed_connection(stage: Stage) -> None:
    alice, bob = stage.pair()
    bob.closes()
    alice.hears("Quit.")


@case(LINES, LOST)
def a_reset_connection(stage: Stage) -> None:
    alice, bob = stage.pair()
    bob.resets()
    alice.hears("Quit.")
    carol = stage.enters("carol")
    stage.calls(carol, alice)


SLOW = (
    "*A peer that does not read* makes who talks with it wait, and nobody else; it loses no line."
)
ROUNDS = 50
ENOUGH = 64 * 2**20
"""Bytes of which no server should keep as many for somebody who does not read."""


@case(LINES, SLOW)
def a_peer_that_does_not_read(stage: Stage) -> None:
    alice, bob = stage.pair()
    carol, dave = stage.enters("carol"), stage.enters("dave")
    stage.calls(carol, dave)
    sent, unsent, rounds, said = 0, b"", 0, 0
    while rounds < ROUNDS:  # in which nothing was taken, though others were served
        if not unsent:
            said += 1
            unsent = f"{said:07} {'x' * 9_000}\n".encode()
        taken = alice.offers(unsent)
        unsent, sent = unsent[taken:], sent + taken
        rounds = 0 if taken else rounds + 1
        if sent > ENOUGH:
            raise Broken(f"{sent} bytes were taken for bob, who does not read")
        if not taken:
            carol.says("are you there?")
            dave.hears_text(carol.name, "are you there?")
    for number in range(1, said):
        bob.hears_text(alice.name, f"{number:07} {'x' * 9_000}")
    alice.sends(unsent)
    bob.hears_text(alice.name, f"{said:07} {'x' * 9_000}")
