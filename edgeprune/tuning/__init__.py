"""Searching fast schedules for a network's kernels on a board, and keeping what was found.

Start at `edgeprune.tuning.engine.tune`. This file imports nothing: the measuring processes load this package too and
must be up within seconds.
"""
