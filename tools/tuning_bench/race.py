"""One network tuned from nothing by us and by stock MetaSchedule, both watched from outside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tuning_bench.networks import network
from tuning_bench.part import Part
from tuning_bench.provenance import ROOT
from tuning_bench.watch import RECORDS, Watched, watch
from tuning_bench.workshop import private_cache

TARGET = "host"
SEED = 0

_SEEN = "seen.json"


@dataclass(frozen=True)
class Race:
    """A network and the place where both sides leave their records."""

    part: Part
    name: str
    place: Path

    @classmethod
    def start(cls, part: Part, name: str) -> Race:
        """Begin anew: what lay there goes."""
        place = part.workshop.directory / "races" / f"{part.name}-{name}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return cls(part, name, place)

    @property
    def path(self) -> Path:
        """Return the network's ONNX file."""
        return self.part.workshop.network(network(self.name))

    def lowered(self) -> Path:
        """Return the lowered network, whose kernels both sides tune."""
        out = self.place / "lowered"
        if not out.exists():
            self.part.workshop.run(["lower", str(self.path), "--target", TARGET, "--out", str(out)])
        return out

    def ours(self, trials: int, seconds: float) -> Watched:
        """Run `edgeprune tune` on an empty database."""
        return self._tune(self.place / "tuned", trials, seconds, "ours.log")

    def again(self, trials: int, seconds: float) -> Watched:
        """Run the same command again: everything is in the database."""
        return self._tune(self.place / "tuned-again", trials, seconds, "again.log")

    def stock(self, trials: int, limit_s: float) -> Watched:
        """Run stock MetaSchedule, which no code of ours changes: what it found for the same kernels before is kept."""
        kept = self.stock_records(trials)
        if not (kept / _SEEN).exists():
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
            command = [sys.executable, "-m", "tuning_bench.stock", str(self.lowered()), TARGET, str(trials), str(kept)]
            seen = watch([*command, str(SEED)], self.environment(), kept, kept / "stock.log", limit_s)
            (kept / _SEEN).write_text(json.dumps(asdict(seen)))
        found = json.loads((kept / _SEEN).read_text())
        return Watched(**{**found, "arrivals": tuple(found["arrivals"])})

    def stock_records(self, trials: int) -> Path:
        """Return the directory of stock MetaSchedule's database for these kernels and so many trials."""
        kernels = hashlib.sha256((self.lowered() / "module.json").read_bytes()).hexdigest()[:12]
        return self.place.parent / f"stock-{self.place.name}-{trials}-{kernels}"

    def our_records(self) -> Path:
        """Return the directory of our database."""
        [found] = (self.place / "cache" / "tuning").rglob(RECORDS)
        return found.parent

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """Return edgeprune's command line."""
        return [sys.executable, "-m", "edgeprune", *arguments]

    def watched(self, command: list[str], log: str) -> Watched:
        """Run ``command`` with this race's own database."""
        cache = self.place / "cache"
        environment = self.environment() | {"EDGEPRUNE_CACHE": str(private_cache(cache))}
        return watch(command, environment, cache / "tuning", self.place / log)

    def _tune(self, out: Path, trials: int, seconds: float, log: str) -> Watched:
        budget = ("--trials", str(trials), "--seconds", f"{seconds:g}", "--seed", str(SEED))
        return self.watched(
            self.command("tune", str(self.path), "--target", TARGET, "--no-choices", *budget, "--out", str(out)), log
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """Return the variables under which a process finds the bench's modules."""
        places = (str(ROOT / "tools"), os.environ.get("PYTHONPATH", ""))
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))}
