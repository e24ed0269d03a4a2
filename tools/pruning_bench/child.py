"""Every network in a process of its own, with limits on time and memory.

The processes are forked from one that has imported everything and holds no network: importing torch, a zoo and the
exporter costs several seconds, three times per network.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import resource
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]
Work = Callable[[Path, Callable[[Row], None]], None]


@dataclass(frozen=True)
class Limits:
    """What one network may use: seconds of processor time, seconds in all, and address space in GiB."""

    processor_seconds: int
    seconds: int
    gibibytes: float


def run_child(work: Work, folder: Path, limits: Limits) -> Row:
    """Run ``work(folder, report)`` and return the last row it reported.

    How it ended, if that was early, is the row's failure.
    """
    path = folder / "row.json"
    path.unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(work, folder, path, limits))
    process.start()
    process.join(limits.seconds)
    late = process.is_alive()
    if late:
        process.kill()
        process.join()
    row: Row = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    ended = f"time-out: {limits.seconds} s" if late else _reason(process.exitcode, folder, limits)
    if ended:
        row.setdefault("failed", {"stage": f"after {row.get('stage', 'nothing')}", "message": ended})
    return row


def _child(work: Work, folder: Path, path: Path, limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limits.processor_seconds, limits.processor_seconds + 5))
    size = int(limits.gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    try:
        work(folder, _writer(path))
    except BaseException:
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        os._exit(1)


def _reason(code: int | None, folder: Path, limits: Limits) -> str | None:
    if code == 0:
        return None
    if code == -signal.SIGXCPU:
        return f"time-out: {limits.processor_seconds} s of processor time"
    if code == -signal.SIGKILL:
        return "killed from outside, for memory perhaps"
    said = folder / "error.txt"
    lines = said.read_text(encoding="utf-8").strip().splitlines() if said.exists() else [""]
    return f"ended with {code}: {lines[-1][:300]}"


def _writer(path: Path) -> Callable[[Row], None]:
    """Return a function that writes a row to ``path`` whole or not at all."""

    def write(row: Row) -> None:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(json.dumps(row), encoding="utf-8")
        temporary.replace(path)

    return write
