"""Training runs: `fit` and `fit_many`, and what they take and return."""

from fanin.training.callbacks import Callback, Training
from fanin.training.ensemble import Ensemble
from fanin.training.fit import fit
from fanin.training.history import History
from fanin.training.many import Job, fit_many

__all__ = ["Callback", "Ensemble", "History", "Job", "Training", "fit", "fit_many"]
