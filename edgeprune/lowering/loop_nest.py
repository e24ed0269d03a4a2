"""The blocks of a scheduled kernel with the loops around them."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import s_tir, tirx

_SPATIAL = 0


@dataclass(frozen=True)
class Leaf:
    """A block (as TIR realizes it) and the loops around it, outermost first."""

    loops: tuple[tirx.For, ...]
    realize: s_tir.SBlockRealize

    @property
    def block(self) -> s_tir.SBlock:
        """Return the block itself."""
        return self.realize.block

    @property
    def sums(self) -> bool:
        """Return whether the block has an iteration variable that is not spatial."""
        return any(int(variable.iter_type) != _SPATIAL for variable in self.block.iter_vars)

    def reads(self, buffer: tirx.Buffer) -> list[tirx.BufferRegion]:
        """Return the regions of ``buffer`` that one execution of the block may read."""
        return [region for region in self.block.reads if region.source.same_as(buffer)]

    def writes(self, buffer: tirx.Buffer) -> list[tirx.BufferRegion]:
        """Return the regions of ``buffer`` that one execution of the block may write."""
        return [region for region in self.block.writes if region.source.same_as(buffer)]


def leaves(function: tirx.PrimFunc) -> tuple[Leaf, ...] | None:
    """Return the blocks of ``function`` in program order, or None if it holds more than loops, sequences and blocks."""
    return _leaves(function.body.block.body, ())


def _leaves(statement: tirx.Stmt, around: tuple[tirx.For, ...]) -> tuple[Leaf, ...] | None:
    if isinstance(statement, s_tir.SBlockRealize):
        return (Leaf(around, statement),)
    if isinstance(statement, tirx.For):
        return _leaves(statement.body, (*around, statement))
    if not isinstance(statement, tirx.SeqStmt):
        return None
    found: list[Leaf] = []
    for part in statement.seq:
        below = _leaves(part, around)
        if below is None:
            return None
        found.extend(below)
    return tuple(found)
