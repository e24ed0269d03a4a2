"""docs/pruning-choices.md: its examples run, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from edgeprune.pruning import CRITERIA

PAGE = Path(__file__).parents[2] / "docs" / "pruning-choices.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
            exec(compile(block, PAGE.name, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    widths = [("conv1", 16, 8, None), ("conv2", 32, 16, None), ("fc", 10, 10, "network output")]
    parameters = 8 * 27 + 8 + 16 + 16 * 8 * 9 + 16 + 10 * 16 + 10
    assert printed[:2] == [str(widths), f"{8 + 16 + 10} {parameters} {64 * (8 * 27 + 16 * 72) + 160}"]
    assert float(printed[2]) < 1e-5
    assert printed[3].startswith(f"{round(0.1 * (432 + 4608 + 320))} {432 + 4608 + 320} ")
    assert type(names["loaded"]) is names["Small"]
    assert [layer.after for layer in names["again"].from_original.layers] == [4, 8, 10]
    assert sum(value.numel() for value in names["small"].parameters()) < parameters * 1.01


def test_every_criterion_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in (*CRITERIA, "han"))
