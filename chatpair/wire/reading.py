"""Whether a connection's input is read: its states, and all that may happen in each.

Open: lines are handled as they come. Waiting: they wait for room, for an answer, or for the turns
of others. Answering: the end has come, but counts only once an answer has. Ending: the other end
has said all, and the last lines are handled or wait. Ended: they are handled, and the other end
may still listen. Stopped: the connection is over, and what had come is handled without a wait.
"""

from typing import Literal, Protocol

from automat import TypeMachineBuilder

State = Literal["open", "waiting", "answering", "ending", "ended", "stopped"]


class Reading(Protocol):
    """What may happen to the input."""

    def wait(self) -> bool:
        """Read no more, as there is no room for what it would cause; return whether that is new."""

    def yield_turn(self) -> bool:
        """Let others have their turns; return whether there is more to handle after that."""

    def go_on(self) -> None:
        """There is no reason to wait any longer."""

    def end_later(self) -> None:
        """The other end has said all, but an answer is waited for before that."""

    def end(self) -> None:
        """The other end has said all, though it may read on."""

    def all_handled(self) -> None:
        """The last line is handled."""

    def stop(self) -> None:
        """The connection is over: what had come is handled next, whatever waits."""

    def state(self) -> State:
        """Return the state."""


_builder = TypeMachineBuilder(Reading, object)
_open = _builder.state("open")
_waiting = _builder.state("waiting")
_answering = _builder.state("answering")
_ending = _builder.state("ending")
_ended = _builder.state("ended")
_stopped = _builder.state("stopped")

_open.upon(Reading.wait).to(_waiting).returns(True)
_open.upon(Reading.yield_turn).to(_waiting).returns(True)
for _state in (_answering, _ending):
    _state.upon(Reading.yield_turn).loop().returns(True)
_waiting.upon(Reading.go_on).to(_open).returns(None)
for _state in (_open, _waiting):
    _state.upon(Reading.end_later).to(_answering).returns(None)
for _state in (_open, _waiting, _answering):
    _state.upon(Reading.end).to(_ending).returns(None)
_ending.upon(Reading.all_handled).to(_ended).returns(None)
for _state in (_open, _waiting, _answering, _stopped):
    _state.upon(Reading.stop).to(_stopped).returns(None)
for _state in (_ending, _ended):
    _state.upon(Reading.stop).to(_ended).returns(None)

# All else changes nothing.
for _state in (_waiting, _answering, _ending, _ended, _stopped):
    _state.upon(Reading.wait).loop().returns(False)
for _state in (_waiting, _ended, _stopped):
    _state.upon(Reading.yield_turn).loop().returns(False)
for _input, _states in (
    (Reading.go_on, (_open, _answering, _ending, _ended, _stopped)),
    (Reading.end_later, (_answering, _ending, _ended, _stopped)),
    (Reading.end, (_ending, _ended, _stopped)),
    (Reading.all_handled, (_open, _waiting, _answering, _ended, _stopped)),
):
    for _state in _states:
        _state.upon(_input).loop().returns(None)
_open.upon(Reading.state).loop().returns("open")
_waiting.upon(Reading.state).loop().returns("waiting")
_answering.upon(Reading.state).loop().returns("answering")
_ending.upon(Reading.state).loop().returns("ending")
_ended.upon(Reading.state).loop().returns("ended")
_stopped.upon(Reading.state).loop().returns("stopped")

make_reading = _builder.build()
"""Makes the state of an input, which is open."""
