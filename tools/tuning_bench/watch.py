"""Running a command and watching it from outside: when records appear in its database, and how much memory it takes."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

RECORDS = "database_tuning_record.json"
_EVERY_S = 0.2


@dataclass(frozen=True)
class Watched:
    """What was seen of one command: times in seconds since its start, memory in GiB.

    ``arrivals`` has the time every record was first seen at, ``memory`` the largest sum over all its processes of what
    is resident in each (what two of them share counts twice), ``processor_seconds`` what it and its processes used.
    """

    seconds: float
    code: int
    arrivals: tuple[float, ...]
    memory: float
    processor_seconds: float
    last_words: str

    @property
    def first(self) -> float | None:
        """Return when the first record was there."""
        return self.arrivals[0] if self.arrivals else None

    @property
    def rate(self) -> float | None:
        """Return records a second from the first one to the last, ``None`` where all came at once."""
        return rate_after_first(self.arrivals)

    @property
    def rate_in_all(self) -> float | None:
        """Return records a second from the command's start to the last record."""
        return len(self.arrivals) / self.arrivals[-1] if self.arrivals else None


def rate_after_first(arrivals: Sequence[float]) -> float | None:
    """Return arrivals a second, counted from the first."""
    if len(arrivals) < 2 or arrivals[-1] <= arrivals[0]:
        return None
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def watch(
    command: Sequence[str], environment: Mapping[str, str], database: Path, log: Path, limit_s: float = 1200
) -> Watched:
    """Run ``command`` to its end, or for ``limit_s``, and look for records anywhere under ``database``."""
    began, used = time.monotonic(), _children_seconds()
    arrivals: list[float] = []
    memory = 0.0
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            while process.poll() is None and time.monotonic() - began < limit_s:
                time.sleep(_EVERY_S)
                memory = max(memory, _resident(process.pid))
                arrivals += [time.monotonic() - began] * (_records(database) - len(arrivals))
        finally:
            _end(process)
    arrivals += [time.monotonic() - began] * (_records(database) - len(arrivals))
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Watched(
        seconds=time.monotonic() - began,
        code=process.returncode,
        arrivals=tuple(arrivals),
        memory=memory,
        processor_seconds=_children_seconds() - used,
        last_words=(lines or [""])[-1][:300],
    )


def _children_seconds() -> float:
    """Processor time of all children of this process that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _records(database: Path) -> int:
    files = database.rglob(RECORDS) if database.exists() else ()
    return sum(path.read_bytes().count(b"\n") for path in files)


def _resident(root: int) -> float:
    try:
        parent = psutil.Process(root)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**30


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    process.wait()
