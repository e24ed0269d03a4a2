"""Data: fetching public sets, reading the user's own, and splitting them by seed."""

from edgeprune.data.arrays import ArrayDataset
from edgeprune.data.catalogue import CATALOGUE, PublicData
from edgeprune.data.fetch import fetch
from edgeprune.data.splits import Splits, load_splits

__all__ = ["CATALOGUE", "ArrayDataset", "PublicData", "Splits", "fetch", "load_splits"]
