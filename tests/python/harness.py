"""The class for lm-evaluation-harness, weft.lm_eval.WeftLM: with the harness where it is installed, else with a
stand-in of the few things of it that the class stands on, so that the class is tested everywhere. And the harness's
answers."""

import importlib.util
import json
import sys
import types
from typing import Any

from common import ROOT

RECORD = json.loads((ROOT / "tests/python/harness.json").read_text(encoding="utf-8"))


def recorded(kind):
    """What the harness's Hugging Face class was asked of a kind, and has answered."""
    return [r for r in RECORD["requests"] if r["kind"] == kind]


def asked(requests):
    """Recorded requests as the harness hands them to a class."""
    return [types.SimpleNamespace(args=tuple(r["args"])) for r in requests]



class TemplateLM:
    """What the harness's class of this name does with a request before the tokens are scored."""

    backend = "causal"
    tok_encode: Any  # of the class that is tested
    _loglikelihood_tokens: Any
    prefix_token_id: int

    def __init__(self):
        self.cache_hook = types.SimpleNamespace(add_partial=lambda *_: None)

    def _encode_pair(self, context, continuation):
        kept = context.rstrip()
        ids = self.tok_encode(context + continuation)
        n = len(self.tok_encode(kept))
        return ids[:n], ids[n:]

    def loglikelihood(self, requests, disable_tqdm=False):
        pairs = []
        for context, continuation in (request.args for request in requests):
            if context:
                pair = self._encode_pair(context, continuation)
            else:
                ids = self.tok_encode(continuation, add_special_tokens=False)
                pair = (ids[:1], ids[1:]) if ids[0] == self.prefix_token_id else ([self.prefix_token_id], ids)
            pairs.append(((context, continuation), *pair))
        return self._loglikelihood_tokens(pairs, disable_tqdm=disable_tqdm)


def handle_stop_sequences(until, eos):
    return [*until, *([] if eos in until else [eos])]


def normalize_gen_kwargs(given, most):
    options = {"max_gen_toks": most, **given}
    until = options.get("until", [])
    options["until"] = until if isinstance(until, list) else [until]
    options.setdefault("do_sample", options.get("temperature", 0) > 0)
    if not options["do_sample"]:
        options["temperature"] = 0.0
    return options


def simple_parse_args_string(text):
    pairs = dict(item.split("=", 1) for item in text.split(",") if item)
    return {key: int(value) if value.isdecimal() else value for key, value in pairs.items()}


class Bar:
    def __init__(self, **_):
        self.update = lambda _n: None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


STAND_IN: dict[str, dict[str, object]] = {
    "lm_eval": {},
    "lm_eval.api": {},
    "lm_eval.api.model": {"TemplateLM": TemplateLM},
    "lm_eval.api.registry": {"register_model": lambda *_names: lambda made: made},
    "lm_eval.models": {},
    "lm_eval.models.utils": {
        "handle_stop_sequences": handle_stop_sequences,
        "normalize_gen_kwargs": normalize_gen_kwargs,
    },
    "lm_eval.utils": {"simple_parse_args_string": simple_parse_args_string},
    "tqdm": {"tqdm": Bar},
}


def harness_class():
    """weft.lm_eval.WeftLM."""
    if "lm_eval" not in sys.modules and importlib.util.find_spec("lm_eval") is None:
        for name, members in STAND_IN.items():
            sys.modules[name] = types.ModuleType(name)
            vars(sys.modules[name]).update(members)
    from weft.lm_eval import WeftLM

    return WeftLM
