"""Deciding, for every axis that was cut or merged, along which factor channels may be removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeprune.pruning.labels import Flags, Indices, Labels, joined_components
from edgeprune.pruning.walk import Product

_REASON = "cut along another factor of its axis"


@dataclass(frozen=True)
class _Option:
    factor: int
    preferred: bool
    original: bool
    sets: int


def resolve_products(labels: Labels, products: list[Product], preferred: list[Indices], copied: list[Indices]) -> None:
    """Turn every product into joins and pins, the forced ones first.

    A product with several factors that could shrink follows the factor somebody prefers (heads of an attention, or one
    chosen before), then one that does not number copies (``copied``: the queries that share a key, say), then the one
    that leaves the finest choice.
    """
    numbering = {int(axis[0]) for axis in copied if len(axis)}
    pending = list(products)
    chosen = _with_factors(labels.roots(), products, preferred, numbering)
    while pending:
        roots, pinned = labels.roots(), labels.pinned_roots()
        undecided = []
        for product in pending:
            options = _options(product, roots, pinned, chosen, numbering)
            if len(options) > 1:
                undecided.append((product, options))
            else:
                _settle(labels, product, options[0].factor if options else None)
        if len(undecided) == len(pending):
            product, options = undecided.pop(0)
            best = max(options, key=lambda option: (option.preferred, option.original, option.sets))
            _settle(labels, product, best.factor)
            factor = product.factors[best.factor]
            assert factor is not None
            chosen.append(factor)
        pending = [product for product, _ in undecided]


def _with_factors(
    roots: Indices, products: list[Product], preferred: list[Indices], numbering: set[int]
) -> list[Indices]:
    """Return the preferred axes and those they were put together from: samples and heads, heads and their copies."""
    chosen = list(preferred)
    left = list(products)
    while chosen:
        marked = np.unique(roots[np.concatenate(chosen)])
        made = [product for product in left if np.isin(roots[product.flat], marked).all()]
        if not made:
            break
        left = [product for product in left if all(product is not other for other in made)]
        factors = [factor for product in made for factor in product.factors]
        chosen += [factor for factor in factors if factor is not None and int(factor[0]) not in numbering]
    return chosen


def _options(
    product: Product, roots: Indices, pinned: Flags, chosen: list[Indices], numbering: set[int]
) -> list[_Option]:
    marked = np.unique(roots[np.concatenate(chosen)]) if chosen else np.empty(0, dtype=np.int64)
    options = []
    for place, factor in enumerate(product.factors):
        if factor is None:
            continue
        sets = _free_sets(product, place, factor, roots, pinned)
        if sets > 1:
            original = int(factor[0]) not in numbering
            options.append(_Option(place, bool(np.isin(roots[factor], marked).any()), original, sets))
    return options


def _free_sets(product: Product, place: int, factor: Indices, roots: Indices, pinned: Flags) -> int:
    """Count the sets that could still go if the axis shrank along this factor."""
    size = product.sizes[place]
    grid = np.moveaxis(product.flat.reshape(product.sizes), place, 0).reshape(size, -1)
    table = roots[np.concatenate([grid, factor[:, None]], axis=1)]
    touched, places = np.unique(table, return_inverse=True)
    places = places.reshape(table.shape)
    left = np.repeat(places[:, -1], table.shape[1] - 1)
    component = joined_components(left, places[:, :-1].ravel(), len(touched))
    kept = np.zeros(component.max() + 1, dtype=np.bool_)
    kept[component[pinned[touched]]] = True
    return int((~kept).sum())


def _settle(labels: Labels, product: Product, place: int | None) -> None:
    for other, factor in enumerate(product.factors):
        if other != place:
            labels.pin(factor, _REASON)
    if place is None:
        labels.pin(product.flat, _REASON)
        return
    chosen = product.factors[place]
    assert chosen is not None
    grid = np.moveaxis(product.flat.reshape(product.sizes), place, 0).reshape(product.sizes[place], -1)
    labels.join(grid, chosen[:, None])
