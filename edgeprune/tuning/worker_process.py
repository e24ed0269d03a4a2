"""What a process does that builds or measures candidates until its pipe closes."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import tvm

from edgeprune.tuning.build_candidate import build_candidate
from edgeprune.tuning.candidate_code import build_code, store_reference
from edgeprune.tuning.measure_candidate import Reference, WrongResultError, measure_candidate, run_reference
from edgeprune.tuning.plan import Plan


class Handler:
    """Answers one job at a time; keeps the references of the kernels it has measured."""

    def __init__(self) -> None:
        self._references: dict[str, Reference] = {}

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return ``job``'s outcome: its figures, or ``reason`` and ``detail`` of its failure."""
        try:
            answers = {
                "build": self._build,
                "object": self._object,
                "reference": self._reference,
                "measure": self._measure,
            }
            outcome = answers[job["kind"]](job)
        except WrongResultError as error:
            return {"reason": "wrong result", "detail": str(error)}
        except Exception as error:  # whatever a candidate makes TVM raise costs that candidate only, and is counted
            reason = "build error" if job["kind"] in ("build", "object") else "run error"
            return {"reason": reason, "detail": _last_line(error)}
        return outcome

    @staticmethod
    def _build(job: dict[str, Any]) -> dict[str, Any]:
        module = tvm.ir.load_json(job["module"])
        target = tvm.target.Target(job["target"])
        return {"plan": build_candidate(module, target, Path(job["library"])).as_dict()}

    @staticmethod
    def _object(job: dict[str, Any]) -> dict[str, Any]:
        module = tvm.ir.load_json(job["module"])
        target = tvm.target.Target(job["target"])
        return build_code(module, target, Path(job["object"]), job["prefix"]).as_dict()

    def _reference(self, job: dict[str, Any]) -> dict[str, Any]:
        reference, seconds = run_reference(Path(job["library"]), Plan.from_dict(job["plan"]), job["seed"])
        self._references[job["workload"]] = reference
        if "store" in job:
            store_reference(reference, Path(job["store"]))
        return {"seconds": seconds}

    def _measure(self, job: dict[str, Any]) -> dict[str, Any]:
        reference = self._references[job["workload"]]
        plan = Plan.from_dict(job["plan"])
        return {"seconds": measure_candidate(Path(job["library"]), plan, reference, job["best"])}


def serve(connection: Connection) -> None:
    """Do one job after another until the other end of ``connection`` closes."""
    handler = Handler()
    while True:
        try:
            job = json.loads(connection.recv_bytes())
        except (EOFError, ConnectionError):
            return
        connection.send_bytes(json.dumps(handler.answer(job)).encode())


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[-1].strip() if lines else type(error).__name__)[:300]
