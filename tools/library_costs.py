"""What a call of an artifact's library costs beside its inference: set-up, and stack.

    python tools/library_costs.py artifacts/host artifacts/rpi3

A program that knows the C interface and nothing else is linked for each artifact's target and run there, five times.
*Set-up* is what the first inference of the process takes longer than the fastest of twenty, the least of five
processes; under an emulator it is not told. *Stack* is how far below its caller `MODEL_run` writes to a stack that was
painted before: 256 bytes at least, for the caller's own frame lies there, too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeprune.artifact import Manifest
from edgeprune.emulation import Unavailable
from edgeprune.errors import EdgepruneError, StageFailure
from edgeprune.measuring.open_transport import open_transport
from edgeprune.target import Target, find_target
from edgeprune.toolchain import toolchain_for

_PROCESSES = 5
_PROGRAM = """
#define _GNU_SOURCE
#include "{model}.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum {{ RUNS = 20, STACK = 1 << 20, PAINT = 0xA5, OWN = 256 }};
static unsigned char arena[{MODEL}_ARENA_BYTES] __attribute__((aligned(64)));
static unsigned char stack[STACK] __attribute__((aligned(4096)));
{tensors}

static int infer(void) {{ return {model}_run({arguments}); }}

/* Runs on a thread whose stack is `stack`: paints what is below this function, and looks how far down that was used. */
static void *deepest(void *result) {{
    volatile unsigned char *frame = __builtin_frame_address(0), *end = frame - OWN, *place;
    for (place = stack; place < end; place++) *place = PAINT;
    if (infer() != EDGEPRUNE_OK) return NULL;
    for (place = stack; place < end && *place == PAINT;) place++;
    *(long *)result = (long)(frame - place);
    return result;
}}

static long stack_use(void) {{
    pthread_attr_t attributes;
    pthread_t thread;
    long found = 0;
    void *done = NULL;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, STACK) != 0) return -1;
    if (pthread_create(&thread, &attributes, deepest, &found) != 0) return -1;
    pthread_join(thread, &done);
    return done ? found : -1;
}}

int main(void) {{
    long times[RUNS], deep;
    for (int run = 0; run < RUNS; run++) {{
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        if (infer() != EDGEPRUNE_OK) return 1;
        clock_gettime(CLOCK_MONOTONIC, &after);
        times[run] = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    }}
    deep = stack_use();
    if (deep < 0) return 2;
    printf("{{\\"stack\\": %ld, \\"times\\": [%ld", deep, times[0]);
    for (int run = 1; run < RUNS; run++) printf(", %ld", times[run]);
    printf("]}}\\n");
    return 0;
}}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for every artifact; return 1 if one cannot be told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", nargs="+", type=Path, metavar="ARTIFACT", help="a directory that `build` made")
    failed = False
    for directory in parser.parse_args(arguments).artifacts:
        try:
            print(costs(directory))
        except EdgepruneError as error:
            failed = True
            print(f"{directory}: {error}")
    return int(failed)


def costs(directory: Path) -> str:
    """Return set-up and stack of an artifact in words.

    Raises:
        StageFailure: the program cannot be linked, or run where the artifact belongs.
    """
    manifest = Manifest.read(directory)
    target = find_target(manifest.target)
    with tempfile.TemporaryDirectory(prefix="library-costs-") as folder:
        found = _run(_link(directory, manifest, target, Path(folder)), target)
    stack = max(run["stack"] for run in found)
    words = f"{manifest.model} for {target.name}: {stack:,} bytes of stack"
    if target.emulated:
        return words
    longer = min(run["times"][0] - min(run["times"]) for run in found)
    fastest = min(min(run["times"]) for run in found)
    return f"{words}, set-up {longer / 1000:,.0f} us (an inference takes {fastest / 1000:,.0f} us)"


def _link(directory: Path, manifest: Manifest, target: Target, folder: Path) -> Path:
    model, prefix = manifest.model, manifest.model.upper()
    inputs = [f"input{index}" for index in range(len(manifest.inputs))]
    outputs = [f"output{index}" for index in range(len(manifest.outputs))]
    tensors = [f"static float {name}[{prefix}_{name.upper()}_ELEMENTS];" for name in (*inputs, *outputs)]
    text = _PROGRAM.format(
        model=model, MODEL=prefix, tensors="\n".join(tensors), arguments=", ".join(["arena", *inputs, *outputs])
    )
    source, compiled, program = folder / "costs.c", folder / "costs.o", folder / "costs"
    source.write_text(text, encoding="utf-8")
    toolchain = toolchain_for(target)
    toolchain.compile(source, compiled, ["-O2", "-pthread", f"-I{directory}"])
    toolchain.link_executable([compiled, directory / f"lib{model}.a"], program, ["-pthread", "-lm"])
    return program


def _run(program: Path, target: Target) -> list[dict[str, Any]]:
    board = open_transport(target)
    if isinstance(board, Unavailable):
        raise StageFailure(f"not run: {board.reason}; {board.mend}")
    found = []
    with board:
        executable = board.push(program)
        for _ in range(1 if target.emulated else _PROCESSES):
            done = board.run([executable], timeout=600)
            if done.code != 0:
                raise StageFailure(f"exit code {done.code}: {done.complaint}")
            found.append(json.loads(done.output))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
