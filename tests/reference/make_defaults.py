#!/usr/bin/env python3
"""Writes defaults.json: what the configuration class of each model type of models/models.def and models/wrappers.def has
where a config.json has nothing but model_type, by transformers (5.24.0 made what is there). test_config compares the
library's tables with it.

usage: make_defaults.py [MODEL_TYPE...]        (those besides)
"""
import json
import os
import re
import sys

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Of the classes that all others extend, and what only training or transformers' own code asks for.
OTHERS = set(transformers.PreTrainedConfig().to_dict()) - {"tie_word_embeddings"}
UNREAD = re.compile(r"dropout|pdrop|layerdrop|use_cache|^summary_|^_(?!remove)|aux_loss|layer_types|_layers$|router_|init_device|fp32")
READ = {"num_hidden_layers", "num_layers", "n_layers", "max_window_layers"}


def rows(name):
    with open(os.path.join(ROOT, "models", name)) as f:
        return re.findall(r"^WEFT_\w+\((\w+)", f.read(), re.M)


def kept(values):
    return {k: kept(v) if isinstance(v, dict) else v for k, v in sorted(values.items())
            if k not in OTHERS and v is not None and (k in READ or not UNREAD.search(k))}


def defaults(model_type):
    """What the class makes of nothing, and of what it makes None, or no window (sliding_window without
    use_sliding_window), the field's own default."""
    config = CONFIG_MAPPING[model_type]()
    values = config.to_dict()
    for k, field in type(config).__dataclass_fields__.items():
        none = values.get(k) is None or (k == "sliding_window" and not values[k])
        if none and isinstance(field.default, (bool, int, float, str)):
            values[k] = field.default
    return kept(values)


def wrapper(model_type):
    values = CONFIG_MAPPING[model_type]()
    return {"text_config": {"model_type": values.text_config.model_type}, "tie_word_embeddings": values.tie_word_embeddings}


types = {t: defaults(t) for t in rows("models.def") + sys.argv[1:]}
types.update({t: wrapper(t) for t in rows("wrappers.def")})
with open(os.path.join(HERE, "defaults.json"), "w") as f:
    f.write("{\n" + ",\n".join('"%s": %s' % (t, json.dumps(v)) for t, v in sorted(types.items())) + "\n}\n")
