from __future__ import annotations

import dataclasses
import errno
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import tvm

from edgeprune.errors import StageFailure, UserError
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


def rewritten(file: Path, out: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Write ``file`` to ``out`` with what ``change`` makes of its entries."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(out, "w") as other:
        for name in archive.namelist():
            content = change(name, archive.read(name))
            if content is not None:
                other.writestr(name, content)
    return out


@pytest.mark.parametrize(
    ("entry", "content", "message"),
    [
        ("descriptor.json", None, r"bad\.zip: not a file of tuning records \(it has no descriptor\.json\)"),
        ("descriptor.json", b"{", r"bad\.zip: descriptor\.json: not a descriptor of tuning records"),
        (
            "database_tuning_record.json",
            b'[0,[["a"],"x"]]\n',
            r"bad\.zip: database_tuning_record\.json: line 1 is damaged",
        ),
        (
            "failures.jsonl",
            b"{}\n",
            r"bad\.zip: failures\.jsonl: line 1 is damaged; remove that line, or export it again",
        ),
    ],
)
def test_a_damaged_entry_is_named_as_the_user_knows_it(
    full: Database, tmp_path: Path, entry: str, content: bytes | None, message: str
) -> None:
    export_records(full, tmp_path / "good.zip")
    bad = rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", lambda name, was: content if name == entry else was)
    with pytest.raises(UserError, match=message) as caught:
        import_records(bad, tmp_path / "there")
    assert "edgeprune-records-" not in str(caught.value)
    assert not (tmp_path / "there").exists()


def test_damaged_compressed_content_is_refused(full: Database, tmp_path: Path) -> None:
    export_records(full, tmp_path / "good.zip")
    content = bytearray((tmp_path / "good.zip").read_bytes())
    at = content.index(b"database_tuning_record.json") + len("database_tuning_record.json")
    content[at : at + 8] = b"\xff" * 8
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.zip: not a file of tuning records"):
        import_records(tmp_path / "bad.zip", tmp_path / "there")


def test_a_cpu_that_is_a_path_does_not_reach_outside(full: Database, tmp_path: Path) -> None:
    export_records(full, tmp_path / "good.zip")
    evil = rewritten(
        tmp_path / "good.zip", tmp_path / "evil.zip", lambda _, was: was.replace(b'"znver3"', b'"../../outside"')
    )
    with pytest.raises(UserError, match=r"evil\.zip: descriptor\.json: not a descriptor .*'\.\./\.\./outside'"):
        import_records(evil, tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("outside*"))


def test_an_export_goes_where_it_can_be_written_and_over_nothing_else(full: Database, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"records\.zip: cannot be written: No such file or directory; choose another"):
        export_records(full, tmp_path / "absent" / "records.zip")
    other = tmp_path / "model.onnx"
    other.write_bytes(b"dear to somebody")
    with pytest.raises(UserError, match=r"model\.onnx: not a file of tuning records"):
        export_records(full, other)
    assert other.read_bytes() == b"dear to somebody"
    export_records(full, tmp_path / "records.zip")
    assert export_records(full, tmp_path / "records.zip", {"111"}).added == 2


def test_a_disk_that_fills_while_exporting_leaves_the_earlier_file(
    full: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "records.zip"
    export_records(full, file)
    before = file.read_bytes()

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fill)
    with pytest.raises(StageFailure, match=r"records\.zip: cannot be written: No space left on device"):
        export_records(full, file)
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*.unfinished"))
