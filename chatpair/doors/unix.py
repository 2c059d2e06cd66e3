"""Unix sockets that outlive the server which made them."""

import socket
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a unix socket, and Twisted's lock beside it."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)


def remove_stale(path: Path) -> bool:
    """Remove a unix socket on which nobody listens; return whether there was one.

    A server that is killed leaves it behind. Twisted's lock beside it does not tell: its process
    may have the number of another one by now, as most have in a container.
    """
    try:
        if not path.is_socket():
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)  # else it waits for a server that is stopped and full
            probe.connect(str(path))
    except ConnectionRefusedError:
        remove(path)
        return True
    except OSError:
        pass
    return False
