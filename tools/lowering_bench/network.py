"""One network: exported, built by the command a user types, and held against ONNX Runtime by its own executable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from pruning_bench import zoos
from pruning_bench.child import Limits, run_child
from torch import nn

from edgeprune.artifact import Manifest
from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError, ParityError, StageFailure
from edgeprune.exporting import export_onnx
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.open_transport import open_transport
from edgeprune.target import Target
from lowering_bench.reference import MOST, TIMES, artifacts_error, rounding_explains, write_exact_answers

STAGES = ("make", "export", "build", "check")
"""What a network goes through, in this order. ``make`` fails where torch or the zoo does."""
_CALIBRATION_IMAGES = 16
Row = dict[str, Any]
_FILE, _ARTIFACT, _MODEL = "network.onnx", "artifact", "network"


@dataclass(frozen=True)
class Job:
    """A network of a zoo, the board it is built for, where its files go, and the seconds each stage may take."""

    zoo: zoos.Zoo
    name: str
    target: Target
    folder: Path
    seconds: int


def lower_network(job: Job) -> Row:
    """Return the row of a network: the last stage it passed, what is known from there, and how it failed if it did."""
    limits = Limits(job.seconds, 4 * job.seconds, gibibytes=22)
    row = run_child(lambda folder, report: _export(job, folder, report), job.folder, limits)
    row["input"] = list(job.zoo.shape(job.name)[0])
    if "failed" in row:
        return row
    for stage, step in (("build", _build), ("check", _check)):
        begun = time.monotonic()
        try:
            row.update(step(job, row))
        except EdgepruneError as error:
            row["failed"] = {"stage": stage, "message": str(error).replace(f"{job.folder}{os.sep}", "")}
            break
        row["seconds"][stage] = round(time.monotonic() - begun, 1)
        row["stage"] = stage
    return row


def warm_up() -> None:
    """Export something small, so that no network pays for what the exporter imports at its first call."""
    torch.set_num_threads(1)  # processes are forked from this one, and must find no other threads
    zoo = zoos.ZOOS["built-in"]
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(zoos.build(zoo, "plain"), zoos.inputs(zoo, "plain", 1)[0], Path(folder) / _FILE)


def _export(job: Job, folder: Path, report: Callable[[Row], None]) -> None:
    """Make the network and write its file; runs in a process of its own."""
    begun = time.monotonic()
    network = zoos.build(job.zoo, job.name, settled=False)
    shape = job.zoo.shape(job.name)[0]
    calibrate(network, shape)
    row: Row = {"stage": "make", "parameters": sum(value.numel() for value in network.parameters()), "seconds": {}}
    report(row)
    path = folder / _FILE
    try:
        export_onnx(network, zoos.inputs(job.zoo, job.name, 1)[0], path)
    except EdgepruneError as error:
        report({**row, "failed": {"stage": "export", "message": str(error)}})
        return
    nodes = onnx.load(str(path), load_external_data=False).graph.node
    operators = sorted({node.op_type for node in nodes})
    row |= {"stage": "export", "nodes": len(nodes), "operators": operators}
    row["seconds"] = {"export": round(time.monotonic() - begun, 1)}
    report(row)
    report({**row, "exact": _exact(network, path, shape, folder)})


@torch.no_grad()
def calibrate(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Give batch normalisations the statistics of random images, so that values keep a trained network's range.

    The images are spread as the golden inputs are. With other statistics values grow from layer to layer, and a random
    network amplifies rounding more than a trained one does.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # the plain mean over all batches, and there is one
    if norms:
        network(4 * torch.rand(_CALIBRATION_IMAGES, *shape, generator=torch.Generator().manual_seed(0)) - 2)
    network.eval()


def _exact(network: nn.Module, path: Path, shape: tuple[int, ...], folder: Path) -> Row:
    try:
        return {"onnxruntime": write_exact_answers(network, path, shape, folder)}
    except Exception as error:  # whatever a network's own code raises where it insists on float32
        return {"unknown": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def _build(job: Job, _row: Row) -> Row:
    command = [sys.executable, "-m", "edgeprune", "build", str(job.folder / _FILE), "--target", job.target.name]
    command += ["--out", str(job.folder / _ARTIFACT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        words = said.strip().splitlines()
        raise StageFailure(f"exit code {process.returncode}: {words[-1] if words else 'no word'}")
    manifest = Manifest.read(job.folder / _ARTIFACT)
    return {
        "kernels": len(manifest.kernels),
        "weight_bytes": manifest.weight_bytes,
        "code_bytes": manifest.code_bytes,
        "arena_bytes": manifest.arena_bytes,
        "arena_bound_bytes": manifest.arena_bound_bytes,
        "build_peak_mib": usage.ru_maxrss // 1024,
        "build_cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "tolerance": manifest.tolerance,
    }


def _check(job: Job, row: Row) -> Row:
    """Return what the executable says, and how far both engines are from float64 where that can be told.

    Raises:
        ParityError: it differs from ONNX Runtime by more than its tolerance, and rounding does not explain that.
    """
    board = open_transport(job.target)
    if isinstance(board, Unavailable):
        raise StageFailure(f"not run: {board.reason}; {board.mend}")
    with board:
        executable = board.push(job.folder / _ARTIFACT / f"{_MODEL}-bench")
        done = board.run([executable, "--check-only"], timeout=job.seconds)
    exact = dict(row["exact"])
    if job.target.cpu.isa == "native" and "onnxruntime" in exact:
        exact["ours"] = artifacts_error(job.folder / _ARTIFACT, job.folder)
    try:
        return {"error": read_bench_run(done, job.name).check.max_relative_error, "exact": exact}
    except ParityError as mismatch:
        if "ours" not in exact:
            raise
        if not rounding_explains(exact["ours"], exact["onnxruntime"]):
            raise ParityError(
                f"{mismatch}; off float64 by {exact['ours']:.1e}, ONNX Runtime by {exact['onnxruntime']:.1e} "
                f"(at most {TIMES:g} times that is allowed, and that at most {MOST:g})"
            ) from None
        return {"error": json.loads(done.output)["check"]["max_relative_error"], "exact": exact}
