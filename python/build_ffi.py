"""build_ffi.py CC INCLUDE OUT: writes the module weft._ffi from the installed headers, so that it cannot differ from
them.

cffi parses C declarations, but no preprocessor directives: the compiler takes those out. What is left of the headers
goes through cffi's out-of-line ABI mode, which writes plain Python: no compiler for the extension, one wheel for all
Pythons.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import cffi

# What a header of the C library would give; cffi knows these types by itself.
EMPTY = ("stdarg.h", "stdbool.h", "stddef.h", "stdint.h")
# Of the library's inside, and of no use from Python (a va_list cannot be made here).
INTERNAL = re.compile(r"\bweft__\w+\(")


def preprocessed(compiler: str, include: pathlib.Path) -> str:
    headers = sorted(path.name for path in (include / "weft").glob("*.h"))
    with tempfile.TemporaryDirectory() as folder:
        for name in EMPTY:
            (pathlib.Path(folder) / name).touch()
        source = "".join(f"#include <weft/{name}>\n" for name in headers)
        command = [compiler, "-E", "-P", "-x", "c", "-nostdinc", "-U__GNUC__", f"-I{folder}", f"-I{include}", "-"]
        return subprocess.run(command, input=source, stdout=subprocess.PIPE, check=True, text=True).stdout


def statements(text: str) -> list[str]:
    """The declarations at the top level, without functions that the headers define themselves."""
    found, depth, begin, defines = [], 0, 0, False
    for at, letter in enumerate(text):
        if letter == "{":
            defines = defines or (depth == 0 and text[:at].rstrip().endswith(")"))
            depth += 1
        elif letter == "}":
            depth -= 1
        if depth == 0 and (letter == ";" or (letter == "}" and defines)):
            if not defines:
                found.append(text[begin : at + 1].strip())
            begin, defines = at + 1, False
    return found


def main() -> None:
    compiler, include, out = sys.argv[1:]
    kept = [s for s in statements(preprocessed(compiler, pathlib.Path(include))) if not INTERNAL.search(s)]
    ffi = cffi.FFI()
    ffi.cdef("\n".join(kept))
    ffi.set_source("weft._ffi", None)
    ffi.emit_python_code(out)


if __name__ == "__main__":
    main()
