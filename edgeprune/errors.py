"""What can go wrong, split by whose mend it is: the user's (exit code 2) or a failure (exit code 1)."""

from __future__ import annotations


class EdgepruneError(Exception):
    """Base of every error the command line shows as one line, without a traceback."""

    exit_code = 1


class UserError(EdgepruneError):
    """Input the user can mend; the message names the file, key or layer and says how."""

    exit_code = 2


class StageFailure(EdgepruneError):
    """A stage could not do its work although its input was valid."""


class ParityError(StageFailure):
    """Two sides of a border computed different values."""
