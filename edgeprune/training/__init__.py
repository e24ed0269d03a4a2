"""Training: a fixed loop whose behaviour comes in as settings and callbacks."""

from edgeprune.training.callbacks import Callback
from edgeprune.training.evaluate import Accuracy, evaluate
from edgeprune.training.history import Epoch, History
from edgeprune.training.loop import fit
from edgeprune.training.masks import MaskCallback
from edgeprune.training.round import Round
from edgeprune.training.rounds import RoundsResult, prune_and_retrain

__all__ = [
    "Accuracy",
    "Callback",
    "Epoch",
    "History",
    "MaskCallback",
    "Round",
    "RoundsResult",
    "evaluate",
    "fit",
    "prune_and_retrain",
]
