"""Written by build_ffi.py."""

from typing import Any

ffi: Any
