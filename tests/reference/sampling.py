#!/usr/bin/env python3
"""Compares Weft's sampling steps with those of llama.cpp and Hugging Face transformers, on random logits.

    PYTHONPATH=build/python tests/reference/sampling.py --llama path/to/libllama.so

What is left of the candidates behind each step, and their probabilities, must be the same. transformers is optional.
"""

import argparse
import ctypes
import math
import random

import numpy as np

from weft._lib import ffi, lib

VOCAB, ROUNDS = 200, 40


class Data(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int32), ("logit", ctypes.c_float), ("p", ctypes.c_float)]


class Array(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.POINTER(Data)),
        ("size", ctypes.c_size_t),
        ("selected", ctypes.c_int64),
        ("sorted", ctypes.c_bool),
    ]


def probabilities(logits: dict[int, float]) -> dict[int, float]:
    top = max(logits.values())
    weights = {i: math.exp(x - top) for i, x in logits.items()}
    total = sum(weights.values())
    return {i: w / total for i, w in weights.items()}


def of_weft(step: dict[str, object], logits: np.ndarray, history: list[int]) -> dict[int, float]:
    """What a caller's step behind this one sees."""
    seen: dict[int, float] = {}

    @ffi.callback("uint32_t(void *, weft_candidate *, uint32_t, const int32_t *, size_t)")
    def look(_ctx, c, n, _history, _n_history):
        seen.update((c[i].id, c[i].logit) for i in range(n))
        return n

    steps = ffi.new("weft_sampler_step[]", [step, {"kind": lib.WEFT_STEP_CALL, "call": look}])
    how, err = ffi.new("weft_sampling *", {"steps": steps, "n_steps": 2}), ffi.new("weft_error *")
    sampler, token = ffi.new("weft_sampler **"), ffi.new("int32_t *")
    ids = ffi.new("int32_t[]", history)
    if lib.weft_sampler_create(how, VOCAB, sampler, err) or lib.weft_sampler_pick(
        sampler[0], ffi.from_buffer("float[]", logits), ids, len(history), token, ffi.NULL, err
    ):
        raise SystemExit(ffi.string(err.text).decode())
    lib.weft_sampler_destroy(sampler[0])
    return probabilities(seen)


class Llama:
    def __init__(self, path: str) -> None:
        self.lib = ctypes.CDLL(path)
        for name in ("typical", "xtc", "mirostat_v2", "dry", "penalties", "top_p", "min_p", "top_k", "temp"):
            getattr(self.lib, f"llama_sampler_init_{name}").restype = ctypes.c_void_p
        self.lib.llama_sampler_apply.argtypes = [ctypes.c_void_p, ctypes.POINTER(Array)]
        self.lib.llama_sampler_accept.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        self.lib.llama_sampler_free.argtypes = [ctypes.c_void_p]

    def make(self, name: str, *values: object) -> int:
        f, size = ctypes.c_float, ctypes.c_size_t
        kept = {"typical": size(1), "top_p": size(1), "min_p": size(1)}
        args = [f(v) if isinstance(v, float) else ctypes.c_int32(v) for v in values]
        if name in kept:
            args.append(kept[name])
        if name == "xtc":
            args += [size(1), ctypes.c_uint32(1)]
        if name == "mirostat_v2":
            args.insert(0, ctypes.c_uint32(1))
        if name == "dry":
            args = [None, *args, None, size(0)]
        if name == "penalties":
            args.insert(0, ctypes.c_int32(VOCAB))
        return getattr(self.lib, f"llama_sampler_init_{name}")(*args)

    def left(self, name: str, values: tuple[object, ...], logits: np.ndarray, history: list[int]) -> dict[int, float]:
        sampler = self.make(name, *values)
        for token in history:
            self.lib.llama_sampler_accept(sampler, token)
        data = (Data * VOCAB)(*[Data(i, float(x), 0.0) for i, x in enumerate(logits)])
        array = Array(data, VOCAB, -1, False)
        self.lib.llama_sampler_apply(sampler, ctypes.byref(array))
        self.lib.llama_sampler_free(sampler)
        return probabilities({array.data[i].id: array.data[i].logit for i in range(array.size)})


def of_transformers(name: str, value: float, logits: np.ndarray) -> dict[int, float] | None:
    try:
        import torch
        from transformers import MinPLogitsWarper, TopPLogitsWarper, TypicalLogitsWarper
    except ImportError:
        return None
    warpers = {"typical": TypicalLogitsWarper, "top_p": TopPLogitsWarper, "min_p": MinPLogitsWarper}
    if name not in warpers:
        return None
    row = warpers[name](value)(None, torch.tensor(logits)[None].double())[0]
    return probabilities({i: float(x) for i, x in enumerate(row) if x > -math.inf})


def rows(draw: random.Random) -> list[tuple[str, tuple[object, ...], dict[str, object]]]:
    """llama.cpp's name and values, and the step."""
    p, threshold = draw.choice((0.2, 0.5, 0.9, 0.99)), draw.choice((0.02, 0.1, 0.3))
    multiplier, base, allowed, last = draw.choice((0.8, 2.0)), draw.choice((1.1, 1.75)), draw.choice((1, 2, 4)), 200
    repeat, frequency, presence = 1.3, draw.choice((0.0, 0.4)), draw.choice((0.0, 0.7))
    k, tau = draw.choice((1, 5, 40)), draw.choice((1.0, 3.0, 5.0))
    return [
        ("top_k", (k,), {"kind": lib.WEFT_STEP_TOP_K, "n": k}),
        ("top_p", (p,), {"kind": lib.WEFT_STEP_TOP_P, "value": p}),
        ("min_p", (threshold,), {"kind": lib.WEFT_STEP_MIN_P, "value": threshold}),
        ("typical", (p,), {"kind": lib.WEFT_STEP_TYPICAL, "value": p}),
        ("xtc", (1.0, threshold), {"kind": lib.WEFT_STEP_XTC, "value": 1.0, "second": threshold}),
        ("mirostat_v2", (tau, 0.1), {"kind": lib.WEFT_STEP_MIROSTAT, "value": tau}),
        (
            "dry",
            (multiplier, base, allowed, last),
            {"kind": lib.WEFT_STEP_DRY, "value": multiplier, "second": base, "n": allowed, "window": last},
        ),
        ("penalties", (last, repeat, 0.0, 0.0), {"kind": lib.WEFT_STEP_REPEAT, "value": repeat, "n": last}),
        ("penalties", (last, 1.0, frequency, 0.0), {"kind": lib.WEFT_STEP_FREQUENCY, "value": frequency, "n": last}),
        ("penalties", (last, 1.0, 0.0, presence), {"kind": lib.WEFT_STEP_PRESENCE, "value": presence, "n": last}),
    ]


def difference(a: dict[int, float], b: dict[int, float]) -> float:
    return max(abs(a.get(i, 0.0) - b.get(i, 0.0)) for i in a | b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", required=True, help="libllama.so")
    llama = Llama(parser.parse_args().llama)
    worst: dict[str, float] = {}
    draw = random.Random(1)
    for _ in range(ROUNDS):
        logits = np.array([draw.gauss(0, draw.choice((1, 3))) for _ in range(VOCAB)], np.float32)
        history = [draw.randrange(4) if draw.random() < 0.9 else draw.randrange(VOCAB) for _ in range(draw.randrange(300))]
        for name, values, step in rows(draw):
            got = of_weft(step, logits, history)
            others = {f"{name}, llama.cpp": llama.left(name, values, logits, history)}
            hf = of_transformers(name, float(values[0]), logits)
            if hf:
                others[f"{name}, transformers"] = hf
            for key, other in others.items():
                worst[key] = max(worst.get(key, 0.0), difference(got, other))
    for key, value in worst.items():
        print(f"{key:30} {value:.2e}")
    raise SystemExit(max(worst.values()) > 1e-5)


if __name__ == "__main__":
    main()
