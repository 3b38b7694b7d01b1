"""The tree of errors: every class is also the built-in exception that PyTorch raises in its place."""

from __future__ import annotations

from pickle import UnpicklingError


class FaninError(Exception):
    """Base of all errors that fanin raises on purpose.

    The message is PyTorch's where programs are known to print it; what to do about it stands in a note below it in the
    traceback (`remedy`), so that a program that prints its errors prints what it prints under PyTorch.
    """

    def __init__(self, *args: object, remedy: str = "") -> None:
        super().__init__(*args)
        if remedy:
            self.add_note(remedy)


class ShapeError(FaninError, RuntimeError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(FaninError, RuntimeError, TypeError):
    """A dtype that an operation does not take."""


class UnsupportedDtypeError(FaninError, NotImplementedError):
    """An operation that does not exist for this dtype, as normal draws for integers (a RuntimeError as well)."""


class DimensionError(FaninError, IndexError):
    """A dimension that the tensor does not have."""


class IndexRangeError(FaninError, IndexError):
    """An index outside the range of its dimension, or of a form that cannot index."""


class ArgumentError(FaninError, ValueError):
    """An argument outside its domain."""


class ArgumentTypeError(FaninError, TypeError):
    """An argument of a type that is not taken."""


class GraphError(FaninError, RuntimeError):
    """A backward pass that cannot be right: freed, missing or changed values."""


class InPlaceError(GraphError):
    """An in-place change that autograd cannot follow."""


class CaptureError(GraphError):
    """A step that cannot be written down as a graph: it reads or branches on a tensor's value in the middle."""


class StateError(FaninError, RuntimeError):
    """A saved state that does not fit the object it is loaded into."""


class OperationError(FaninError, RuntimeError):
    """An operation that cannot be done on these values."""


class _WithSimilarName(FaninError, AttributeError):
    """An AttributeError whose note says what a slip of the pen was probably meant to be.

    The note is made when somebody reads it: `hasattr` and `getattr` with a default, which programs ask often, do not.

    name: what was asked for.
    obj:  what was asked; None where nothing similar is to be looked for.
    """

    def __init__(self, *args: object, remedy: str = "", name: str = "", obj: object = None) -> None:
        super().__init__(*args, remedy=remedy)
        self.name, self.obj = name, obj

    def __getattr__(self, attribute: str) -> object:
        if attribute == "__notes__" and self.obj is not None:
            found = _similar(self.name or "", self.obj)
            if found:
                self.__notes__ = [f"Did you mean {found}?"]
                return self.__notes__
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")


def _similar(name: str, owner: object) -> str:
    """Return the public name of an object's that is most similar to another; nothing where none is."""
    if name.startswith("_"):
        return ""
    import difflib  # of use in failures alone

    known = [other for other in dir(owner) if not other.startswith("_")]
    return next(iter(difflib.get_close_matches(name, known, 1, 0.8)), "")


class MissingNameError(_WithSimilarName):
    """An object that does not have the attribute asked for."""


class NotInFaninError(_WithSimilarName, NotImplementedError):
    """A name of PyTorch's that lies outside fully connected networks, or is not built yet."""


class MissingModuleError(FaninError, ModuleNotFoundError):
    """A module of PyTorch's, or one that needs PyTorch, that is imported where fanin answers for torch."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class MissingDeviceError(FaninError, AssertionError, RuntimeError):
    """A device other than the CPU."""


class TableError(FaninError, ValueError):
    """A table, or a folder with a trained model, that cannot be used as asked."""


class MissingExtraError(FaninError, ImportError):
    """A library that only an optional part of fanin needs is not installed."""


class MissingKeyError(FaninError, KeyError):
    """A key that a dictionary should hold and does not."""

    # KeyError prints the representation of its argument, which turns a sentence's line breaks into backslashes.
    __str__ = Exception.__str__


class CheckpointError(FaninError, RuntimeError, UnpicklingError):
    """A file that `load` cannot read, or will not read without the caller's trust."""


class EmptyCheckpointError(CheckpointError, EOFError):
    """A file or stream with nothing left to read."""


class MissingDirectoryError(FaninError, RuntimeError, FileNotFoundError):
    """A path whose directory is not there."""


class FileArgumentError(FaninError, TypeError, AttributeError):
    """An argument that is neither a path nor a file."""


class ArgumentConflictError(FaninError, AssertionError):
    """Arguments of which at most one may be given."""


class TrainingError(FaninError, RuntimeError):
    """Training that cannot begin, or cannot go on."""


class DivergenceError(TrainingError, FloatingPointError):
    """A loss that became NaN or infinite while training.

    epoch, step: when, both counted from 1.
    loss:        what the loss was.
    cause:       what most likely led there.
    history:     the epochs before.
    """

    def __init__(
        self, message: str, *, epoch: int, step: int, loss: float, cause: str, history: object, remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.epoch, self.step, self.loss, self.cause, self.history = epoch, step, loss, cause, history


class JobsError(TrainingError):
    """Networks of `fit_many` that failed, while the others were trained.

    errors:    the exception of each job that failed, by its number.
    histories: those of the others, in the order of the jobs; None for one that failed.
    """

    def __init__(self, message: str, *, errors: dict[int, BaseException], histories: list[object]) -> None:
        super().__init__(message)
        self.errors, self.histories = errors, histories
