"""Whether a connection's input is read: its states, and all that may happen in each.

Open: lines are handled as they come. Waiting: they wait for room, for an answer, or for the turns
of others. Answering: the end has come, but counts only once an answer has. Ending: the other end
has said all, and the last lines are handled or wait. Ended: they are handled, and the other end
may still listen. Stopped: the connection is over, and what had come is handled without a wait.
"""

from typing import Literal, TypeAlias

State: TypeAlias = Literal["open", "waiting", "answering", "ending", "ended", "stopped"]
Event: TypeAlias = Literal["wait", "go on", "end later", "end", "all handled", "stop"]

AFTER: dict[Event, dict[State, State]] = {
    # There is no room for what comes, or others have their turns.
    "wait": {"open": "waiting"},
    # There is no reason to wait any longer.
    "go on": {"waiting": "open"},
    # The other end has said all, but an answer is waited for before that.
    "end later": {"open": "answering", "waiting": "answering"},
    # The other end has said all, though it may read on.
    "end": {"open": "ending", "waiting": "ending", "answering": "ending"},
    # The last line is handled.
    "all handled": {"ending": "ended"},
    # The connection is over: what had come is handled next, whatever waits.
    "stop": {"open": "stopped", "waiting": "stopped", "answering": "stopped", "ending": "ended"},
}
"""The state after each event, by the one before; where there is none it changes nothing."""
