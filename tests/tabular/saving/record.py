"""Write models of the present version of the format, for all later ones: python -m tests.tabular.saving.record.

Once a version is released, its folders stay as they are; run this for a new version only.
"""

from __future__ import annotations

import json
from pathlib import Path

from fanin.tabular.saving.models import VERSION, save_model
from tests.tabular.saving.tables import classifier, regressor, table

FIXTURES = Path(__file__).parent / "fixtures"

if __name__ == "__main__":
    X = table().head(5)
    classes, numbers = classifier(), regressor()
    save_model(classes, FIXTURES / f"classes-{VERSION}")
    save_model(numbers, FIXTURES / f"numbers-{VERSION}")
    expected = {
        "predict_proba": classes.predict_proba(X).tolist(),
        "predict": numbers.predict(X).tolist(),
        "predict_quantiles": numbers.predict_quantiles(X, (0.5,)).tolist(),
        "predict_interval": numbers.predict_interval(X, 0.8).tolist(),
    }
    (FIXTURES / f"expected-{VERSION}.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
