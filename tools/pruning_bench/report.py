"""The results as text: a line per network while they come, and tables for a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pruning_bench.results import STAGES, Row, summary

_EXACT = 1e-5


def line(name: str, row: Row) -> str:
    """Return one network's line: ours, then the peer's."""
    return f"{name:28s} {_side(row.get('ours', {}))} | {_side(row.get('peer', {}))}"


def _side(row: Row) -> str:
    if not row:
        return "not run"
    if row.get("failed"):
        return f"FAILED {row['failed']['stage']}: {row['failed']['message'][:70]}"
    before, after = row["parameters"]
    error = row.get("error")
    shown = "no error known" if error is None else f"error {error:.1e}"
    return f"{before:>11,d} -> {after / before:5.1%} {shown} {_planning(row):7.2f} s"


def _planning(row: Row) -> float:
    seconds = row["seconds"]
    return float(seconds["plan"] if isinstance(seconds, dict) else seconds)


def totals(zoo: str, rows: Mapping[str, Row], peer: str) -> Iterable[str]:
    """Yield what to say of a zoo at the end."""
    found = summary({zoo: rows})[zoo]
    yield f"{zoo}: {found['handled']} of {found['total']} handled, {found['no_ops']} silent no-ops"
    yield f"  reached: {found['reached']}"
    yield f"  not handled: {', '.join(found['failed']) or 'none'}"
    yield f"  largest error {found['largest_error']} (float64 {found['largest_error64']})"
    if found["peer_total"]:
        yield (
            f"  {peer}: {found['peer_handled']} of {found['peer_total']} handled, {found['peer_no_ops']} silent "
            f"no-ops, {found['peer_handled_but_not_exact']} of the handled differ from their masked original or "
            f"cannot be compared; not handled: {', '.join(found['peer_failed']) or 'none'}"
        )


def markdown(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """Return a table over the zoos and one over their networks."""
    lines = [f"| zoo | {' | '.join(STAGES)} | handled | silent no-ops | peer: handled | peer: and exact |"]
    lines.append("|---" * (len(STAGES) + 5) + "|")
    for zoo, found in summary(rows).items():
        total, peers = found["total"], found["peer_total"]
        cells = [f"{found['reached'][stage]}" for stage in STAGES]
        exact = found["peer_handled"] - found["peer_handled_but_not_exact"]
        theirs = [f"{found['peer_handled']} of {peers}", str(exact)] if peers else ["not run", ""]
        cells += [f"{found['handled']} of {total}", str(found["no_ops"]), *theirs]
        lines.append(f"| {zoo} | {' | '.join(cells)} |")
    lines += ["", "| network | input | parameters left | error | tracing s | planning s | memory | peer |"]
    lines.append("|---" * 8 + "|")
    for zoo, networks in rows.items():
        lines += [f"| {zoo}/{name} | {' | '.join(_cells(row))} |" for name, row in sorted(networks.items())]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    ours = row.get("ours", {})
    if not ours:
        return ["", "not run", "", "", "", "", _peer(row.get("peer"))]
    size = "x".join(map(str, ours["input"]))
    if ours.get("failed"):
        failed = ours["failed"]
        return [size, f"{failed['stage']}: {failed['message'][:80]}", "", "", "", "", _peer(row.get("peer"))]
    before, after = ours["parameters"]
    seconds = ours["seconds"]
    return [
        size,
        f"{after / before:.1%} of {before / 1e6:.1f} M",
        f"{ours['error']:.0e}",
        f"{seconds['trace']:.1f}",
        f"{seconds['plan']:.1f}",
        f"{ours['plan_memory']:.2f}x",
        _peer(row.get("peer")),
    ]


def _peer(row: Row | None) -> str:
    """Say what the peer made of a network in a few words."""
    if row is None:
        return "not run"
    if row.get("failed"):
        return f"{row['failed']['stage']}: {row['failed']['message'].replace('|', '/')[:60]}"
    if row["no_op"]:
        return "silent no-op"
    before, after = row["parameters"]
    error = row.get("error")
    off = "cannot be compared" if error is None else f"error {error:.0e}"
    verdict = "" if error is not None and error <= _EXACT else " (not exact)"
    return f"{after / before:.1%}, {off}{verdict}, {_planning(row):.1f} s"
