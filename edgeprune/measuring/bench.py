"""The C sources of the benchmark executable that every artifact carries."""

from __future__ import annotations

from pathlib import Path

BENCH_INCLUDE = Path(__file__).parent
"""The directory to give the C compiler with ``-I``."""

BENCH_MAIN = BENCH_INCLUDE / "bench_main.c"
"""The only translation unit to compile beside the artifact's generated ``bench_model.c``."""

BENCH_SOURCES = (
    BENCH_MAIN,
    BENCH_INCLUDE / "bench_model.h",
    BENCH_INCLUDE / "bench_json.h",
    BENCH_INCLUDE / "bench_environment.h",
)
"""All files whose content decides the executable, for hashing and for shipping them with an artifact."""
