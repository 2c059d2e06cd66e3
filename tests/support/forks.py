"""How programs are started; ours without the half second that their imports take.

Such a one is the installed command, forked from a process that has imported what it needs. Where
nobody waits for all that is due, in CI, each is a start of its own.
"""

import atexit
import fcntl
import gc
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
COMMANDS = (str(BIN / "twistd"), str(BIN / "chatpair"))

# Nothing of a cluster: the library for the engine installs a reactor.
_MODULES = (
    *("twisted.scripts.twistd", "chatpair.tap", "chatpair.doors.tls", "chatpair.doors.web"),
    *("chatpair.client.run", "chatpair.client.editor"),
)
_MOST = 65_536
"""Bytes that a request may have."""


def heed_signals() -> None:
    """Undo what a shell does to a background job and nohup to any, which all they start inherit."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def take_terminal() -> None:
    """Lead a session, whose terminal is the standard input: only there keys are signals."""
    heed_signals()
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def start(
    arguments: Sequence[str], *, may_fork: bool, has_terminal: bool = False, **options: Any
) -> "subprocess.Popen[bytes] | Forked":
    """Start a program with the options of a Popen, and its standard input as its terminal."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options = {**pipes, **options}
    is_ours = arguments[0] in COMMANDS and options.keys() <= {*pipes, "cwd", "env"}
    acts_at_a_start = "LD_PRELOAD" in os.environ or os.environ.get("CI") == "true"
    if may_fork and is_ours and not acts_at_a_start:
        return Forked(arguments, has_terminal=has_terminal, **options)
    prepare = take_terminal if has_terminal else heed_signals
    return subprocess.Popen(arguments, **{"preexec_fn": prepare, **options})


class Forked:
    """A program that runs: what tests use of a Popen."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        cwd: str | Path = ".",
        env: Mapping[str, str] | None = None,
        has_terminal: bool,
    ) -> None:
        self._arguments = arguments
        self.returncode: int | None = None
        self.stdin: Any = None
        self.stdout: Any = None
        self._report, report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as theirs:
            theirs.enter_context(report)
            if stdin == subprocess.PIPE:
                stdin, end = os.pipe()
                theirs.callback(os.close, stdin)
                self.stdin = os.fdopen(end, "wb")
            elif stdin == subprocess.DEVNULL:
                stdin = os.open(os.devnull, os.O_RDONLY)
                theirs.callback(os.close, stdin)
            if stdout == subprocess.PIPE:
                end, stdout = os.pipe()
                theirs.callback(os.close, stdout)
                self.stdout = os.fdopen(end, "rb")
            files = (report, stdin, stdout, stdout if stderr == subprocess.STDOUT else stderr)
            numbers = [it if isinstance(it, int) else it.fileno() for it in files]
            environment = dict(os.environ if env is None else env)
            request = (arguments, str(Path(cwd).resolve()), environment, has_terminal)
            socket.send_fds(_requests(), [pickle.dumps(request)], numbers)
        self.pid = int(self._report.recv(100))

    def poll(self) -> int | None:
        """Return the exit status, or minus the signal, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end."""
        if self.returncode is None:
            self._report.settimeout(timeout)
            try:
                self.returncode = int(self._report.recv(100))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self._arguments, timeout) from None
            self._report.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


@cache
def _requests() -> socket.socket:
    """Start the process that forks, which ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _fork(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Fork at each request; return in each program, with its request and its standard files."""
    while True:
        request, files, *_ = socket.recv_fds(requests, _MOST, 4)
        if not request:
            sys.exit()
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    report = socket.socket(fileno=files.pop(0))
    if pid := os.fork():
        # Somebody must wait for it who does nothing else.
        for file in files:
            os.close(file)
        report.sendall(str(pid).encode())
        report.sendall(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
        os._exit(0)
    report.close()
    requests.close()
    return request, files


def _become(
    files: Sequence[int],
    arguments: Sequence[str],
    folder: str,
    env: Mapping[str, str],
    has_terminal: bool,
) -> None:
    """Be a program: what its start would have done, and then what the command does."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    (take_terminal if has_terminal else heed_signals)()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        usual = getattr(sys, name)
        kind = {"encoding": usual.encoding, "errors": usual.errors, "closefd": False}
        setattr(sys, name, os.fdopen(number, mode, 1 if os.isatty(number) else -1, **kind))
    sys.argv = [*arguments]
    runpy.run_path(arguments[0], run_name="__main__")


def main() -> None:
    """Serve the requests that come from a socket."""
    for name in _MODULES:
        import_module(name)
    assert "twisted.internet.reactor" not in sys.modules  # each program has one of its own
    gc.freeze()
    request, files = _fork(socket.socket(fileno=int(sys.argv[1])))
    _become(files, *pickle.loads(request))


if __name__ == "__main__":
    main()
