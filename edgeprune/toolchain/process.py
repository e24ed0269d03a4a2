"""Running a compiler, linker or archiver."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from edgeprune.errors import StageFailure

_LINES_SHOWN = 8
# As the C library, and zig, put it.
_FULL_DISK = ("No space left on device", "NoSpaceLeft", "Disk quota exceeded", "File too large")
# The first link against a libc compiles that libc with zig, which takes a minute on a slow machine.
_TIMEOUT_SECONDS = 900


def run_tool(name: str, what: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run ``command`` and return its standard output; an error names the tool and the work (``what``).

    Raises:
        StageFailure: it does not start, failed or took too long; its last lines are in the message.
    """
    try:
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except OSError as error:
        raise StageFailure(f"{what}: {name} does not start: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise StageFailure(f"{what}: {name} did not finish within {_TIMEOUT_SECONDS} s") from None
    if finished.returncode != 0:
        lines = [line for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
        full = [line.strip() for line in lines if any(words in line for words in _FULL_DISK)]
        if full:
            raise StageFailure(f"{what}: {name} failed for want of space on a disk: {full[-1]}")
        shown = "\n".join(lines[-_LINES_SHOWN:]) or f"exit code {finished.returncode}"
        raise StageFailure(f"{what}: {name} failed:\n{shown}")
    return finished.stdout
