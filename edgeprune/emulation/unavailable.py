"""What to say when this machine lacks something that a run can do without."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Unavailable:
    """Something is not there: a result like any other, so that the steps that do not need it still run.

    ``reason`` says what is missing, ``mend`` what the user can do about it.
    """

    reason: str
    mend: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields as JSON-able values."""
        return asdict(self)
