"""An interrupt ends with exit code 130 wherever it hits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERB = """\
import click


@click.command("doctor")
def command() -> None:
    exec("import os, signal\\nos.kill(os.getpid(), signal.SIGINT)\\nwhile True: pass")
"""


def test_inside_an_import_that_runs_code_by_exec(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(VERB)
    (tmp_path / "start.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import interrupted\n"
        "sys.modules['edgeprune.cli.doctor'] = interrupted\n"
        "sys.argv[1:] = ['doctor']\n"
        "from edgeprune.cli.main import entry\n"
        "entry()\n"
    )
    # As a module: a script's interpreter leaves by another way, which never showed the signal.
    done = subprocess.run([sys.executable, "-m", "start"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted; the same command goes on from here")
