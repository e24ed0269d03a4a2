"""The arena planner: nothing overlaps, the bound is exact, and the plan reaches it where it can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.artifact.arena import ALIGNMENT, ArenaPlan, Lifetime, plan_arena


def test_a_chain_needs_its_largest_neighbours() -> None:
    plan = plan_arena([Lifetime(640, 0, 1), Lifetime(1280, 1, 2), Lifetime(320, 2, 3)])
    assert (plan.size, plan.bound) == (1920, 1920)
    assert plan.offsets[2] == plan.offsets[0]  # it takes the first one's place


def test_sizes_are_rounded_up_and_the_bound_is_not() -> None:
    plan = plan_arena([Lifetime(1, 0, 0), Lifetime(65, 0, 0)])
    assert (plan.size, plan.bound) == (192, 66)


def test_no_lifetimes_overlapping_share_one_place() -> None:
    plan = plan_arena([Lifetime(64, step, step) for step in range(5)])
    assert plan == ArenaPlan((0, 0, 0, 0, 0), 64, 64)


def test_an_order_by_size_alone_would_waste_memory() -> None:
    # Placed by decreasing size these need ten lines.
    lives = [Lifetime(256, 0, 0), Lifetime(128, 1, 3), Lifetime(256, 0, 2), Lifetime(192, 2, 2), Lifetime(128, 4, 4)]
    plan = plan_arena(lives)
    assert plan.size == plan.bound == 9 * ALIGNMENT


lifetimes = st.lists(
    st.builds(
        lambda size, first, length: Lifetime(size, first, first + length),
        st.integers(1, 5000),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(lifetimes)
def test_buffers_alive_together_never_overlap(lives: list[Lifetime]) -> None:
    plan = plan_arena(lives)
    assert all(offset % ALIGNMENT == 0 and offset >= 0 for offset in plan.offsets)
    assert plan.size == max(
        offset + -(-life.size // ALIGNMENT) * ALIGNMENT for offset, life in zip(plan.offsets, lives, strict=True)
    )
    for index, life in enumerate(lives):
        for other in range(index):
            if life.overlaps(lives[other]):
                apart = (
                    plan.offsets[index] >= plan.offsets[other] + lives[other].size
                    or plan.offsets[other] >= plan.offsets[index] + life.size
                )
                assert apart


@settings(max_examples=30, deadline=None)
@given(lifetimes)
def test_the_bound_is_the_largest_sum_of_live_buffers(lives: list[Lifetime]) -> None:
    sums = [sum(life.size for life in lives if life.first <= step <= life.last) for step in range(20)]
    plan = plan_arena(lives)
    assert plan.bound == max(sums) <= plan.size


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_is_the_same_every_time(seed: int) -> None:
    lives = [Lifetime((index * 977) % 4001 + 1, index % 7, index % 7 + index % 3) for index in range(12)]
    assert plan_arena(lives, seed=seed) == plan_arena(lives, seed=seed)
