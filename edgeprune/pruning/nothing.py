"""A request that is too small to remove anything."""

from __future__ import annotations

from edgeprune.errors import UserError


class NothingToRemove(UserError):
    """The amount is too small for a single channel or weight; a larger one, such as a later round's, would do."""
