"""A directory that stands for a board's /sys and /proc, with files that change at the moment they are read."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path

LONGEST_WAIT_SECONDS = 60


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def make_asked(path: Path) -> None:
    """Put a named pipe there: whoever reads it waits until `answer` gives it something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def answer(path: Path, text: str, process: subprocess.Popen[str], afterwards: str | None = None) -> None:
    """Wait until `process` reads the pipe and give it `text`; `afterwards` an ordinary file stands in its place.

    So a test knows where in its run the program is, without a guess at how fast this machine is. A pipe that is to be
    read again must first see the program read another one: until then the same reader may still be at it.
    """
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads it yet
                raise
        assert process.poll() is None, f"the program ended and did not read {path}"
        assert time.monotonic() < deadline, f"the program never read {path}"
        time.sleep(0.001)
    os.write(pipe, text.encode())
    if afterwards is not None:
        path.unlink()
        path.write_text(afterwards)
    os.close(pipe)  # only now does the reader come to the end
