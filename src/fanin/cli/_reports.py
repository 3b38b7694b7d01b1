"""Reports on their way out: printed, and written beside a model or where they are asked for."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin._core.errors import MissingExtraError, TableError
from fanin.cli._show import one_line

if TYPE_CHECKING:
    from fanin.tabular.evaluation import Evaluation

ENDINGS = (".html", ".txt", ".json")


def check_report(path: str | None) -> None:
    """Raise TableError where a report could not be written, before the work that it is about."""
    if path is None:
        return
    if Path(path).suffix.lower() not in ENDINGS:
        raise TableError(f"{path}: a report ends in {', '.join(ENDINGS)}")
    check_file(Path(path))


def check_file(path: Path, option: str = "--report") -> None:
    """Raise TableError unless a file can be written at this place."""
    if path.is_dir():
        raise TableError(f"{path} is a folder; {option} needs a file")
    if not path.absolute().parent.is_dir():
        raise TableError(f"no such folder: {path.parent}")
    if not os.access(path.absolute().parent, os.W_OK):
        raise TableError(f"{path} cannot be written: no permission to write in {path.parent}")


def write_report(report: Evaluation, path: Path) -> None:
    """Write a report as a page, as text or as JSON, by the file's ending."""
    ending = path.suffix.lower()
    if ending == ".html":
        write_whole(path, report.html())
    elif ending == ".txt":
        write_whole(path, report.text())
    else:
        write_whole(path, json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n")


def write_beside(report: Evaluation, folder: Path) -> list[Path]:
    """Write a report into the folder of a model, as text and, where the libraries for it are there, as a page."""
    from fanin.tabular.saving.folder import REPORTS

    written = []
    for name in REPORTS:
        try:
            write_report(report, folder / name)
        except MissingExtraError as error:
            warn(f"no {name}: {error}")
        else:
            written.append(folder / name)
    return written


def write_whole(path: Path, text: str) -> None:
    """Write beside its place and rename, so that the file is never half there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # a temporary file is private; one that was asked for is like any other
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def warn(text: Any) -> None:
    """Print a warning on the standard error, in one line."""
    print(f"fanin: warning: {one_line(str(text))}", file=sys.stderr)


def note(text: Any) -> None:
    """Print what is worth knowing, and no mistake, on the standard error, in one line."""
    print(f"fanin: note: {one_line(str(text))}", file=sys.stderr)
