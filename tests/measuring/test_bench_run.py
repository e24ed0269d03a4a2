import json
import signal
from typing import Any

import pytest

from edgeprune.errors import ParityError, StageFailure, UserError
from edgeprune.measuring.bench_run import read_bench_run
from edgeprune.measuring.transport import Completed

DOCUMENT: dict[str, Any] = {
    "check": {
        "passed": True, "golden": 2, "max_relative_error": 1e-7, "tolerance": 1e-5,
        "worst": {"golden": 1, "output": 0, "element": 7},
    },
    "samples_ns": [3, 1, 2], "warmup": 5, "records": 0, "clock": {"backwards": 0}, "environment": {},
    "threads": 1, "cores_used": "0", "cold_bytes": None, "cooldown": None,
    "profile": [{"step": "conv: a, b", "samples_ns": [7, 9]}],
}  # fmt: skip


def completed(code: int, document: dict[str, Any] | None = None, errors: bytes = b"") -> Completed:
    return Completed(code, json.dumps(document).encode() if document else b"", errors)


def with_check(**changes: Any) -> dict[str, Any]:
    return DOCUMENT | {"check": DOCUMENT["check"] | changes}


def test_samples_keep_their_order() -> None:
    run = read_bench_run(completed(0, DOCUMENT), "tiny on board")
    assert run.samples_ns.tolist() == [3, 1, 2]
    assert run.check.max_relative_error == 1e-7
    assert [(step.name, step.samples_ns.tolist()) for step in run.profile] == [("conv: a, b", [7, 9])]


def test_a_wrong_answer_says_where() -> None:
    wrong = with_check(passed=False, max_relative_error=0.25)
    with pytest.raises(ParityError) as caught:
        read_bench_run(completed(3, wrong), "tiny on board")
    assert str(caught.value) == (
        "tiny on board: golden record 1, output 0, element 7: relative error 0.25, tolerance 1e-05"
    )


def test_an_infinite_error_is_said_so() -> None:
    with pytest.raises(ParityError, match="relative error infinite"):
        read_bench_run(completed(3, with_check(passed=False, max_relative_error=None)), "tiny")


@pytest.mark.parametrize(
    ("done", "message"),
    [
        (completed(4, errors=b"first\ntiny-bench: cannot open x\n"), "tiny: exit code 4: tiny-bench: cannot open x"),
        (completed(-signal.SIGSEGV), "tiny: ended by SIGSEGV"),
        (completed(-signal.SIGILL), "tiny: ended by SIGILL; the binary uses instructions this CPU does not have"),
        (
            completed(0, with_check(golden=0)),
            "tiny: the executable carries no golden record, so nothing proves its answers",
        ),
    ],
)
def test_failures_name_their_cause(done: Completed, message: str) -> None:
    with pytest.raises(StageFailure) as caught:
        read_bench_run(done, "tiny")
    assert str(caught.value) == message


def test_what_the_board_cannot_do_is_the_users_mistake() -> None:
    refused = completed(2, errors=b"tiny-bench: this board shows no temperature; give --cooldown in seconds\n")
    with pytest.raises(UserError, match=r"^tiny on board: tiny-bench: this board shows no temperature; give"):
        read_bench_run(refused, "tiny on board")


def test_output_that_is_no_result() -> None:
    with pytest.raises(StageFailure, match="cannot be read"):
        read_bench_run(Completed(0, b"{", b""), "tiny")
    with pytest.raises(StageFailure, match="cannot be read: KeyError"):
        read_bench_run(completed(0, {"check": DOCUMENT["check"]}), "tiny")
