"""How a client ended: its exit status, and what it says last."""

from enum import IntEnum
from signal import SIGINT, SIGPIPE, Signals
from typing import NamedTuple


class ExitStatus(IntEnum):
    """What the shell is told; the texts are those of --help and the manual page.

    Who is ended by a signal gives 128 and the signal's number, as shells do.
    """

    about: str

    def __new__(cls, value: int, about: str) -> "ExitStatus":
        """Make a member that tells what it means."""
        status = int.__new__(cls, value)
        status._value_ = value
        status.about = about
        return status

    OK = 0, "all that was said has arrived"
    USAGE = 1, "the command line, the settings, the input or the output are wrong"
    NO_CONNECTION = 2, "no server could be reached, or it was full, or it went away"
    NAME = 3, "the name was refused, or its password"
    UNKNOWN = 4, "nobody has the name to call"
    BUSY = 5, "the one to call is busy, or does not answer"
    PEER_LEFT = 6, "the other left before all was said"
    NOT_DELIVERED = 7, "something was said that has not arrived, as far as anybody can tell"
    COMMAND = 8, "the command of --exec failed"
    FEWER = 9, "fewer messages came than --count of chatpair listen asks for"


class Ending(NamedTuple):
    """How a talk ended; no text is needed when all is well."""

    status: int
    text: str = ""


DONE = Ending(ExitStatus.OK)
CONNECTION_LOST = Ending(ExitStatus.NO_CONNECTION, "The connection to the server was lost.")

_SIGNALS = {SIGINT: "Interrupted.", SIGPIPE: "The output was closed."}


def interrupted(number: int) -> Ending:
    """Return how it ends after a signal."""
    return Ending(128 + number, _SIGNALS.get(Signals(number), "Terminated."))


def unanswered(number: int, unsettled: int) -> Ending:
    """Return how it ends after a signal to one who waits to leave, with texts of no known fate."""
    more = f" What is not known to have arrived: {unsettled}." if unsettled else ""
    return Ending(128 + number, f"The server did not answer.{more}")


def unwritten(why: str) -> Ending:
    """Return how it ends when nothing more can be written."""
    return Ending(ExitStatus.USAGE, f"The output can't be written: {why}.")


_STATUSES = {
    "reuse": ExitStatus.NAME,
    "bad-name": ExitStatus.NAME,
    "password": ExitStatus.NAME,
    "unknown": ExitStatus.UNKNOWN,
    "busy": ExitStatus.BUSY,
    "dnd": ExitStatus.BUSY,
    "unanswered": ExitStatus.BUSY,
    "self": ExitStatus.USAGE,
    "nobody": ExitStatus.PEER_LEFT,
    "too-long": ExitStatus.NOT_DELIVERED,
}


def refusal(code: str, text: str) -> Ending:
    """Return how a talk ends that can't go on after a refusal."""
    return Ending(_STATUSES.get(code, ExitStatus.NO_CONNECTION), text)
