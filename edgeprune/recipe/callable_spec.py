"""How a recipe names a piece of the user's own code."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator


def callable_spec(spec: str) -> str:
    """Return ``spec`` if it has the form of one.

    Raises:
        ValueError: it has not.
    """
    if not re.fullmatch(r".+:[A-Za-z_][A-Za-z0-9_.]*", spec):
        raise ValueError(f"write it as package.module:callable or path/to/file.py:callable, not {spec!r}")
    return spec


CallableSpec = Annotated[str, AfterValidator(callable_spec)]
"""``package.module:callable`` or ``path/to/file.py:callable``; see ``edgeprune.user_code``."""


def name_or_callable(*names: str) -> AfterValidator:
    """Return what lets one of ``names`` pass, or a piece of the user's own code; what is no text is left alone."""

    def check(value: Any) -> Any:
        if value in names or not isinstance(value, str):
            return value
        if ":" in value:
            return callable_spec(value)
        *most, last = [repr(name) for name in names]
        raise ValueError(f"input should be {', '.join(most)} or {last}, or file.py:callable, not {value!r}")

    return AfterValidator(check)
