"""The parts of ``tools/bench_pruning.py``: zoos, one network's stages, the peer's, and the results file."""
