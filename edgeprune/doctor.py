"""What this machine has and lacks for edgeprune, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

from edgeprune.cache import cache_directory
from edgeprune.doctor_boards import look_at_boards
from edgeprune.emulation import Unavailable, build_plugin, find_qemu
from edgeprune.errors import StageFailure, UserError
from edgeprune.target import find_target, list_targets
from edgeprune.toolchain import CToolchain, ZigToolchain, toolchain_for

State = Literal["ok", "absent", "clash"]

# LLVM backends that the shipped targets need.
_BACKENDS = ("x86_64", "aarch64", "arm")
# Together they need every C library and linker that the shipped targets do.
_LINKED_TARGETS = ("host", "rpi3", "cortex-a7")
# Packages that provide the same module as one of ours, and so overwrite it.
_RIVALS = {"xgboost": "xgboost-cpu", "tvm": "apache-tvm", "apache-tvm-cu12": "apache-tvm"}
_EMULATORS = {"qemu-aarch64": "cortex-a53", "qemu-arm": "cortex-a7"}
_PEERS = ("openvino", "MNN", "ncnn", "pnnx", "ai-edge-litert")
_PROGRAMS = {
    "ssh": "needed for boards reached by ssh: install openssh-client",
    "adb": "needed for phones: install adb (android platform tools)",
    "apt-get": "only needed to fetch QEMU without root",
    "npm": "only needed as one of the ways to data sets",
}


@dataclass(frozen=True)
class Row:
    """One thing looked at: whether it is there and fits, what was found, and what to do (empty when nothing).

    ``required`` is false for what only some boards or sources need.
    """

    name: str
    state: State
    detail: str
    mend: str = ""
    required: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """All rows, in the order to show them."""

    rows: tuple[Row, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing clashes and nothing required is absent."""
        return not any(row.state == "clash" or (row.state == "absent" and row.required) for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the rows and the judgement as JSON-able values."""
        return {"healthy": self.healthy, "rows": [asdict(row) for row in self.rows]}


def examine(*, deep: bool = False) -> Diagnosis:
    """Look at this machine; ``deep`` also links a program per board, compiles the plugin, loads TVM and asks boards.

    Never raises for what is missing: that is what the rows are for. Shallow takes well under a second.
    """
    rows = [*_python(), *_packages(), _zig(), *_own_toolchains(), *_emulators(deep=deep), *_programs()]
    rows += [*_boards(deep=deep), _peers(), *_machine()]
    if deep:
        rows += [*_links(), _tvm_backends()]
    return Diagnosis(tuple(rows))


def _python() -> Iterator[Row]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    fits = sys.version_info[:2] == (3, 11)
    yield Row("Python", "ok" if fits else "clash", found, "" if fits else "make the environment with Python 3.11")


def _packages() -> Iterator[Row]:
    """One row when every pin is met; otherwise one per package that does not fit."""
    try:
        pins = [Requirement(line) for line in requires("edgeprune") or ()]
    except PackageNotFoundError:
        yield Row(
            "packages", "absent", "edgeprune itself is not installed", "pip install edgeprune (or `pip install -e .`)"
        )
        return
    wanted = [pin for pin in pins if pin.marker is None or pin.marker.evaluate({"extra": ""})]
    faults = [row for row in map(_judge_pin, wanted) if row is not None]
    yield from faults or [Row("packages", "ok", f"all {len(wanted)} pins are met")]
    for rival, ours in _RIVALS.items():
        if _installed(rival) is not None:
            yield Row(
                rival,
                "clash",
                f"overwrites files of {ours}",
                f"pip uninstall {rival}; pip install --force-reinstall {ours}",
            )


def _judge_pin(pin: Requirement) -> Row | None:
    found = _installed(pin.name)
    if found is None:
        return Row(pin.name, "absent", f"wanted: {pin.specifier}", f'pip install "{pin}"')
    if not pin.specifier.contains(found, prereleases=True):
        return Row(pin.name, "clash", f"{found} is installed, wanted: {pin.specifier}", f'pip install "{pin}"')
    return None


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _zig() -> Row:
    found = _installed("ziglang")
    if found is None:
        return Row("zig toolchain", "absent", "the Python package ziglang is not installed", "pip install ziglang")
    return Row("zig toolchain", "ok", f"{found} (links for every target)")


def _own_toolchains() -> Iterator[Row]:
    """One row for every board whose target file asks for another compiler than zig."""
    for name in list_targets():
        row = f"toolchain of {name}"
        try:
            target = find_target(name)
            if target.toolchain.kind == "zig":
                continue
            versions = toolchain_for(target).versions()
        except (UserError, StageFailure) as error:
            yield Row(row, "absent", str(error), f"edgeprune targets check {name}", required=False)
        else:
            yield Row(row, "ok", f"{target.toolchain.kind}: {', '.join(versions.values())}", required=False)


def _links() -> Iterator[Row]:
    """Really link; the first time per target builds its C library, which takes up to a minute."""
    for name in _LINKED_TARGETS:
        complaint = _link_trivial(ZigToolchain.for_target(find_target(name)))
        if complaint:
            yield Row(f"link for {name}", "absent", complaint, "pip install --force-reinstall ziglang")
        else:
            yield Row(f"link for {name}", "ok", "a static program links")


def _link_trivial(toolchain: CToolchain) -> str:
    """Return the complaint, empty if all went well."""
    with tempfile.TemporaryDirectory() as scratch:
        source, compiled, program = (Path(scratch) / name for name in ("main.c", "main.o", "main"))
        source.write_text("int main(void) { return 0; }\n")
        try:
            toolchain.compile(source, compiled, ["-O2"])
            toolchain.link_executable([compiled], program, ["-O2"])
        except StageFailure as failure:
            return str(failure)
    return ""


def _tvm_backends() -> Row:
    try:
        from tvm.target.codegen import llvm_get_targets, llvm_version_major

        present = {str(name) for name in llvm_get_targets()}
        llvm = llvm_version_major()
    # A clash of native libraries can surface as nearly anything while TVM loads; the row says what it was.
    except Exception as error:
        return Row("TVM", "clash", f"does not load: {error}", "reinstall edgeprune's pins in a fresh environment")
    missing = [name for name in _BACKENDS if name not in present]
    if missing:
        return Row("TVM", "clash", f"its LLVM lacks {', '.join(missing)}", "reinstall apache-tvm as pinned")
    return Row("TVM", "ok", f"LLVM {llvm} with {', '.join(_BACKENDS)}")


def _emulators(*, deep: bool) -> Iterator[Row]:
    for program, cpu in _EMULATORS.items():
        qemu = find_qemu(program, cpu=cpu)
        if isinstance(qemu, Unavailable):
            yield Row(program, "absent", qemu.reason, qemu.mend, required=False)
            continue
        detail = f"{qemu.version} from {qemu.source}"
        plugin = build_plugin(qemu) if deep or not qemu.plugins else None
        if isinstance(plugin, Unavailable):
            yield Row(
                program, "absent", f"{detail}; counts no instructions: {plugin.reason}", plugin.mend, required=False
            )
        else:
            yield Row(program, "ok", f"{detail}, {'counts instructions' if plugin else 'takes plugins'}")


def _peers() -> Row:
    """Engines that tools/compare_peers.py holds an artifact against; nothing else needs them."""
    found = {package: _installed(package) for package in _PEERS}
    here = ", ".join(f"{package} {installed}" for package, installed in found.items() if installed is not None)
    missing = [package for package, installed in found.items() if installed is None]
    if not missing:
        return Row("peer engines", "ok", here, required=False)
    detail = f"{here or 'none'}; without {', '.join(missing)}"
    return Row("peer engines", "absent", detail, "to compare with other engines: pip install 'edgeprune[peers]'", False)


def _programs() -> Iterator[Row]:
    for program, use in _PROGRAMS.items():
        found = shutil.which(program)
        yield Row(program, "ok", found, required=False) if found else Row(program, "absent", "", use, required=False)


def _boards(*, deep: bool) -> Iterator[Row]:
    for board in look_at_boards(deep=deep):
        yield Row(board.name, "absent" if board.mend else "ok", board.detail, board.mend, required=False)


def _machine() -> Iterator[Row]:
    usable = len(os.sched_getaffinity(0))
    yield Row("cores", "ok", f"{usable} usable of {os.cpu_count()}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Row("memory", "ok", f"{memory / 2**30:.1f} GiB")
    cache = cache_directory()
    yield Row("cache", "ok", f"{cache}, {shutil.disk_usage(cache).free / 2**30:.1f} GiB free")
    yield _governor(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))


def _governor(file: Path) -> Row:
    """Latencies taken under a governor that changes the clock carry a verdict that says so."""
    try:
        governor = file.read_text().strip()
    except OSError:
        return Row("governor", "absent", "this machine does not say", "", required=False)
    fixed = governor in {"performance", "userspace"}
    mend = "" if fixed else "for steadier latencies: cpupower frequency-set -g performance (needs root)"
    return Row("governor", "ok", governor, mend, required=False)
