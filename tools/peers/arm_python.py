"""CPython and the engines' wheels for 64-bit ARM, unpacked into edgeprune's cache for QEMU's user mode.

Nothing is installed and no root is needed: Debian 12's packages are downloaded by apt with lists of its own, the wheels
by pip for another platform than its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgeprune.cache import cache_directory
from edgeprune.emulation.apt import PrivateApt, unpack
from edgeprune.emulation.fetch import DEBIAN_12
from edgeprune.errors import StageFailure
from peers.engine import Refused

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0"),
    *("liblzma5", "libcrypt1", "libuuid1", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
)
_WHEELS = ("numpy", "onnxruntime", "MNN", "ncnn")
_GLIBC = range(17, 37)  # the minor versions of glibc that Debian 12 runs

# QEMU 7.2 shows the host's; ONNX Runtime looks for an ARM one.
_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 38.40
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd03
CPU revision\t: 4
"""


@dataclass(frozen=True)
class ArmPython:
    """An unpacked Debian: its ``root`` for QEMU's -L, the interpreter, and the directory of the wheels' packages."""

    root: Path
    interpreter: Path
    packages: Path


def fetch_arm_python() -> ArmPython:
    """Return the cached copy, fetched first where there is none.

    Raises:
        Refused: a package or a wheel cannot be had.
    """
    place = cache_directory("arm-python") / "debian-12"
    found = ArmPython(place / "root", place / "root" / "usr" / "bin" / "python3.11", place / "packages")
    if place.is_dir():
        return found
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="fetch-") as scratch:
        made = Path(scratch) / "made"
        try:
            _unpack_debian(Path(scratch) / "apt", made / "root")
        except StageFailure as failure:
            raise Refused(f"no Python for ARM: {failure}") from failure
        _unpack_wheels(Path(scratch) / "wheels", made / "packages")
        made.rename(place)
    return found


def _unpack_debian(private: Path, root: Path) -> None:
    missing = PrivateApt.missing_programs()
    if missing or not _KEYRING.is_file():
        raise StageFailure(f"{' and '.join(missing) or _KEYRING} is not here")
    apt = PrivateApt(private, DEBIAN_12.format(keyring=_KEYRING), "arm64")
    apt.prepare()
    root.mkdir(parents=True)
    for package in apt.download(_PACKAGES, private):
        unpack(package, root)
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text(_CPUINFO)


def _unpack_wheels(downloads: Path, packages: Path) -> None:
    platforms = ["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in _GLIBC)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [f"--platform={platform}" for platform in platforms]
    command += ["--python-version=3.11", "--implementation=cp", f"--dest={downloads}", *_WHEELS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"no wheels for ARM: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
    packages.mkdir(parents=True)
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    shutil.rmtree(downloads)
