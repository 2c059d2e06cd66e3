"""What can go wrong on a line: one family, each with a code for programs and a text for people."""


class LineError(Exception):
    """Something on a line failed; the code says what, in a word."""

    code: str


class Refused(LineError):
    """The server refused a command, or nobody answered a call.

    The codes are the server's (docs/protocol.rst), and for a call that rang: unanswered, if it
    rang in vain; switched, if the line was paired with somebody else meanwhile; bye, if it hung
    up; lost, if the server knows it no more.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code
        self.text = text


class NotDelivered(LineError):
    """What was said will not arrive, as far as anybody can tell.

    The code, or why, is what the server says (nobody, missing, quit, lost, stopped); "bye",
    "switched" or how the peer left, if the pair ended before the text was sent; "lost", if the
    server knows this line no more; "ended", if the line ended before the server told what became
    of it.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"It was not delivered: {why}")
        self.code = self.why = why


class NotJson(LineError):
    """The server does not speak JSON; the argument is what it said instead."""

    code = "not-json"


class TooLong(LineError, ValueError):
    """A server would drop the line that says this."""

    code = "too-long"


class Ended(LineError):
    """The line has ended, so that nothing can be asked any more."""

    code = "ended"
