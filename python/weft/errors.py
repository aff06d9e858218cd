"""Errors of the library as exceptions: one class for each status code, with the library's own text."""

from __future__ import annotations

__all__ = [
    "CancelledError",
    "DeviceLostError",
    "FileError",
    "FormatError",
    "InternalError",
    "InvalidError",
    "LimitError",
    "NotFiniteError",
    "NotFoundError",
    "OutOfMemoryError",
    "ShapeError",
    "UnsupportedError",
    "WeftError",
]


class WeftError(Exception):
    """What the library refused or could not do.

    The text stands by itself: it names the file, the tensor or the node, and the fault. ``status`` is the code's name
    in docs/errors.md, ``where`` the place in the library's source that found it, for bug reports.
    """

    status = "INTERNAL"

    def __init__(self, text: str, where: str = "") -> None:
        super().__init__(text)
        self.where = where


class OutOfMemoryError(WeftError, MemoryError):
    """Out of memory."""

    status = "OOM"


class InvalidError(WeftError, ValueError):
    """An argument or a call is not valid: the text says which rule it breaks."""

    status = "INVALID"


class ShapeError(WeftError, ValueError):
    """Shapes or types do not fit together."""

    status = "SHAPE"


class UnsupportedError(WeftError):
    """Valid, but not supported by this build or device."""

    status = "UNSUPPORTED"


class FormatError(WeftError, ValueError):
    """A file's contents are not what its format demands."""

    status = "FORMAT"


class FileError(WeftError, OSError):
    """A file could not be read or written."""

    status = "IO"


class NotFoundError(WeftError, LookupError):
    """A named thing does not exist: a file, a tensor, an output, a device."""

    status = "NOT_FOUND"


class LimitError(WeftError):
    """A limit (memory, context, cache) would be exceeded; the text has what was needed and what there is."""

    status = "LIMIT"


class CancelledError(WeftError):
    """Stopped by the caller."""

    status = "CANCELLED"


class DeviceLostError(WeftError):
    """The device stopped answering: close it and open it again."""

    status = "DEVICE_LOST"


class NotFiniteError(WeftError, ArithmeticError):
    """A result is no number, or infinite."""

    status = "NOT_FINITE"


class InternalError(WeftError):
    """A fault of the library itself: please report it."""

    status = "INTERNAL"


BY_STATUS: dict[str, type[WeftError]] = {kind.status: kind for kind in WeftError.__subclasses__()}
