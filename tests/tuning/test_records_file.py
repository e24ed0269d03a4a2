from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
import tvm

from edgeprune.errors import UserError
from edgeprune.tuning.database import FAILED_SECONDS, Baseline, Database
from edgeprune.tuning.descriptor import Descriptor
from edgeprune.tuning.merge import Merged, merge
from edgeprune.tuning.records_file import export_records, import_records
from edgeprune.tuning.status import all_devices, device_status

DEVICE = Descriptor("x86_64-linux-gnu", "znver3", ("+avx2",), "", 1, tvm.__version__)
CONV, DENSE = ["111", "bW9kdWxl"], ["222", "bW9kdWxl"]


def record(name: str, seconds: float) -> list[object]:
    return [[[name], []], [seconds], {"kind": "llvm"}, []]


@pytest.fixture
def full(tmp_path: Path) -> Database:
    database = Database(DEVICE.directory(tmp_path / "here"), DEVICE)
    database.append(CONV, record("a", 2e-6), None)
    database.append(DENSE, record("b", FAILED_SECONDS), "build error")
    database.append(CONV, record("c", 1e-6), None)
    database.set_baseline("111", 4e-6, "s")
    database.set_name("111", "conv2d")
    database.set_exhausted("222")
    return database


def times(database: Database, workload: str) -> list[tuple[float | None, str | None]]:
    return [(trial.seconds, trial.reason) for trial in database.trials(workload)]


def test_a_file_carries_everything_to_another_cache(full: Database, tmp_path: Path) -> None:
    file = tmp_path / "records.zip"
    assert export_records(full, file) == Merged(added=3, already=0)
    descriptor, merged = import_records(file, tmp_path / "there")
    assert (descriptor, merged) == (DEVICE, Merged(added=3, already=0))
    there = Database(DEVICE.directory(tmp_path / "there"), DEVICE)
    assert times(there, "111") == [(2e-6, None), (1e-6, None)]
    assert times(there, "222") == [(None, "build error")]
    assert (there.baseline("111"), there.name("111"), there.exhausted("222")) == (Baseline(4e-6, "s"), "conv2d", True)


def test_equal_records_are_equal_files_and_a_second_import_adds_nothing(full: Database, tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    export_records(full, one)
    export_records(full, two)
    assert one.read_bytes() == two.read_bytes()
    import_records(one, tmp_path / "there")
    assert import_records(two, tmp_path / "there")[1] == Merged(added=0, already=3)


def test_only_the_kernels_asked_for_are_exported(full: Database, tmp_path: Path) -> None:
    file = tmp_path / "records.zip"
    assert export_records(full, file, {"222"}) == Merged(added=1, already=0)
    import_records(file, tmp_path / "there")
    assert Database(DEVICE.directory(tmp_path / "there"), DEVICE).workloads == ("222",)
    with pytest.raises(UserError, match="no trials to export"):
        export_records(full, tmp_path / "none.zip", {"333"})
    assert not (tmp_path / "none.zip").exists()


def test_a_schedule_both_tried_keeps_the_time_measured_here(full: Database, tmp_path: Path) -> None:
    mine = Database(tmp_path / "mine", DEVICE)
    mine.append(CONV, record("c", 9e-6), None)
    mine.set_baseline("111", 7e-6, "s")
    assert merge(full, mine) == Merged(added=2, already=1)
    assert times(mine, "111") == [(9e-6, None), (2e-6, None)]
    assert mine.baseline("111") == Baseline(7e-6, "s")


def test_records_of_another_tvm_are_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(DEVICE, tvm="0.26.0")
    database = Database(tmp_path / "other", other)
    database.append(CONV, record("a", 2e-6), None)
    export_records(database, tmp_path / "records.zip")
    with pytest.raises(UserError, match=rf"records of TVM 0\.26\.0; this is TVM {tvm.__version__}: tune again"):
        import_records(tmp_path / "records.zip", tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("content", [b"", b"PK not a zip", None])
def test_what_is_no_file_of_records_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "records.zip"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"records\.zip: not a file of tuning records"):
        import_records(file, tmp_path / "there")


def test_a_path_in_an_archive_does_not_reach_outside(full: Database, tmp_path: Path) -> None:
    file = tmp_path / "records.zip"
    export_records(full, file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../outside.json", "[]")
    import_records(file, tmp_path / "there")
    assert not list(tmp_path.rglob("outside.json"))


def test_a_cut_off_record_is_refused_and_nothing_is_added(full: Database, tmp_path: Path) -> None:
    file, cut = tmp_path / "records.zip", tmp_path / "cut.zip"
    export_records(full, file)
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(cut, "w") as shorter:
        for name in archive.namelist():
            content = archive.read(name)
            shorter.writestr(name, content[:-5] if name == "database_tuning_record.json" else content)
    with pytest.raises(UserError, match="a record in it is cut off"):
        import_records(cut, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_status_counts_trials_failures_and_hits(full: Database, tmp_path: Path) -> None:
    (tmp_path / "here" / "old").mkdir()
    (tmp_path / "here" / "old" / "descriptor.json").write_text('{"format": 1}')
    (device,), (unreadable,) = all_devices(tmp_path / "here")
    assert "written by another version of edgeprune" in unreadable
    conv, dense = device.kernels
    assert (conv.name, conv.trials, conv.best_us, conv.baseline_us) == ("conv2d", 2, 1.0, 4.0)
    assert (dense.name, dense.failures, dense.best_us, dense.exhausted) == (None, {"build error": 1}, None, True)
    assert device.hit_rate is None
    asked = device_status(full, [("111", "conv2d"), ("333", "unknown")])
    assert asked.hit_rate == 0.5
    assert (asked.kernels[1].trials, asked.kernels[1].best_us) == (0, None)
