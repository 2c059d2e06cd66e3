"""The command chatpair-server: twistd -n chatpair, for who has no use for twistd's own options."""

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Serve in the foreground, and leave no file; exits as twistd does."""
    sys.argv[1:1] = ["-n", "--pidfile=", "chatpair"]
    run()
