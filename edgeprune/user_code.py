"""Reaching code that belongs to the user: a callable named in a recipe by import path or by file.

Loading runs that code with the user's own rights; a recipe with import paths is a program.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeprune.errors import UserError


def load_callable(spec: str) -> Callable[..., Any]:
    """Return what ``package.module:callable`` or ``path/to/file.py:callable`` names.

    The working directory is searched for modules as well, as ``python -m`` does. The callable may be dotted
    (``module:Class.method``). A file is loaded once per process.

    Raises:
        UserError: the module or file is missing or fails to import, or holds no such callable; names ``spec``.
    """
    location, colon, attribute = spec.rpartition(":")
    if not colon or not location or not attribute:
        raise UserError(f"{spec!r}: write it as package.module:callable or path/to/file.py:callable")
    module = _load_file(spec, Path(location)) if location.endswith(".py") else _load_module(spec, location)
    found = _attribute(spec, module, attribute)
    if not callable(found):
        raise UserError(f"{spec!r}: {attribute} is a {type(found).__name__}, not a callable")
    return found


def _load_module(spec: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UserError(f"{spec!r}: no module {error.name!r} is installed or in {here}") from None
        raise UserError(f"{spec!r}: importing it failed: {error}") from error
    except Exception as error:
        raise UserError(f"{spec!r}: importing it failed: {type(error).__name__}: {error}") from error


def _load_file(spec: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"{spec!r}: no such file: {path}")
    resolved = path.resolve()
    name = f"edgeprune_user_code.{resolved}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, resolved)
    if found is None or found.loader is None:
        raise UserError(f"{spec!r}: {path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(found)
    # Registered first: dataclasses look their own module up while it is being executed.
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{spec!r}: running {path} failed: {type(error).__name__}: {error}") from error
    return module


def _attribute(spec: str, module: ModuleType, dotted: str) -> object:
    found: object = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            names = [name for name in dir(found) if not name.startswith("_")]
            close = difflib.get_close_matches(part, names, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise UserError(f"{spec!r}: there is no {part!r} in it{hint}")
        found = getattr(found, part)
    return found
