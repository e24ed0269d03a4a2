"""From a drawn figure to a file: PNG for the README and the run directory, SVG for the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure as Canvas

from edgeprune.reporting.plots.style import ACCENT, DENSE, FAINT, GRID, INK, PAPER, PRUNED

PNG_DPI = 160

# The page's style sheet defines these variables for its light and its dark scheme.
_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    GRID: "var(--grid)",
    PAPER: "var(--card)",
    DENSE: "var(--dense)",
    PRUNED: "var(--pruned)",
    ACCENT: "var(--accent)",
}


@contextmanager
def own_defaults() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever the user's matplotlibrc says, and take "$" in names as it is."""
    with rc_context():
        rcdefaults()
        rcParams["text.parse_math"] = False
        yield


def png(figure: Canvas) -> bytes:
    """Return the figure as a PNG of ``PNG_DPI`` dots per inch, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


def inline_svg(figure: Canvas, name: str, label: str) -> str:
    """Return the figure as an ``<svg>`` element for a page.

    Text stays text, colours become the page's CSS variables, and ids get the prefix ``name`` so that several pictures
    can share a page. ``label`` is what a screen reader says.
    """
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{name}-', svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r"'DejaVu Sans'(, '[^']+')*, sans-serif", "var(--sans)", svg)
    view = re.search(r'viewBox="([^"]+)"', svg)
    if view is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    opening = f'<svg viewBox="{view.group(1)}" role="img" aria-label="{label}">'
    return opening + svg[svg.index(">") + 1 :]
