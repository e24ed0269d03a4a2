"""The other side of a worker: an engine as this process sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from peers.engine import Refused, Tensor

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TVM_NUM_THREADS")


class EngineProcess:
    """An engine with a network loaded, in a process of its own on the cores given, until the block ends.

    Every method raises `Refused` with the reason when the engine cannot do what is asked, or its process has ended.
    """

    def __init__(self, engine: str, network: Path, threads: int, cores: Sequence[int]) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="peers-")
        limits = {name: str(threads) for name in THREAD_LIMITS}
        paths = (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", ""))
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "peers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | limits | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        os.sched_setaffinity(self._process.pid, cores)
        scratch = Path(self._scratch.name, "engine")
        scratch.mkdir()
        self._named = {
            "engine": engine,
            "network": str(network.resolve()),
            "threads": threads,
            "scratch": str(scratch),
        }

    def prepare(self, directory: Path) -> Path:
        """Convert the network into the empty ``directory`` and return what `load` takes, now or in another process."""
        asked = self._named | {"do": "prepare", "scratch": str(directory.resolve())}
        return Path(self._ask(asked)["prepared"])

    def load(self, prepared: Path | None = None) -> str:
        """Load the network, converted first unless ``prepared`` is what it became, and return the engine's version."""
        asked = self._named | {"do": "load", "prepared": None if prepared is None else str(prepared.resolve())}
        return str(self._ask(asked)["version"])

    def infer(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run one inference and return its outputs."""
        sent, received = (Path(self._scratch.name, name) for name in ("inputs.npz", "outputs.npz"))
        np.savez(sent, **{str(index): value for index, value in enumerate(inputs)})
        self._ask({"do": "infer", "inputs": str(sent), "outputs": str(received)})
        with np.load(received) as stored:
            return [stored[str(index)] for index in range(len(stored.files))]

    def time(self, *, warmup: int, count: int) -> NDArray[np.int64]:
        """Return the times of ``count`` inferences in nanoseconds, after ``warmup`` untimed ones."""
        return np.asarray(self._ask({"do": "time", "warmup": warmup, "count": count})["ns"], dtype=np.int64)

    def pause(self) -> None:
        """Stop the process: threads that an engine lets spin while it has nothing to do take no core from another."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()
        self._scratch.cleanup()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Refused(f"its process ended{self._ending()}")
        found: dict[str, Any] = json.loads(answer)
        if "refused" in found:
            raise Refused(found["refused"])
        return found

    def _ending(self) -> str:
        code = self._process.wait()
        how = f" by {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return how + (f": {lines[-1]}" if lines else "")
