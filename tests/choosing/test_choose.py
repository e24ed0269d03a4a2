"""The comparison of a real network on this machine: what it compares, and that building follows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeprune.cache import cache_directory
from edgeprune.errors import UserError
from edgeprune.onnx_reference import made_records
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Tune
from edgeprune.stages.build import as_chosen, build
from edgeprune.stages.lower import lower
from edgeprune.stages.tune import RESULT, tune
from edgeprune.target import find_target
from tests.lowering.networks import Graph, conv

HOST = find_target("host")


class Stages(SilentProgress):
    def __init__(self) -> None:
        self.names: list[str] = []

    def stage(self, name: str, total: int | None) -> None:
        self.names.append(name)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A 3x3 convolution that Winograd's method suits, F(2, 3) as well as F(4, 3)."""
    compiled = cache_directory("zig")  # what zig has made of its C library takes minutes, and is no part of this
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "zig").symlink_to(compiled)
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path / "cache"))
    graph = Graph(seed=3)
    data = graph.input(1, 16, 16, 16)
    output = graph.node("Relu", conv(graph, data, 16, 16, pads=[1, 1, 1, 1]))
    return graph.save(tmp_path / "network.onnx", output)


def tuned(network: Path, out: Path) -> Stages:
    lowered, seen = out / "lowered", Stages()
    lowered.mkdir(parents=True)
    lower(network, HOST, lowered, seen)
    tune(network, lowered, HOST, Tune(trials=2), 0, out, seen)
    return seen


def built(network: Path, tuning: Path, out: Path) -> Path:
    target = as_chosen(tuning, HOST)
    (out / "lowered").mkdir(parents=True)
    (out / "built").mkdir()
    lower(network, target, out / "lowered", SilentProgress())
    golden = made_records(network)
    build(out / "lowered", tuning, golden, target, "onnx", "network", out / "built", SilentProgress())
    return out / "built"


def without_kept(path: Path, **kept: object) -> None:
    """Have another way to build be the one that was kept, as a comparison elsewhere may find it."""
    found = json.loads(path.read_text())
    found["choices"]["kept"] |= kept
    path.write_text(json.dumps(found))


@pytest.mark.slow
def test_every_way_is_measured_once_and_the_kept_one_is_built(network: Path, tmp_path: Path) -> None:
    seen = tuned(network, tmp_path / "first")
    found = json.loads((tmp_path / "first" / RESULT).read_text())["choices"]
    names = [row["name"] for row in found["rows"]]
    # No trial of two may beat the default schedule, and then tuned schedules are the default ones.
    assert [name for name in names if name != "tuned schedules"] == [
        "default schedules",
        "no Winograd",
        "Winograd without F(4, 3)",
    ]
    assert (found["provenance"], found["unit"]) == ("measured", "us")
    assert all(row["time"] > 0 and row["rounds"] >= 5 for row in found["rows"])
    assert f"build {len(names)} ways" in seen.names
    kept = found["kept"]["name"]
    assert kept == "default schedules" or found["rows"][names.index(kept)]["interval"]["high"] < 1

    again = tuned(network, tmp_path / "again")
    assert not any(name.startswith(("build", "time", "lower")) for name in again.names)
    assert json.loads((tmp_path / "again" / RESULT).read_text())["choices"] == found

    without_kept(tmp_path / "first" / RESULT, name="no Winograd", winograd=False, tuned=False)
    one, two = (built(network, tmp_path / "first", tmp_path / name) for name in ("one", "two"))
    manifest = json.loads((one / "manifest.json").read_text())
    assert manifest["tuning"]["choice"] == "no Winograd"
    assert not any("winograd" in kernel["name"] for kernel in manifest["kernels"])
    assert [(one / name).read_bytes() for name in sorted(manifest["files"])] == [
        (two / name).read_bytes() for name in sorted(manifest["files"])
    ]


def test_what_was_not_compared_says_why(network: Path, tmp_path: Path) -> None:
    lowered = tmp_path / "lowered"
    lowered.mkdir()
    lower(network, HOST, lowered, SilentProgress())
    tune(network, lowered, HOST, Tune(trials=0), 0, tmp_path, SilentProgress())
    assert json.loads((tmp_path / RESULT).read_text())["choices"] == {
        "note": "ways to build were not compared: not tuned for host: the budget is 0 trials"
    }
    assert as_chosen(tmp_path, HOST) == HOST


def test_building_by_what_is_not_of_tune_or_of_another_cpu_is_refused(network: Path, tmp_path: Path) -> None:
    lowered = tmp_path / "lowered"
    lowered.mkdir()
    lower(network, HOST, lowered, SilentProgress())
    tune(network, lowered, HOST, Tune(trials=0), 0, tmp_path, SilentProgress())
    with pytest.raises(UserError, match=r"tuned for another device: triple .* cpu '.*' \(here 'cortex-a53'\)"):
        as_chosen(tmp_path, find_target("rpi3"))
    # Where the board is, and how many threads run, is another matter than what code it gets.
    assert as_chosen(tmp_path, elsewhere := find_target("host@ssh://board")) == elsewhere
    with pytest.raises(UserError, match=r"absent: holds no tuning\.json of edgeprune's; 'edgeprune tune MODEL\.onnx"):
        as_chosen(tmp_path / "absent", HOST)
    (tmp_path / RESULT).write_text("[]")
    with pytest.raises(UserError, match=r"holds no tuning\.json of edgeprune's"):
        as_chosen(tmp_path, HOST)
