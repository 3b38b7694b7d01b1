"""Run fanin's command line: `python -m fanin`."""

from __future__ import annotations

from fanin.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
