"""Files that are made as root, and belong to the user that twistd's --uid says from then on."""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.logger import Logger

_log = Logger()


class HandingOver:
    """Gives that user the log, the pid file and unix sockets, to rotate or remove them."""

    def __init__(self, twistd: Mapping[str, Any] | None) -> None:
        """Take twistd's own options, if it is twistd that runs this."""
        uid, gid = (twistd["uid"], twistd["gid"]) if twistd else (None, None)
        self._wanted = uid is not None or gid is not None
        if uid is not None and gid is None:
            gid = pwd.getpwuid(uid).pw_gid
        self._owner = (-1 if uid is None else uid, -1 if gid is None else gid)
        self._files: list[Path] = []
        if twistd and not twistd["chroot"]:
            log = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
            if log != "-" and not twistd["syslog"]:
                self._add(Path(log).absolute())  # --rundir comes later
        if twistd and twistd["pidfile"]:
            self._add(Path(twistd["pidfile"]))

    def _add(self, path: Path) -> None:
        if self._wanted:
            self._files.append(path)

    def give_socket(self, path: Path) -> None:
        """Give away a socket that is there by now, and the lock that Twisted has beside it."""
        self._add(path.absolute())
        if self._wanted:
            for each in (path, path.with_name(f"{path.name}.lock")):
                if each.is_symlink() or each.is_socket():
                    os.chown(each, *self._owner, follow_symlinks=False)

    def give_files(self) -> None:
        """Give away the others, if they are what root has made and nothing else."""
        for path in self._files:
            if path.is_file():
                file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
                status = os.fstat(file)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    os.fchown(file, *self._owner)
                os.close(file)

    def complain(self) -> None:
        """Log, as that user, what can't be removed nor made again for all that."""
        stuck = [str(path) for path in self._files if not os.access(path.parent, os.W_OK)]
        if stuck:
            _log.warn(
                "User {uid} can't remove, rotate or make again {files}: the folder must be that "
                "user's own",
                uid=os.geteuid(),
                files=", ".join(stuck),
            )
