"""The C sources of the benchmark executable that every artifact carries."""

from __future__ import annotations

from pathlib import Path

BENCH_INCLUDE = Path(__file__).parent / "executable"
"""The directory to give the C compiler with ``-I``."""

BENCH_SOURCES = tuple(sorted(BENCH_INCLUDE.glob("*.c")))
"""The translation units to compile and link beside the artifact's generated ``bench_model.c``."""
