"""Telling systemd, or whatever else started the server, how far it is."""

import os
import socket

from twisted.logger import Logger

SECONDS = 5.0
"""How long the one who is told may take to make room for it."""

_log = Logger()


def notify(state: str) -> None:
    """Tell a state, such as READY=1, to whoever asked for that (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.settimeout(SECONDS)
            told.connect(f"\0{where[1:]}" if where.startswith("@") else where)
            told.send(state.encode())
    except OSError as why:
        _log.warn("Can't tell {where} {state}: {why}", where=where, state=state, why=why)
