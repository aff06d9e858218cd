"""Tensors of files, and arrays as weights. Both ways without a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._lib import DTYPE_OF_NUMPY, call, callback, dtype_name, dtype_of, encoded, ffi, lib, string
from ._life import Handle, Object
from .errors import InvalidError, UnsupportedError

__all__ = ["Checkpoint", "Tensor", "Weights"]

Array = npt.NDArray[Any]


class Tensor:
    """A tensor as a file holds it: name, type, shape, and its bytes where they are mapped.

    dtype is the file's word ("BF16", "Q4_0"), type the one that a weight of it has ("bf16"; F64 becomes "f32").
    """

    def __init__(self, checkpoint: Checkpoint, info: Any) -> None:
        self._checkpoint, self._info = checkpoint, info
        self.name, self.dtype, self.file = string(info.name), string(info.dtype), string(info.file)
        self.type = None if info.type == lib.WEFT_ANY else dtype_name(info.type)
        self.shape = tuple(int(info.dims[i]) for i in range(info.rank))
        self.big_endian = bool(info.big_endian)

    def __repr__(self) -> str:
        return f"<weft.Tensor {self.name} {self.dtype} {list(self.shape)}>"

    @property
    def data(self) -> memoryview:
        """The bytes in the file, mapped, not copied: the checkpoint stays open as long as the view."""
        handle = self._checkpoint._handle
        with handle:  # it is open
            handle.retain()
        owned = ffi.gc(ffi.cast("char *", self._info.data), lambda _data: handle.release())
        return memoryview(ffi.buffer(owned, self._info.bytes)).toreadonly()

    def numpy(self) -> Array:
        """The tensor as an array. F32, F16, F64 and I32 are a view of the file, which cannot be written; BF16, which
        numpy has not, becomes a float32 array of its own."""
        order = ">" if self.big_endian else "<"
        if self.dtype == "BF16":
            halves = np.frombuffer(self.data, order + "u2").astype(np.uint32)
            return (halves << 16).view(np.float32).reshape(self.shape)
        known = {"F32": "f4", "F16": "f2", "F64": "f8", "I32": "i4", "I64": "i8", "I8": "i1", "U8": "u1", "I16": "i2"}
        if self.dtype not in known:
            raise UnsupportedError(f"{self.name}: numpy has no type for {self.dtype}; its bytes are in `data`")
        return np.frombuffer(self.data, order + known[self.dtype]).reshape(self.shape)


class Checkpoint(Object, Mapping[str, Tensor]):
    """The tensors of a model's files by name: safetensors or GGUF, one file, shards or a split set.

    >>> checkpoint = weft.Checkpoint(TINY)
    >>> tensor = checkpoint["gpt_neox.final_layer_norm.weight"]
    >>> tensor.dtype, tensor.shape, tensor.numpy().dtype
    ('F16', (256,), dtype('float16'))
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        out = ffi.new("weft_checkpoint **")
        call(lib.weft_checkpoint_open, encoded(path), out)
        self._own(Handle("checkpoint", out[0], lib.weft_checkpoint_close))

    @classmethod
    def _of(cls, handle: Handle) -> Checkpoint:
        checkpoint = cls.__new__(cls)
        checkpoint._own(handle)
        return checkpoint

    def __getitem__(self, name: str) -> Tensor:
        with self._handle as pointer:
            info = lib.weft_checkpoint_find(pointer, encoded(name))
        if info == ffi.NULL:
            raise KeyError(name)
        return Tensor(self, info)

    def __len__(self) -> int:
        with self._handle as pointer:
            return int(lib.weft_checkpoint_count(pointer))

    def __iter__(self) -> Iterator[str]:
        for i in range(len(self)):
            with self._handle as pointer:
                name = string(lib.weft_checkpoint_tensor(pointer, i).name)
            yield name

    @property
    def bytes(self) -> int:
        """Of all tensors."""
        with self._handle as pointer:
            return int(lib.weft_checkpoint_bytes(pointer))

    @property
    def notes(self) -> list[str]:
        """What is worth telling of the files."""
        notes: list[str] = []
        with self._handle as pointer:
            while (note := lib.weft_checkpoint_note(pointer, len(notes))) != ffi.NULL:
                notes.append(string(note))
        return notes


WeightLike = Union[Array, Tensor]


def fail(err: Any, status: int, text: str) -> int:
    """Fills a weft_error from within a callback; returns the status."""
    if err != ffi.NULL:
        err.status, err.line, err.file = status, 0, _FILE
        data = text.encode("utf-8")[:511]
        ffi.memmove(err.text, data + b"\0", len(data) + 1)
    return status


_FILE = ffi.new("char[]", b"python")


class Source:
    """A mapping of arrays and tensors as a weft_weight_source: the library reads them where they are.

    Arrays may be float32, float16 or int32; an array that does not lie in one piece is copied into one.
    """

    def __init__(self, weights: Mapping[str, WeightLike]) -> None:
        self._weights, self._kept = weights, dict[str, Any]()
        self._find = callback(
            "weft_status(void *, const char *, weft_weight_data *, weft_error *)", self._fill, lib.WEFT_CANCELLED
        )
        self.source = ffi.new("weft_weight_source *")
        self.source.find = self._find

    def _fill(self, _ctx: Any, c_name: Any, out: Any, err: Any) -> int:
        name = string(c_name)
        if name not in self._kept:
            try:
                self._kept[name] = _kept(name, self._weights[name])
            except KeyError:
                return fail(err, lib.WEFT_NOT_FOUND, f"weight {name}: it is not among those given")
        kind, shape, data = self._kept[name]
        if len(shape) > len(out.dims):
            return fail(err, lib.WEFT_SHAPE, f"weight {name}: {len(shape)} dims")
        out.dtype, out.rank, out.data, out.bytes = kind, len(shape), ffi.from_buffer(data), memoryview(data).nbytes
        for i, n in enumerate(shape):
            out.dims[i] = n
        return int(lib.WEFT_OK)


def _kept(name: str, weight: WeightLike) -> tuple[int, tuple[int, ...], Any]:
    if isinstance(weight, Tensor):
        if weight.type is None or weight.big_endian or weight.dtype == "F64":
            raise UnsupportedError(
                f"weight {name}: {weight.dtype} is not read where it is; use the checkpoint or an array"
            )
        return dtype_of(weight.type), weight.shape, weight.data
    array = np.asarray(weight)
    kind = DTYPE_OF_NUMPY.get(array.dtype.str[1:]) if array.dtype.isnative else None
    if kind is None:
        raise InvalidError(f"weight {name}: an array of {array.dtype}; float32, float16 and int32 are read")
    return dtype_of(kind), array.shape, np.ascontiguousarray(array)


class Weights(Object):
    """Weights on devices, loaded once for all programs and sessions that are given them.

    From arrays and tensors by name, or from a model (then for its sessions):

    >>> with weft.Model(TINY) as model:
    ...     weights = weft.Weights(model)
    ...     one, two = model.session(weights=weights), model.session(weights=weights)
    """

    def __init__(self, weights: Mapping[str, WeightLike] | Object) -> None:
        out = ffi.new("weft_weights **")
        self._source: Source | None = None
        parents: list[Handle] = []
        if isinstance(weights, Mapping):
            self._source = Source(weights)
            call(lib.weft_weights_create, self._source.source, 1, out)
        else:
            parents = [weights._handle]
            with weights._handle as pointer:
                source = ffi.new("weft_weight_source *", lib.weft_model_weights(pointer))
                call(lib.weft_weights_create, source, 1, out)
        self._own(Handle("set of weights", out[0], lib.weft_weights_destroy, parents, keep=self._source))

    @property
    def bytes(self) -> int:
        """On all devices; what is used where a file is mapped, or where an array lies, is not counted."""
        with self._handle as pointer:
            return int(lib.weft_weights_bytes(pointer))
