"""Comparing engines: what is refused and why, and ONNX Runtime's own process on a small network."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from peers import litert_engine
from peers.contest import Entrant, Row, Turns, _largest_error, _take_turns, contest, seeded_inputs
from peers.engine import ENGINES, Refused, Signature, read_signature
from peers.process import EngineProcess

from edgeprune.errors import ParityError
from tests.lowering.networks import lenet5

TOOL = Path(__file__).parents[2] / "tools" / "compare_peers.py"


def save(path: Path, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Path:
    x, y = (helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "network", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def test_a_signature_has_the_tensors_in_the_file_s_order(tmp_path: Path) -> None:
    signature = read_signature(save(tmp_path / "n.onnx", [1, 3, 4]))
    assert signature == Signature((("x", (1, 3, 4)),), (("y", (1, 3, 4)),))
    (once,), (again,) = seeded_inputs(signature), seeded_inputs(signature)
    assert once.shape == (1, 3, 4) and once.dtype == np.float32 and np.array_equal(once, again)


@pytest.mark.parametrize(("shape", "kind"), [(["N", 3], TensorProto.FLOAT), ([1, 3], TensorProto.DOUBLE)])
def test_open_shapes_and_other_types_are_refused(shape: list[int | str], kind: int, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="x is not a float32 tensor of fixed shape"):
        read_signature(save(tmp_path / "n.onnx", shape, kind))


def test_outputs_without_their_batch_are_given_it_back() -> None:
    signature = Signature((), (("y", (1, 2, 2)),))
    (found,) = signature.shaped([np.arange(4, dtype=np.float32).reshape(2, 2)])
    assert found.shape == (1, 2, 2)
    with pytest.raises(Refused, match="output y the shape"):
        signature.shaped([np.zeros(3, dtype=np.float32)])
    with pytest.raises(Refused, match="gives 2 outputs instead of 1"):
        signature.shaped([np.zeros(4, dtype=np.float32)] * 2)


def test_other_outputs_are_not_timed() -> None:
    one = [np.ones(4, dtype=np.float32)]
    assert _largest_error(one, [one[0] + np.float32(5e-4)], "other") == pytest.approx(5e-4, rel=1e-3)
    with pytest.raises(ParityError, match=r"onnxruntime \\| other: outputs differ"):
        _largest_error(one, [one[0] + np.float32(2e-3)], "other")


def test_every_engine_has_its_module() -> None:
    assert all(importlib.util.find_spec(module) is not None for module in ENGINES.values())


@pytest.mark.slow
def test_onnx_runtime_is_measured_and_what_is_not_installed_is_listed(tmp_path: Path) -> None:
    network = lenet5(tmp_path / "lenet5.onnx", first=4, second=8, hidden=16)
    said: list[str] = []
    engines = ["onnxruntime", *(name for name in ("mnn", "ncnn") if not _installed(name))]
    rows = contest(
        network,
        read_signature(network),
        [Entrant(name) for name in engines],
        threads=1,
        cores=sorted(os.sched_getaffinity(0))[:1],
        turns=Turns(rounds=3, seconds=0.001, most=10),
        say=said.append,
    )
    assert [row.engine for row in rows] == engines
    first = rows[0]
    assert (first.provenance, first.relative_error, first.ratio) == ("measured", 0.0, 1.0)
    assert first.p50_us is not None and first.p50_interval_us is not None
    assert first.p50_interval_us.low <= first.p50_us <= first.p50_interval_us.high
    assert first.inferences is not None and 9 <= first.inferences <= 30
    for row in rows[1:]:
        assert row == Row("lenet5", row.engine, "not run", reason=row.reason)
        assert row.reason is not None and row.reason.startswith("not installed: pip install")
    assert len(said) == len(engines)


class _Spinner:
    """An engine's process that says which of all are running while it is timed."""

    def __init__(self, name: str, running: set[str], seen: list[set[str]]) -> None:
        self._name, self._running, self._seen = name, running, seen
        running.add(name)

    def pause(self) -> None:
        self._running.discard(self._name)

    def resume(self) -> None:
        self._running.add(self._name)

    def time(self, *, warmup: int, count: int) -> np.ndarray:
        self._seen.append(set(self._running))
        return np.full(count, 1000)


def test_the_other_engines_are_stopped_while_one_is_timed() -> None:
    running: set[str] = set()
    seen: list[set[str]] = []
    processes = {name: _Spinner(name, running, seen) for name in ("a", "b", "c")}
    _take_turns(processes, Turns(rounds=2, seconds=0.0, most=3))  # type: ignore[arg-type]
    assert seen == [{"a"}, {"b"}, {"c"}] * 3
    assert running == set()


def test_litert_s_converter_gets_a_copy_that_it_may_write_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = save(tmp_path / "n.onnx", [1, 3, 4])
    before = network.read_bytes()
    converter = tmp_path / "onnx2tf"
    converter.write_text('#!/bin/sh\necho simplified > "$2"\ncp "$2" "$4/network_float32.tflite"\n')
    converter.chmod(0o755)
    monkeypatch.setenv("EDGEPRUNE_ONNX2TF", str(converter))
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    (tmp_path / "scratch").mkdir()
    made = litert_engine.prepare(network, read_signature(network), 1, tmp_path / "scratch")
    assert (made.read_text(), network.read_bytes()) == ("simplified\n", before)


def _installed(engine: str) -> bool:
    return importlib.util.find_spec({"mnn": "MNN", "ncnn": "ncnn"}[engine]) is not None


@pytest.mark.slow
def test_a_network_converted_before_enters_under_another_name(tmp_path: Path) -> None:
    network = lenet5(tmp_path / "lenet5.onnx", first=4, second=8, hidden=16)
    cores = sorted(os.sched_getaffinity(0))[:1]
    with EngineProcess("onnxruntime", network, 1, cores) as process:
        prepared = process.prepare(tmp_path)
    assert prepared == network.resolve()
    rows = contest(
        network,
        read_signature(network),
        [Entrant("onnxruntime"), Entrant("again", "onnxruntime", prepared), Entrant("lost", "onnxruntime", tmp_path)],
        threads=1,
        cores=cores,
        turns=Turns(rounds=3, seconds=0.001, most=10),
        say=lambda line: None,
    )
    assert [(row.engine, row.provenance) for row in rows] == [
        ("onnxruntime", "measured"),
        ("again", "measured"),
        ("lost", "not run"),
    ]
    assert (rows[0].version, rows[1].relative_error) == (rows[1].version, 0.0)
    assert [len(row.round_p50_us) for row in rows] == [3, 3, 0]


@pytest.mark.slow
def test_an_engine_that_refuses_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with EngineProcess("onnxruntime", tmp_path / "broken.onnx", 1, sorted(os.sched_getaffinity(0))) as process:
        with pytest.raises(Refused, match="DecodeError"):
            process.load()
        process._process.kill()
        with pytest.raises(Refused, match="its process ended by SIGKILL"):
            process.load()
    assert process._process.returncode is not None


@pytest.mark.slow
def test_the_tool_refuses_an_engine_it_does_not_know(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "x.onnx", "--json", str(tmp_path / "out"), "--engines", "tvm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "--engines: tvm is not known; choose among edgeprune, onnxruntime" in done.stderr


@pytest.mark.slow
def test_the_tool_writes_what_it_shows(tmp_path: Path) -> None:
    network = lenet5(tmp_path / "lenet5.onnx", first=4, second=8, hidden=16)
    command = [sys.executable, str(TOOL), str(network), "--json", str(tmp_path / "out"), "--engines", "edgeprune"]
    done = subprocess.run([*command, "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out").read_text())
    assert (document["threads"], document["precision"], document["reference"]) == (1, "float32", "onnxruntime")
    by_engine = {row["engine"]: row for row in document["rows"]}
    assert list(by_engine) == ["onnxruntime", "edgeprune"]
    assert all(row["provenance"] == "measured" for row in by_engine.values())
    assert min(row["ratio"] for row in by_engine.values()) == 1.0
    assert "edgeprune" in done.stdout


@pytest.mark.slow
def test_the_tool_says_what_does_nothing_under_the_emulator(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "x.onnx", "--json", str(tmp_path / "out"), "--emulated", "cortex-a53"]
    done = subprocess.run([*command, "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "--threads and --quick do nothing with --emulated" in done.stderr
