"""The lock of estimators that are fitted in several threads of a process."""

from __future__ import annotations

import threading
from typing import Any

# Held by who captures steps or draws from the default generator: two at a time would take each other's random numbers.
# A thread may hold it twice, as a callback may fit within a fit.
FITTING: Any = threading.RLock()
