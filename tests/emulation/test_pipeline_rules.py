"""One rule of the cycle model a test, on loops of a few instructions whose cycles can be worked out by hand."""

from collections.abc import Sequence

import pytest

from edgeprune.emulation import load_core
from edgeprune.emulation.replay import Replayed, find, replay

pytestmark = pytest.mark.slow  # the model is compiled on first use

TURNS = 1000

# fmla vD.4s, v0.4s, v1.4s with D = 16, 17, ...: none waits for another; with D = 16 alone each adds to the one before.
INDEPENDENT = [0x4E21CC00 | 16 + index for index in range(12)]
CHAIN = [0x4E21CC10]
# fmla v0.4s, v0.4s, v0.4s: its factors are its own last result, too.
FACTORS = [0x4E20CC00]
ADD_X1, ADD_X2 = 0x91000421, 0x91000442  # add x1, x1, #1; add x2, x2, #1
LOAD_INT, LOAD_D, LOAD_Q = 0xF9400083, 0xFD400082, 0x3DC00082  # ldr of x3, d2, q2 from [x4]
POINTER, USE_X3 = 0xF9400000, 0x91000463  # ldr x0, [x0]; add x3, x3, #1
ADD_ADDRESS = 0x91002084  # add x4, x4, #8
STORE_INT = 0xF9000083  # str x3, [x4]
DIVIDE_S = 0x1E221820  # fdiv s0, s1, s2
BRANCH = 0xB5FFFFE5  # cbnz x5, itself
MULTIPLY_ADD = 0x9B010863  # madd x3, x3, x1, x2
SHIFTED = 0x8B030C63  # add x3, x3, x3, lsl #3


def table(cpu: str) -> str:
    core = load_core(cpu)
    assert core is not None
    return core.table(None, None, None)


def run(cpu: str, words: Sequence[int], **options: int) -> Replayed:
    return replay(table(cpu), words, turns=TURNS, **options)


def per_turn(cpu: str, words: Sequence[int], **options: int) -> float:
    """The cycles of a turn in the long run: those of a second thousand."""
    twice = replay(table(cpu), words, turns=2 * TURNS, **options)
    return (twice.nominal - run(cpu, words, **options).nominal) / TURNS


@pytest.mark.parametrize(
    ("cpu", "addend", "factor"),
    [("cortex-a53", 4, 8), ("cortex-a55", 4, 4), ("cortex-a72", 3, 7), ("cortex-a76", 2, 4)],
)
def test_a_chain_of_multiply_accumulates_takes_their_latency(cpu: str, addend: int, factor: int) -> None:
    assert per_turn(cpu, CHAIN) == addend
    assert per_turn(cpu, FACTORS) == factor


@pytest.mark.parametrize(
    ("cpu", "each"), [("cortex-a53", 1), ("cortex-a55", 1), ("cortex-a72", 1), ("cortex-a76", 0.5)]
)
def test_independent_ones_take_their_throughput(cpu: str, each: float) -> None:
    """Eight single-precision operations a cycle are the published peak of three of the cores, sixteen of the A76."""
    assert per_turn(cpu, INDEPENDENT) / len(INDEPENDENT) == each


def test_the_a7_works_on_vectors_32_bits_at_a_time() -> None:
    vfma_q = [0xF2000C50 | (8 + 2 * index) << 12 for index in range(4)]  # vfma.f32 qD, q0, q0
    vfma_s = [0xEEA00A00 | (4 + index) << 12 for index in range(8)]  # vfma.f32 sD, s0, s0
    assert per_turn("cortex-a7", vfma_q, instruction_set="a32") == 4 * len(vfma_q)  # type: ignore[arg-type]
    assert per_turn("cortex-a7", vfma_s, instruction_set="a32") == len(vfma_s)  # type: ignore[arg-type]


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a55"])
def test_two_instructions_issue_together_unless_one_waits_for_the_other(cpu: str) -> None:
    assert per_turn(cpu, [ADD_X1, ADD_X2]) == 1
    assert per_turn(cpu, [ADD_X1, ADD_X1]) == 2
    assert per_turn(cpu, [INDEPENDENT[0], ADD_X1, INDEPENDENT[1], ADD_X2, *INDEPENDENT[2:4]]) == 4


def test_what_issues_beside_an_fmla_is_what_was_measured() -> None:
    """ncnn's table: an integer load on both cores; a 64-bit vector load on the A55 alone; a 128-bit one on neither."""
    pairs = {"integer": LOAD_INT, "64 bits": LOAD_D, "128 bits": LOAD_Q}
    found = {
        (cpu, name): per_turn(cpu, [word for fmla in INDEPENDENT for word in (fmla, load)]) / len(INDEPENDENT)
        for cpu in ("cortex-a53", "cortex-a55")
        for name, load in pairs.items()
    }
    assert found == {
        ("cortex-a53", "integer"): 1,
        ("cortex-a53", "64 bits"): 2,
        ("cortex-a53", "128 bits"): 3,
        ("cortex-a55", "integer"): 1,
        ("cortex-a55", "64 bits"): 1,
        ("cortex-a55", "128 bits"): 3,
    }


def test_a_vector_load_issues_beside_an_insertion_on_the_a53() -> None:
    inserts = [0x4E181C40 | number for number in (16, 17, 18, 19)]  # ins vN.d[1], x2
    assert per_turn("cortex-a53", [word for insert in inserts for word in (LOAD_D, insert)]) == len(inserts)


@pytest.mark.parametrize(
    ("cpu", "pointer", "use"),
    [("cortex-a53", 3, 4), ("cortex-a55", 2, 4), ("cortex-a72", 4, 1), ("cortex-a76", 4, 0.5)],
)
def test_a_load_is_waited_for(cpu: str, pointer: int, use: float) -> None:
    """Through an address at once; through an addition a cycle later. Out of order, a later turn's load overtakes."""
    assert per_turn(cpu, [POINTER]) == pointer
    assert per_turn(cpu, [LOAD_INT, USE_X3, USE_X3, BRANCH]) == pytest.approx(use, abs=1)


@pytest.mark.parametrize(("cpu", "cycles"), [("cortex-a53", 3), ("cortex-a55", 2), ("cortex-a72", 1)])
def test_an_address_is_needed_earlier_than_an_operand(cpu: str, cycles: int) -> None:
    assert per_turn(cpu, [ADD_ADDRESS]) == 1
    assert per_turn(cpu, [ADD_ADDRESS, LOAD_D]) == cycles


def test_a_shifted_operand_is_needed_earlier_on_the_a53() -> None:
    assert per_turn("cortex-a53", [SHIFTED]) == 2
    assert per_turn("cortex-a55", [SHIFTED]) == 1


def test_loads_share_a_pipe_with_stores_on_the_a53_only() -> None:
    assert per_turn("cortex-a53", [LOAD_D, STORE_INT]) == 2
    assert per_turn("cortex-a55", [LOAD_D, STORE_INT]) == 1


def test_a_division_keeps_its_unit() -> None:
    assert per_turn("cortex-a53", [DIVIDE_S]) == 14
    assert per_turn("cortex-a55", [DIVIDE_S]) == 10


def test_an_accumulation_is_forwarded_in_the_integer_multiplier() -> None:
    assert per_turn("cortex-a53", [MULTIPLY_ADD]) == 3, "its factor is the last result"
    assert per_turn("cortex-a53", [0x9B020023]) == 1, "madd x3, x1, x2, x0 adds to nothing new"


def test_a_branch_that_is_taken_costs_a_bubble_only_at_the_high_end() -> None:
    twice, once = replay(table("cortex-a53"), [ADD_X1, BRANCH], turns=2 * TURNS), run("cortex-a53", [ADD_X1, BRANCH])
    assert (twice.nominal - once.nominal, twice.high - once.high) == (TURNS, 2 * TURNS)


def test_a_branch_that_ends_a_loop_is_mispredicted_once() -> None:
    straight, looped = run("cortex-a55", [ADD_X1]).nominal, run("cortex-a55", [ADD_X1, BRANCH]).nominal
    assert looped - straight == 8


@pytest.mark.parametrize(("streamed", "longer"), [(False, 13), (True, 3)])
def test_a_miss_makes_a_load_longer(streamed: bool, longer: int) -> None:
    hit = per_turn("cortex-a53", [POINTER])
    assert per_turn("cortex-a53", [POINTER], level=1, streamed=streamed) - hit == longer


def test_misses_overlap_as_far_as_there_are_linefills() -> None:
    """Three at once on the A53: a load every 13 / 3 cycles when none waits for another."""
    loads = [LOAD_D & ~31 | number for number in range(8, 14)]
    assert per_turn("cortex-a53", loads, level=1) / len(loads) == pytest.approx(13 / 3, abs=0.01)


def test_the_window_bounds_how_far_a_core_looks_ahead() -> None:
    """A load from memory every 200 instructions: more than a window of 128 apart, so that no two overlap."""
    distant = [LOAD_INT, USE_X3, *[ADD_X1, ADD_X2] * 100]
    near = [LOAD_INT, USE_X3, *[ADD_X1, ADD_X2] * 5]
    assert per_turn("cortex-a72", distant, level=2) > 200
    assert per_turn("cortex-a72", near, level=2) < 200 / 6 + 5


@pytest.mark.parametrize(("cpu", "width"), [("cortex-a72", 3), ("cortex-a76", 4)])
def test_no_more_than_the_width_is_dispatched(cpu: str, width: int) -> None:
    nops = [0xD503201F] * 12
    mixed = [0xAA0103E5, 0xAA0103E6, LOAD_D, INDEPENDENT[0]] * 3
    assert per_turn(cpu, mixed) >= len(mixed) / width
    assert per_turn(cpu, nops) >= len(nops) / width


def test_low_and_high_are_the_ends_of_the_range() -> None:
    for cpu in ("cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76"):
        cycles = run(cpu, [*INDEPENDENT[:3], LOAD_Q, ADD_X1, STORE_INT, BRANCH], level=1)
        assert cycles.low <= cycles.nominal <= cycles.high
        assert cycles.low < cycles.high


def test_the_caches_keep_what_was_used_last() -> None:
    """Four ways of 8 KiB on the A53: five lines of one set do not fit, four do."""
    set_of_four = [0x100000 + 0x2000 * way for way in range(4)]
    assert [level for level, _ in find(table("cortex-a53"), set_of_four * 2)] == [2] * 4 + [0] * 4
    set_of_five = [*set_of_four, 0x100000 + 0x2000 * 4]
    assert [level for level, _ in find(table("cortex-a53"), set_of_five * 2)] == [2] * 5 + [1] * 5


def test_the_boards_own_sizes_count() -> None:
    core = load_core("cortex-a53")
    assert core is not None
    lines = [0x100000 + 64 * line for line in range(256)]  # 16 KiB
    for kib, second in ((32, 0), (8, 1)):
        found = find(core.table(kib, None, None), lines * 2)
        assert {level for level, _ in found[256:]} == {second}


def test_neighbours_of_missed_lines_are_streamed() -> None:
    found = find(table("cortex-a53"), [0x100000, 0x100040, 0x200000, 0x100080, 0x300000, 0x2FFFC0])
    assert [streamed for _, streamed in found] == [False, True, False, True, False, True]
