"""Parts of tools/bench_lowering.py: which networks, how one becomes an artifact, and the tables."""
