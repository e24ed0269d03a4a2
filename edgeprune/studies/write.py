"""A study's files: the document, its page and its picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeprune.studies.plot import plot_study
from edgeprune.studies.table import study_page

DOCUMENT, PAGE, PICTURE = "study.json", "table.md", "plot.png"


def write_study(out: Path, document: Mapping[str, Any]) -> None:
    """Write ``study.json``, ``table.md`` and ``plot.png`` to ``out``, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / PICTURE, plot_study(document))
    _write(out / PAGE, study_page(document).encode())
    _write(out / DOCUMENT, _compact_json(document).encode())


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def _compact_json(document: Mapping[str, Any]) -> str:
    """Return JSON with a line per cell and per row of the summary: small, and readable in a diff."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            inner = ",\n  ".join(json.dumps(one, separators=(",", ":")) for one in value)
            lines.append(f' "{key}": [\n  {inner}\n ]')
        else:
            lines.append(f' "{key}": {json.dumps(value, separators=(",", ":"))}')
    return "{\n" + ",\n".join(lines) + "\n}\n"
