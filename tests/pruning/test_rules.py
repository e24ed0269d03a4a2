"""The table of rules itself."""

from __future__ import annotations

import torch

from edgeprune.pruning.rules import _MODULES, RULES


def test_no_operator_has_two_rules() -> None:
    names = [name for module in _MODULES for name in module.TABLE]
    assert len(names) == len(set(names)) == len(RULES)


def test_every_rule_is_of_an_operator_that_exists() -> None:
    known = {name.partition("::")[2].partition(".")[0].rstrip("_") for name in torch._C._dispatch_get_all_op_names()}
    known |= {name.partition("::")[2].partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    assert sorted(set(RULES) - known - {"getitem"}) == []
