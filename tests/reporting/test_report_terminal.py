import io

import pytest
from rich.console import Console

from edgeprune.reporting import Accuracy, Figure, Report, compare_reports, print_comparison, print_table

TABLE = """\
lenet5-mnist, seed 0, run on AMD EPYC 7B13

                          test   para-           execu-                latency  instruc-
                      accuracy  meters    MACs    table    arena       p50/p90     tions  cycles
 target     variant     (m, e)     (c)     (c)      (c)      (c)           (m)       (e)     (s)
 ───────────────────────────────────────────────────────────────────────────────────────────────
 host       dense    99.14 % m   431 k  2.29 M  1.79 MB  52.5 kB    214/217 us     - [1]   - [1]
            pruned   99.09 % m  31.5 k   284 k   178 kB  18.2 kB  38.9/39.4 us     - [1]   - [1]

 rpi3       dense    99.14 % e   431 k  2.29 M  1.79 MB  52.5 kB         - [2]    1.87 M  3.11 M
            pruned   99.09 % e  31.5 k   284 k   178 kB  18.2 kB         - [2]     271 k   402 k

 cortex-a7  dense        - [3]   431 k  2.29 M  1.79 MB  52.5 kB         - [3]     - [3]   - [3]
            pruned       - [3]  31.5 k   284 k   178 kB  18.2 kB         - [3]     - [3]   - [3]

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
rpi3: 1/10.0 of the executable size (computed), 1/6.91 of the instructions (emulated), 1/7.72 of the
cycles (estimated).
cortex-a7: 1/10.0 of the executable size (computed).
rpi3: dense 3.11 M cycles between 2.89 M and 3.88 M, 2.22 ms at the highest clock; pruned 402 k
cycles between 374 k and 503 k, 287 us at the highest clock (estimated by the in-order dual issue
model of cortex-a53).
host: dense is built with tuned schedules, of 2 ways compared as a whole: 0.8 [0.79, 0.81] of the
baseline's time (measured); pruned is built with tuned schedules, of 2 ways compared as a whole: 0.8
[0.79, 0.81] of the baseline's time (measured).
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


def at(report: Report, address: str | None) -> Report:
    """Return the report with its first target at ``address``."""
    first = report.targets[0].model_copy(update={"address": address})
    return report.model_copy(update={"targets": (first, *report.targets[1:])})


def stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_table_in_100_columns(report: Report) -> None:
    screen, text = console(100)
    print_table(report, screen)
    assert stripped(text.getvalue()) == TABLE


def test_a_board_elsewhere_is_named_with_its_address(report: Report) -> None:
    screen, text = console(100)
    print_table(at(report, "ssh://pi@camera"), screen)
    assert "host was reached at ssh://pi@camera.\n" in text.getvalue()
    for here in ("local", "qemu", None):
        screen, text = console(100)
        print_table(at(report, here), screen)
        assert "was reached at" not in text.getvalue()


def test_two_boards_of_one_name_are_warned_of(report: Report) -> None:
    there, other = at(report, "ssh://pi@camera"), at(report, "adb://R58")
    assert compare_reports(there, other).warnings == ("two boards for host: ssh://pi@camera and adb://R58",)
    assert compare_reports(there, there).warnings == ()
    assert compare_reports(there, at(report, None)).warnings == (), "a report of before addresses were kept"


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
