"""Everything that is made before anything is timed: networks, records, artifacts, conversions; kept between runs.

What needs making again is decided by a stamp beside each product: the code and the settings that made it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peers.engine import Refused
from peers.process import EngineProcess

from edgeprune.cache import cache_directory
from tuning_bench.networks import Network
from tuning_bench.provenance import code_hash, engine_hash, networks_hash

_STAMP = "stamp.json"
_PATIENCE_S = 3600


@dataclass(frozen=True)
class Budget:
    """What `edgeprune tune` may spend on one network: trials in all, and seconds of this call."""

    trials: int
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What tuning left: the ``directory`` that `build --tuned` takes, and the trials and ``seconds`` of that call."""

    directory: Path
    seconds: float
    result: dict[str, Any]

    @property
    def summary(self) -> dict[str, Any]:
        """Return the figures that a row shows."""
        kernels = self.result["kernels"]
        return {
            "seconds": round(self.seconds, 1),
            "trials": self.result["trials"],
            "trials_in_all": sum(kernel["trials"] + kernel["reused"] for kernel in kernels),
            "failed": sum(sum(kernel["failures"].values()) for kernel in kernels),
            "kernels": len(kernels),
            "hit_rate": self.result["hit_rate"],
        }


class Workshop:
    """Products under ``directory``; tuning records in a cache of their own there, so that no earlier tuning helps."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._say = say
        self._environment = os.environ | {"EDGEPRUNE_CACHE": str(private_cache(directory / "cache"))}

    def network(self, network: Network) -> Path:
        """Return the network's ONNX file."""
        return self.model(network.name, network.write)

    def model(self, name: str, write: Callable[[Path], None]) -> Path:
        """Return the ONNX file called ``name``, written anew where other code made it."""
        path = self.directory / "networks" / f"{name}.onnx"
        stamp = {"code": networks_hash()}
        if not _is_fresh(path, stamp):
            path.parent.mkdir(exist_ok=True)
            partial = path.with_suffix(".partial.onnx")
            write(partial)
            partial.replace(path)
            _write_stamp(path, stamp, 0)
        return path

    def target(self, name: str, threads: int) -> str:
        """Return the target ``name`` with so many threads: for several a file, as a user would write it.

        What is built in the end is chosen by inferences on that many.
        """
        if threads == 1:
            return name
        path = self.directory / "targets" / f"{name}-{threads}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'extends = "{name}"\nthreads = {threads}\n', encoding="utf-8")
        return str(path)

    def tuned(self, network: Path, target: str, budget: Budget, *, emulated: bool = False) -> Tuned:
        """Return the records for a network, tuned by the command a user would give unless that was done before."""
        out = self.directory / "tuned" / f"{network.stem}-{Path(target).stem}"
        command = ["tune", str(network), "--target", target, "--trials", str(budget.trials)]
        command += ["--seconds", f"{budget.seconds:g}", *(["--emulated"] if emulated else [])]
        stamp = {"code": code_hash(), "network": _content(network), "budget": asdict(budget)}
        self._make(out, command, stamp)
        result = json.loads((out / "tuning.json").read_text(encoding="utf-8"))
        return Tuned(out, json.loads(_stamp_of(out).read_text())["seconds"], result)

    def artifact(self, network: Path, target: str, threads: int = 1, tuned: Tuned | None = None) -> Path:
        """Return the artifact with the tuned schedules, or the default ones where ``tuned`` is ``None``."""
        schedules = "default" if tuned is None else "tuned"
        out = self.directory / "artifacts" / f"{network.stem}-{Path(target).stem}-{threads}-{schedules}"
        command = ["build", str(network), "--target", target, "--name", "network", "--threads", str(threads)]
        stamp: dict[str, Any] = {"code": code_hash(), "network": _content(network)}
        if tuned is not None:
            command += ["--tuned", str(tuned.directory)]
            stamp["tuned"] = json.loads(_stamp_of(tuned.directory).read_text())
        self._make(out, command, stamp)
        return out

    def converted(self, network: Path, engine: str, threads: int, cores: Sequence[int]) -> Path:
        """Return what another engine reads.

        Raises:
            Refused: it is not installed or cannot take the network.
        """
        out = self.directory / "converted" / f"{network.stem}-{engine}"
        stamp = {"code": engine_hash(engine), "network": _content(network)}
        answer = out / "prepared.json"
        if not _is_fresh(out, stamp):
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            answer.write_text(json.dumps(_prepare(network, engine, threads, cores, out)))
            _write_stamp(out, stamp, 0)
        found = json.loads(answer.read_text())
        if "refused" in found:
            raise Refused(found["refused"])
        return Path(found["prepared"])

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run edgeprune's command line with this workshop's cache.

        Raises:
            Refused: it fails; the message is its last line.
        """
        command = [sys.executable, "-m", "edgeprune", *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        if done.returncode != 0:
            raise Refused(f"edgeprune {arguments[0]}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        return done

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables under which edgeprune uses this workshop's records."""
        return dict(self._environment)

    def _make(self, out: Path, command: Sequence[str], stamp: dict[str, Any]) -> None:
        if _is_fresh(out, stamp):
            return
        out.parent.mkdir(exist_ok=True)
        began = time.monotonic()
        self.run([*command, "--out", str(out), "--force"])
        seconds = time.monotonic() - began
        _write_stamp(out, stamp, seconds)
        self._say(f"{command[0]} {out.name}: {seconds:.0f} s")


def private_cache(place: Path) -> Path:
    """Return a cache with tuning records of its own, and the user's tools and data."""
    place.mkdir(exist_ok=True)
    for entry in cache_directory().iterdir():
        link = place / entry.name
        if entry.name != "tuning" and not link.exists():
            link.symlink_to(entry)
    return place


def _prepare(network: Path, engine: str, threads: int, cores: Sequence[int], out: Path) -> dict[str, str]:
    scratch = out / "files"
    scratch.mkdir()
    with EngineProcess(engine, network, threads, cores) as process:
        try:
            return {"prepared": str(process.prepare(scratch))}
        except Refused as refusal:
            return {"refused": str(refusal)}


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _stamp_of(out: Path) -> Path:
    """A directory of edgeprune's holds nothing of others: the stamp of DIR is DIR.stamp.json."""
    return out.with_name(f"{out.name}.{_STAMP}")


def _is_fresh(out: Path, stamp: dict[str, Any]) -> bool:
    path = _stamp_of(out)
    if not out.exists() or not path.exists():
        return False
    found: dict[str, Any] = json.loads(path.read_text())
    return found["made_by"] == json.loads(json.dumps(stamp))


def _write_stamp(out: Path, stamp: dict[str, Any], seconds: float) -> None:
    _stamp_of(out).write_text(json.dumps({"made_by": stamp, "seconds": seconds}))
