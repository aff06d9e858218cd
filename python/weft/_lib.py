"""The shared library and the few ways in which all of the package talks to it.

``ffi`` and ``lib`` are cffi's (docs/dependencies.md says why cffi). ``call`` turns a status into an exception, and
raises what a callback did meanwhile; ``text_of`` collects what the library prints.
"""

from __future__ import annotations

import os
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

try:
    from . import _ffi
except ImportError:
    folder = pathlib.Path(__file__).parent
    raise ImportError(
        f"{folder} is the source of the package, without its library: Python found it before the installed one because"
        f" it runs in {folder.parent}. Run it in another folder"
    ) from None
from .errors import BY_STATUS, InternalError, InvalidError, OutOfMemoryError, UnsupportedError, WeftError

ffi: Any = _ffi.ffi


def _open_library() -> Any:
    found = sorted(pathlib.Path(__file__).parent.glob("libweft.so.*"))
    if len(found) != 1:
        raise ImportError(f"beside {__file__} there should be one libweft.so, not {[path.name for path in found]}")
    return ffi.dlopen(os.fspath(found[0]))


lib: Any = _open_library()


def string(pointer: Any) -> str:
    """A C string; NULL is an empty one."""
    if pointer == ffi.NULL:
        return ""
    text: bytes = ffi.string(pointer)
    return text.decode("utf-8", "replace")


def string_or_none(pointer: Any) -> str | None:
    return None if pointer == ffi.NULL else string(pointer)


def encoded(text: str | os.PathLike[str]) -> bytes:
    """Text for a C string, which cannot hold a NUL. What is no Unicode in a path comes back as its bytes."""
    data = os.fsencode(text) if isinstance(text, os.PathLike) else text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise InvalidError(f"a NUL character in {text!r}")
    return data


def error_of(err: Any) -> WeftError:
    """The exception for a filled weft_error."""
    name = string(lib.weft_status_name(err.status))
    kind = BY_STATUS.get(name, InternalError)
    return kind(string(err.text), f"{string(err.file)}:{err.line}")


class _Raised(threading.local):
    """What a callback raised: kept while C code lies between it and the call, on the same thread, that led to it."""

    error: BaseException | None = None


_raised = _Raised()


def _keep(kind: Any, value: BaseException, trace: Any) -> None:
    if _raised.error is None:
        _raised.error = value if isinstance(value, BaseException) else kind(value)
        _raised.error.__traceback__ = trace


def callback(signature: str, function: Callable[..., Any], failed: Any = None) -> Any:
    """A C function pointer; keep it as long as C may call it. After an exception C gets ``failed``, and who has called
    into the library gets the exception, whole."""
    if failed is None:
        return ffi.callback(signature, function, onerror=_keep)
    return ffi.callback(signature, function, error=failed, onerror=_keep)


def call(function: Any, *args: Any) -> None:
    """Calls what returns a status and takes an error last. The interpreter lock is released meanwhile. What a callback
    has raised counts before the error that it led to."""
    err = ffi.new("weft_error *")
    status = function(*args, err)
    if _raised.error is not None:
        raised, _raised.error = _raised.error, None
        raise raised
    if status != lib.WEFT_OK:
        raise error_of(err)


def text_of(function: Any, *args: Any) -> str:
    """What ``function(*args, writer, err)`` writes."""
    text = ffi.new("weft_text *")
    writer = ffi.new("weft_writer *", lib.weft_text_writer(text))
    try:
        call(function, *args, writer)
        if text.failed:
            raise OutOfMemoryError("out of memory for a text")
        return bytes(ffi.buffer(text.data, text.size)).decode("utf-8", "replace") if text.size else ""
    finally:
        lib.weft_text_free(text)


# ---- types of elements ----


def dtype_of(name: str | None) -> int:
    """The number of a type's name; None: any, which the library then chooses."""
    if name is None:
        return int(lib.WEFT_ANY)
    out = ffi.new("weft_dtype *")
    if not lib.weft_dtype_parse(encoded(name), out):
        known = ", ".join(dtype_name(i) for i in range(1, lib.WEFT_DTYPE_COUNT))
        raise InvalidError(f"there is no type {name!r}; there are {known}")
    return int(out[0])


def dtype_name(number: int) -> str:
    return string(lib.weft_dtype_get(number).name)


NUMPY_OF = {"f32": "<f4", "f16": "<f2", "i32": "<i4"}
DTYPE_OF_NUMPY = {text[1:]: name for name, text in NUMPY_OF.items()}


def numpy_type(name: str) -> str:
    """numpy's name of a type that it has, too."""
    if name not in NUMPY_OF:
        raise UnsupportedError(f"numpy has no type for elements of {name}")
    return NUMPY_OF[name]


# ---- arrays ----


def names_array(names: Sequence[str]) -> tuple[Any, list[Any]]:
    """const char *[]; the second must be kept as long as it is used."""
    kept = [ffi.new("char[]", encoded(name)) for name in names]
    return ffi.new("const char *[]", kept or [ffi.NULL]), kept


def progress_sink(progress: Callable[[Progress], Any] | None) -> tuple[Any, Any]:
    """A weft_progress_sink by value, and what to keep as long as it is used."""
    sink = ffi.new("weft_progress_sink *")
    if progress is None:
        return sink[0], sink
    told = progress

    def report(_ctx: Any, p: Any) -> bool:
        return told(Progress(string(p.what), int(p.done), int(p.total), string(p.unit))) is not False

    function = callback("bool(void *, const weft_progress *)", report, False)
    sink.report = function
    return sink[0], (sink, function)


class Progress:
    """How far a piece of long work is: what is done, how much of it, of how much (0: not known), in which unit."""

    __slots__ = ("what", "done", "total", "unit")

    def __init__(self, what: str, done: int, total: int, unit: str) -> None:
        self.what, self.done, self.total, self.unit = what, done, total, unit

    def __repr__(self) -> str:
        return f"Progress({self.what!r}, {self.done} of {self.total} {self.unit})"
