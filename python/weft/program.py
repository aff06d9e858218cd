"""Programs: a graph scheduled on devices, run and profiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._lib import (
    Progress,
    call,
    callback,
    dtype_name,
    encoded,
    ffi,
    lib,
    names_array,
    numpy_type,
    progress_sink,
    string,
    text_of,
)
from ._life import Handle, Object
from .device import Device
from .errors import InvalidError
from .graph import Graph, bounds_array, dump_format
from .profile import Profile
from .weights import Array, Weights, WeightLike, fail

__all__ = ["Memory", "Port", "Program"]


@dataclass(frozen=True)
class Memory:
    """Bytes that a program needs on a device."""

    weights: int
    states: int
    arena: int
    constants: int


@dataclass(frozen=True)
class Port:
    """An input or output: its type, its shape at the bounds, and at what the extents are now."""

    ref: int
    dtype: str
    bounds: tuple[int, ...]
    shape: tuple[int, ...]


class Program(Object):
    """A graph on devices: optimised, placed and planned when it is made, loaded when it is first run.

    outputs: those that are wanted (None: all). keep: no memory is used twice, so that every value can be read. For the
    others see weft.SessionPlan and docs.

    >>> g = weft.Graph()
    >>> n = g.extent("n", 4)
    >>> y = g.output(g.input("f32", (n, 3), "x") @ g.weight("f32", (3, 2), "w"), "y")
    >>> g.seal()
    >>> program = weft.Program(g, weights={"w": np.ones((3, 2), np.float32)})
    >>> program.run(x=np.arange(6, dtype=np.float32).reshape(2, 3))["y"]
    array([[ 3.,  3.],
           [12., 12.]], dtype=float32)
    """

    def __init__(
        self,
        graph: Graph,
        device: str | Device | Sequence[str | Device] = "cpu",
        *,
        weights: Weights | Mapping[str, WeightLike] | None = None,
        outputs: Sequence[str] | None = None,
        bounds: Mapping[str, int] | None = None,
        exact: bool = False,
        deterministic: bool = False,
        strict: bool = False,
        as_built: bool = False,
        keep: bool = False,
        progress: Callable[[Progress], Any] | None = None,
    ) -> None:
        given = [device] if isinstance(device, (str, Device)) else list(device)
        devices = [Device(d) if isinstance(d, str) else d for d in given]
        pointers = ffi.new("weft_backend *[]", [d._handle.pointer for d in devices] or [ffi.NULL])
        array, n_bounds, kept_bounds = bounds_array(bounds or {})
        names, kept_names = names_array(outputs or [])
        sink, kept = progress_sink(progress)
        desc = ffi.new(
            "weft_program_desc *",
            {
                "devices": pointers,
                "n_devices": len(devices),
                "bounds": array,
                "n_bounds": n_bounds,
                "exact": exact,
                "deterministic": deterministic,
                "strict": strict,
                "as_built": as_built,
                "keep": keep,
                "progress": sink,
            },
        )
        if outputs is not None:
            desc.outputs, desc.n_outputs = names, len(outputs)
        self._weights = weights if weights is None or isinstance(weights, Weights) else Weights(weights)
        out = ffi.new("weft_program **")

        def create() -> Any:
            call(lib.weft_program_create, graph._handle.pointer, desc, out)
            return out[0]

        parents = [d._handle for d in devices]
        if self._weights:
            self._weights._handle.adopt(parents)
            parents.append(self._weights._handle)
        self._own(Handle.make("program", create, lib.weft_program_destroy, parents, (kept, kept_bounds, kept_names)))
        self._loaded = self._lent = False
        for made, asked in zip(devices, given):
            if made is not asked:
                made.close()  # it stays open for as long as the program

    @classmethod
    def _of(cls, pointer: Any, owner: Handle) -> Program:
        """One that a session or a plan has, and runs."""
        program = cls.__new__(cls)
        program._own(Handle("program", pointer, lambda _pointer: None, [owner]))
        program._weights, program._loaded, program._lent = None, True, True
        return program

    # ---- looking at it ----

    def __str__(self) -> str:
        """Devices, memory, and the plan with the placement of every step."""
        with self._handle as p:
            return text_of(lib.weft_program_print, p)

    @property
    def graph(self) -> Graph:
        """As it will run."""
        out = ffi.new("weft_graph **")
        with self._handle as p:
            call(lib.weft_graph_clone, lib.weft_program_graph(p), out)
        return Graph._of(out[0])

    def memory(self, device: int = 0) -> Memory:
        """What it needs on a device, weights and states as if it did not share them."""
        with self._handle as p:
            m = lib.weft_program_device_memory(p, device)
        return Memory(int(m.weights), int(m.states), int(m.arena), int(m.constants))

    def dump(self, format: str = "json", title: str = "graph", built: Graph | None = None) -> str:
        """As "json" (docs/dump-format.md), "dot", "model_explorer" or "text"; built: the graph before any pass."""
        kind, name = dump_format(format), ffi.new("char[]", encoded(title))
        one = ffi.new("weft_dump_program *", {"name": name, "built": built._handle.pointer if built else ffi.NULL})
        with self._handle as p:
            one.program = p
            return text_of(lib.weft_program_dump, one, 1, kind, ffi.new("weft_dump_desc *", {"title": name}))

    # ---- running it ----

    def load(self) -> None:
        """Everything slow: weights, memory, compiling. ``run`` does it if nobody did."""
        if self._loaded:
            return
        with self._handle as p:
            call(lib.weft_program_load, p, self._weights._handle.pointer if self._weights else ffi.NULL, ffi.NULL)
        self._loaded = True

    def set_extent(self, name: str, value: int) -> None:
        """From 1 to its bound; it keeps its value."""
        with self._handle as p:
            call(lib.weft_program_set_extent, p, encoded(name), value)
        self._values[name] = value

    @property
    def _values(self) -> dict[str, int]:
        values: dict[str, int] = self.__dict__.setdefault("_extents", {})
        return values

    def port(self, name: str) -> Port:
        """A named input or output."""
        ref = ffi.new("weft_ref *")
        with self._handle as p:
            call(lib.weft_program_port, p, encoded(name), ref)
            g = lib.weft_program_graph(p)
            value = lib.weft_graph_value(g, ref[0])
            dims = [value.dims.d[i] for i in range(value.dims.rank)]
            bounds, now = [], []
            for d in dims:
                bound, extent = ffi.new("uint32_t *", 1), ""
                if d.extent:
                    extent = string(lib.weft_graph_extent(g, d.extent, bound))
                bounds.append(int(d.n) * int(bound[0]))
                now.append(int(d.n) * self._values.get(extent, int(bound[0])))
            return Port(int(ref.id), dtype_name(value.dtype), tuple(bounds), tuple(now))

    def run(
        self,
        inputs: Mapping[str, npt.ArrayLike] | None = None,
        /,
        outputs: Sequence[str] | None = None,
        **more: npt.ArrayLike,
    ) -> dict[str, Array]:
        """Writes inputs, runs, and reads outputs (None: all), each an array. Extents become what the inputs' shapes
        say.

        Arrays that are of the port's type are read where they are; a result is written into its array by the library.
        """
        if self._lent:
            raise InvalidError("a session runs this program: it is lent to look at")
        self.load()
        arrays = {name: np.asarray(a) for name, a in {**(inputs or {}), **more}.items()}
        for name, array in arrays.items():
            self._fit(name, array)
        for name, array in arrays.items():
            self.write(name, array)
        with self._handle as p:
            call(lib.weft_program_run, p)
        names = self._output_names() if outputs is None else outputs
        return {name: self.read(name) for name in names}

    def _output_names(self) -> list[str]:
        n = ffi.new("uint32_t *")
        with self._handle as p:
            named = lib.weft_graph_outputs(lib.weft_program_graph(p), n)
            return [string(named[i].name) for i in range(n[0])]

    def _fit(self, name: str, array: Array) -> None:
        """Lets extents of an input's first axes be what its array has."""
        ref = ffi.new("weft_ref *")
        with self._handle as p:
            call(lib.weft_program_port, p, encoded(name), ref)
            g = lib.weft_program_graph(p)
            dims = lib.weft_graph_value(g, ref[0]).dims
            wanted = {
                string(lib.weft_graph_extent(g, dims.d[i].extent, ffi.NULL)): (array.shape[i], int(dims.d[i].n))
                for i in range(min(dims.rank, array.ndim))
                if dims.d[i].extent
            }
        for extent, (have, factor) in wanted.items():
            if have % factor or not have:
                raise InvalidError(f"{name}: {have} is no multiple of {factor}, which the dim of {extent} is")
            self.set_extent(extent, have // factor)

    def write(self, name: str, array: npt.ArrayLike) -> None:
        """An input, before every run; from where it lies, if type and layout are the port's."""
        port = self.port(name)
        data = np.ascontiguousarray(array, numpy_type(port.dtype))
        if data.shape != port.shape:
            raise InvalidError(f"{name}: shape {data.shape}, not {port.shape}")
        for offset, block in _pieces(port, data):
            with self._handle as p:
                pointer = ffi.from_buffer("char[]", block.reshape(-1).view(np.uint8))
                call(
                    lib.weft_program_write, p, ffi.new("weft_ref *", {"id": port.ref})[0], offset, pointer, block.nbytes
                )

    def read(self, name: str, out: Array | None = None) -> Array:
        """An output, after a run, into a new array or the caller's."""
        port = self.port(name)
        if out is not None and (
            out.shape != port.shape or out.dtype != numpy_type(port.dtype) or not out.flags.c_contiguous
        ):
            raise InvalidError(f"{name}: the array must be {port.dtype} of shape {port.shape}, in one piece")
        data = np.empty(port.shape, numpy_type(port.dtype)) if out is None else out
        for offset, block in _pieces(port, data):
            with self._handle as p:
                pointer = ffi.from_buffer("char[]", block.reshape(-1).view(np.uint8), require_writable=True)
                call(
                    lib.weft_program_read, p, ffi.new("weft_ref *", {"id": port.ref})[0], offset, pointer, block.nbytes
                )
        return data

    def check(self, weights: Weights | None = None) -> list[str]:
        """Compares the current inputs' run, step by step, with plain float32 arithmetic; what differs, a line each."""
        self.load()
        given = weights or self._weights
        source = (
            given._source.source if given and given._source else ffi.new("weft_weight_source *", {"find": _no_weights})
        )
        report, failed = check_report()
        with self._handle as p:
            call(lib.weft_program_check, p, source, report, ffi.NULL)
        return [f"node {node}: error {error:g}, tolerance {tolerance:g}" for node, error, tolerance in failed]

    def profile(
        self,
        run: Callable[[], Any],
        runs: int = 5,
        *,
        mode: str = "scheduled",
        roofs: bool = False,
        tokens: float = 0.0,
        name: str = "graph",
    ) -> Profile:
        """Times runs, node by node. ``run`` makes one: ``lambda: program.run(x=array)``, or of a session's program
        ``lambda: session.logits(ids)``. mode: "scheduled" or "isolated", step by step. roofs: measures the device's
        limits, too. tokens: that one run takes in, for the table."""
        self.load()
        return Profile(self, run, runs, mode, roofs, tokens, name)


def _no_weight(_ctx: Any, name: Any, _out: Any, err: Any) -> int:
    return fail(err, lib.WEFT_NOT_FOUND, f"weight {string(name)}: the program has none")


_no_weights = callback(
    "weft_status(void *, const char *, weft_weight_data *, weft_error *)", _no_weight, lib.WEFT_INTERNAL
)


def check_report() -> tuple[Any, list[tuple[int, float, float]]]:
    """A callback for checks, and what failed: node, error, tolerance."""
    failed: list[tuple[int, float, float]] = []

    def report(_ctx: Any, node: Any) -> bool:
        if node.failed:
            failed.append((int(node.node), float(node.max_error), float(node.tolerance)))
        return True

    return callback("bool(void *, const weft_check_node *)", report, False), failed


def _pieces(port: Port, data: Array) -> list[tuple[int, Array]]:
    """Where the parts of an array lie in a port that is laid out for its bounds: byte offset, part in one piece."""
    inner = data.ndim
    while inner > 0 and port.bounds[inner - 1] == data.shape[inner - 1]:
        inner -= 1
    outer = max(inner - 1, 0)  # axes before it are walked
    strides = [data.itemsize] * data.ndim
    for i in range(data.ndim - 2, -1, -1):
        strides[i] = strides[i + 1] * port.bounds[i + 1]
    return [(sum(i * s for i, s in zip(at, strides)), data[at]) for at in np.ndindex(*data.shape[:outer])]
