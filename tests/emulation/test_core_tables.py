"""The cores' tables: whole, ordered, every number with a source."""

import re
from pathlib import Path

import pytest

from edgeprune.emulation import core_names, load_core
from edgeprune.emulation.core_table import Core
from edgeprune.errors import UserError
from edgeprune.toml_file import validate

HEADER = Path(__file__).parents[2] / "tools" / "qemu_plugin" / "instruction.h"
OPERATIONS = set(re.findall(r"X\((\w+)\)", HEADER.read_text().split("OPERATIONS(X)")[1].split("#define AS_MIX")[0]))


def core(name: str) -> Core:
    found = load_core(name)
    assert found is not None
    return found


def test_there_is_a_model_of_each_core_promised() -> None:
    assert core_names() == ("cortex-a53", "cortex-a55", "cortex-a7", "cortex-a72", "cortex-a76")
    assert load_core("cortex-a35") is None
    kinds = {core(name).model for name in core_names()}
    assert kinds == {"in-order dual issue", "out-of-order bound"}


@pytest.mark.parametrize("name", core_names())
def test_every_operation_is_timed_and_every_number_has_its_source(name: str) -> None:
    found = core(name)
    assert {entry for operation in found.operations for entry in operation.names} == OPERATIONS
    assert found.name == name
    assert all(len(text) > 20 for text in found.sources.values())


@pytest.mark.parametrize("name", core_names())
def test_ranges_are_ordered(name: str) -> None:
    found = core(name)
    dumped = [found.taken.cycles, found.mispredicted.cycles, found.caches.memory.miss, found.caches.memory.streamed]
    for operation in found.operations:
        dumped += [operation.latency, operation.address or 0, operation.addend or 0]
    for cache in (found.caches.l2, found.caches.l3):
        dumped += [cache.miss, cache.streamed]
    for number in dumped:
        assert isinstance(number, int) or number == sorted(number)
    for fewest_last in (found.linefills.count, found.store_late.cycles):
        assert isinstance(fewest_last, list) and fewest_last == sorted(fewest_last, reverse=True)


def test_a_board_s_cache_sizes_replace_the_usual_ones() -> None:
    assert "cache 32768 4 64" in core("cortex-a53").table(None, None, None)
    lines = core("cortex-a76").table(16, 64, 2048).splitlines()
    assert [line for line in lines if line.startswith("cache")] == [
        "cache 16384 4 64",
        "cache 65536 8 64",
        "cache 2097152 16 64",
    ]
    assert [line.split()[1] for line in lines if line.startswith("miss")] == ["1", "2", "3"]


def test_sources_are_listed_and_used() -> None:
    data = core("cortex-a53").model_dump()
    data["taken"]["source"] = "hearsay"
    with pytest.raises(UserError, match="sources: hearsay is not listed"):
        validate(Core, data, "core")
    data = core("cortex-a53").model_dump()
    data["sources"]["hearsay"] = "somebody said so, somewhere"
    with pytest.raises(UserError, match="sources: hearsay is not used"):
        validate(Core, data, "core")
