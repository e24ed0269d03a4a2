"""The rows as text: a line per network while they come, and tables for a page."""

from __future__ import annotations

from collections.abc import Mapping

from lowering_bench.network import STAGES, Row

Rows = Mapping[str, Mapping[str, Row]]


def agrees(row: Row) -> bool:
    """Tell whether a network's executable answered as ONNX Runtime does, to its tolerance or to rounding."""
    return row.get("stage") == STAGES[-1] and "failed" not in row


def line(name: str, row: Row) -> str:
    """Return one network's line."""
    if "failed" in row:
        return f"{name:32s} FAILED {row['failed']['stage']}: {row['failed']['message']}"
    seconds = row["seconds"]
    return (
        f"{name:32s} {row['nodes']:>5d} nodes {row['kernels']:>4d} kernels, {row['error']:.1e} off ONNX Runtime, "
        f"{_figure(row, 'ours') or '?'} off float64 ({_figure(row, 'onnxruntime') or '?'} ONNX Runtime), "
        f"exported in {seconds['export']:.0f} s, built in {seconds['build']:.0f} s"
    )


def total(zoo: str, rows: Mapping[str, Row]) -> str:
    """Return how many networks of a zoo agree, with the largest error among them."""
    good = [row for row in rows.values() if agrees(row)]
    largest = max((row["error"] for row in good), default=0.0)
    others = sorted(name for name, row in rows.items() if not agrees(row))
    return f"{zoo}: {len(good)} of {len(rows)} agree, at most {largest:.1e} off; others: {', '.join(others) or 'none'}"


def markdown(rows: Rows) -> str:
    """Return a table over the zoos, one over their networks, and the reasons of those that failed."""
    lines = ["| zoo | networks | built | agree | largest error | arena over bound |", "|---|---:|---:|---:|---:|---:|"]
    lines += [_zoo_line(zoo, found) for zoo, found in rows.items()]
    head = "| network | input | parameters | ONNX nodes | kernels | error | off float64 | ONNX Runtime off | "
    lines += ["", f"{head}build, CPU s | peak, MiB |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for zoo, found in rows.items():
        lines += [f"| {zoo}/{name} | {' | '.join(_cells(row))} |" for name, row in sorted(found.items())]
    for zoo, found in rows.items():
        failed = [(name, row["failed"]) for name, row in sorted(found.items()) if "failed" in row]
        lines += (
            ["", *(f"- {zoo}/{name}: {what['stage']}: {what['message']}" for name, what in failed)] if failed else []
        )
    return "\n".join(lines) + "\n"


def _zoo_line(zoo: str, rows: Mapping[str, Row]) -> str:
    good = [row for row in rows.values() if agrees(row)]
    built = [row for row in rows.values() if "arena_bytes" in row]
    error = f"{max(row['error'] for row in good):.1e}" if good else ""
    above = max((100 * (row["arena_bytes"] / row["arena_bound_bytes"] - 1) for row in built), default=0.0)
    return f"| {zoo} | {len(rows)} | {len(built)} | {len(good)} | {error} | {above:.1f} % |"


def _cells(row: Row) -> list[str]:
    cells = ["x".join(map(str, row["input"]))]
    cells += [f"{row['parameters'] / 1e6:.2f} M" if "parameters" in row else ""]
    cells += [str(row.get(key, "")) for key in ("nodes", "kernels")]
    cells.append(f"{row['error']:.1e}" if agrees(row) else f"failed at {row['failed']['stage']}")
    cells += [_figure(row, "ours"), _figure(row, "onnxruntime")]
    built = row.get("build_cpu_s")
    return [*cells, "" if built is None else f"{built:.0f}", str(row.get("build_peak_mib", ""))]


def _figure(row: Row, whose: str) -> str:
    """Return how far an engine is from the float64 answer, nothing where that is not known."""
    error = row.get("exact", {}).get(whose)
    return "" if error is None else f"{error:.1e}"
