"""Who holds a board, in words for those who wait for it."""

from __future__ import annotations

import getpass
import os
import socket


def whoami() -> str:
    """Say who asks for a board, for whoever waits: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"
