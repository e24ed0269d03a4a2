import io

import pytest
from rich.console import Console

from edgeprune.reporting import Accuracy, Figure, Report, compare_reports, print_comparison, print_table

TABLE = """\
lenet5-mnist, seed 0, run on AMD EPYC 7B13

                          test   para-                    execu-                latency  instruc-
                      accuracy  meters    MACs  weights    table    arena       p50/p90     tions
 target     variant     (m, e)     (c)     (c)      (c)      (c)      (c)           (m)       (e)
 ────────────────────────────────────────────────────────────────────────────────────────────────
 host       dense    99.14 % m   431 k  2.29 M  1.72 MB  1.79 MB  52.5 kB    214/217 us     - [1]
            pruned   99.09 % m  31.5 k   284 k   126 kB   178 kB  18.2 kB  38.9/39.4 us     - [1]

 rpi3       dense    99.14 % e   431 k  2.29 M  1.72 MB  1.79 MB  52.5 kB         - [2]    1.87 M
            pruned   99.09 % e  31.5 k   284 k   126 kB   178 kB  18.2 kB         - [2]     271 k

 cortex-a7  dense        - [3]   431 k  2.29 M  1.72 MB  1.79 MB  52.5 kB         - [3]     - [3]
            pruned       - [3]  31.5 k   284 k   126 kB   178 kB  18.2 kB         - [3]     - [3]

[1] instructions are counted for emulated targets only
[2] emulated: the wall time of an emulator is not a latency
[3] not run: no QEMU found; run tools/fetch_qemu.py
(m) measured: timed or run on that device itself
(e) emulated: counted exactly, or run, under an emulator of that device's CPU
(s) estimated: given by a stated model, not by a run
(c) computed: counted from the network, the data or the files
1 kB = 1000 bytes, 1 k = 1000

Pruned against dense: 1/13.7 of the parameters, 1/8.09 of the MACs (computed), test accuracy 99.14 %
-> 99.09 %, -0.05 points (computed).
host: 1/10.0 of the executable size (computed), 1/8.00 of the p50 latency (measured).
rpi3: 1/10.0 of the executable size (computed), 1/6.91 of the instructions (emulated).
cortex-a7: 1/10.0 of the executable size (computed).
host: dense 21.6 GFLOP/s (21.63 % of the peak), 10.2 GB/s (measured); pruned 14.7 GFLOP/s (14.73 %
of the peak), 4.09 GB/s (measured); no fraction of a peak where target host does not give
bandwidth_gb_s.
Verdict on host dense, host pruned: governor not fixed: no cpufreq on this machine.
Not run:
  cortex-a7: run under emulation: no QEMU found; run tools/fetch_qemu.py
"""

COMPARISON = """\
A: lenet5-mnist, 2026-11-24T07:00:00Z, seed 0
B: lenet5-mnist, 2026-11-25T07:00:00Z, seed 0

 target      variant   figure                               A                  B          B / A
 ──────────────────────────────────────────────────────────────────────────────────────────────
 (network)   dense     test accuracy         99.14 % computed   99.14 % computed   +0.00 points
                       validation accuracy   99.10 % computed              - [1]          - [1]
                       parameters              431 k computed     431 k computed          1.000
                       MACs                   2.29 M computed    2.29 M computed          1.000

 (network)   pruned    test accuracy         99.09 % computed   99.14 % computed   +0.05 points
                       validation accuracy   99.06 % computed              - [1]          - [1]
                       parameters             31.5 k computed     431 k computed         13.697
                       MACs                    284 k computed    2.29 M computed          8.085

[1] not asked for
"""


def console(width: int) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=width, color_system=None, legacy_windows=False), text


def stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_table_in_100_columns(report: Report) -> None:
    screen, text = console(100)
    print_table(report, screen)
    assert stripped(text.getvalue()) == TABLE


def test_names_are_not_taken_as_markup(report: Report) -> None:
    screen, text = console(120)
    print_table(report.model_copy(update={"title": "[red]x[/red]"}), screen)
    assert text.getvalue().startswith("[red]x[/red], seed 0")


def test_a_report_without_targets_has_no_empty_table(report: Report) -> None:
    screen, text = console(120)
    print_table(report.model_copy(update={"targets": (), "not_run": ()}), screen)
    assert stripped(text.getvalue()).splitlines() == [
        "lenet5-mnist, seed 0, run on AMD EPYC 7B13",
        "Pruned against dense: 1/13.7 of the parameters, 1/8.09 of the MACs (computed), "
        "test accuracy 99.14 % -> 99.09 %, -0.05",
        "points (computed).",
        "Nothing was left out.",
    ]


def test_comparison_gives_ratios_and_reasons(report: Report) -> None:
    other = report.model_copy(
        update={
            "created": "2026-11-25T07:00:00Z",
            "machine": "another CPU",
            "versions": report.versions | {"torch": "2.14.0"},
            "targets": report.targets[:1],
            "pruned": report.dense,
        }
    )
    comparison = compare_reports(report, other)
    rows = {(row.target, row.variant, row.name): row for row in comparison.rows}
    assert rows["", "pruned", "parameters"].change == Figure.computed(431080 / 31472, "1")
    assert rows["", "pruned", "test accuracy"].change == Figure.computed(0.05, "points")
    assert rows["host", "dense", "latency p50"].change == Figure.measured(1.0, "1")
    assert rows["rpi3", "dense", "instructions"].change.reason == "not in that run"
    assert ("host", "dense", "parameters") not in rows
    assert ("host", "dense", "instructions") not in rows, "absent in both runs"
    assert comparison.warnings == (
        "two machines: AMD EPYC 7B13 and another CPU; their host latencies do not compare",
        "two versions of torch: 2.13.0 and 2.14.0",
    )


def test_comparison_as_text(report: Report) -> None:
    network = report.dense.model_copy(update={"validation": Accuracy.absent("not asked for")})
    bare = report.model_copy(update={"targets": ()})
    other = bare.model_copy(update={"created": "2026-11-25T07:00:00Z", "dense": network, "pruned": network})
    screen, text = console(100)
    print_comparison(compare_reports(bare, other), screen)
    assert stripped(text.getvalue()) == COMPARISON


@pytest.mark.parametrize("width", [100, 110, 120])
def test_no_cell_is_cut(report: Report, width: int) -> None:
    screen, text = console(width)
    print_table(report, screen)
    assert "…" not in text.getvalue()
