"""The tuning bench: rows that are kept and made again, verdicts, and what is computed from searches' records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bench_tuning
import onnx
import pytest
import torch
from peers.contest import Row as Timed
from tuning_bench import channel_sweep, emulated, host
from tuning_bench import curve as curve_part
from tuning_bench.convolutions import Convolution, write_convolutions
from tuning_bench.goals import Ratio, Verdict, at_least, at_most, never, not_measured, ratio_of_rounds
from tuning_bench.networks import NETWORKS, network
from tuning_bench.page import page
from tuning_bench.part import in_words
from tuning_bench.replay import curve, first_at_most, improvements, trials_to_reach
from tuning_bench.results import Results, Row
from tuning_bench.stock import turn
from tuning_bench.transfer import figures_of as transfer_figures
from tuning_bench.watch import rate_after_first, watch
from tuning_bench.workshop import Workshop

from edgeprune.target import find_target

TOOL = Path(__file__).parents[2] / "tools" / "bench_tuning.py"
MACHINE = {"cpu": "Some CPU", "llvm_cpu": "some", "cores": 2, "system": "Linux x86_64"}
MET = at_most("time over theirs", 0.9, 0.85, (0.84, 0.86))
MISSED = at_least("speed", 1.8, 1.5)


def row(name: str = "a", part: str = "host", code: str = "c1", **figures: Any) -> Row:
    return Row(part, name, code, {"rounds": 3}, MACHINE, {"edgeprune": "1"}, "command", figures, (MET, MISSED))


def test_a_row_is_kept_for_the_same_code_and_settings_alone(tmp_path: Path) -> None:
    results = Results(tmp_path / "deep" / "out.json")
    results.put(row(value=1))
    again = Results(tmp_path / "deep" / "out.json")
    assert again.rows == (row(value=1),)
    assert again.has("host", "a", "c1", {"rounds": 3})
    assert not again.has("host", "a", "c2", {"rounds": 3})
    assert not again.has("host", "a", "c1", {"rounds": 4})
    assert not again.has("host", "b", "c1", {"rounds": 3})
    assert not again.has("curve", "a", "c1", {"rounds": 3})


def test_a_new_row_takes_the_old_one_s_place(tmp_path: Path) -> None:
    results = Results(tmp_path / "out.json")
    for made in (row("a"), row("b"), row("a", code="c2")):
        results.put(made)
    assert [(found.name, found.code) for found in results.of("host")] == [("a", "c2"), ("b", "c1")]
    assert not (tmp_path / "out.json.partial").exists()


@pytest.mark.parametrize("content", ["no json", '{"format": 99, "rows": []}', '{"format": 1, "rows": [{}]}'])
def test_a_foreign_file_is_refused_and_left_alone(content: str, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text(content)
    with pytest.raises(SystemExit, match="not a result of this tool"):
        Results(tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == content


def test_verdicts_are_on_the_right_side() -> None:
    assert at_most("g", 0.9, 0.9).met is True
    assert at_most("g", 0.9, 0.91).met is False
    assert at_least("g", 1.8, 1.8).met is True
    assert at_least("g", 1.8, 1.79).met is False
    assert at_most("g", 0.9, 1.8).missed_by == pytest.approx(2)
    assert at_least("g", 1.8, 0.9).missed_by == pytest.approx(2)
    assert (MET.missed_by, at_most("g", 1, None).met) == (None, None)
    assert (never("g", "<=", 1, "why").met, never("g", "<=", 1, "why").missed_by) == (False, None)
    assert in_words(MET) == "time over theirs: 0.85 [0.84, 0.86] <= 0.9: met"
    assert in_words(MISSED) == "speed: 1.5 >= 1.8: missed 1.2 times"
    assert in_words(not_measured("g", "<=", 1, "no board")) == "g: not measured: no board"


def test_ratios_are_of_rounds_not_of_medians() -> None:
    assert ratio_of_rounds([1.0, 20.0, 3.0], [2.0, 40.0, 6.0]) == Ratio(0.5, 0.5, 0.5)


def timed(engine: str, *rounds: float, reason: str | None = None) -> Timed:
    provenance = "measured" if rounds else "not run"
    p50 = sorted(rounds)[len(rounds) // 2] if rounds else None
    figures = {"p50_us": p50, "round_p50_us": rounds, "round_min_us": tuple(value / 2 for value in rounds)}
    return Timed("n", engine, provenance, reason=reason, **figures)  # type: ignore[arg-type]


def test_the_host_s_goals_are_against_the_fastest_other_engine_and_onnx_runtime() -> None:
    rows = {
        host.UNTUNED: timed(host.UNTUNED, 30.0, 30.0),
        host.TUNED: timed(host.TUNED, 8.5, 8.5),
        "onnxruntime": timed("onnxruntime", 20.0, 20.0),
        "mnn": timed("mnn", 10.0, 10.0),
        "ncnn": timed("ncnn", reason="not installed"),
    }
    assert host.fastest_peer(rows) == "mnn"
    tuned, untuned = host.verdicts(network("resnet20"), rows)
    assert (tuned.goal, tuned.limit, tuned.value, tuned.met) == (
        "tuned over the fastest other engine (mnn)",
        0.9,
        0.85,
        True,
    )
    assert (untuned.limit, untuned.value, untuned.met) == (2.0, 1.5, True)
    odd, _ = host.verdicts(network("resnet20-odd"), rows)
    assert (odd.limit, odd.met) == (0.8, False)
    assert host.ratios(rows)[host.TUNED]["mnn"] == {"value": 0.85, "low": 0.85, "high": 0.85}
    assert host.ratio_of_fastest(rows) == {host.UNTUNED: 3.0, host.TUNED: 0.85}


def test_without_a_time_there_is_no_verdict_but_a_reason() -> None:
    alone = {host.TUNED: timed(host.TUNED, 1.0)}
    assert host.verdicts(network("resnet20"), alone)[0].reason == "no other engine ran"
    wrong = {host.TUNED: timed(host.TUNED, reason="outputs differ"), "mnn": timed("mnn", 1.0)}
    found = host.verdicts(network("resnet20"), wrong)[0]
    assert (found.met, found.reason) == (None, "edgeprune, tuned: outputs differ")


def counted(engine: str, cycles: int | None, reason: str | None = None) -> dict[str, Any]:
    return {"engine": engine, "cycles": None if cycles is None else {"value": cycles}, "reason": reason}


def test_cycles_are_held_against_the_best_of_mnn_and_ncnn() -> None:
    ours = {host.UNTUNED: counted(host.UNTUNED, 300), host.TUNED: counted(host.TUNED, 99)}
    peers = {"mnn": counted("mnn", 120), "ncnn": counted("ncnn", 110), "onnxruntime": counted("onnxruntime", 50)}
    found = emulated.verdict("cortex-a53", ours, peers)
    assert (found.value, found.met) == (0.9, True)
    assert found.goal == "edgeprune, tuned: cycles over the best of MNN and ncnn on cortex-a53 (ncnn)"
    nobody = emulated.verdict("cortex-a7", ours, {"mnn": counted("mnn", None, "no wheel")})
    assert (nobody.met, nobody.reason) == (None, "mnn: no wheel")


def _counted(instructions: int, macs: int, cycles: int) -> emulated.EmulatedRow:
    counts = {"instructions": instructions, "mix": {"mac": macs}, "cycles": {"value": cycles}}
    return emulated.EmulatedRow("chain", "edgeprune", "emulated", **counts)


def test_a_kernels_share_leaves_out_what_surrounds_it() -> None:
    kernel = Convolution("k", 4, 8, 5, kernel=1)
    assert [(link.inputs, link.outputs) for link in kernel.there_and_back] == [(4, 8), (8, 4)]
    found = emulated.share_between(_counted(900, 100, 2000), _counted(1300, 350, 2800), kernel)
    assert (found["share"], found["instructions"], found["cycles"]) == (250 / 400, 400, 800)
    assert found["multiply_adds_per_cycle"] == 2 * 25 * 32 / 800
    lost = emulated.EmulatedRow("chain", "edgeprune", "not run", reason="outputs differ")
    assert emulated.share_between(_counted(1, 1, 1), lost, kernel) == {"share": None, "reason": "outputs differ"}


def test_a_kernel_that_computes_something_else_misses_its_share() -> None:
    found = emulated.share_verdict("cortex-a7", {"kernel": "1x1", "share": None, "reason": "outputs differ"})
    assert (found.met, found.reason) == (False, "outputs differ")
    assert emulated.share_verdict("cortex-a7", {"kernel": "1x1", "share": 0.5}).met is True


def test_a_channel_count_is_held_against_the_next_multiple() -> None:
    times = {8: [1.0, 1.0], 9: [3.0, 3.0], 15: [1.9, 1.9], 16: [2.0, 2.0], 17: [9.0, 9.0]}
    found = channel_sweep.against_multiples(times, 8)
    assert {count: ratio and ratio.value for count, ratio in found.items()} == {9: 1.5, 15: 0.95, 17: None}
    slow = channel_sweep.sweep_verdict("here", {count: ratio for count, ratio in found.items() if ratio is not None})
    assert (slow.value, slow.met) == (1.5, False)
    assert "(9 channels; 1 of 2 above)" in slow.goal
    assert channel_sweep.sweep_verdict("here", {}).met is None


RECORDS = [("a", 5.0), ("a", None), ("b", 7.0), ("a", 6.0), ("a", 2.0), ("b", 3.0)]


def test_a_search_is_replayed_from_its_records() -> None:
    found = improvements(RECORDS)
    assert [(step.trial, step.kernel) for step in found] == [(1, "a"), (3, "b"), (5, "a"), (6, "b")]
    again = {0: 5.0, 2: 8.0, 4: 2.5, 5: 3.0}
    points = curve(found, again, {"a": 10.0, "b": 10.0}, {"a": 2, "b": 1})
    assert points == [(0, 30.0), (1, 20.0), (3, 18.0), (5, 13.0), (6, 8.0)]
    assert trials_to_reach(points, 18.0) == 3
    assert trials_to_reach(points, 7.9) is None
    assert trials_to_reach([(0, 1.0), (2, 3.0), (4, 1.0)], 2.0) == 4, "a curve that gets worse again was not there yet"


def test_trials_are_held_against_stock_s_to_its_own_final_speed() -> None:
    stock = [(0, 100.0), (64, 20.0), (128, 10.0)]
    fast, slow = [(0, 40.0), (16, 10.0)], [(0, 40.0), (16, 20.0)]
    found = curve_part.verdict(fast, stock, 128)
    assert (found.value, found.met) == (16 / 128, True)
    assert curve_part.verdict(slow, stock, 128).met is False
    assert curve_part.verdict(fast, [(0, 100.0)], 0).met is None
    reached = curve_part.reached(fast, stock)["95 % of the final speed of stock"]
    assert (reached["ours"], reached["stock"]) == (16, 128)


def test_transfer_counts_trials_to_the_fastest_of_all_searches() -> None:
    found = transfer_figures({"without": [[None, 4e-6, 2e-6], [9e-6, None]], "with": [[2.1e-6, 1.9e-6], [1.9e-6]]})
    assert found["without"]["trials"] == [3, None]
    assert found["with"]["trials"] == [2, 1]
    assert found["microseconds"] == pytest.approx(2.0)
    assert first_at_most([None, 3.0], 2.0) is None


def test_every_kernel_has_a_turn_of_at_most_64() -> None:
    assert [turn(trials, 15) for trials in (10, 320, 960, 10_000)] == [1, 21, 64, 64]


def test_a_rate_counts_from_the_first_arrival() -> None:
    assert rate_after_first([10.0, 10.5, 11.0]) == 2.0
    assert rate_after_first([10.0]) is None
    assert rate_after_first([10.0, 10.0]) is None


def test_a_watched_command_s_records_memory_and_end_are_seen(tmp_path: Path) -> None:
    database = tmp_path / "database"
    script = "import pathlib, sys; p = pathlib.Path(sys.argv[1], 'x'); p.mkdir(parents=True)\n"
    script += "p.joinpath('database_tuning_record.json').write_text('[]\\n[]\\n'); print('last words'); sys.exit(3)"
    seen = watch([sys.executable, "-c", script, str(database)], {}, database, tmp_path / "log")
    assert (seen.code, len(seen.arrivals), seen.last_words) == (3, 2, "last words")
    assert seen.seconds >= seen.arrivals[0] > 0
    assert seen.processor_seconds > 0


def test_a_convolution_keeps_the_image_s_size(tmp_path: Path) -> None:
    wanted = [Convolution("a", 5, 7, 4), Convolution("b", 6, 6, 3, kernel=1), Convolution("c", 4, 4, 8, depthwise=True)]
    write_convolutions(wanted, tmp_path / "n.onnx")
    model = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "n.onnx"), strict_mode=True)
    shapes = [[d.dim_value for d in output.type.tensor_type.shape.dim] for output in model.graph.output]
    assert shapes == [[1, 7, 4, 4], [1, 6, 3, 3], [1, 4, 8, 8]]
    assert [one.multiply_adds for one in wanted] == [16 * 7 * 45, 9 * 36, 64 * 36]


@pytest.mark.slow
def test_the_pruned_networks_have_odd_counts_and_eights() -> None:
    counts = {}
    for name in ("resnet20", "resnet20-odd", "resnet20-eights"):
        layers = [layer for layer in network(name).make().modules() if isinstance(layer, torch.nn.Conv2d)]
        counts[name] = [layer.out_channels for layer in layers]
    assert {len(found) for found in counts.values()} == {19}
    assert all(pruned < full for pruned, full in zip(counts["resnet20-odd"], counts["resnet20"], strict=True))
    assert {count % 8 for count in counts["resnet20-eights"]} == {0}
    assert {count % 8 for count in counts["resnet20-odd"]} >= {3, 5, 7}, "counts that leave a vector partly empty"


def test_every_network_has_one_name() -> None:
    assert len({one.name for one in NETWORKS}) == len(NETWORKS)


def test_the_page_shows_every_goal_and_where_its_figure_was_made(tmp_path: Path) -> None:
    entrant = {"engine": "mnn", "p50_us": 1.5, "p50_interval_us": {"low": 1.4, "high": 1.6}, "reason": None}
    lost = {"engine": "ncnn", "p50_us": None, "reason": "not installed"}
    figures = {"network": "n", "title": "N", "threads": 1, "tuning": None, "entrants": [entrant, lost]}
    figures["ratio_of_fastest"] = {"edgeprune, tuned": 0.75}
    points = {"trials": 4, "points": [[0, 2e-3], [3, 1e-3]]}
    reached = {"95 %": {"microseconds": 1000.0, "ours": 3, "stock": None}}
    rows = [row(**figures), row("n", "curve", ours=points, stock=points, reached=reached)]
    text = page(rows, tmp_path)
    assert "2 met, 2 missed, 0 not measured." in text
    assert "| host | a | speed | at least 1.8 | 1.5 | **missed** by a factor of 1.20 |" in text
    assert "| N | 1 | 1.5 [1.4, 1.6] | - | 0.75 | none |" in text
    assert "- ncnn on n: not installed" in text
    assert "| 95 % | 1000 | 3 | never |" in text
    assert "| `command` | Some CPU (some), 2 cores, Linux x86_64 |" in text
    assert (tmp_path / "tuning-curve-n.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["--seconds", "1801"], "at most 1800 s"), (["--engines", "tvm"], "tvm is not known")],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    options: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench_tuning.main(["--json", str(tmp_path / "out.json"), *options])
    assert ended.value.code == 2 and complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_part_is_run_once_and_its_row_kept(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "--json", str(tmp_path / "out.json"), "--quick", "--part", "host"]
    command += ["--networks", "lenet5-pruned", "--threads", "1", "--trials", "0", "--engines", "onnxruntime"]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert "lenet5-pruned, 1 thread: untuned over ONNX Runtime" in first.stderr, first.stderr
    assert "lenet5-pruned, 1 thread: already there" in second.stderr, second.stderr
    [made] = json.loads((tmp_path / "out.json").read_text())["rows"]
    reasons = {entrant["engine"]: entrant["reason"] for entrant in made["figures"]["entrants"]}
    assert reasons == {host.UNTUNED: None, "onnxruntime": None, host.TUNED: "the budget is 0 trials"}
    verdicts = [Verdict(**verdict) for verdict in made["verdicts"]]
    assert verdicts[0].reason == "there is no edgeprune, tuned"
    assert verdicts[1].value is not None and verdicts[1].value > 0


def test_several_threads_are_a_target_of_their_own(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "work", print)
    assert workshop.target("host", 1) == "host"
    several = find_target(workshop.target("host", 2))
    assert (several.threads, several.cpu) == (2, find_target("host").cpu)
