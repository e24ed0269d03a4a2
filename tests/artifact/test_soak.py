"""Many inferences on several threads: no leak, no race, not one byte outside what the header declares.

The program is built with the system's GCC, whose sanitizers watch the caller's side; the library's kernels are machine
code that no sanitizer sees, so that the arena and every tensor lie flush against pages that may not be touched.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.artifact.conftest import Built

THREADS, RUNS = 4, 2500

PROGRAM = """
#define _GNU_SOURCE
#include "lenet5.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 4, RUNS = 2500, RECORDS = 4 };

static float images[RECORDS][LENET5_INPUT0_ELEMENTS], expected[RECORDS][LENET5_OUTPUT0_ELEMENTS];

/* Memory that ends (or, with `low`, begins) where a page begins (ends) that may not be touched. */
static void *guarded(size_t bytes, int low) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    unsigned char *start = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start + page, whole, PROT_READ | PROT_WRITE) != 0) abort();
    memset(start + page, 0xA5, whole);
    return start + page + (low ? 0 : whole - bytes);
}

static void *work(void *number) {
    int low = (int)((size_t)number % 2);
    void *arena = guarded(LENET5_ARENA_BYTES - SHORT, low);
    float *image = guarded(LENET5_INPUT0_BYTES, low), *scores = guarded(LENET5_OUTPUT0_BYTES, low);
    for (size_t run = 0; run < RUNS; run++) {
        size_t record = (run + (size_t)number) % RECORDS;
        memcpy(image, images[record], sizeof images[0]);
        if (lenet5_run(arena, image, scores) != EDGEPRUNE_OK) return "the run failed";
        if (memcmp(image, images[record], sizeof images[0]) != 0) return "the input was changed";
        if (memcmp(scores, expected[record], sizeof expected[0]) != 0) return "another result than the first time";
    }
    return NULL;
}

int main(int count, char **words) {
    pthread_t threads[THREADS];
    void *arena = aligned_alloc(64, LENET5_ARENA_BYTES), *trouble;
    FILE *file = count == 2 ? fopen(words[1], "rb") : NULL;
    if (!arena || !file || fread(images, sizeof images, 1, file) != 1) return 10;
    fclose(file);
    for (size_t record = 0; record < RECORDS; record++)
        if (lenet5_run(arena, images[record], expected[record]) != EDGEPRUNE_OK) return 11;
    free(arena);
    for (size_t index = 0; index < THREADS; index++)
        if (pthread_create(&threads[index], NULL, work, (void *)index) != 0) return 12;
    for (size_t index = 0; index < THREADS; index++) {
        pthread_join(threads[index], &trouble);
        if (trouble) return fprintf(stderr, "thread %zu: %s\\n", index, (char *)trouble), 13;
    }
    fwrite(expected, sizeof expected, 1, stdout);
    return 0;
}
"""


def soak(built: Built, directory: Path, sanitizers: str, *, short: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run the program; with ``short`` the arenas lack so many bytes."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not on PATH; zig brings no address sanitizer")
    assert f"THREADS = {THREADS}, RUNS = {RUNS}," in PROGRAM and THREADS * RUNS == 10_000
    source, program, images = directory / "soak.c", directory / "soak", directory / "images.f32"
    source.write_text(PROGRAM)
    images.write_bytes(np.ascontiguousarray(built.inputs).tobytes())
    strict = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover"]
    library = [f"-I{built.directory}", str(built.directory / "liblenet5.a"), "-lm", "-pthread"]
    subprocess.run([compiler, *strict, f"-DSHORT={short}", str(source), *library, "-o", str(program)], check=True)
    return subprocess.run([program, images], capture_output=True, check=False, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined,leak", "thread"])
def test_ten_thousand_inferences_on_four_threads(host_artifact: Built, tmp_path: Path, sanitizers: str) -> None:
    finished = soak(host_artifact, tmp_path, sanitizers)
    assert finished.returncode == 0, finished.stderr.decode()
    outputs = np.frombuffer(finished.stdout, dtype=np.float32).reshape(host_artifact.outputs.shape)
    assert np.abs(outputs - host_artifact.outputs).max() <= 1e-5 * np.abs(host_artifact.outputs).max()


@pytest.mark.slow
def test_an_arena_too_small_would_be_noticed(host_artifact: Built, tmp_path: Path) -> None:
    finished = soak(host_artifact, tmp_path, "address,undefined", short=256)
    assert finished.returncode != 0
    assert b"SEGV" in finished.stderr
