"""What is known of a core's pipeline and caches: a TOML file with a source for every number, and the plugin's table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from edgeprune.toml_file import Table, read_toml, validate

# A number, or [low, nominal, high]: what gives the fewest cycles, what is taken to be so, what gives the most.
Number: TypeAlias = int | Annotated[list[int], Field(min_length=3, max_length=3)]
# The keys of one or more of the file's ``sources``.
Source: TypeAlias = str | Annotated[list[str], Field(min_length=1)]
Issue: TypeAlias = Literal["either", "older", "alone"]

_DIRECTORY = Path(__file__).parent / "cores"


class Cycles(Table):
    """Cycles of one rule, and its source."""

    cycles: Number
    source: Source


class Count(Table):
    """How many of something there are, and its source."""

    count: Number
    source: Source


class Cache(Table):
    """A cache of ``kib`` KiB. ``miss`` is how many cycles later than from the first cache data found here arrives.

    ``streamed`` is the same where the neighbouring line was fetched shortly before, so that a prefetcher can be ahead.
    """

    kib: int = Field(ge=0)
    ways: int = Field(ge=1)
    line: int = 64
    miss: Number = 0
    streamed: Number = 0
    source: Source


class Memory(Table):
    """The main memory, which holds what no cache does."""

    miss: Number
    streamed: Number
    source: Source


class Caches(Table):
    """The caches, nearest first; sizes are the usual ones, for targets that do not say theirs (0: there is none)."""

    l1d: Cache
    l2: Cache
    l3: Cache
    memory: Memory


class Operation(Table):
    """Timing of the operations ``names`` (listed in tools/qemu_plugin/instruction.h).

    - ``latency``: cycles from issue to the issue of a consumer; ``address`` when the result forms an address,
      ``addend`` from one multiply-accumulate to the addend of the next.
    - ``unit``, ``pipes``, ``cycles``: so many pipes of a unit, for so many cycles; of pairs and lists, for every
      ``width`` transfers of 64 bits.
    - ``port``: a second unit of which one pipe is taken for a cycle.
    - ``issue``: "either" place of a pair, as its "older" instruction only, or "alone".
    """

    names: list[str] = Field(min_length=1)
    latency: Number
    address: Number | None = None
    addend: Number | None = None
    unit: str
    pipes: int = Field(default=1, ge=1)
    cycles: int = Field(default=1, ge=1)
    width: int = Field(default=1, ge=1)
    port: str = "-"
    issue: Issue | Annotated[list[Issue], Field(min_length=3, max_length=3)] = "either"
    source: Source


class Core(Table):
    """A core: ``order`` "in" or "out" of order, ``width`` instructions a cycle, a ``window`` where out of order."""

    name: str
    order: Literal["in", "out"]
    width: int = Field(ge=1)
    window: int = Field(default=1, ge=1)
    taken: Cycles
    mispredicted: Cycles
    store_late: Cycles
    linefills: Count
    sources: dict[str, str]
    units: dict[str, int]
    caches: Caches
    operations: list[Operation]

    @property
    def model(self) -> str:
        """What kind of model this is, in words for a report."""
        return "in-order dual issue" if self.order == "in" else "out-of-order bound"

    @model_validator(mode="after")
    def _every_source_is_named(self) -> Core:
        rules: list[Source] = [
            self.taken.source,
            self.mispredicted.source,
            self.store_late.source,
            self.linefills.source,
        ]
        caches: list[Source] = [self.caches.l1d.source, self.caches.l2.source, self.caches.l3.source]
        operations: list[Source] = [operation.source for operation in self.operations]
        used = {key for source in (*rules, *caches, self.caches.memory.source, *operations) for key in _keys(source)}
        if used != self.sources.keys():
            missing, idle = sorted(used - self.sources.keys()), sorted(self.sources.keys() - used)
            raise ValueError(f"sources: {', '.join(missing or idle)} {'is not listed' if missing else 'is not used'}")
        return self

    @model_validator(mode="after")
    def _each_operation_once(self) -> Core:
        names = [name for operation in self.operations for name in operation.names]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"operations: {', '.join(sorted(twice))} given twice")
        return self

    def table(self, l1d_kib: int | None, l2_kib: int | None, l3_kib: int | None) -> str:
        """Return the plugin's table (its form: tools/qemu_plugin/core.h) with a board's cache sizes where it says."""
        sizes = {"l1d": l1d_kib, "l2": l2_kib, "l3": l3_kib}
        lines = [f"order {self.order}", f"width {self.width}", f"window {self.window}"]
        lines += [f"taken {_three(self.taken.cycles)}", f"mispredicted {_three(self.mispredicted.cycles)}"]
        lines += [f"store_late {_three(self.store_late.cycles)}", f"linefills {_three(self.linefills.count)}"]
        lines += [f"unit {name} {pipes}" for name, pipes in self.units.items()]
        lines += self._cache_lines({name: kib for name, kib in sizes.items() if kib is not None})
        lines += [line for operation in self.operations for name in operation.names for line in _rows(name, operation)]
        return "\n".join(lines) + "\n"

    def _cache_lines(self, sizes: dict[str, int]) -> list[str]:
        lines, level = [], 0
        for name in ("l1d", "l2", "l3"):
            cache: Cache = getattr(self.caches, name)
            kib = sizes.get(name, cache.kib)
            if kib == 0:
                continue
            lines.append(f"cache {kib * 1024} {cache.ways} {cache.line}")
            if level > 0:
                lines += _miss_lines(level, cache)
            level += 1
        return [*lines, *_miss_lines(level, self.caches.memory)]


def _keys(source: Source) -> list[str]:
    return [source] if isinstance(source, str) else source


def core_names() -> tuple[str, ...]:
    """Return the cores there is a model of, as targets name them ("cortex-a53")."""
    return tuple(sorted(file.stem for file in _DIRECTORY.glob("*.toml")))


def load_core(name: str) -> Core | None:
    """Return the model of the core called ``name``, ``None`` where there is none.

    Raises:
        UserError: its file is not as it must be; the message names the key.
    """
    if name not in core_names():
        return None
    file = _DIRECTORY / f"{name}.toml"
    return validate(Core, read_toml(file), file.name)


def _rows(name: str, operation: Operation) -> list[str]:
    issue = operation.issue if isinstance(operation.issue, str) else operation.issue[1]
    lines = [
        f"operation {name} {operation.unit} {operation.pipes} {operation.cycles} {operation.width} {operation.port} "
        f"{issue} {_three(operation.latency)}"
    ]
    if operation.address is not None:
        lines.append(f"address {name} {_three(operation.address)}")
    if operation.addend is not None:
        lines.append(f"addend {name} {_three(operation.addend)}")
    if not isinstance(operation.issue, str):
        lines.append(f"issue {name} {' '.join(operation.issue)}")
    return lines


def _miss_lines(level: int, place: Cache | Memory) -> list[str]:
    return [f"miss {level} {_three(place.miss)}", f"streamed {level} {_three(place.streamed)}"]


def _three(number: Number) -> str:
    values = number if isinstance(number, list) else [number] * 3
    return " ".join(map(str, values))
