"""report.json: writing a report as JSON and reading it back."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from edgeprune.errors import UserError
from edgeprune.reporting.headline import headline
from edgeprune.reporting.model import Report

# Follows from the other keys: written for readers of the file, dropped when it is read back.
_DERIVED = "headline"


def to_json(report: Report) -> str:
    """Return report.json's text: the report, and under "headline" the ratios that follow from it."""
    document = report.model_dump(mode="json")
    document[_DERIVED] = [ratio.as_dict() for ratio in headline(report)]
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str, source: str = "report.json") -> Report:
    """Return the report in ``text``.

    Raises:
        UserError: not JSON, or not a report of this format; names ``source`` and the first wrong key.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{source}: not valid JSON: {error}") from None
    if isinstance(document, dict):
        document.pop(_DERIVED, None)
    try:
        return Report.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise UserError(f"{source}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def read_report(path: Path) -> Report:
    """Return the report in the file ``path``, or in ``path/report/report.json`` where ``path`` is a run directory.

    Raises:
        UserError: no such file, or it is not a report.
    """
    file = path / "report" / "report.json" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; `edgeprune run` writes it at the end of a run") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: not valid UTF-8") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    return from_json(text, str(file))
