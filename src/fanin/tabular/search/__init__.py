"""Search for settings: random ones, of which the better ones go on. Called as `TabularClassifier.search(X, y)`."""

from fanin.tabular.search.result import Search, Trials
from fanin.tabular.search.space import default_space

__all__ = ["Search", "Trials", "default_space"]
