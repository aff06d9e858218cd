"""Values of a graph, and what can be made of them: one method for each builder of build.h, which says what it computes.

Where a builder fails, the method raises at once with the library's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from ._lib import call, dtype_name, dtype_of, ffi, lib, string
from .errors import InvalidError

if TYPE_CHECKING:
    from .graph import Graph

__all__ = ["Extent", "Value"]


class Extent:
    """A dimension that a run chooses, up to a bound; or a multiple of one: ``2 * tokens``."""

    __slots__ = ("name", "bound", "factor", "_number")

    def __init__(self, name: str, bound: int, number: int, factor: int = 1) -> None:
        self.name, self.bound, self.factor, self._number = name, bound, factor, number

    def __mul__(self, factor: int) -> Extent:
        return Extent(self.name, self.bound, self._number, self.factor * factor)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return self.name if self.factor == 1 else f"{self.factor}*{self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extent) and (self.name, self.factor) == (other.name, other.factor)

    def __hash__(self) -> int:
        return hash((self.name, self.factor))


Dim = Union[int, Extent]
Dims = Sequence[Dim]
Number = Union[int, float]


def dims_of(graph: Graph, dims: Dims) -> Any:
    """A weft_dims by value."""
    if not 0 < len(dims) <= 6:
        raise InvalidError(f"a value has 1 to 6 dims, not {len(dims)}")
    for d in dims:
        if isinstance(d, Extent) and string(lib.weft_graph_extent(graph._g, d._number, ffi.NULL)) != d.name:
            raise InvalidError(f"the extent {d.name} belongs to another graph")
    rows = [{"n": d.factor, "extent": d._number} if isinstance(d, Extent) else {"n": d, "extent": 0} for d in dims]
    return ffi.new("weft_dims *", {"rank": len(rows), "d": rows})[0]


def dim_of(graph: Graph, dim: Any) -> Dim:
    """A dim from a weft_dim."""
    if not dim.extent:
        return int(dim.n)
    bound = ffi.new("uint32_t *")
    name = string(lib.weft_graph_extent(graph._g, dim.extent, bound))
    return Extent(name, int(bound[0]), int(dim.extent), int(dim.n))


def ref_of(graph: Graph, value: Value | None) -> Any:
    """A weft_ref by value, of one of the graph's values; None: none."""
    if value is not None and value.graph is not graph:
        raise InvalidError(f"{value!r} belongs to another graph")
    return ffi.new("weft_ref *", {"id": 0 if value is None else value.id})[0]


class Value:
    """A value of a graph: made once, by one node. ``+ - * /`` and ``@`` (matmul) build, too; numbers are constants."""

    __slots__ = ("graph", "id")

    def __init__(self, graph: Graph, number: int) -> None:
        self.graph, self.id = graph, number

    def __repr__(self) -> str:
        return f"<weft.Value %{self.id} {self.dtype} {list(self.shape)}>"

    def _value(self) -> Any:
        found = lib.weft_graph_value(self.graph._g, ref_of(self.graph, self))
        if found == ffi.NULL:
            raise InvalidError(f"the graph has no value %{self.id} any more")
        return found

    @property
    def dtype(self) -> str:
        """Its type of elements; "any" of a weight whose files decide it."""
        number = self._value().dtype
        return "any" if number == lib.WEFT_ANY else dtype_name(number)

    @property
    def shape(self) -> tuple[Dim, ...]:
        """Its dims, the outermost first; an Extent where a run chooses."""
        dims = self._value().dims
        return tuple(dim_of(self.graph, dims.d[i]) for i in range(dims.rank))

    def _op(self, name: str, *args: Any) -> Value:
        return self.graph._build(name, self, *args)

    def _ref(self, value: Value | None) -> Any:
        return ref_of(self.graph, value)

    def _two(self, name: str, other: Value | Number, swapped: bool = False) -> Value:
        value = other if isinstance(other, Value) else self.graph.number(other, self.dtype)
        return value._op(name, self) if swapped else self._op(name, value)

    # ---- views ----

    def reshape(self, dims: Dims) -> Value:
        """The same elements in the same order with other dims."""
        return self._op("reshape", dims_of(self.graph, dims))

    def permute(self, order: Sequence[int]) -> Value:
        """Axis i of the result is axis order[i] of this."""
        return self._op("permute", ffi.new("uint8_t[]", list(order)), len(order))

    def transpose(self, axis0: int, axis1: int) -> Value:
        """With two axes swapped."""
        return self._op("transpose", axis0, axis1)

    def slice(self, axis: int, start: int, size: int) -> Value:
        """``size`` of an axis, from ``start``."""
        return self._op("slice", axis, start, size)

    def select(self, axis: int, index: int) -> Value:
        """A slice of 1, without the axis."""
        return self._op("select", axis, index)

    def split(self, axis: int, n: int) -> list[Value]:
        """n equal slices."""
        out = ffi.new("weft_ref[]", n)
        self.graph._build_into("split", out, self, axis, n, out)
        return [Value(self.graph, int(out[i].id)) for i in range(n)]

    def broadcast(self, dims: Dims) -> Value:
        """Repeated along axes of 1, and along new ones in front."""
        return self._op("broadcast", dims_of(self.graph, dims))

    # ---- element-wise ----

    def __add__(self, other: Value | Number) -> Value:
        return self._two("add", other)

    __radd__ = __add__

    def __sub__(self, other: Value | Number) -> Value:
        return self._two("sub", other)

    def __rsub__(self, other: Number) -> Value:
        return self._two("sub", other, swapped=True)

    def __mul__(self, other: Value | Number) -> Value:
        """By a number: ``scale``, where this is no i32."""
        if isinstance(other, Value) or self.dtype == "i32":
            return self._two("mul", other)
        return self.scale(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Value | Number) -> Value:
        return self._two("div", other)

    def __rtruediv__(self, other: Number) -> Value:
        return self._two("div", other, swapped=True)

    def __neg__(self) -> Value:
        return self._op("neg")

    def __matmul__(self, other: Value) -> Value:
        return self.matmul(other)

    def scale(self, factor: float) -> Value:
        """x * factor."""
        return self._op("scale", factor)

    def clamp(self, low: float, high: float) -> Value:
        """x, at least ``low`` and at most ``high``."""
        return self._op("clamp", low, high)

    def pow(self, other: Value | Number) -> Value:
        """x to the power of ``other``."""
        return self._two("pow", other)

    def min(self, other: Value | Number) -> Value:
        """The smaller one; the other where one is no number."""
        return self._two("min", other)

    def max(self, other: Value | Number) -> Value:
        """The larger one; the other where one is no number."""
        return self._two("max", other)

    def less(self, other: Value | Number) -> Value:
        """i32: 1 where x < other, else 0."""
        return self._two("less", other)

    def less_equal(self, other: Value | Number) -> Value:
        """i32: 1 where x <= other, else 0."""
        return self._two("less_equal", other)

    def equal(self, other: Value | Number) -> Value:
        """i32: 1 where x == other, else 0."""
        return self._two("equal", other)

    def not_equal(self, other: Value | Number) -> Value:
        """i32: 0 where x == other, else 1."""
        return self._two("not_equal", other)

    def where(self, x: Value, y: Value) -> Value:
        """x where this i32 is not 0, else y."""
        return self._op("where", x, y)

    def relu(self) -> Value:
        """x where it is positive, else 0."""
        return self._op("relu")

    def gelu(self) -> Value:
        """By erf."""
        return self._op("gelu")

    def gelu_tanh(self) -> Value:
        """The approximation by tanh."""
        return self._op("gelu_tanh")

    def silu(self) -> Value:
        """x * sigmoid(x)."""
        return self._op("silu")

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return self._op("tanh")

    def sigmoid(self) -> Value:
        """1 / (1 + exp(-x))."""
        return self._op("sigmoid")

    def relu2(self) -> Value:
        """relu(x) squared."""
        return self._op("relu2")

    def exp(self) -> Value:
        """e to the power of x."""
        return self._op("exp")

    def sqrt(self) -> Value:
        """The square root."""
        return self._op("sqrt")

    def rsqrt(self) -> Value:
        """1 / sqrt(x)."""
        return self._op("rsqrt")

    def log(self) -> Value:
        """The natural logarithm."""
        return self._op("log")

    def sin(self) -> Value:
        """The sine, of radians."""
        return self._op("sin")

    def cos(self) -> Value:
        """The cosine, of radians."""
        return self._op("cos")

    def softplus(self) -> Value:
        """log(1 + exp(x))."""
        return self._op("softplus")

    def abs(self) -> Value:
        """Without its sign."""
        return self._op("abs")

    def cast(self, dtype: str) -> Value:
        """To f32, f16, bf16 (to nearest even) or i32."""
        return self._op("cast", dtype_of(dtype))

    # ---- along an axis ----

    def layer_norm(self, w: Value | None = None, b: Value | None = None, eps: float = 1e-5) -> Value:
        """(x - mean) / sqrt(variance + eps) along the last axis, times w, plus b."""
        return self._op("layer_norm", self._ref(w), self._ref(b), eps)

    def rms_norm(self, w: Value | None = None, eps: float = 1e-6) -> Value:
        """x / sqrt(mean of squares + eps) along the last axis, times w."""
        return self._op("rms_norm", self._ref(w), eps)

    def l2_norm(self, eps: float = 1e-6) -> Value:
        """x / sqrt(sum of squares + eps) along the last axis."""
        return self._op("l2_norm", eps)

    def norm(
        self,
        kind: str,
        w: Value | None = None,
        b: Value | None = None,
        eps: float = 1e-5,
        *,
        group: int = 0,
        one_plus: bool = False,
    ) -> Value:
        """kind: "layer", "rms" or "l2". group: the last axis in groups of so many. one_plus: times 1 + w."""
        kinds = {"layer": lib.WEFT_NORM_LAYER, "rms": lib.WEFT_NORM_RMS, "l2": lib.WEFT_NORM_L2}
        if kind not in kinds:
            raise InvalidError(f"a norm is layer, rms or l2, not {kind!r}")
        desc = ffi.new(
            "weft_norm_desc *",
            {
                "kind": kinds[kind],
                "w": self._ref(w),
                "b": self._ref(b),
                "eps": eps,
                "group": group,
                "one_plus": one_plus,
            },
        )
        return self._op("norm", desc)

    def softmax(self, axis: int = -1) -> Value:
        """exp(x) / sum of exp(x) along an axis."""
        return self._op("softmax", axis)

    def cumsum(self, axis: int = -1) -> Value:
        """Sums of all up to each along an axis."""
        return self._op("cumsum", axis)

    def reduce_sum(self, axis: int = -1) -> Value:
        """The sum along an axis, which goes."""
        return self._op("reduce_sum", axis)

    def reduce_mean(self, axis: int = -1) -> Value:
        """The mean along an axis, which goes."""
        return self._op("reduce_mean", axis)

    def reduce_max(self, axis: int = -1) -> Value:
        """The largest along an axis, which goes."""
        return self._op("reduce_max", axis)

    def argmax(self, axis: int = -1) -> Value:
        """i32, the first of equals."""
        return self._op("argmax", axis)

    def top_k(self, k: int) -> tuple[Value, Value]:
        """Values and indices of the k largest along the last axis, descending."""
        out = ffi.new("weft_ref[2]")
        self.graph._build_into("top_k", out, self, k, out, out + 1)
        return Value(self.graph, int(out[0].id)), Value(self.graph, int(out[1].id))

    # ---- products and rows ----

    def matmul(self, other: Value) -> Value:
        """[.., M, K] with [.., K, N]."""
        return self._op("matmul", other)

    def matmul_nt(self, other: Value) -> Value:
        """[.., M, K] with [.., N, K], as checkpoints store weights."""
        return self._op("matmul_nt", other)

    def linear_select(self, experts: Value, ids: Value) -> Value:
        """Of experts [E, m, n] those that a token's ids choose: [T, K, m]."""
        return self._op("linear_select", experts, ids)

    def gather(self, index: Value) -> Value:
        """Rows of this table, as f32."""
        return self._op("gather", index)

    def store(self, rows: Value, index: Value, axis: int = 0) -> Value:
        """This state with rows written into it; what reads the state later reads the result."""
        return self._op("store", rows, index, axis)

    def conv1d(self, x: Value, weight: Value, bias: Value | None, sequence: Value, reset: Value) -> tuple[Value, Value]:
        """On this state: the result and the state's new value."""
        out = ffi.new("weft_ref *")
        y = self._op("conv1d", x, weight, self._ref(bias), sequence, reset, out)
        return y, Value(self.graph, int(out[0].id))

    def linear_scan(self, a: Value, b: Value, sequence: Value, reset: Value) -> tuple[Value, Value]:
        """On this state: h = a h + b along each sequence, and the state's new value."""
        out = ffi.new("weft_ref *")
        y = self._op("linear_scan", a, b, sequence, reset, out)
        return y, Value(self.graph, int(out[0].id))

    # ---- attention ----

    def rope_angles(self, n_rot: int, theta: float = 10000.0) -> Value:
        """The table that ``rope`` takes, of these positions."""
        return self._op("rope_angles", n_rot, theta)

    def rope_table(
        self,
        n_rot: int,
        theta: float,
        kind: str = "default",
        *,
        factor: float = 0.0,
        original: float = 0.0,
        low: float = 0.0,
        high: float = 0.0,
        untruncated: bool = False,
        scale: float = 0.0,
        pairs: int = 0,
        length: Value | None = None,
        factors: Value | None = None,
        long_factors: Value | None = None,
    ) -> Value:
        """The same with one of the kinds of scaling: "default", "linear", "dynamic", "bands", "yarn", "longrope"."""
        number = getattr(lib, f"WEFT_ROPE_{kind.upper()}", None)
        if number is None or kind == "count":
            raise InvalidError(f"there is no kind {kind!r} of rotary embedding")
        desc = ffi.new(
            "weft_rope_desc *",
            {
                "kind": number,
                "n_rot": n_rot,
                "theta": theta,
                "factor": factor,
                "original": original,
                "low": low,
                "high": high,
                "untruncated": untruncated,
                "scale": scale,
                "pairs": pairs,
                "length": self._ref(length),
                "factors": self._ref(factors),
                "long_factors": self._ref(long_factors),
            },
        )
        return self._op("rope_table", desc)

    def rope(self, angles: Value, interleaved: bool = False) -> Value:
        """Rotary embedding of heads [T, H, D] by the table of ``rope_angles``; pairs: of both halves, or neighbours."""
        return self._op("rope", angles, interleaved)

    def attention(
        self,
        k: Value,
        v: Value,
        first: Value,
        last: Value,
        scale: float,
        *,
        page: int = 0,
        sequence: Value | None = None,
        pages: Value | None = None,
        soft_cap: float = 0.0,
        sinks: Value | None = None,
        slopes: Value | None = None,
        bias: Value | None = None,
    ) -> Value:
        """Of these queries [T, H, D] over the cells first[t] to last[t] of k and v [G, C, D]: [T, H, E]."""
        desc = attention_desc(self.graph, page, sequence, pages, soft_cap, sinks, slopes, bias)
        return self._op("attention_with", k, v, first, last, scale, desc)


def attention_desc(
    graph: Graph,
    page: int,
    sequence: Value | None,
    pages: Value | None,
    soft_cap: float,
    sinks: Value | None,
    slopes: Value | None,
    bias: Value | None,
) -> Any:
    """A weft_attention_desc *."""
    return ffi.new(
        "weft_attention_desc *",
        {
            "page": page,
            "sequence": ref_of(graph, sequence),
            "pages": ref_of(graph, pages),
            "soft_cap": soft_cap,
            "sinks": ref_of(graph, sinks),
            "slopes": ref_of(graph, slopes),
            "bias": ref_of(graph, bias),
        },
    )


def raise_of(g: Any) -> None:
    """The first error of a graph that has one: sealing returns it, and such a graph is good for nothing else."""
    call(lib.weft_graph_seal, g)
    raise InvalidError("a builder gave no value")
