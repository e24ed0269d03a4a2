from __future__ import annotations

import dataclasses
import json
import multiprocessing
from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.target import Target
from edgeprune.tuning.database import FAILED_SECONDS, RECORDS, WORKLOADS, Baseline, Database
from edgeprune.tuning.descriptor import Descriptor, describe

DEVICE = Descriptor("x86_64-linux-gnu", "znver3", (), "", 1, "0.27.0")
WORKLOAD = ["111", "bW9kdWxl"]


def record(name: str, seconds: float) -> list[object]:
    return [[[name], []], [seconds], {"kind": "llvm"}, []]


def test_trials_come_back_in_order_with_times_and_reasons(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(WORKLOAD, record("a", 2e-6), None)
    database.append(WORKLOAD, record("b", FAILED_SECONDS), "build error")
    database.append(WORKLOAD, record("c", 1e-6), None)
    for opened in (database, Database(tmp_path / "db", DEVICE)):
        trials = opened.trials("111")
        assert [(trial.seconds, trial.reason) for trial in trials] == [
            (2e-6, None),
            (None, "build error"),
            (1e-6, None),
        ]
        assert [trial.record[0][0] for trial in opened.best("111", 5)] == [["c"], ["a"]]
        assert opened.trials("222") == []


def test_a_killed_writer_costs_its_last_line_only(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(WORKLOAD, record("a", 2e-6), None)
    database.append(WORKLOAD, record("b", 1e-6), None)
    path = tmp_path / "db" / RECORDS
    path.write_bytes(path.read_bytes()[:-7])
    opened = Database(tmp_path / "db", DEVICE)
    assert opened.dropped_bytes == len(json.dumps([0, record("b", 1e-6)], separators=(",", ":"))) + 1 - 7
    assert [trial.seconds for trial in opened.trials("111")] == [2e-6]
    opened.append(WORKLOAD, record("c", 3e-6), None)
    assert [trial.seconds for trial in Database(tmp_path / "db", DEVICE).trials("111")] == [2e-6, 3e-6]


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"cpu": "cortex-a53"}, "cpu 'znver3'"), ({"threads": 4}, "threads 1"), ({"tvm": "0.28.0"}, "tvm '0.27.0'")],
)
def test_records_of_another_device_are_refused(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    Database(tmp_path / "db", DEVICE)
    other = dataclasses.replace(DEVICE, **changed)
    with pytest.raises(UserError, match=f"these records are of another device: {named}") as caught:
        Database(tmp_path / "db", other)
    assert "use another database directory" in str(caught.value)
    assert other.key != DEVICE.key


def test_a_record_of_an_unknown_workload_is_named(tmp_path: Path) -> None:
    Database(tmp_path / "db", DEVICE)
    (tmp_path / "db" / RECORDS).write_text(json.dumps([3, record("a", 1e-6)]) + "\n")
    with pytest.raises(UserError, match=f"a record of workload 3, which {WORKLOADS} lacks"):
        Database(tmp_path / "db", DEVICE)


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "db"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(directory, name)) for name in ("one", "two", "three")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    opened = Database(directory, DEVICE)
    assert opened.dropped_bytes == 0
    for workload in ("one", "two", "three"):
        assert [trial.seconds for trial in opened.trials(workload)] == [float(n + 1) for n in range(30)]
    assert len(opened.trials("shared")) == 90


def _write(directory: Path, name: str) -> None:
    database = Database(directory, DEVICE)
    for number in range(30):
        database.append([name, "bQ=="], record(name, number + 1.0), None)
        database.append(["shared", "bQ=="], record(f"{name}{number}", 1.0), None)


def test_native_is_resolved_to_the_cpu(host: Target) -> None:
    descriptor = describe(host)
    assert descriptor.cpu not in ("", "native")
    assert descriptor.threads == 1
    assert descriptor.directory(Path("root")) == Path("root") / f"{descriptor.cpu}-{descriptor.key}"


def test_what_is_known_about_kernels_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    assert (database.baseline("111"), database.exhausted("111")) == (None, False)
    database.set_baseline("111", 3e-6, "s")
    database.set_baseline("111", 2e-6, "s")
    database.set_exhausted("111")
    opened = Database(tmp_path / "db", DEVICE)
    assert (opened.baseline("111"), opened.exhausted("111")) == (Baseline(2e-6, "s"), True)
    assert not opened.exhausted("222")
