"""The result in words: what pruning changed, for the network and for each target."""

from __future__ import annotations

from itertools import groupby

from edgeprune.reporting.device import CycleEstimate, VariantResult
from edgeprune.reporting.figure import Figure
from edgeprune.reporting.headline import Ratio, accuracy_change, headline
from edgeprune.reporting.model import BudgetLine, Report
from edgeprune.reporting.quantity import human, share


def ratio_sentences(report: Report) -> list[str]:
    """Return a sentence for the network and one for each target with a figure to compare."""
    sentences = []
    for target, ratios in groupby(headline(report), key=lambda ratio: ratio.target):
        parts = _phrases([ratio for ratio in ratios if ratio.ratio.value is not None])
        if target is None:
            sentences.append(f"Pruned against dense: {', '.join([*parts, _accuracy(report)])}.")
        elif parts:
            sentences.append(f"{target}: {', '.join(parts)}.")
    return sentences


def cycle_sentences(report: Report) -> list[str]:
    """Return a sentence for each target whose cycles a model estimated: their range, and the time they would take."""
    sentences = []
    for target in report.targets:
        estimated = [(result.variant, result.cycles) for result in target.variants if result.cycles is not None]
        if estimated:
            ranges = "; ".join(f"{variant} {_range(cycles)}" for variant, cycles in estimated)
            sentences.append(f"{target.name}: {ranges} (estimated by the {estimated[0][1].model}).")
    return sentences


def choice_sentences(report: Report) -> list[str]:
    """Return a sentence for each target with compared ways to build: which is built, and what it gains."""
    sentences = []
    for target in report.targets:
        parts = [_built(result) for result in target.variants if len(result.choices) > 1]
        if parts:
            sentences.append(f"{target.name}: {'; '.join(parts)}.")
    return sentences


def budget_sentences(report: Report) -> list[str]:
    """Return a sentence for each limit of the budget: what the pruned network takes of it."""
    return [_limited(line) for line in report.budget]


def place_sentences(report: Report) -> list[str]:
    """Return a sentence for each board that is another machine."""
    return [f"{target.name} was reached at {target.elsewhere}." for target in report.targets if target.elsewhere]


def roofline_sentences(report: Report) -> list[str]:
    """Return a sentence for each target whose kernels were timed: what was achieved, and of what."""
    sentences = []
    for target in report.targets:
        timed = [result for result in target.variants if result.roofline is not None]
        if timed:
            rates = "; ".join(_achieved(result) for result in timed)
            sentences.append(f"{target.name}: {rates}{_missing_peak(timed[0])}.")
    return sentences


def verdict_sentences(report: Report) -> list[str]:
    """Return a sentence for each verdict on a measurement, naming the targets and variants it holds for."""
    places: dict[str, list[str]] = {}
    for target in report.targets:
        for result in target.variants:
            for verdict in result.verdicts:
                places.setdefault(verdict, []).append(f"{target.name} {result.variant}")
    return [f"Verdict on {', '.join(where)}: {verdict}." for verdict, where in places.items()]


def _phrases(ratios: list[Ratio]) -> list[str]:
    """Return a phrase per run of ratios with the same provenance, which is named once at its end."""
    return [
        f"{', '.join(map(_phrase, group))} ({provenance})"
        for provenance, group in groupby(ratios, key=lambda ratio: ratio.ratio.provenance)
    ]


def _phrase(ratio: Ratio) -> str:
    assert ratio.ratio.value is not None
    return f"{share(ratio.ratio.value)} of the {ratio.name}"


def _accuracy(report: Report) -> str:
    change = accuracy_change(report)
    if change.value is None:
        return f"test accuracy not compared ({change.reason})"
    dense, pruned = report.dense.test.percent, report.pruned.test.percent
    return f"test accuracy {human(dense)} -> {human(pruned)}, {human(change)} ({change.provenance})"


def _range(cycles: CycleEstimate) -> str:
    time = f", {human(cycles.time)} at the highest clock" if cycles.time.value is not None else ""
    return f"{human(cycles.value)} cycles between {human(cycles.low)} and {human(cycles.high)}{time}"


def _built(result: VariantResult) -> str:
    kept = next(choice for choice in result.choices if choice.kept)
    among = f"{result.variant} is built with {kept.name}, of {len(result.choices)} ways compared as a whole"
    if kept.ratio.value is None or kept.interval is None:
        return f"{among} (no other was surely faster)"
    bounds = f"[{kept.interval.low:.3g}, {kept.interval.high:.3g}]"
    return f"{among}: {kept.ratio.value:.3g} {bounds} of the baseline's time ({kept.ratio.provenance})"


def _achieved(result: VariantResult) -> str:
    assert result.roofline is not None
    total = result.roofline.total
    rates = [(total.flop_rate, total.flop_fraction), (total.byte_rate, total.byte_fraction)]
    known = [f"{human(rate)}{_of_peak(fraction)}" for rate, fraction in rates if rate.value is not None]
    return f"{result.variant} {', '.join(known)} (measured)"


def _of_peak(fraction: Figure) -> str:
    return f" ({human(fraction)} of the peak)" if fraction.value is not None else ""


def _limited(line: BudgetLine) -> str:
    if line.taken.value is None:
        return f"Budget of {line.target}: {line.name} not known ({line.taken.reason}), {human(line.allowed)} allowed."
    outcome = "met" if line.met else "MISSED"
    taken = f"{human(line.taken)} ({line.taken.provenance})"
    return f"Budget of {line.target}: {line.name} {taken} of {human(line.allowed)} allowed, {outcome}."


def _missing_peak(result: VariantResult) -> str:
    assert result.roofline is not None
    peaks = (result.roofline.peak_flop_rate, result.roofline.peak_byte_rate)
    missing = next((peak.reason for peak in peaks if peak.reason is not None), None)
    return f"; no fraction of a peak where {missing}" if missing else ""
