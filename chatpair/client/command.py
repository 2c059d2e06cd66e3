"""A command as the party: what it writes is said, and what the peer says is its input."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.stdio import PipeScreen
from chatpair.client.streams import Streams

ENDING_SECONDS = 5.0
"""How long a command may take to end when it has said all, or was told to."""

_NO_END = Ending(ExitStatus.COMMAND, "The command did not end when it had said all.")


class _Shell(ProcessProtocol):
    """The shell that runs the command; its streams are others' business."""

    def __init__(self, ended: Callable[[Failure], object]) -> None:
        self._tell = ended

    def processEnded(self, reason: Failure) -> None:
        """Tell how it ended."""
        self._tell(reason)


class CommandScreen(PipeScreen):
    """Starts a command as soon as there is somebody to hear it."""

    def __init__(self, command: str, *, json: bool) -> None:
        """Take what the shell is to run, and whether it gets events instead of text."""
        super().__init__(json=json, size=0)
        self._command = command
        self._process: Any = None
        self._ending: Ending | None = None

    def open(self, reactor: Any) -> Any:
        """Make the pipes that stand for the command's input and output."""
        self._reactor = reactor
        self._input, to_command = os.pipe()
        ours_to_read, self._output = os.pipe()
        streams = Streams(reactor, self, ours_to_read, to_command)
        os.close(ours_to_read)
        os.close(to_command)
        return streams

    def take_lines(self, wanted: bool, many: bool) -> None:
        """Start the command, at the first time."""
        if wanted and self._process is None:
            self._start()
        super().take_lines(wanted, many)

    def _start(self) -> None:
        self._exited: Deferred[None] = Deferred()
        self._process = self._reactor.spawnProcess(
            _Shell(self._ended),
            "/bin/sh",
            ["sh", "-c", self._command],
            env=None,
            childFDs={0: self._input, 1: self._output, 2: 2},
        )
        os.close(self._input)
        os.close(self._output)

    def _ended(self, reason: Failure) -> None:
        if self._ending is None:
            self._ending = DONE
            if not reason.check(ProcessDone):
                why: Any = reason.value
                code, number = why.exitCode, why.signal
                how = f"status {code}" if number is None else f"signal {number}"
                self._ending = Ending(ExitStatus.COMMAND, f"The command ended with {how}.")
        self._exited.callback(None)

    def stopProducing(self) -> None:
        """Go on: a command need not read what the peer says."""
        self.resumeProducing()

    def peer_left(self) -> None:
        """End the command's input."""
        self.transport.loseWriteConnection()

    async def finish(self) -> Ending:
        """Wait for the command to end, and tell how; one that has not said all is hung up on."""
        if self._process is None:
            return DONE
        if not self._input_ended:
            self._hang_up(DONE)
        await self._exited.addTimeout(
            ENDING_SECONDS, self._reactor, lambda *_: self._hang_up(_NO_END)
        )
        return self._ending or DONE

    def _hang_up(self, ending: Ending) -> None:
        self._ending = self._ending or ending  # how it ends now says nothing about it
        with suppress(ProcessExitedAlready):
            self._process.signalProcess("HUP")
