"""Devices: the CPU, and GPUs through Vulkan."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._lib import Progress, call, encoded, ffi, lib, progress_sink, string
from ._life import Guard, Handle, Object
from .errors import InvalidError, NotFoundError, WeftError

__all__ = ["Device", "DeviceInfo", "Roof", "devices"]


@dataclass(frozen=True)
class DeviceInfo:
    """What a device says of itself; ``memory`` is what it has left, None where it does not say."""

    name: str
    type: str
    index: int
    model: str
    description: str
    variant: str
    driver: str
    features: str
    threads: int
    memory: int | None
    disabled: str
    is_default: bool
    unusable: str
    remark: str

    @property
    def spec(self) -> str:
        """What opens it: "cpu", "vulkan:1"."""
        return f"vulkan:{self.index}" if self.name == "vulkan" else self.name


def _info(c: Any) -> DeviceInfo:
    memory = int(c.memory) if c.memory_known else None
    return DeviceInfo(
        string(c.name),
        string(lib.weft_device_type_name(c.type)),
        int(c.index),
        string(c.model),
        string(c.description),
        string(c.variant),
        string(c.driver),
        string(c.features),
        int(c.threads),
        memory,
        string(c.disabled),
        bool(c.is_default),
        string(c.unusable),
        string(c.remark),
    )


@dataclass(frozen=True)
class Roof:
    """What a device reaches at best: bytes and operations per second (0: it has none of that kind), seconds a
    launch."""

    bytes_per_second: float
    f32_ops_per_second: float
    int8_ops_per_second: float
    f16_matrix_ops_per_second: float
    launch_seconds: float


class Device(Object):
    """A device that programs and sessions run on.

    spec: "cpu", "cpu,threads=4", "vulkan", "vulkan:1"; backend.h has all options. One thread at a time uses a device
    and what is on it: others wait.

    >>> with weft.Device("cpu,threads=1") as device:
    ...     device.info.threads
    1
    """

    def __init__(self, spec: str = "cpu") -> None:
        out = ffi.new("weft_backend **")
        call(lib.weft_backend_open, encoded(spec), out)
        self.spec = spec
        self._own(Handle("device", out[0], lib.weft_backend_close, guard=Guard(), forks=False))

    @classmethod
    def open_all(cls, specs: str) -> list[Device]:
        """What the program's --device takes: "vulkan:0,cache=x,cpu,threads=2" is two devices, in order of preference.

        Of several those that are not there are left out, with a RuntimeWarning.
        """
        found: list[Device] = []
        failed: WeftError | None = None
        several = split_specs(specs)
        for spec in several:
            try:
                found.append(cls(spec))
            except WeftError as error:
                if len(several) == 1 or isinstance(error, InvalidError):
                    raise
                warnings.warn(f"{spec} is left out: {error}", RuntimeWarning, stacklevel=2)
                failed = failed or error
        if failed and not found:
            raise failed
        return found

    def __repr__(self) -> str:
        return f"<weft.Device {self.spec!r}>"

    @property
    def info(self) -> DeviceInfo:
        """What it says of itself now."""
        out = ffi.new("weft_device_info *")
        with self._handle as pointer:
            lib.weft_backend_info(pointer, out)
        return _info(out)

    def roof(self, seconds: float = 0.2, progress: Callable[[Progress], Any] | None = None) -> Roof:
        """Measures what the device reaches at best, for about so many seconds each."""
        out = ffi.new("weft_roof *")
        sink, kept = progress_sink(progress)
        with self._handle as pointer:
            call(lib.weft_backend_roof, pointer, seconds, ffi.new("weft_progress_sink *", sink), out)
        del kept
        return Roof(
            out.bytes_per_second,
            out.f32_ops_per_second,
            out.int8_ops_per_second,
            out.f16_matrix_ops_per_second,
            out.launch_seconds,
        )


def _backends() -> list[str]:
    n = ffi.new("uint32_t *")
    names = lib.weft_backend_names(n)
    return [string(names[i]) for i in range(n[0])]


def split_specs(text: str) -> list[str]:
    """Each device begins with the name of a backend; what stands between two is the options of the first."""
    names = {*_backends(), "vulkan"}  # also in a build without
    specs: list[str] = []
    for item in text.split(","):
        if item.partition(":")[0] in names or not specs:
            specs.append(item)
        else:
            specs[-1] += f",{item}"
    return specs


def devices(backend: str | None = None) -> list[DeviceInfo]:
    """All devices of this machine, or those of one backend ("vulkan", perhaps with options), also those that cannot be
    used (and why: ``unusable``)."""
    names = _backends()
    if backend is not None and backend.partition(",")[0] not in names:
        raise NotFoundError(f"there is no backend {backend!r}; there are {', '.join(names)}")
    found = []
    for name in names if backend is None else [backend]:
        out = ffi.new("weft_device_info *")
        for index in range(64):
            try:
                call(lib.weft_backend_list, encoded(name), index, out)
            except NotFoundError:
                break
            found.append(_info(out))
    return found
