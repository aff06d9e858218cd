"""What the tests share: where things are, and the program to compare with."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import unittest
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

E = TypeVar("E", bound=BaseException)
ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "models/bundled/tiny-stories-neox"
STORY = [424, 436, 260, 398]  # "Once upon a time"
CONFIG = (
    '{"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 32, "num_attention_heads": 4, '
    '"num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 40, "max_position_embeddings": 64}'
)


def built(name: str) -> str:
    """A program of the same build, by the variable that ctest sets; where the package is alone, there is nothing to
    compare with."""
    if name not in os.environ:
        raise unittest.SkipTest(f"{name} is not set")
    return os.environ[name]


def program(*arguments: object) -> bytes:
    """What build/bin/weft prints."""
    command = [built("WEFT_PROGRAM"), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=without_preload()).stdout


def program_rows(command: str, *arguments: object) -> npt.NDArray[np.float32]:
    """The float32 numbers that a command of the program writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        program(command, TINY, "--output", out, *arguments)
        return np.fromfile(out, np.float32)


def python(source: str, **environment: str) -> tuple[int, str]:
    """Runs a program in a fresh interpreter; returns (status, what it printed to both)."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout


def without_preload() -> dict[str, str]:
    """The environment for programs that bring their own sanitizer."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def raised(kind: type[E], function: Callable[[], object]) -> tuple[E, list[str]]:
    """What a call raises, and the names of the functions that it came through, the outermost first."""
    try:
        function()
    except kind as error:
        return error, [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:]
    raise AssertionError(f"no {kind.__name__} arrived")


def address(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
