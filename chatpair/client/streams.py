"""Standard input and output: other programs' too, and what is written is known to be."""

import os
from contextlib import suppress
from errno import EPIPE
from stat import S_ISCHR, S_ISFIFO
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionLost
from twisted.internet.fdesc import readFromFD
from twisted.internet.interfaces import IPushProducer
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure


class User(Protocol):
    """Who reads and writes."""

    def makeConnection(self, transport: Any) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def readConnectionLost(self) -> None: ...

    def output_failed(self, why: str) -> None:
        """Nothing more can be written, for a reason that is not that nobody reads it."""

    def writeConnectionLost(self) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


class _Own:
    """A descriptor of what we inherited, which does not block.

    Other programs may have the same pipe or terminal, and it must go on to block for them. So it is
    opened anew, where that is possible; else it is as it was before when this is closed.
    """

    def __init__(self, inherited: int, flags: int) -> None:
        mode = os.fstat(inherited).st_mode
        self.fd = -1
        if S_ISFIFO(mode) or S_ISCHR(mode):
            with suppress(OSError):  # another user's, or there is no /proc
                self.fd = os.open(f"/proc/self/fd/{inherited}", flags | os.O_NOCTTY | os.O_CLOEXEC)
        self._blocked = self.fd < 0 and os.get_blocking(inherited)
        if self.fd < 0:
            self.fd = os.dup(inherited)
        os.set_blocking(self.fd, False)

    def close(self) -> None:
        if self.fd < 0:
            return
        if self._blocked:
            os.set_blocking(self.fd, True)
        os.close(self.fd)
        self.fd = -1


class _Input(FileDescriptor):
    def __init__(self, reactor: Any, fd: int, user: User) -> None:
        super().__init__(reactor)
        self._fd = fd
        self._user = user
        self.connected = True

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> Exception | None:
        return readFromFD(self._fd, self._user.dataReceived)  # type: ignore[no-any-return]

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._user.readConnectionLost()


class _Output(FileDescriptor):
    """Writes at once; its producer is paused until all is written."""

    bufferSize = 0

    def __init__(self, reactor: Any, fd: int, streams: "Streams") -> None:
        super().__init__(reactor)
        self._fd = fd
        self._streams = streams
        self._why: OSError | None = None
        self.connected = True
        if S_ISFIFO(os.fstat(fd).st_mode):
            self.startReading()  # so that it is noticed when nobody reads any more

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> Exception:
        return CONNECTION_LOST

    def write(self, data: bytes) -> None:
        if self.connected and not self.producerPaused:
            written = self.writeSomeData(data)
            if isinstance(written, int):
                data = data[written:]
        if data:
            super().write(data)

    def writeSomeData(self, data: bytes) -> int | Exception:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as why:
            self._why = why
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        if self._why is not None and self._why.errno != EPIPE:
            self._streams.user.output_failed(str(self._why.strerror))
        super().connectionLost(reason)
        self._streams.output_lost(reason)


class Streams:
    """The transport of a user: reads from one inherited descriptor, and writes to another."""

    def __init__(self, reactor: Any, user: User, stdin: int = 0, stdout: int = 1) -> None:
        self.user = user
        self._own = _Own(stdin, os.O_RDONLY), _Own(stdout, os.O_WRONLY)
        self._closing = False
        self._input = _Input(reactor, self._own[0].fd, user)
        self._output = _Output(reactor, self._own[1].fd, self)
        self._input.startReading()
        user.makeConnection(self)

    def pauseProducing(self) -> None:
        self._input.stopReading()

    def resumeProducing(self) -> None:
        if self._input.connected:
            self._input.startReading()

    def write(self, data: bytes) -> None:
        self._output.write(data)

    def registerProducer(self, producer: IPushProducer) -> None:
        """Let a producer pause while anything is still to be written."""
        self._output.registerProducer(producer, True)

    def loseWriteConnection(self) -> None:
        """Write what is to be written, and no more."""
        self._output.loseConnection()

    def loseConnection(self) -> None:
        """Do the same, and read no more; the user is told when all is written."""
        self._closing = True
        self._input.stopReading()
        self._output.unregisterProducer()
        if self._output.connected:
            self._output.loseConnection()
        else:
            self.user.connectionLost(Failure(ConnectionLost()))

    def output_lost(self, reason: Failure) -> None:
        """Tell the user that nothing more will be written, and whoever reads it too."""
        self._own[1].close()
        if self._closing:
            self.user.connectionLost(reason)
        else:
            self.user.writeConnectionLost()

    def close(self) -> None:
        """Give back what was inherited as it was."""
        self._input.stopReading()
        self._output.stopWriting()
        self._output.stopReading()
        for one in self._own:
            one.close()
