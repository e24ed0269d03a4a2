"""How long a binary is run, untimed and timed: named protocols, and what a recipe says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeprune.recipe import Measure

ProtocolName = Literal["quick", "standard", "mlperf"]
PROTOCOL_NAMES: tuple[ProtocolName, ...] = get_args(ProtocolName)

_LONGEST_COOLDOWN_S = 600.0
_PROFILED_RUNS = 50


@dataclass(frozen=True)
class Protocol:
    """At least ``warmup`` untimed inferences for at least ``warmup_seconds``, then the same of timed ones."""

    warmup: int
    warmup_seconds: float
    samples: int
    seconds: float


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "quick": Protocol(warmup=10, warmup_seconds=0.0, samples=100, seconds=0.0),
    # The half second lets a governor raise the clock; the second one lets a short network have thousands of samples.
    "standard": Protocol(warmup=50, warmup_seconds=0.5, samples=1000, seconds=1.0),
    # MLPerf Inference: Mobile, single stream: at least 1024 queries and at least 60 seconds; its metric is p90.
    "mlperf": Protocol(warmup=50, warmup_seconds=0.5, samples=1024, seconds=60.0),
}


def protocol_of(settings: Measure) -> Protocol:
    """Return the protocol that ``settings`` names, with what they say themselves in its place.

    A number of inferences without a time means exactly so many.
    """
    chosen = PROTOCOLS[settings.protocol]
    if settings.warmup is not None:
        chosen = replace(chosen, warmup=settings.warmup, warmup_seconds=0.0)
    if settings.samples is not None:
        chosen = replace(chosen, samples=settings.samples, seconds=0.0)
    if settings.seconds is not None:
        chosen = replace(chosen, seconds=settings.seconds)
    return chosen


def timed_options(settings: Measure) -> list[str]:
    """Return the benchmark executable's options for a timed run."""
    chosen = protocol_of(settings)
    options = ["--warmup", str(chosen.warmup), "--warmup-seconds", _seconds(chosen.warmup_seconds)]
    options += ["--samples", str(chosen.samples), "--seconds", _seconds(chosen.seconds)]
    if settings.cooldown is not None:
        options += ["--cooldown", settings.cooldown]
    if settings.profile:
        options += ["--profile", str(_PROFILED_RUNS)]
    return [*options, *place_options(settings)]


def place_options(settings: Measure) -> list[str]:
    """Return the options that say where and in what state an inference runs: threads, cores, caches."""
    options = thread_options(settings)
    if settings.affinity is not None:
        options += ["--affinity", settings.affinity]
    return [*options, "--cold"] if settings.cold else options


def thread_options(settings: Measure) -> list[str]:
    """Return the option for the number of threads, where it is not one."""
    return ["--threads", str(settings.threads)] if settings.threads != 1 else []


def least_seconds(settings: Measure) -> float:
    """Return how long a run may take by its own settings, before the first inference has cost anything."""
    chosen = protocol_of(settings)
    waits = 0.0
    if settings.cooldown is not None:
        waits = _LONGEST_COOLDOWN_S if settings.cooldown.endswith("C") else float(settings.cooldown)
    return chosen.warmup_seconds + chosen.seconds + waits


def _seconds(value: float) -> str:
    """Write seconds as the executable reads them: no exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")
