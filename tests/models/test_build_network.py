"""What a factory of the user's may do wrong is told as the recipe's fault, with its own words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edgeprune.errors import UserError
from edgeprune.recipe import ModelSource
from edgeprune.stages.network import build_network

OWN = """
from torch import nn

def picky(width=4):
    if width % 4:
        raise ValueError("width must be a multiple of 4")
    return nn.Linear(width, 2)

def absent():
    import a_package_nobody_has

def text():
    return "a network"
"""


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("picky", {"width": 3}, "with model.args {'width': 3} failed: ValueError: width must be a multiple of 4"),
        ("absent", {}, "failed: ModuleNotFoundError: No module named 'a_package_nobody_has'"),
        ("picky", {"depth": 3}, "does not take them: picky() got an unexpected keyword argument 'depth'"),
        ("text", {}, "returned str, not a torch.nn.Module"),
    ],
)
def test_a_factory_that_fails(tmp_path: Path, name: str, args: dict[str, Any], message: str) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    source = ModelSource(factory=f"{tmp_path / 'own.py'}:{name}", args=args, input_shape=[4])
    with pytest.raises(UserError, match=re.escape(message)):
        build_network(source, 0)
