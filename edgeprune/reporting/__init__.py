"""What a run found, as a typed report: printed, compared, listed as CSV, or written as a page with pictures.

``write_report`` lies in ``edgeprune.reporting.write``: it alone needs matplotlib, and printing a table should not.
"""

from edgeprune.reporting.compare import Comparison, ComparisonRow, compare_reports, print_comparison
from edgeprune.reporting.device import (
    BuildChoice,
    Circumstance,
    CycleEstimate,
    Fact,
    Interval,
    Kernel,
    Latency,
    LatencyRatio,
    Parity,
    Rate,
    Roofline,
    Step,
    TargetResult,
    Variant,
    VariantResult,
)
from edgeprune.reporting.document import from_json, read_report, to_json
from edgeprune.reporting.figure import Accuracy, Figure, Provenance
from edgeprune.reporting.headline import Ratio, headline
from edgeprune.reporting.listing import NamedFigure, named_figures, to_csv
from edgeprune.reporting.model import BudgetLine, DataSummary, Epoch, Layer, Network, NotRun, Report, Round, Stage
from edgeprune.reporting.table import print_table

__all__ = [
    "Accuracy",
    "BudgetLine",
    "BuildChoice",
    "Circumstance",
    "Comparison",
    "ComparisonRow",
    "CycleEstimate",
    "DataSummary",
    "Epoch",
    "Fact",
    "Figure",
    "Interval",
    "Kernel",
    "Latency",
    "LatencyRatio",
    "Layer",
    "NamedFigure",
    "Network",
    "NotRun",
    "Parity",
    "Provenance",
    "Rate",
    "Ratio",
    "Report",
    "Roofline",
    "Round",
    "Stage",
    "Step",
    "TargetResult",
    "Variant",
    "VariantResult",
    "compare_reports",
    "from_json",
    "headline",
    "named_figures",
    "print_comparison",
    "print_table",
    "read_report",
    "to_csv",
    "to_json",
]
