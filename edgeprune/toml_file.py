"""Reading a TOML file into a typed model, with errors that name the file and the key."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeprune.errors import UserError

ModelT = TypeVar("ModelT", bound=BaseModel)


class Table(BaseModel):
    """A TOML table: immutable, strictly typed, and without room for a key nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def refuse(self, when: str, *keys: str) -> None:
        """Refuse keys that have no effect beside the others; a default may be written out, as a dump of the table does.

        Raises:
            ValueError: one has another value than its default.
        """
        for key in keys:
            if getattr(self, key) != type(self).model_fields[key].get_default(call_default_factory=True):
                raise ValueError(f"{key} does nothing when {when}; remove it")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the parsed file.

    Raises:
        UserError: the file is missing, not readable as UTF-8, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory, a TOML file is wanted") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def validate(model: type[ModelT], data: dict[str, Any], source: str) -> ModelT:
    """Return ``data`` as ``model``.

    Raises:
        UserError: one line naming ``source``, the first wrong key, and what would be right.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{source}: {_first_error(model, error)}") from None


def _first_error(model: type[BaseModel], error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    # A misspelt key shows up twice, as unknown and as missing: the unknown one names the mend.
    first = next((entry for entry in errors if entry["type"] == "extra_forbidden"), errors[0])
    key = ".".join(str(part) for part in first["loc"]) or "(file)"
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_nearest(model, first['loc'])}"
    if kind == "missing":
        return f"{key}: this key is required"
    if kind == "value_error":
        return f"{key}: {first['ctx']['error']}"
    if kind in ("model_type", "dict_type"):
        return f"{key}: a table is wanted, not {first['input']!r}"
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{key}: {message}, not {first['input']!r}"


def _nearest(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    names = field_names(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(sorted(names))}"


def field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at ``location`` inside ``model``; none if there is no such table."""
    current = model
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
        nested = _nested_model(field.annotation) if field is not None else None
        if nested is None:
            return []
        current = nested
    return [field.alias or name for name, field in current.model_fields.items()]


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        nested = _nested_model(argument)
        if nested is not None:
            return nested
    return None
