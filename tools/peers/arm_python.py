"""CPython and the engines' wheels for ARM, unpacked into edgeprune's cache for QEMU's user mode.

Nothing is installed and no root is needed: Debian 12's packages are downloaded by apt with lists of its own, the wheels
by pip for another platform than its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
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
_GLIBC = range(17, 37)  # the minor versions of glibc that Debian 12 runs

# QEMU 7.2 shows the host's; ONNX Runtime and XNNPACK look for an ARM one.
_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 38.40
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: {architecture}
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 4
"""


@dataclass(frozen=True)
class _Distribution:
    """What is unpacked for one instruction set: Debian's and pip's names for it, packages of both.

    ``wheels`` maps the engines that are published for it to their packages, "" what they need.
    """

    place: str
    debian: str
    manylinux: str
    packages: tuple[str, ...]
    wheels: dict[str, str]
    cpuinfo: str


_NUMPY_32 = ("python3-numpy", "libblas3", "liblapack3", "libgfortran5", "libatomic1")
_DISTRIBUTIONS = {
    "aarch64": _Distribution(
        place="debian-12",
        debian="arm64",
        manylinux="aarch64",
        packages=_PACKAGES,
        wheels={"": "numpy", "onnxruntime": "onnxruntime", "mnn": "MNN", "ncnn": "ncnn"},
        cpuinfo=_CPUINFO.format(features="fp asimd evtstrm crc32 cpuid", architecture=8, part="0xd03"),
    ),
    "armv7": _Distribution(
        place="debian-12-armhf",
        debian="armhf",
        manylinux="armv7l",
        packages=(*_PACKAGES, *_NUMPY_32),
        wheels={"ncnn": "ncnn", "litert": "tflite-runtime"},
        cpuinfo=_CPUINFO.format(
            features="half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae",
            architecture=7,
            part="0xc07",
        ),
    ),
}
_NUMPY_PLACES = ("usr/lib/python3/dist-packages",)
_LIBRARY_PLACES = ("usr/lib/arm-linux-gnueabihf/blas", "usr/lib/arm-linux-gnueabihf/lapack")


@dataclass(frozen=True)
class ArmPython:
    """An unpacked Debian: its ``root`` for QEMU's -L, the interpreter, and where it finds packages and libraries.

    ``engines`` are those with a wheel for this instruction set.
    """

    root: Path
    interpreter: Path
    python_path: str
    library_path: str
    engines: tuple[str, ...]


def fetch_arm_python(isa: str) -> ArmPython:
    """Return the cached copy for ``aarch64`` or ``armv7``, fetched first where there is none.

    Raises:
        Refused: a package or a wheel cannot be had.
    """
    distribution = _DISTRIBUTIONS[isa]
    place = cache_directory("arm-python") / distribution.place
    if not place.is_dir():
        _fetch(distribution, place)
    root = place / "root"
    places = [str(place / "packages"), *(str(root / place) for place in _NUMPY_PLACES)]
    return ArmPython(
        root=root,
        interpreter=root / "usr" / "bin" / "python3.11",
        python_path=os.pathsep.join(places),
        library_path=os.pathsep.join(str(root / place) for place in _LIBRARY_PLACES),
        engines=tuple(engine for engine in distribution.wheels if engine),
    )


def _fetch(distribution: _Distribution, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="fetch-") as scratch:
        made = Path(scratch) / "made"
        try:
            _unpack_debian(distribution, Path(scratch) / "apt", made / "root")
        except StageFailure as failure:
            raise Refused(f"no Python for ARM: {failure}") from failure
        wheels = tuple(distribution.wheels.values())
        unpack_wheels(distribution.manylinux, wheels, Path(scratch) / "wheels", made / "packages")
        made.rename(place)


def _unpack_debian(distribution: _Distribution, private: Path, root: Path) -> None:
    missing = PrivateApt.missing_programs()
    if missing or not _KEYRING.is_file():
        raise StageFailure(f"{' and '.join(missing) or _KEYRING} is not here")
    apt = PrivateApt(private, DEBIAN_12.format(keyring=_KEYRING), distribution.debian)
    apt.prepare()
    root.mkdir(parents=True)
    for package in apt.download(distribution.packages, private):
        unpack(package, root)
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text(distribution.cpuinfo)


def unpack_wheels(machine: str, requirements: Sequence[str], downloads: Path, packages: Path) -> None:
    """Unpack the wheels of ``requirements`` alone for Linux on ``machine`` into the new directory ``packages``.

    Raises:
        Refused: pip finds one of them not.
    """
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [f"--platform={platform}" for platform in platforms]
    command += ["--python-version=3.11", "--implementation=cp", f"--dest={downloads}", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"no wheels for ARM: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
    packages.mkdir(parents=True)
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    shutil.rmtree(downloads)
