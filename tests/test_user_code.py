from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.user_code import load_callable


def refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        load_callable(spec)


def test_module_and_dotted_attribute() -> None:
    from edgeprune.models import lenet5
    from edgeprune.training import History

    assert load_callable("edgeprune.models:lenet5") is lenet5
    assert load_callable("edgeprune.training:History.from_dict") == History.from_dict


def test_file_is_run_once(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("from dataclasses import dataclass\n\n@dataclass\nclass Net:\n    width: int = 3\n")
    found = load_callable(f"{path}:Net")
    assert found().width == 3
    assert load_callable(f"{path}:Net") is found


def test_module_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_the_user.py").write_text("def make():\n    return 5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry])
    assert load_callable("module_of_the_user:make")() == 5


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("1 / 0\n")
    Path("value.py").write_text("width = 3\n")
    Path("needs_missing.py").write_text("import not_there_at_all\n")
    refused("lenet5", "'lenet5': write it as package.module:callable or path/to/file.py:callable")
    refused("no_such.module:f", f"'no_such.module:f': no module 'no_such' is installed or in {tmp_path}")
    refused("edgeprune.modles:f", f"'edgeprune.modles:f': no module 'edgeprune.modles' is installed or in {tmp_path}")
    refused("missing.py:f", "'missing.py:f': no such file: missing.py")
    refused(
        "edgeprune.models:lenet",
        "'edgeprune.models:lenet': there is no 'lenet' in it; did you mean lenet5 or lenet300?",
    )
    refused("value.py:zzzz", "'value.py:zzzz': there is no 'zzzz' in it")
    refused("value.py:width", "'value.py:width': width is a int, not a callable")
    refused("broken.py:f", "'broken.py:f': running broken.py failed: ZeroDivisionError: division by zero")
    refused(
        "needs_missing.py:f",
        "'needs_missing.py:f': running needs_missing.py failed: "
        "ModuleNotFoundError: No module named 'not_there_at_all'",
    )
