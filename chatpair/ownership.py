"""Files that are made as root, and belong to the user that twistd's --uid says from then on."""

import os
import pwd
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.logger import Logger

_log = Logger()


class Ownership:
    """Gives that user the log and unix sockets, and complains of what it can't remove for all that.

    Who may remove a file is decided by its folder. So the pid file, by which root may kill, stays
    root's.
    """

    def __init__(self, twistd: Mapping[str, Any] | None) -> None:
        """Take the options of the command that runs this, which count if it is twistd."""
        twistd = twistd if twistd and "pidfile" in twistd else None
        uid, gid = (twistd["uid"], twistd["gid"]) if twistd else (None, None)
        self._wanted = uid is not None or gid is not None
        if uid is not None and gid is None:
            gid = pwd.getpwuid(uid).pw_gid
        self._owner = (-1 if uid is None else uid, -1 if gid is None else gid)
        self._files: list[Path] = []
        self.log: Path | None = None
        """Where the log is, if it is in a file."""
        if twistd:
            if twistd["pidfile"]:
                self._files.append(Path(twistd["pidfile"]))
            log = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
            if log != "-" and not (twistd["syslog"] or twistd["chroot"]):
                self.log = Path(log).absolute()  # --rundir comes later
                self._files.append(self.log)

    def give_socket(self, path: Path) -> None:
        """Give away a socket that is there by now, and the lock that Twisted has beside it."""
        if self._wanted:
            self._files.append(path.absolute())
            for each in (path, path.with_name(f"{path.name}.lock")):
                with suppress(FileNotFoundError, PermissionError):  # twistd tells who is no root
                    os.chown(each, *self._owner, follow_symlinks=False)

    def give_log(self) -> None:
        """Give away the log, if it is what root has made and nothing else."""
        if self._wanted and self.log is not None:
            with suppress(OSError), open(self.log, "rb", opener=_no_link) as file:
                status = os.fstat(file.fileno())
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    os.fchown(file.fileno(), *self._owner)

    def complain(self) -> None:
        """Log, as that user, what can't be removed nor made again for all that."""
        stuck = [str(path) for path in self._files if not os.access(path.parent, os.W_OK)]
        if self._wanted and stuck:
            _log.warn(
                "User {uid} can't remove, rotate or make again {files}: the folder must be that "
                "user's own",
                event="stuck_files",
                uid=os.geteuid(),
                files=", ".join(stuck),
            )


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
