"""Figures as people read them: three significant digits, decimal prefixes (1 kB = 1000 bytes)."""

from __future__ import annotations

from edgeprune.reporting.figure import Figure

ABSENT = "-"

_PREFIXES = ("", "k", "M", "G", "T")


def human(figure: Figure) -> str:
    """Return the value with its unit ("431 k", "1.72 MB", "52.1 us", "99.12 %"), or "-" where it is absent."""
    value = figure.value
    if value is None:
        return ABSENT
    match figure.unit:
        case "%":
            return f"{value:.2f} %"
        case "points":
            return f"{value:+.2f} points"
        case "B" | "B/s" | "FLOP" | "FLOP/s":
            return _prefixed(value, figure.unit)
        case "us":
            return duration(value)
        case "s":
            return duration(value * 1e6)
        case "1":
            return f"{value:.3g}"
        case _:
            return _prefixed(value, "").rstrip()


def duration(microseconds: float) -> str:
    """Return a time in the unit that keeps it between 1 and 1000: ns, us, ms, s, min."""
    if microseconds >= 120e6:
        return f"{microseconds / 60e6:.1f} min"
    for scale, unit in ((1e-3, "ns"), (1.0, "us"), (1e3, "ms")):
        if float(f"{microseconds / scale:.3g}") < 1000:
            return f"{three_digits(microseconds / scale)} {unit}"
    return f"{three_digits(microseconds / 1e6)} s"


def duration_pair(first: float, second: float) -> str:
    """Return two times in the larger one's unit: "52.1/53.4 us"."""
    scale, unit = next(
        ((scale, unit) for scale, unit in ((1.0, "us"), (1e3, "ms"), (1e6, "s")) if max(first, second) < 999.5 * scale),
        (1e6, "s"),
    )
    return f"{three_digits(first / scale)}/{three_digits(second / scale)} {unit}"


def share(ratio: float) -> str:
    """Return a pruned/dense ratio: "1/13.3" below one, "1.20x" from there on."""
    if 0 < ratio < 0.995:
        return f"1/{three_digits(1 / ratio)}"
    return f"{ratio:.2f}x"


def three_digits(value: float) -> str:
    """Return ``value`` (not negative, below 1e6) to three significant digits, without an exponent."""
    if value == 0:
        return "0"
    for limit, decimals in ((9.995, 2), (99.95, 1)):
        if value < limit:
            return f"{value:.{decimals}f}" if value >= 0.995 else f"{value:.3g}"
    return f"{value:.0f}"


def _prefixed(value: float, unit: str) -> str:
    if value < 1000:
        return f"{value:.0f} {unit}" if float(value).is_integer() else f"{three_digits(value)} {unit}"
    scaled = float(value)
    for prefix in _PREFIXES:
        if scaled < 999.5 or prefix == _PREFIXES[-1]:
            break
        scaled /= 1000
    return f"{three_digits(scaled)} {prefix}{unit}"
