"""How the cycle model of the Cortex-A55 ranks loops, against llvm-mca's: rank correlations, and every loop's cycles.

    python tools/validate_cycle_model.py --json validation.json [--llvm DIRECTORY] [--markdown docs/cycle-model.md]

The loops are those of tools/cycle_validation/loops.s, and the innermost loops that edgeprune's own kernels compile to.
llvm-mca, llvm-mc and llvm-objdump are needed (Debian: `apt-get install llvm-19`; or unpack the packages llvm-19 and
libllvm19 with `dpkg -x` and name the directory of the programs). All data is in the first cache and every branch is
predicted: llvm-mca knows no others.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cycle_loops import FEATURES, Llvm, Loop, compiled_loops, written_loops
from scipy.stats import spearmanr

from edgeprune.emulation import load_core
from edgeprune.emulation.replay import replay

CPU = "cortex-a55"
TURNS = 200
_START, _END = "<!-- validation -->", "<!-- end of validation -->"


@dataclass(frozen=True)
class Row:
    """Cycles of one turn of a loop in the long run: edgeprune's model with its range, and llvm-mca's."""

    loop: str
    instructions: int
    low: float
    nominal: float
    high: float
    llvm_mca: float


def main() -> int:
    """Rank all loops both ways and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="write every figure here")
    parser.add_argument("--markdown", type=Path, help="replace the table in this page")
    parser.add_argument("--llvm", type=Path, help="directory of llvm-mca, llvm-mc and llvm-objdump")
    options = parser.parse_args()
    llvm = Llvm(options.llvm)
    with tempfile.TemporaryDirectory() as scratch:
        loops = [*written_loops(llvm, Path(scratch)), *compiled_loops(llvm, Path(scratch))]
        rows = [_compare(loop, llvm, Path(scratch)) for loop in loops]
    result = _summary(rows, llvm)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    page = _markdown(rows, result)
    if options.markdown is not None:
        _replace_table(options.markdown, page)
    print(page)
    return 0


def _compare(loop: Loop, llvm: Llvm, scratch: Path) -> Row:
    core = load_core(CPU)
    assert core is not None
    once, twice = (replay(core.table(None, None, None), loop.words, turns=turns) for turns in (TURNS, 2 * TURNS))
    ours = ((twice.low - once.low), (twice.nominal - once.nominal), (twice.high - once.high))
    low, nominal, high = (cycles / TURNS for cycles in ours)
    return Row(loop.name, len(loop.body), low, nominal, high, _llvm_mca(loop, llvm, scratch / "loop.s"))


def _llvm_mca(loop: Loop, llvm: Llvm, file: Path) -> float:
    file.write_text(loop.assembly)
    options = ("-mtriple=aarch64", f"-mcpu={CPU}", f"-mattr={FEATURES}", "-instruction-info=false")
    totals = []
    for turns in (TURNS, 2 * TURNS):
        text = llvm.run("llvm-mca", *options, f"-iterations={turns}", str(file))
        found = re.search(r"Total Cycles:\s+(\d+)", text)
        if found is None:
            sys.exit(f"llvm-mca: no total in its answer for {loop.name}")
        totals.append(int(found[1]))
    return (totals[1] - totals[0]) / TURNS


def _summary(rows: Sequence[Row], llvm: Llvm) -> dict[str, Any]:
    version = re.search(r"LLVM version (\S+)", llvm.run("llvm-mca", "--version"))
    return {
        "cpu": CPU,
        "llvm": version[1] if version else "unknown",
        "loops": len(rows),
        "spearman_cycles": _spearman([row.nominal for row in rows], [row.llvm_mca for row in rows]),
        "spearman_cycles_per_instruction": _spearman(
            [row.nominal / row.instructions for row in rows], [row.llvm_mca / row.instructions for row in rows]
        ),
        "median_ratio": statistics.median(row.nominal / row.llvm_mca for row in rows),
        "inside_range": sum(row.low <= row.llvm_mca <= row.high for row in rows),
        "rows": [asdict(row) for row in rows],
    }


def _spearman(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return float(spearmanr(ours, theirs).statistic)


def _markdown(rows: Sequence[Row], result: dict[str, Any]) -> str:
    lines = [
        f"{result['loops']} loops, llvm-mca of LLVM {result['llvm']}, both for the Cortex-A55: Spearman's rank "
        f"correlation is {result['spearman_cycles']:.3f} for the cycles of a turn, and "
        f"{result['spearman_cycles_per_instruction']:.3f} for the cycles of an instruction, which leaves the loops' "
        f"lengths out. The median ratio (edgeprune over llvm-mca) is {result['median_ratio']:.2f}; for "
        f"{result['inside_range']} loops llvm-mca's answer lies within edgeprune's range.",
        "",
        "| loop | instructions | edgeprune, cycles a turn | range | llvm-mca |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        span = f"{row.low:.1f} to {row.high:.1f}"
        lines.append(f"| {row.loop} | {row.instructions} | {row.nominal:.1f} | {span} | {row.llvm_mca:.1f} |")
    return "\n".join(lines) + "\n"


def _replace_table(page: Path, table: str) -> None:
    text = page.read_text()
    if _START not in text or _END not in text:
        sys.exit(f"{page}: the marks {_START} and {_END} are missing")
    before, after = text.split(_START)[0], text.split(_END)[1]
    page.write_text(f"{before}{_START}\n{table}{_END}{after}")


if __name__ == "__main__":
    sys.exit(main())
