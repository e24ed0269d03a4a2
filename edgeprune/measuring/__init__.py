"""Running artifacts: on this machine, under an emulator, and what their figures are worth."""

from edgeprune.measuring.bench import BENCH_INCLUDE, BENCH_SOURCES
from edgeprune.measuring.compare_interleaved import Comparison, compare_interleaved
from edgeprune.measuring.local_transport import LocalTransport
from edgeprune.measuring.measure import measure
from edgeprune.measuring.measurement import Measurement, NotRun
from edgeprune.measuring.open_transport import open_transport
from edgeprune.measuring.qemu_transport import QemuTransport
from edgeprune.measuring.run_inputs import run_inputs
from edgeprune.measuring.transport import Completed, Transport

__all__ = [
    "BENCH_INCLUDE",
    "BENCH_SOURCES",
    "Comparison",
    "Completed",
    "LocalTransport",
    "Measurement",
    "NotRun",
    "QemuTransport",
    "Transport",
    "compare_interleaved",
    "measure",
    "open_transport",
    "run_inputs",
]
