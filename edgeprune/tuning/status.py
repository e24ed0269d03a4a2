"""What the databases of all devices hold, to be read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.tuning.choice_log import ChoiceLog, Compared
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import Descriptor


@dataclass(frozen=True)
class KernelStatus:
    """One kernel's records: times in µs per call, ``None`` where there is none; failures by reason."""

    name: str | None
    workload: str
    trials: int
    failures: dict[str, int]
    best_us: float | None
    baseline_us: float | None
    exhausted: bool


@dataclass(frozen=True)
class DeviceStatus:
    """One device's database. ``hit_rate`` is the share of the asked kernels with a valid record.

    ``compared`` are whole networks, built in several ways and measured.
    """

    descriptor: Descriptor
    directory: Path
    kernels: tuple[KernelStatus, ...]
    hit_rate: float | None = None
    compared: tuple[Compared, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        compared = [found.as_dict() for found in self.compared]
        return asdict(self) | {"directory": str(self.directory), "key": self.descriptor.key, "compared": compared}


def all_devices(root: Path) -> tuple[list[DeviceStatus], list[str]]:
    """Return the state of every database under ``root``, by directory name, and what is wrong with unreadable ones."""
    devices, unreadable = [], []
    for path in sorted(path.parent for path in root.glob("*/descriptor.json")):
        try:
            devices.append(device_status(Database(path, Descriptor.read(path))))
        except UserError as error:
            unreadable.append(str(error))
    return devices, unreadable


def device_status(
    records: Database, kernels: Collection[tuple[str, str]] | None = None, network: str | None = None
) -> DeviceStatus:
    """Return the state of one database: of all its kernels, or of a network's ``kernels`` (workload and name).

    ``network`` is the key by which that network's comparison of ways to build is found.
    """
    asked = [(workload, records.name(workload)) for workload in records.workloads] if kernels is None else kernels
    states = tuple(_kernel(records, workload, name) for workload, name in asked)
    hits = sum(state.best_us is not None for state in states)
    hit_rate = None if kernels is None or not states else hits / len(states)
    log = ChoiceLog(records.directory)
    compared = log.all if network is None else tuple(filter(None, [log.compared(network)]))
    return DeviceStatus(Descriptor.read(records.directory), records.directory, states, hit_rate, compared)


def _kernel(records: Database, workload: str, name: str | None) -> KernelStatus:
    trials = records.trials(workload)
    best, baseline = records.best(workload, 1), records.baseline(workload)
    failures = Counter(trial.reason or "unknown" for trial in trials if trial.seconds is None)
    return KernelStatus(
        name=name,
        workload=workload,
        trials=len(trials),
        failures=dict(sorted(failures.items())),
        best_us=best[0].seconds * 1e6 if best and best[0].seconds is not None else None,
        baseline_us=None if baseline is None else baseline.seconds * 1e6,
        exhausted=records.exhausted(workload),
    )
