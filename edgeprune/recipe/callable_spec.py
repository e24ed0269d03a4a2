"""How a recipe names a piece of the user's own code."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator


def _callable_spec(spec: str) -> str:
    if not re.fullmatch(r".+:[A-Za-z_][A-Za-z0-9_.]*", spec):
        raise ValueError(f"write it as package.module:callable or path/to/file.py:callable, not {spec!r}")
    return spec


CallableSpec = Annotated[str, AfterValidator(_callable_spec)]
"""``package.module:callable`` or ``path/to/file.py:callable``; see ``edgeprune.user_code``."""
