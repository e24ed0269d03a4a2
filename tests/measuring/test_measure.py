"""Real executables measured here and under QEMU."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeprune import parity
from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.errors import ParityError, StageFailure, UserError
from edgeprune.measuring import (
    Comparison,
    LocalTransport,
    Measurement,
    NotRun,
    QemuTransport,
    compare_interleaved,
    measure,
    run_inputs,
)
from edgeprune.recipe import Measure
from edgeprune.target import find_target

pytestmark = pytest.mark.slow
Link = Callable[..., Path]
SETTINGS = Measure(warmup=5, samples=200)
EMULATED = ["rpi3", "cortex-a7"]


def needs_qemu(target: str) -> None:
    emulator = find_target(target).emulator
    assert emulator is not None
    found = find_qemu(emulator.program, cpu=emulator.cpu)
    if isinstance(found, Unavailable):
        pytest.skip(f"{found.reason}; {found.mend}")


def measured(artifact: Path, target: str) -> Measurement:
    result = measure(artifact, find_target(target), SETTINGS)
    assert isinstance(result, Measurement)
    return result


def test_the_host_is_measured(link: Link) -> None:
    result = measured(link("host", "WORK=1000"), "host")
    assert (result.model, result.variant, result.target) == ("tiny", "dense", "host")
    assert (result.provenance, result.transport, result.check.passed) == ("measured", "local", True)
    assert result.latency is not None
    assert result.samples_ns is not None
    assert len(result.samples_ns) == result.latency.n == 200
    assert result.latency.min <= result.latency.p50_interval.low <= result.latency.p50 <= result.latency.p90
    assert result.instructions is None
    assert json.loads(json.dumps(result.as_dict()))["latency"]["p99"] == result.latency.p99


@pytest.mark.parametrize("target", EMULATED)
def test_an_emulated_board_is_counted_and_never_timed(link: Link, target: str) -> None:
    needs_qemu(target)
    result = measured(link(target, "WORK=1000"), target)
    assert (result.provenance, result.transport) == ("emulated", "qemu")
    assert (result.latency, result.samples_ns, result.environment, result.verdicts) == (None, None, None, ())
    assert result.emulator is not None
    assert result.emulator.cpu == {"rpi3": "cortex-a53", "cortex-a7": "cortex-a7"}[target]
    if result.instructions is None:
        pytest.skip(f"no plugin: {result.instructions_absent}")
    # Each of the 1000 turns is a load, an add, a store, a compare and a branch, or a little more.
    assert 5_000 <= result.instructions.region <= 12_000
    again = measured(link(target, "WORK=1000"), target)
    assert again.instructions is not None
    assert again.instructions.region == result.instructions.region


@pytest.mark.parametrize("target", ["host", *EMULATED])
def test_a_wrong_answer_stops_the_measurement(link: Link, target: str) -> None:
    if target != "host":
        needs_qemu(target)
    with pytest.raises(ParityError, match=r"golden record 1, output 0, element 2: relative error 0\.0476"):
        measure(link(target, "WRONG_GOLDEN"), find_target(target), SETTINGS)


def test_a_crash_names_its_signal(link: Link) -> None:
    with pytest.raises(StageFailure, match="tiny \\(dense\\) on host: ended by SIGILL"):
        measure(link("host", "TRAP"), find_target("host"), SETTINGS)


def test_the_emulator_refuses_instructions_the_cpu_lacks(link: Link) -> None:
    needs_qemu("rpi3")
    with pytest.raises(StageFailure, match="emulated rpi3: ended by SIGILL; the binary uses instructions this"):
        measure(link("rpi3", "FOREIGN"), find_target("rpi3"), SETTINGS)


def test_a_missing_emulator_is_a_result(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = link("rpi3")
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = measure(artifact, find_target("rpi3"), SETTINGS)
    assert isinstance(result, NotRun)
    assert (result.target, result.absent.reason) == ("rpi3", "qemu-aarch64 is not on this machine")
    assert result.as_dict()["provenance"] == "not run"
    assert isinstance(run_inputs(artifact, find_target("rpi3"), np.zeros((1, 4), np.float32)), Unavailable)


def test_an_emulator_without_plugins_still_checks(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_qemu("rpi3")
    reason = Unavailable("no compiler", "install one")
    monkeypatch.setattr("edgeprune.measuring.qemu_transport.build_plugin", lambda qemu: reason)
    result = measured(link("rpi3"), "rpi3")
    assert (result.check.passed, result.instructions, result.instructions_absent) == (True, None, reason)


@pytest.mark.parametrize("target", ["host", *EMULATED])
def test_every_board_answers_the_same(link: Link, target: str) -> None:
    if target != "host":
        needs_qemu(target)
    inputs = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    answers = run_inputs(link(target), find_target(target), inputs)
    assert not isinstance(answers, Unavailable)
    assert answers.shape == (50, 3)
    parity.compare(2 * inputs[:, :3] + inputs[:, 3:], answers, border=f"numpy | {target}", tolerance=1e-6)


def test_records_of_another_size_are_refused(link: Link) -> None:
    with pytest.raises(UserError, match="5 values per record, but its inputs have 4"):
        run_inputs(link("host"), find_target("host"), np.zeros((2, 5), np.float32))


def test_taking_turns_finds_the_ratio(link: Link) -> None:
    slow, fast = link("host", "WORK=80000"), link("host", "WORK=20000", variant="pruned")
    comparison = compare_interleaved(slow, fast, find_target("host"), rounds=6, samples=40)
    assert isinstance(comparison, Comparison)
    assert 2.5 < comparison.ratio < 6
    assert comparison.ratio_interval.low <= comparison.ratio <= comparison.ratio_interval.high
    assert comparison.first.n == comparison.second.n == 240


def test_an_emulated_comparison_is_refused(link: Link) -> None:
    needs_qemu("rpi3")
    refused = compare_interleaved(link("rpi3"), link("rpi3"), find_target("rpi3"))
    assert isinstance(refused, Unavailable)
    assert refused.reason == "rpi3 is emulated: its times mean nothing"


def test_a_given_transport_stays_open(link: Link) -> None:
    with LocalTransport() as board:
        measure(link("host"), find_target("host"), SETTINGS, transport=board)
        assert Path(board.place("tiny-bench")).is_file()
    assert not Path(board.place("tiny-bench")).exists()


def test_an_emulator_in_disguise_is_found_out(link: Link) -> None:
    needs_qemu("rpi3")
    emulator = find_qemu("qemu-aarch64")
    assert not isinstance(emulator, Unavailable)
    with QemuTransport(emulator, "cortex-a53") as board:
        disguised = LocalTransport()
        disguised.run = board.run  # type: ignore[method-assign]
        with pytest.raises(StageFailure, match="rpi3: local ran the program under qemu-aarch64, so its times mean"):
            measure(link("rpi3"), find_target("rpi3"), SETTINGS, transport=disguised)
        with pytest.raises(StageFailure, match="rpi3: local ran the program under qemu-aarch64, so its times mean"):
            compare_interleaved(link("rpi3"), link("rpi3"), find_target("rpi3"), transport=disguised)
