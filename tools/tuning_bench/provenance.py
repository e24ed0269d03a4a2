"""Where figures come from: the machine in words, versions, and a hash of the code they depend on."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import edgeprune

ROOT = Path(__file__).parents[2]

_DECISIVE = ("lowering", "tuning", "artifact", "toolchain", "recipe", "stages/tune.py", "stages/build.py")
_PACKAGES = {
    "edgeprune": "edgeprune",
    "apache-tvm": "apache-tvm",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "mnn": "MNN",
    "ncnn": "ncnn",
    "litert": "ai-edge-litert",
}


def machine() -> dict[str, Any]:
    """Return the CPU's model word, the name LLVM knows it by, and how many cores may be used."""
    from edgeprune.lowering import tvm_target
    from edgeprune.target import find_target

    resolved = tvm_target(find_target("host"))
    return {
        "cpu": _model_word(),
        "llvm_cpu": str(resolved.attrs.get("mcpu", "")),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of edgeprune, TVM and the engines that are installed."""
    found = {}
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def code_hash() -> str:
    """Return a hash of all that decides how our code is generated and tuned."""
    package = Path(edgeprune.__file__).parent
    return _hash([package / part for part in _DECISIVE] + [ROOT / "targets"])


def networks_hash() -> str:
    """Return a hash of what decides the networks' files."""
    package, tools = Path(edgeprune.__file__).parent, ROOT / "tools"
    ours = [package / "pruning", package / "exporting", package / "models", tools / "reference_networks.py"]
    return _hash([*ours, tools / "tuning_bench" / "networks.py", tools / "tuning_bench" / "convolutions.py"])


def engine_hash(engine: str) -> str:
    """Return a hash of what decides how another engine is called: its module here and its version."""
    return _hash([ROOT / "tools" / "peers" / f"{engine}_engine.py"], versions()[engine])


def model_hash(core: str) -> str:
    """Return a hash of what decides the counts and cycles of a given program: the plugin and the core's model."""
    table = Path(edgeprune.__file__).parent / "emulation" / "cores" / f"{core}.toml"
    return _hash([table, ROOT / "tools" / "qemu_plugin"])


def _hash(places: Iterable[Path], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for place in places:
        files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if _is_source(path))
        for path in files:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix in (".py", ".c", ".h", ".toml")


def _model_word() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
