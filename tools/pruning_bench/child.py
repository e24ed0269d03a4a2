"""Every network in a process of its own, with limits on time and memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Limits:
    """What one network may use: seconds of processor time, seconds in all, and address space in GiB."""

    processor_seconds: int
    seconds: int
    gibibytes: float


def child_environment() -> dict[str, str]:
    """Return an environment with one thread, in which this package and edgeprune are found."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    paths = [str(_ROOT), str(_ROOT / "tools"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def run_child(side: str, zoo: str, name: str, amount: float, work: Path, limits: Limits) -> dict[str, Any]:
    """Run one side (``ours`` or ``peer``) and return the last row it reported; how it ended if that was early."""
    work.mkdir(parents=True, exist_ok=True)
    rows = work / f"{side}.json"
    rows.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pruning_bench.worker", side, zoo, name, str(amount), str(work)]
    process = subprocess.Popen(
        command,
        env=child_environment(),
        preexec_fn=lambda: _limit(limits),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ended = None
    try:
        _, said = process.communicate(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        ended, said = f"time-out: {limits.seconds} s", ""
    finally:
        _end(process)
    row: dict[str, Any] = json.loads(rows.read_text(encoding="utf-8")) if rows.exists() else {}
    ended = ended or _reason(process.returncode, said, limits)
    if ended:
        row.setdefault("failed", {"stage": f"after {row.get('stage') or row.get('step')}", "message": ended})
        row["handled"] = False
    return row


def _limit(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limits.processor_seconds, limits.processor_seconds + 5))
    size = int(limits.gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _end(process: subprocess.Popen[str]) -> None:
    """Leave nothing running, the child's own child included."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _reason(code: int, said: str, limits: Limits) -> str | None:
    if code == 0:
        return None
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"time-out: {limits.processor_seconds} s of processor time"
    lines = said.strip().splitlines()
    return f"ended with {code}: {lines[-1][:300] if lines else ''}"


def writer(path: Path) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes a row to ``path`` whole or not at all."""

    def write(row: dict[str, Any]) -> None:
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(json.dumps(row), encoding="utf-8")
        temporary.replace(path)

    return write
