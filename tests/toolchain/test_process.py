"""What is said of a compiler or linker that failed."""

from __future__ import annotations

import pytest

from edgeprune.errors import StageFailure
from edgeprune.toolchain.process import run_tool


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("warning: x: NoSpaceLeft\nfatal error: No space left on device", "fatal error: No space left on device"),
        ("cannot write x: File too large\ngave up", "cannot write x: File too large"),
    ],
)
def test_a_full_disk_is_one_line_among_many(said: str, message: str) -> None:
    with pytest.raises(StageFailure) as failure:
        run_tool("cc", "linking x", ["sh", "-c", f"printf '{said}' >&2; exit 1"])
    assert str(failure.value) == f"linking x: cc failed for want of space on a disk: {message}"


def test_other_failures_come_with_the_last_lines() -> None:
    with pytest.raises(StageFailure) as failure:
        run_tool("cc", "linking x", ["sh", "-c", "seq 10 >&2; exit 1"])
    assert str(failure.value) == "linking x: cc failed:\n3\n4\n5\n6\n7\n8\n9\n10"
