"""From a program to files that run anywhere: the library, its header, the benchmark executable, the manifest."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm.target import codegen

from edgeprune.artifact.bench import GoldenRecords, render_bench_model
from edgeprune.artifact.describe_steps import kernel_entries, step_entries, step_name
from edgeprune.artifact.elf import read_object
from edgeprune.artifact.glue import render_embedded, render_export_list, render_glue
from edgeprune.artifact.header import render_header
from edgeprune.artifact.kernels import CompiledKernel, compile_kernels
from edgeprune.artifact.layout import MemoryLayout, lay_out
from edgeprune.artifact.linkage import WIDE_INTEGER_SYMBOLS, check_linkage
from edgeprune.artifact.manifest import Manifest, describe_files
from edgeprune.artifact.replace import replacing_directory
from edgeprune.artifact.space import explaining_little_space
from edgeprune.artifact.threaded_glue import render_threaded_glue
from edgeprune.errors import UserError
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.program import Program
from edgeprune.progress import Progress, SilentProgress
from edgeprune.scratch import scratch_directory
from edgeprune.target import Target
from edgeprune.toolchain import CToolchain, toolchain_for

_BENCH_SOURCES = Path(__file__).parent.parent / "measuring" / "executable"
_RUNTIME = Path(__file__).parent / "runtime"
_WIDE_INTEGERS = _RUNTIME / "wide_integers.c"
_POOL = _RUNTIME / "pool.c"
_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")
_COMPILE = (
    *("-std=c99", "-O2", "-fPIC", "-ffunction-sections", "-fdata-sections", "-fno-stack-protector"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-sanitize=all"),
)
_LINK = ("-O2", "-Wl,--gc-sections", "-Wl,--build-id=none")


@dataclass(frozen=True)
class _Job:
    """One build: what is built for whom, and where the intermediate files of this build lie."""

    program: Program
    target: Target
    toolchain: CToolchain
    model: str
    version: str
    work: Path
    debug: bool
    accuracy: float | None
    only_bench: bool

    @property
    def compile_flags(self) -> tuple[str, ...]:
        return (*_COMPILE, "-g" if self.debug else "-g0")

    @property
    def link_flags(self) -> tuple[str, ...]:
        threads = ("-pthread",) if self.threaded else ()
        return (*_LINK, *threads) if self.debug else (*_LINK, *threads, "-s")

    @property
    def profiled_glue(self) -> Path:
        return self.work / "bench_profiled.c"

    @property
    def threaded(self) -> bool:
        return self.target.threads > 1

    @property
    def pool_flags(self) -> tuple[str, ...]:
        """What runtime/pool.h and pool.c want to know of the network."""
        defined = (f"-DEDGEPRUNE_MODEL={self.model}", f"-DEDGEPRUNE_MAX_THREADS={self.target.threads}")
        return (*defined, f"-I{_RUNTIME}")


def build_artifact(
    program: Program,
    target: Target,
    out_dir: Path,
    *,
    model: str,
    variant: str,
    golden_inputs: NDArray[np.generic],
    golden_outputs: NDArray[np.generic],
    tolerance: float = 1e-4,
    tuning: dict[str, int | str | None] | None = None,
    accuracy: float | None = None,
    debug: bool = False,
    only_bench: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Build ``program`` for ``target`` into ``out_dir``, which is replaced as a whole or left alone.

    ``model`` becomes the prefix of every C name. ``golden_inputs`` and ``golden_outputs`` have one record per row
    (all tensors of a record concatenated); the executable carries a few of them and checks itself within
    ``tolerance`` (largest difference over largest value). ``tuning`` and ``accuracy`` (a fraction)
    go into the manifest as they are. With ``debug`` the C part keeps its debug information and nothing is stripped.
    ``only_bench`` leaves the libraries out, for an artifact that is measured and thrown away.

    Raises:
        UserError: ``model`` is no C identifier, the golden records do not fit the network, the network does not fit
            the board's memory, or ``out_dir`` cannot be written.
        StageFailure: TVM, LLVM or zig refused; or an object needs a symbol that boards do not provide.
    """
    progress = progress or SilentProgress()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", model):
        raise UserError(f"model name {model!r}: a C identifier in lower case is wanted")
    golden = GoldenRecords.of(
        golden_inputs, golden_outputs, tolerance, input_specs=program.inputs, output_specs=program.outputs
    )
    version = f"{installed_version('edgeprune')}+{variant}.{program.onnx_sha256[:12]}"
    with replacing_directory(out_dir) as fresh, scratch_directory("build") as work:
        job = _Job(program, target, toolchain_for(target), model, version, work, debug, accuracy, only_bench)
        made = job.work / "artifact"
        made.mkdir()
        with explaining_little_space(job.work):
            manifest = _build(job, made, golden, variant, tuning, progress)
        # Linkers say little when a disk is full or read-only; a copy says it plainly.
        for path in made.iterdir():
            shutil.copy(path, fresh)
        return manifest


def _build(
    job: _Job,
    out: Path,
    golden: GoldenRecords,
    variant: str,
    tuning: dict[str, int | str | None] | None,
    progress: Progress,
) -> Manifest:
    progress.stage("building", 2 if job.only_bench else 4)
    layout, objects = _library_objects(job, out)
    _check_memory(job, layout)
    progress.advance("kernels compiled")
    found = {path.name: read_object(path) for path in objects}
    system_symbols = check_linkage(found, threaded=job.threaded)
    if not job.only_bench:
        job.toolchain.archive(objects, out / f"lib{job.model}.a")
        progress.advance("static library")
        _link_shared(job, objects, out)
        progress.advance("shared library")
    _link_bench(job, objects, golden, out)
    progress.advance("benchmark executable")
    manifest = Manifest(
        model=job.model,
        variant=variant,
        target=job.target.name,
        triple=job.target.toolchain.triple,
        cpu=_cpu_name(job.target),
        isa=job.target.cpu.isa,
        inputs=job.program.inputs,
        outputs=job.program.outputs,
        arena_bytes=layout.arena_bytes,
        arena_bound_bytes=layout.arena_bound_bytes,
        weight_bytes=job.program.weight_bytes,
        code_bytes=sum(item.code_bytes for item in found.values()),
        system_symbols=tuple(sorted(system_symbols)),
        kernels=kernel_entries(job.program),
        steps=step_entries(job.program),
        tuning=tuning or _no_tuning(job.program),
        golden_records=len(golden.inputs),
        tolerance=golden.tolerance,
        versions=_versions(job.toolchain),
        flags=(*job.compile_flags, *job.link_flags),
        source={"onnx_sha256": job.program.onnx_sha256},
        files=describe_files(out),
        precision=job.target.cpu.precision,
        threads=job.target.threads,
        validation_accuracy=job.accuracy,
    )
    manifest.write(out)
    return manifest


def _check_memory(job: _Job, layout: MemoryLayout) -> None:
    needed = len(layout.weights) + layout.arena_bytes
    available = job.target.memory_mib
    if available is not None and needed > available * 2**20:
        raise UserError(
            f"target {job.target.name}: the network needs {needed / 2**20:.0f} MiB for weights and arena, "
            f"the board has {available} MiB (memory_mib)"
        )


def _library_objects(job: _Job, out: Path) -> tuple[MemoryLayout, list[Path]]:
    """Compile kernels, entry points and weights; the header goes to ``out``."""
    kernel_object = job.work / f"{job.model}_kernels.o"
    kernels = compile_kernels(job.program, tvm_target(job.target), prefix=job.model, object_path=kernel_object)
    layout = lay_out(job.program, kernels, job.target.threads)
    header = render_header(
        model=job.model,
        target=job.target.name,
        version=job.version,
        inputs=job.program.inputs,
        outputs=job.program.outputs,
        arena_bytes=layout.arena_bytes,
        threads=job.target.threads,
    )
    (out / f"{job.model}.h").write_text(header, encoding="utf-8")
    glue_object = _compile_glue(job, kernels, layout, out)
    weights_object = _embed(job, f"{job.model}_weights", layout.weights)
    objects = [kernel_object, glue_object, weights_object]
    if read_object(kernel_object).undefined & WIDE_INTEGER_SYMBOLS:
        objects.append(_compile_runtime(job, _WIDE_INTEGERS, ()))
    if job.threaded:
        objects.append(_compile_runtime(job, _POOL, job.pool_flags))
    return layout, objects


def _compile_glue(job: _Job, kernels: dict[str, CompiledKernel], layout: MemoryLayout, out: Path) -> Path:
    render = render_threaded_glue if job.threaded else render_glue
    glue = job.work / f"{job.model}.c"
    # The second one goes into the benchmark executable only.
    for path, profiled in ((glue, False), (job.profiled_glue, True)):
        text = render(job.program, kernels, layout, model=job.model, version=job.version, profiled=profiled)
        path.write_text(text, encoding="utf-8")
    flags = [*job.compile_flags, *_WARNINGS, f"-I{out}", *(job.pool_flags if job.threaded else ())]
    job.toolchain.compile(glue, glue.with_suffix(".o"), flags)
    return glue.with_suffix(".o")


def _compile_runtime(job: _Job, source: Path, flags: tuple[str, ...]) -> Path:
    output = job.work / f"{source.stem}.o"
    job.toolchain.compile(source, output, [*job.compile_flags, *_WARNINGS, *flags])
    return output


def _embed(job: _Job, symbol: str, content: bytes) -> Path:
    """Return an object file that holds ``content`` in read-only data under ``symbol``."""
    blob = job.work / f"{symbol}.bin"
    blob.write_bytes(content)
    source = job.work / f"{symbol}.S"
    source.write_text(render_embedded(symbol, blob.name), encoding="utf-8")
    output = source.with_suffix(".o")
    job.toolchain.compile(source, output, [f"-I{job.work}", "-g0"])
    return output


def _link_shared(job: _Job, objects: list[Path], out: Path) -> None:
    exports = job.work / "exports.map"
    exports.write_text(render_export_list(job.model, threaded=job.threaded), encoding="utf-8")
    name = f"lib{job.model}.so"
    flags = [*job.link_flags, f"-Wl,--version-script={exports}", f"-Wl,-soname,{name}", "-Wl,-z,max-page-size=16384"]
    job.toolchain.link_shared([*objects], out / name, [*flags, "-lm"])


def _link_bench(job: _Job, objects: list[Path], golden: GoldenRecords, out: Path) -> None:
    source = job.work / "bench_model.c"
    source.write_text(
        render_bench_model(
            model=job.model,
            version=job.version,
            inputs=job.program.inputs,
            outputs=job.program.outputs,
            golden=golden,
            steps=tuple(step_name(entry) for entry in step_entries(job.program)),
            threads=job.target.threads,
        ),
        encoding="utf-8",
    )
    golden_object = _embed(job, f"{job.model}_golden", golden.blob())
    main_object = job.work / "bench.o"
    sources = [source, job.profiled_glue, *sorted(_BENCH_SOURCES.glob("*.c"))]
    flags = [*job.compile_flags, f"-I{out}", f"-I{_BENCH_SOURCES}", *(job.pool_flags if job.threaded else ())]
    job.toolchain.compile_together(sources, main_object, flags)
    job.toolchain.link_executable([main_object, golden_object, *objects], out / f"{job.model}-bench", job.link_flags)


def _no_tuning(program: Program) -> dict[str, int | str | None]:
    hits = sum(program.tuned.values())
    return {"choice": None, "records": 0, "hits": hits, "kernels": len(program.kernels), "database_sha256": None}


def _cpu_name(target: Target) -> str:
    return str(codegen.llvm_get_system_cpu()) if target.cpu.isa == "native" else target.cpu.name


def _versions(toolchain: CToolchain) -> dict[str, str]:
    return {
        "edgeprune": installed_version("edgeprune"),
        "tvm": str(tvm.__version__),
        "llvm": str(codegen.llvm_version_major()),
        **toolchain.versions(),
        "onnx": installed_version("onnx"),
    }
