"""scikit-learn's own tests of its networks, as they come with it, run on ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sklearn

FILE = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
LEFT_OUT = {
    "test_gradient": "calls a private method",
    "test_mlp_partial_fit_after_fit": "wants partial_fit with early_stopping to be an error",
}
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`:UserWarning"),
    pytest.mark.filterwarnings("ignore:Training interrupted:UserWarning"),
]


@pytest.fixture
def global_random_seed() -> int:
    return 42


def theirs() -> dict[str, Any]:
    """Return their tests by name, with our classes in the place of theirs."""
    source = FILE.read_text(encoding="utf-8")
    assert source.count(IMPORT) == 1
    names: dict[str, Any] = {"__name__": __name__}
    code = source.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "fanin.sklearn"))
    exec(compile(code, str(FILE), "exec"), names)
    return {name: value for name, value in names.items() if name.startswith("test_")}


FOUND = theirs()
globals().update({name: test for name, test in FOUND.items() if name not in LEFT_OUT})


def test_there_are_tests() -> None:
    assert len(FOUND) > 30
    assert set(LEFT_OUT) <= set(FOUND)
    assert FOUND["test_alpha"].__globals__["MLPClassifier"].__module__.startswith("fanin.")
