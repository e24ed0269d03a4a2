import io
from pathlib import Path

import pytest
from rich.table import Table

import edgeprune
from edgeprune.cli.main import run_command
from edgeprune.cli.plan_table import print_plan
from edgeprune.cli.terminal import plain_console, table_console
from edgeprune.doctor import Diagnosis, Row


def test_what_looks_like_markup_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("what [red]is", box=None)
    table.add_row("pip install 'edgeprune[peers]' :warning: [/] [bold]x[/bold]")
    table_console().print(table)
    shown = capsys.readouterr().out
    assert "what [red]is" in shown
    assert "pip install 'edgeprune[peers]' :warning: [/] [bold]x[/bold]" in shown


def test_doctor_prints_the_extra_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Diagnosis((Row("other engines", "absent", "ncnn", "pip install 'edgeprune[peers]'", required=False),))
    monkeypatch.setattr("edgeprune.doctor.examine", lambda *, deep: found)
    assert run_command(["doctor"], debug=False) == 0
    assert "pip install 'edgeprune[peers]'" in capsys.readouterr().out


def test_a_plan_prints_layers_as_they_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    layer = {"name": "blocks[0].conv", "kind": "conv2d", "before": 8, "after": 4, "pinned": "feeds [/] view"}
    print_plan({"layers": [layer], "notes": ["the file a[b].onnx"], "channels": {"before": 8, "after": 4}})
    shown = capsys.readouterr().out
    assert "blocks[0].conv" in shown
    assert "feeds [/] view" in shown
    assert "the file a[b].onnx" in shown


def test_a_stage_is_named_as_it_is_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeprune.cli import console_progress

    written = io.StringIO()

    def terminal(*, stderr: bool) -> object:
        console = plain_console(stderr=stderr)
        console.file = written
        console._force_terminal = True
        return console

    monkeypatch.setattr(console_progress, "plain_console", terminal)
    with console_progress.console_progress() as progress:
        progress.stage("measuring a[b]", 2)
        progress.advance("step [c]")
        progress.note("note [d]")
    for text in ("measuring a[b]", "step [c]", "note [d]"):
        assert text in written.getvalue()


def test_consoles_are_made_in_one_place() -> None:
    root = Path(edgeprune.__file__).parent
    makers = {str(file.relative_to(root)) for file in root.rglob("*.py") if " Console(" in file.read_text()}
    assert makers == {"cli/terminal.py"}
