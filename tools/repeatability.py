"""How far apart the medians of repeated measurements of one artifact are.

    python tools/repeatability.py artifacts/host --target host

Ends with 1 where they are more than 3 % apart and no verdict warned of it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edgeprune.measuring import Measurement, measure
from edgeprune.recipe import Measure
from edgeprune.target import find_target

LIMIT = 0.03
WARNINGS = frozenset({"noisy", "busy", "drifting", "bimodal", "throttled", "paused", "clock jumped"})


def repeat(artifact: Path, target_name: str, runs: int, protocol: str) -> dict[str, object]:
    """Return medians in microseconds, their spread as a share of the least, and the verdicts of each run."""
    target, settings = find_target(target_name), Measure.model_validate({"protocol": protocol, "profile": False})
    medians: list[float] = []
    verdicts: list[list[str]] = []
    for _ in range(runs):
        found = measure(artifact, target, settings)
        if not isinstance(found, Measurement) or found.latency is None:
            raise SystemExit(f"{target_name}: nothing was timed there")
        medians.append(found.latency.p50 / 1000)
        verdicts.append([verdict.name for verdict in found.verdicts])
    spread = max(medians) / min(medians) - 1
    warned = any(WARNINGS.intersection(names) for names in verdicts)
    return {"medians_us": medians, "spread": spread, "verdicts": verdicts, "holds": spread <= LIMIT or warned}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Repeat a measurement and compare the medians.")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--target", default="host")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--protocol", default="standard", choices=["quick", "standard", "mlperf"])
    arguments = parser.parse_args()
    found = repeat(arguments.artifact, arguments.target, arguments.runs, arguments.protocol)
    print(json.dumps(found, indent=2))
    raise SystemExit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
