"""LoRA adapters, as PEFT writes them into folders (docs/adapters.md): what ``lora=`` names."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Union

from ._lib import call, encoded, ffi, lib
from ._life import Handle

Path = Union[str, "os.PathLike[str]"]
Adapters = Union[Path, Sequence[Path]]  # folders; a text may say "folder=scale"


def scaled(given: Path) -> tuple[Path, float]:
    """A folder and its scale: what stands behind the last "=" of a text if it is a number, else 1."""
    if isinstance(given, str) and "=" in given:
        folder, number = given.rsplit("=", 1)
        try:
            scale = float(number)
        except ValueError:
            return given, 1.0
        if math.isfinite(scale):
            return folder, scale
    return given, 1.0


def uses_of(lora: Adapters) -> tuple[list[Handle], Any]:
    """Opened adapters, to be closed where nothing else needs them, and a weft_adapter_use[] of them, which add up."""
    given = [lora] if isinstance(lora, (str, os.PathLike)) else list(lora)
    handles: list[Handle] = []
    uses = []
    try:
        for folder, scale in map(scaled, given):
            if scale == 0:
                continue  # nothing of it
            out = ffi.new("weft_adapter **")
            call(lib.weft_adapter_open, encoded(folder), out)
            handles.append(Handle("adapter", out[0], lib.weft_adapter_close))
            uses.append({"adapter": out[0], "scale": scale})
    except BaseException:
        for handle in handles:
            handle.close()
        raise
    return handles, ffi.new("weft_adapter_use[]", uses)
