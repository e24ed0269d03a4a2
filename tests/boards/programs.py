"""Small programs to run on boards, and what to look for there afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether the condition comes true in time: a board tidies up on its own once a connection broke."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def running(word: str) -> bool:
    """Whether a process that is not a zombie has ``word`` among its arguments."""
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and word in (process.info["cmdline"] or ()):
            return True
    return False


def once_running(word: str, action: Callable[[], object]) -> None:
    """Do something, in the background, as soon as a process has ``word`` among its arguments."""
    threading.Thread(target=lambda: eventually(lambda: running(word)) and action(), daemon=True).start()
