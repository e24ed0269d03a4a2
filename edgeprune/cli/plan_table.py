"""A pruning plan as a table for people."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from edgeprune.cli.terminal import table_console


def print_plan(plan: dict[str, Any]) -> None:
    """Print layer, kind, channels (or single weights) before and after, and why a layer was kept whole."""
    table = Table("layer", "kind", box=None, pad_edge=False)
    for heading in ("before", "after"):
        table.add_column(heading, justify="right")
    table.add_column("pinned because")
    for layer in plan["layers"]:
        cells = (layer["name"], layer["kind"], str(layer["before"]), str(layer["after"]), layer["pinned"] or "")
        table.add_row(*cells)
    console = table_console()
    console.print(table)
    for unit in ("weights", "channels", "parameters", "macs"):
        if unit not in plan:
            continue
        before, after = plan[unit]["before"], plan[unit]["after"]
        ratio = f" ({before / after:.1f}x fewer)" if after else ""
        console.print(f"{unit}: {before:,} -> {after:,}{ratio}", highlight=False)
    for note in plan["notes"]:
        console.print(note, highlight=False)
