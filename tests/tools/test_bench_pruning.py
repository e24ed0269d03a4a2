from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from pruning_bench import peer, zoos  # noqa: E402
from pruning_bench.report import markdown  # noqa: E402
from pruning_bench.results import STAGES, Results, engine_hash, handled, summary  # noqa: E402

WHOLE = {"stage": "reload", "no_op": False, "handled": True, "error": 2e-7, "version": "a"}
BROKEN = {"stage": "plan", "failed": {"stage": "compact", "message": ""}, "no_op": False, "handled": False}


def test_a_row_is_handled_at_the_last_stage_with_something_removed() -> None:
    assert handled(WHOLE)
    assert not handled({**WHOLE, "no_op": True})
    assert not handled({**WHOLE, "stage": "export"})
    assert not handled(BROKEN)


def test_the_summary_counts_stages_no_ops_and_the_peers_wrong_results() -> None:
    rows = {
        "good": {"ours": WHOLE, "peer": {"handled": True, "no_op": False, "error": 0.59}},
        "bad": {"ours": BROKEN, "peer": {"handled": False, "no_op": False, "failed": {"stage": "prune"}}},
        "idle": {"ours": {**WHOLE, "no_op": True, "handled": False}, "peer": {"handled": False, "no_op": True}},
    }
    found = summary({"zoo": rows})["zoo"]
    assert (found["handled"], found["total"], found["no_ops"]) == (1, 3, 1)
    assert found["reached"] == {stage: 3 if stage in ("trace", "plan") else 2 for stage in STAGES}
    assert found["failed"] == ["bad", "idle"]
    assert (found["peer_handled"], found["peer_no_ops"], found["peer_handled_but_not_exact"]) == (1, 1, 1)


def test_rows_of_other_code_are_stale(tmp_path: Path) -> None:
    results = Results.read(tmp_path / "out.json", {"amount": 0.5})
    assert results.stale("zoo", "good", "ours", "a", only_failed=False)
    results.put("zoo", "good", "ours", WHOLE)
    results.put("zoo", "bad", "ours", {**BROKEN, "version": "a"})
    results.write(tmp_path / "out.json")
    again = Results.read(tmp_path / "out.json", {"amount": 0.5})
    assert not again.stale("zoo", "good", "ours", "a", only_failed=False)
    assert again.stale("zoo", "good", "ours", "b", only_failed=False)
    assert not again.stale("zoo", "good", "ours", "b", only_failed=True)
    assert again.stale("zoo", "bad", "ours", "b", only_failed=True)
    assert Results.read(tmp_path / "out.json", {"amount": 0.25}).rows == {}


def test_parts_that_ran_side_by_side_are_joined(tmp_path: Path) -> None:
    one = Results({"amount": 0.5, "listed": {"zoo": 2}}, {"zoo": {"good": {"ours": WHOLE}}})
    other = Results({"amount": 0.5, "listed": {"other": 1}}, {"zoo": {"bad": {"ours": BROKEN}, "good": {"peer": {}}}})
    one.merge(other)
    assert one.rows == {"zoo": {"good": {"ours": WHOLE, "peer": {}}, "bad": {"ours": BROKEN}}}
    assert one.settings == {"amount": 0.5, "listed": {"zoo": 2, "other": 1}}


def test_the_tables_say_of_the_peer_what_is_not_exact() -> None:
    ours = {
        **WHOLE,
        "input": [3, 64, 64],
        "parameters": [2_000_000, 500_000],
        "seconds": {"trace": 1.23, "plan": 0.5},
        "plan_memory": 1.3,
    }
    theirs = {"handled": True, "no_op": False, "parameters": [100, 50], "error": 0.59, "seconds": 2.0}
    rows = {"zoo": {"a": {"ours": ours, "peer": theirs}, "b": {"ours": {**BROKEN, "input": [3, 64, 64]}}}}
    lines = markdown(rows).splitlines()
    assert lines[2].endswith("| 1 of 2 | 0 | 1 of 1 | 0 |")
    assert lines[6].startswith("| zoo/a | 3x64x64 | 25.0% of 2.0 M | 2e-07 | 1.2 | 0.5 | 1.30x |")
    assert lines[6].endswith("| 50.0%, error 6e-01 (not exact), 2.0 s |")
    assert lines[7] == "| zoo/b | 3x64x64 | compact:  |  |  |  |  | not run |"


def test_the_hash_follows_the_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = engine_hash(tmp_path)
    assert engine_hash(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    assert engine_hash(tmp_path) != before


@pytest.mark.parametrize("kept", [([0, 2], [1, 3, 4]), ([1], [0, 1, 2, 3, 4]), ([0, 1, 2], [4])])
def test_what_the_peer_kept_is_read_from_the_values(kept: tuple[list[int], list[int]]) -> None:
    before = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
    after = before[kept[0]][:, kept[1]]
    expected = torch.zeros(3, 5, 2)
    for row in kept[0]:
        expected[row, kept[1]] = 1
    found = peer.kept_entries(before, after)
    assert found is not None and torch.equal(found, expected)
    assert peer.kept_entries(before, after + 1) is None or after.shape == before.shape


def test_values_are_the_same_in_every_process_and_never_trivial() -> None:
    one, other = (zoos.build(zoos.ZOOS["built-in"], "residual") for _ in range(2))
    for left, right in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(left, right)
    norm = one[1]
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.momentum == 0.1 and not norm.training
    assert norm.bias.abs().min() > 0 and norm.weight.min() >= 0.5
    assert norm.running_mean is not None and norm.running_mean.abs().min() > 0


@pytest.mark.slow
def test_a_network_goes_all_the_way_and_a_refusal_is_a_row(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, str(TOOLS / "bench_pruning.py"), "--zoo", "built-in", "--only", "[nr]*"]
    command += ["--no-peer", "--json", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS.parent)}
    first = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert first.returncode == 1, first.stderr  # one of the two has nothing to remove and says so
    data = json.loads(out.read_text())
    rows = {name: row["ours"] for name, row in data["rows"]["built-in"].items()}
    assert data["summary"]["built-in"]["handled"] == 1 and data["summary"]["built-in"]["no_ops"] == 0
    assert rows["residual"]["stage"] == "reload" and rows["residual"]["error"] <= 1e-5
    assert rows["residual"]["error64"] <= 1e-10
    assert rows["nothing"]["failed"]["stage"] == "plan"
    assert "nothing can be removed" in rows["nothing"]["failed"]["message"]
    stamp = out.read_text()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert again.returncode == 1 and out.read_text() == stamp  # nothing was made again
