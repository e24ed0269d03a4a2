from __future__ import annotations

import resource
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure, UserError
from edgeprune.tuning.journal import Journal


def test_an_unfinished_last_line_is_cut_off_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"a":1}\n{"b":2}\n{"c":')
    journal = Journal(path)
    assert journal.drop_unfinished_tail() == 5
    assert journal.read_new() == [{"a": 1}, {"b": 2}]
    assert path.read_bytes() == b'{"a":1}\n{"b":2}\n'


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"a":1}\n{"b"\n{"c":3}\n')
    with pytest.raises(UserError, match=r"journal: line 2 is damaged; remove that line"):
        Journal(path).read_new()


def test_only_what_was_added_since_is_read_again(tmp_path: Path) -> None:
    ours, theirs = Journal(tmp_path / "journal"), Journal(tmp_path / "journal")
    ours.drop_unfinished_tail()
    ours.append([1])
    assert ours.read_new() == [[1]]
    theirs.append([2])
    assert ours.read_new() == [[2]]
    assert ours.read_new() == []


def test_a_full_disk_is_a_failure_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.drop_unfinished_tail()
    journal.append({"kept": True})
    before = journal.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(StageFailure, match="cannot add a record: File too large; earlier records are kept"):
            journal.append({"long": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.path.read_bytes() == before
