"""Profiles: where the time of runs goes, node by node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._lib import call, encoded, ffi, lib, string, text_of
from ._life import Handle, Object
from .errors import NotFoundError

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Profile", "ProfileNode"]

MODES = {"scheduled": lib.WEFT_PROFILE_SCHEDULED, "isolated": lib.WEFT_PROFILE_ISOLATED}
BY = {"op": lib.WEFT_BY_OP, "layer": lib.WEFT_BY_LAYER, "shape": lib.WEFT_BY_SHAPE, "node": lib.WEFT_BY_NODE}


@dataclass(frozen=True)
class ProfileNode:
    """One step: seconds of a run (the median), operations and bytes, and the part of the roof that it reaches."""

    node: int
    op: str
    scope: str
    kernel: str
    seconds: float
    flops: float
    bytes: float
    roof: float
    bound: str


class Profile(Object):
    """What ``Program.profile`` found; ``print`` shows the table by op.

    >>> model = weft.Model(TINY)
    >>> session = model.session("cpu,threads=1")
    >>> profile = session.program(1).profile(lambda: session.logits([13]), 3)
    >>> profile.runs, sum(node.seconds for node in profile.nodes) <= 2 * profile.seconds
    (3, True)
    """

    def __init__(
        self, program: Program, run: Callable[[], Any], runs: int, mode: str, roofs: bool, tokens: float, name: str
    ) -> None:
        if mode not in MODES:
            raise NotFoundError(f"there is no way {mode!r} to profile; there are {', '.join(MODES)}")
        self._program, handle = program, program._handle
        title = ffi.new("char[]", encoded(name))
        desc = ffi.new("weft_profile_desc *", {"name": title, "mode": MODES[mode], "tokens": tokens})
        measured = _roofs(handle.devices()) if roofs else ffi.NULL
        desc.roofs = measured
        out = ffi.new("weft_profile **")

        def create() -> Any:
            call(lib.weft_profile_create, handle.pointer, desc, out)
            return out[0]

        self._own(Handle.make("profile", create, lib.weft_profile_destroy, [handle]))
        with handle as p:
            call(lib.weft_program_profile, p, MODES[mode])
        try:
            for _ in range(runs):
                self._add(handle, run)
        finally:
            with handle as p:
                call(lib.weft_program_profile, p, lib.WEFT_PROFILE_OFF)
        with self._handle as profile:
            call(lib.weft_profile_finish, profile)
        with self._handle as profile:
            total = lib.weft_profile_total(profile)
        self.runs, self.seconds = int(total.runs), float(total.seconds.median)

    def _add(self, handle: Handle, run: Callable[[], Any]) -> None:
        c, n = ffi.new("weft_profile_run *"), ffi.new("uint64_t *")
        with handle as p:
            lib.weft_program_spans_clear(p)
        c.begin = lib.weft_profile_now()
        run()
        c.end = lib.weft_profile_now()
        with self._handle as profile:
            c.spans = lib.weft_program_spans(handle.pointer, n)
            c.n_spans = n[0]
            call(lib.weft_profile_add, profile, c)

    @property
    def nodes(self) -> list[ProfileNode]:
        """Every step, in the order of the plan."""
        n, program = ffi.new("uint32_t *"), self._program._handle
        with self._handle as profile:
            rows = lib.weft_profile_nodes(profile, n)
            g = lib.weft_program_graph(program.pointer)
            return [_node(rows[i], lib.weft_graph_node_by_id(g, rows[i].node), program.pointer) for i in range(n[0])]

    def table(self, by: str = "op", *, top: int = 0, markdown: bool = False) -> str:
        """By "op", "layer", "shape" or "node": devices, roofs, totals, and a row for each group, the most time
        first."""
        if by not in BY:
            raise NotFoundError(f"there is no table by {by!r}; there are {', '.join(BY)}")
        desc = ffi.new("weft_profile_table_desc *", {"by": BY[by], "markdown": markdown, "top": top})
        with self._handle as profile:
            return text_of(lib.weft_profile_table, profile, desc)

    def trace(self) -> str:
        """The spans of the median run in Chrome's Trace Event Format, which Perfetto reads."""
        with self._handle as profile:
            return text_of(lib.weft_profile_trace, ffi.new("weft_profile *[]", [profile]), 1)

    def __str__(self) -> str:
        return self.table()


def _node(row: Any, node: Any, program: Any) -> ProfileNode:
    place = lib.weft_program_place(program, row.node)
    return ProfileNode(
        int(row.node),
        string(lib.weft_op_get(node.op).name),
        string(node.scope),
        string(place.kernel),
        float(row.seconds.median),
        float(row.flops),
        float(row.bytes),
        float(row.roof),
        string(lib.weft_profile_bound_name(row.bound)),
    )


def _roofs(devices: list[Handle]) -> Any:
    roofs = ffi.new("weft_roof[]", len(devices))
    for i, handle in enumerate(devices):
        with handle as pointer:
            call(lib.weft_backend_roof, pointer, 0.1, ffi.NULL, roofs + i)
    return roofs
