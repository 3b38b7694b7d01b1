"""What fits in several threads of a process have in common."""

from __future__ import annotations

import threading
from typing import Any

# Held by estimators that capture steps or draw from the default generator: two at a time would take each other's random
# numbers. A thread may hold it twice, as a callback may fit within a fit.
PYTHON: Any = threading.RLock()
