from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.data import Splits
from tests.training.tiny_training import make_splits


@pytest.fixture
def splits() -> Splits:
    return make_splits()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "epoch.safetensors"
