"""Scaled dot-product attention and einsum."""

from __future__ import annotations

from torch import fx

from edgeprune.pruning.labels import Axis, Layout
from edgeprune.pruning.walk import RuleTable, Walk, arguments, elements, shape_of

TABLE = RuleTable()


@TABLE.rule("scaled_dot_product_attention")
def attention(walk: Walk, node: fx.Node) -> Layout:
    """Heads are independent and may go, or, where those cannot, places within a head; the scale stays what it was."""
    bound = arguments(node)
    query, key, value = (walk.layout(bound[name]) for name in ("query", "key", "value"))
    rank = len(query.shape)
    inner = walk.unify([query.axes[-1], key.axes[-1]], "multiplied with what must stay")
    if not (query.zero[-1] or key.zero[-1]):
        walk.labels.pin(inner, "summed over while its removed entries are not zero")
    walk.mix(node, (bound["query"], rank - 1), (bound["key"], rank - 1))
    positions = walk.unify([key.axes[-2], value.axes[-2]], "attended positions")
    walk.labels.pin(positions, "softmax over attended positions")
    axes: list[Axis] = []
    for axis in range(rank - 2):
        axes.append(_lead(walk, query, key, value, axis))
    _mask(walk, bound.get("attn_mask"), axes, rank)
    zero = (*value.zero[: rank - 2], False, value.zero[-1])
    length, width = query.shape[-2], query.shape[-1] + value.shape[-1]
    fixed = [size for size, labels in zip(query.shape[:-2], axes, strict=True) if labels is None]
    walk.cost(node, elements(fixed) * length * key.shape[-2] * width, *axes)
    return Layout(shape_of(node), (*axes, query.axes[-2], value.axes[-1]), zero)


def _lead(walk: Walk, query: Layout, key: Layout, value: Layout, axis: int) -> Axis:
    """Join a batch or head axis; with fewer key heads than query heads, whole groups of query heads go."""
    shared = walk.unify([key.axes[axis], value.axes[axis]], "attends to what must stay")
    labels = query.axes[axis]
    if query.shape[axis] == key.shape[axis]:
        joined = walk.unify([labels, shared], "attends to what must stay")
    elif labels is None or shared is None:
        walk.labels.pin(labels, "attends to what must stay")
        walk.labels.pin(shared, "attended by what must stay")
        return None
    else:
        walk.labels.join(labels.reshape(len(shared), -1), shared[:, None])
        joined = labels
    if joined is not None:
        walk.preferred.append(joined)
    return joined


def _mask(walk: Walk, mask: fx.Node | None, axes: list[Axis], rank: int) -> None:
    if mask is None:
        return
    layout = walk.layout(mask)
    own_rank = len(layout.shape)
    walk.pin_axes(layout, range(max(own_rank - 2, 0), own_rank), "attention mask positions")
    for own in range(own_rank - 2):
        axis = own + rank - own_rank
        labels = axes[axis]
        if layout.shape[own] > 1:
            axes[axis] = walk.unify([labels, layout.axes[own]], "masked by what must stay")
        else:
            walk.labels.pin(layout.axes[own], "broadcast")


@TABLE.rule("einsum")
def einsum(walk: Walk, node: fx.Node) -> Layout:
    """A letter is an axis: equal letters meet; a letter summed over must be zero where removed."""
    bound = arguments(node)
    equation = str(bound["equation"]).replace(" ", "")
    operands = [walk.layout(value) for value in bound["tensors"]]
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if "." in equation or not arrow or any(len(set(term)) != len(term) for term in terms):
        for layout in operands:
            walk.pin_axes(layout, range(len(layout.shape)), f"einsum {equation} has no rule")
        return Layout.fixed(shape_of(node))
    axes, zero, sizes = _letters(walk, terms, operands, output)
    for value, term in zip(bound["tensors"], terms, strict=True):
        for axis, letter in enumerate(term):
            walk.role(value, axis, "producer" if letter in output else "consumer")
    for letter in dict.fromkeys("".join(terms)):
        if letter not in output:
            where = zip(bound["tensors"], terms, strict=True)
            walk.mix(node, *((value, term.index(letter)) for value, term in where if letter in term))
    fixed = [size for letter, size in sizes.items() if axes[letter] is None]
    walk.cost(node, elements(fixed), *axes.values())
    shape = shape_of(node)
    return Layout(shape, tuple(axes[letter] for letter in output), tuple(zero[letter] for letter in output))


def _letters(
    walk: Walk, terms: list[str], operands: list[Layout], output: str
) -> tuple[dict[str, Axis], dict[str, bool], dict[str, int]]:
    axes: dict[str, Axis] = {}
    zero: dict[str, bool] = {}
    sizes: dict[str, int] = {}
    for letter in dict.fromkeys("".join(terms)):
        found = [(layout, term.index(letter)) for term, layout in zip(terms, operands, strict=True) if letter in term]
        axes[letter] = walk.unify([layout.axes[place] for layout, place in found], "multiplied with what must stay")
        zero[letter] = any(layout.zero[place] for layout, place in found)
        sizes[letter] = max(layout.shape[place] for layout, place in found)
        labels = axes[letter]
        if letter not in output and not zero[letter]:
            walk.labels.pin(labels, "summed over while its removed entries are not zero")
        if labels is not None and len(found) == len(terms) and letter in output:
            walk.preferred.append(labels)
    return axes, zero, sizes
