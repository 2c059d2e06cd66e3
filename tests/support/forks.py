"""How programs are started; ours without the half second that their imports take.

Such a one is the installed command, forked from a process that has imported what it needs. Where
nobody waits for all that is due, in CI, each is a start of its own.
"""

import atexit
import fcntl
import os
import runpy
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
COMMANDS = (str(BIN / "twistd"), str(BIN / "chatpair"))

_FORKS = get_context("forkserver")
# Nothing of a cluster: the library for the engine installs a reactor.
_FORKS.set_forkserver_preload(
    [
        *("twisted.scripts.twistd", "chatpair.tap", "chatpair.doors.tls", "chatpair.doors.web"),
        *("chatpair.client.run", "chatpair.client.editor"),
    ]
)


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
        self.stdin: Any = None
        self.stdout: Any = None
        with ExitStack() as theirs:
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
            files = (stdin, stdout, stdout if stderr == subprocess.STDOUT else stderr)
            numbers = [it if isinstance(it, int) else it.fileno() for it in files]
            # Of what can be sent to another process, this is what has any file.
            sent = [theirs.enter_context(Connection(os.dup(number))) for number in numbers]
            environment = dict(os.environ if env is None else env)
            request = (sent, arguments, str(Path(cwd).resolve()), environment, has_terminal)
            self._process = _FORKS.Process(target=_become, args=request, daemon=True)
            self._process.start()
        self.pid: int | None = self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, or minus the signal, if it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.pid is not None and self.poll() is None:
            os.kill(self.pid, number)


def _become(
    files: Sequence[Connection],
    arguments: Sequence[str],
    folder: str,
    env: Mapping[str, str],
    has_terminal: bool,
) -> None:
    """Be a program: what its start would have done, and then what the command does."""
    assert "twisted.internet.reactor" not in sys.modules  # each program has one of its own
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
        file.close()
    os.closerange(len(files), os.sysconf("SC_OPEN_MAX"))
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
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()
