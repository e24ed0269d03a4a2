"""The process of one engine: it loads a network and answers requests, one JSON object a line, until its input ends.

Requests: ``{"do": "prepare", engine, network, threads, scratch}``, ``{"do": "load", ..., prepared}`` (``null``: prepare
first), ``{"do": "infer", inputs, outputs}`` (names of .npz files whose arrays are called 0, 1, ...), ``{"do": "time",
warmup, count}``. Answers: ``{"prepared"}``, ``{"version"}``, ``{}``, ``{"ns"}``, or ``{"refused"}`` with the reason.
What engines print goes to the error stream.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from peers.engine import ENGINES, Engine, Refused, Signature, read_signature


class _Worker:
    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._signature: Signature | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked; a refusal, or any failure of the engine, is an answer too."""
        try:
            match request["do"]:
                case "prepare":
                    return {"prepared": str(self._prepare(request))}
                case "load":
                    return self._load(request)
                case "infer":
                    return self._infer(Path(request["inputs"]), Path(request["outputs"]))
                case _:
                    return self._time(request["warmup"], request["count"])
        except Refused as refusal:
            return {"refused": str(refusal)}
        except Exception as error:  # engines raise classes of their own
            return {"refused": f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"}

    def _prepare(self, request: dict[str, Any]) -> Path:
        network = Path(request["network"])
        module = importlib.import_module(ENGINES[request["engine"]])
        prepared = module.prepare(network, read_signature(network), request["threads"], Path(request["scratch"]))
        return Path(prepared)

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        self._signature = read_signature(Path(request["network"]))
        prepared = Path(request["prepared"]) if request["prepared"] else self._prepare(request)
        module = importlib.import_module(ENGINES[request["engine"]])
        self._engine = module.load(prepared, self._signature, request["threads"])
        assert self._engine is not None
        return {"version": self._engine.version}

    def _infer(self, inputs: Path, outputs: Path) -> dict[str, Any]:
        assert self._engine is not None and self._signature is not None
        with np.load(inputs) as stored:
            self._engine.set_inputs([stored[str(index)] for index in range(len(stored.files))])
        self._engine.infer()
        found = self._signature.shaped(self._engine.outputs())
        np.savez(outputs, **{str(index): value for index, value in enumerate(found)})
        return {}

    def _time(self, warmup: int, count: int) -> dict[str, Any]:
        assert self._engine is not None
        infer, clock, samples = self._engine.infer, time.perf_counter_ns, []
        for _ in range(warmup):
            infer()
        for _ in range(count):
            start = clock()
            infer()
            samples.append(clock() - start)
        return {"ns": samples}


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = _Worker()
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
