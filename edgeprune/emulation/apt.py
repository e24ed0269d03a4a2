"""Downloading Debian packages as an ordinary user, with apt's state kept in a directory of our own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprune.errors import StageFailure

# The machine's hooks serve its own package state and may want root; its sources, keys and proxies stay in force.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
Dir::State "{private}/state";
Dir::State::status "{status}";
Dir::Cache "{private}/cache";
Dir::Log "{private}/log";
Debug::NoLocking "true";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "";
"""

_ARCHITECTURE = """\
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
"""

_OWN_SOURCES = """\
Dir::Etc::sourcelist "{private}/sources.list";
Dir::Etc::sourceparts "/dev/null";
"""

# Taken over from the machine always: a second C library beside the running one would not start.
_NEVER_FETCHED = frozenset({"libc6", "libc-bin"})


@dataclass(frozen=True)
class PrivateApt:
    """apt with lists and cache under ``private``.

    ``sources`` replaces the machine's own sources (lines of a ``sources.list``). Its packages are then of another
    release than the machine's, so that nothing but the C library is taken over from there. ``architecture`` is Debian's
    name of another one than the machine's ("arm64").
    """

    private: Path
    sources: str | None = None
    architecture: str | None = None

    @staticmethod
    def missing_programs() -> list[str]:
        """Return which of the programs needed are not on this machine."""
        return [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]

    def prepare(self) -> None:
        """Make the private directories and fetch the package lists.

        One of the machine's sources that does not answer is no failure as long as another one has the package.

        Raises:
            StageFailure: the given ``sources`` cannot be read or are not signed by their key.
        """
        for directory in ("state/lists/partial", "cache/archives/partial", "log"):
            (self.private / directory).mkdir(parents=True, exist_ok=True)
        configuration = _CONFIGURATION.format(private=self.private, status=self._status)
        if self.sources is not None:
            (self.private / "sources.list").write_text(self.sources)
            (self.private / "status").write_text("")
            configuration += _OWN_SOURCES.format(private=self.private)
        if self.architecture is not None:
            configuration += _ARCHITECTURE.format(architecture=self.architecture)
        self._configuration.write_text(configuration)
        done = self._run("update")
        if self.sources is not None and done.returncode != 0:
            raise StageFailure(f"apt cannot read the package lists: {_last_line(done.stderr)}")

    def not_installed(self, package: str) -> list[str]:
        """Return ``package`` and those of its dependencies that the machine lacks.

        Raises:
            StageFailure: no source has the package, or its dependencies cannot be met.
        """
        plan = self._run("-s", "install", "--no-install-recommends", package)
        if plan.returncode != 0:
            raise StageFailure(f"apt cannot resolve {package}: {_last_line(plan.stderr)}")
        planned = re.findall(r"^Inst (\S+)", plan.stdout, re.MULTILINE)
        return sorted({package, *planned} - _NEVER_FETCHED)

    def download(self, packages: Sequence[str], directory: Path) -> list[Path]:
        """Download ``packages`` into ``directory``, signatures checked by apt, and return the files.

        Raises:
            StageFailure: a download failed.
        """
        done = self._run("download", *packages, cwd=directory)
        files = sorted(directory.glob("*.deb"))
        if done.returncode != 0 or len(files) != len(packages):
            raise StageFailure(f"apt cannot download {', '.join(packages)}: {_last_line(done.stderr)}")
        return files

    @property
    def _status(self) -> Path:
        """Return dpkg's record of what is installed: the machine's, or that nothing is."""
        return Path("/var/lib/dpkg/status") if self.sources is None else self.private / "status"

    @property
    def _configuration(self) -> Path:
        return self.private / "apt.conf"

    def _run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["apt-get", "-c", str(self._configuration), "-q", *arguments],
            cwd=cwd,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=900,
            check=False,
        )


def unpack(package: Path, root: Path) -> None:
    """Unpack a package's files under ``root`` without installing it.

    Raises:
        StageFailure: the file is damaged or the disk is full.
    """
    done = subprocess.run(["dpkg", "-x", str(package), str(root)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StageFailure(f"cannot unpack {package.name}: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
