"""Records that name a kernel's blocks as another network does.

TVM names the block of a sum after what it sums, and that bears the number of a node in the network's file. Two networks
may share a kernel, and its records, and differ in that number alone; a record finds its blocks by name.
"""

from __future__ import annotations

import re
from typing import Any

import tvm
from tvm.s_tir import Schedule

_NUMBERED = re.compile(r"^node\d+_")


def named_as_in(module: tvm.IRModule, record: list[Any]) -> list[Any]:
    """Return ``record`` (MetaSchedule's JSON) with the blocks' names of ``module["main"]``, an equal kernel.

    Where the kernel names blocks after several nodes, the record stays as it is.
    """
    schedule = Schedule(module)
    names = [str(schedule.get(block).name_hint) for block in schedule.get_child_blocks(schedule.get_sblock("root"))]
    prefixes = {match.group() for match in map(_NUMBERED.match, names) if match}
    if len(prefixes) != 1:
        return record
    [prefix] = prefixes
    [instructions, decisions], *rest = record
    return [[[_renamed(step, prefix) for step in instructions], decisions], *rest]


def _renamed(step: list[Any], prefix: str) -> list[Any]:
    kind, inputs, attributes, *outputs = step
    if kind == "GetSBlock":
        attributes = [_NUMBERED.sub(prefix, attributes[0]), *attributes[1:]]
    return [kind, inputs, attributes, *outputs]
