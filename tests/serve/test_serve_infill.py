"""test_serve_infill.py WEFT MODEL: /infill. The bundled model has no tokens for it; a copy whose tokenizer calls three rare tokens so
has: what is asked for then is the text that these tokens make."""

import json
import os
import shutil
import sys
import tempfile

from serving import Checks, Server

weft, model = sys.argv[1:3]
check = Checks()

plain = Server(weft, model)
r = plain.post("/infill", {"input_prefix": "a", "input_suffix": "b"})
check.equal("a model without the tokens", (r.status, r.error["code"]), (422, "no_infill"))
check.equal("the server ends", plain.end(), 0)

folder = tempfile.TemporaryDirectory()
copy = os.path.join(folder.name, "filler")
shutil.copytree(model, copy)
path = os.path.join(copy, "tokenizer.json")
with open(path) as f:
    tokenizer = json.load(f)
vocabulary, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
NAMES = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>"]
old = sorted(vocabulary, key=vocabulary.get)[-len(NAMES):]
ids = [vocabulary.pop(t) for t in old]
tokenizer["model"]["merges"] = [m for m in merges if not any(t == "".join(m if isinstance(m, list) else m.split(" ")) for t in old)]
tokenizer["model"]["merges"] = [m for m in tokenizer["model"]["merges"]
                                if not any(t in (m if isinstance(m, list) else m.split(" ")) for t in old)]
for name, i in zip(NAMES, ids):
    vocabulary[name] = i
    tokenizer["added_tokens"].append({"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": True})
with open(path, "w") as f:
    json.dump(tokenizer, f)

server = Server(weft, copy, "--deterministic", "--name", "filler")


def fill(**fields):
    return server.post("/infill", {"temperature": 0, "n_predict": 9, **fields})


def tokens(text):
    return server.post("/tokenize", {"content": text}).json["tokens"]


def text_of(prompt, n=9):
    return server.text(prompt, max_tokens=n, ignore_eos=False)


pre, suf, mid, repo, sep = ids
before, after = "One day Lily", " and they were happy."
r = fill(input_prefix=before, input_suffix=after).json
want = text_of([repo, *tokens("project\n"), pre, *tokens(before), suf, *tokens(after), mid])
check.equal("what is between", r["content"], want)
check.equal("its end", (r["stop"], r["stop_type"], r["truncated"], r["tokens_predicted"], r["model"]), (True, "limit", False, 9, "filler"))
r = fill(input_prefix=before, input_suffix=after, prompt=" saw", input_extra=[{"filename": "a.txt", "text": "A cat."}, {"text": "B"}]).json
files = [repo, *tokens("project\n"), sep, *tokens("a.txt\n"), *tokens("A cat."), sep, *tokens("tmp\n"), *tokens("B"), sep, *tokens("filename\n")]
check.equal("with files", r["content"], text_of([*files, pre, *tokens(before), *tokens(" saw"), suf, *tokens(after), mid]))
events = fill(input_prefix=before, input_suffix=after, stream=True).events
check.equal("a stream", "".join(e["content"] for e in events), want)
check.equal("ends once", [e["stop"] for e in events], [False] * (len(events) - 1) + [True])
word = want[-4:]
r = fill(input_prefix=before, input_suffix=after, stop=[word]).json
check.equal("a stop string", (r["content"], r["stop_type"], r["stopping_word"]), (want[:want.index(word)], "word", word))
long = fill(input_prefix="x " * 900 + before, input_suffix=after + " y" * 900).json
check("what is too long is cut", long["truncated"] and long["tokens_evaluated"] == 512 - 9, long)
check.equal("a special token in a text is text", fill(input_prefix="<|fim_middle|>", input_suffix="").json["tokens_evaluated"] > 8, True)
for what, fields in [("no prefix", {"input_suffix": ""}), ("no suffix", {"input_prefix": ""}), ("a number", {"input_prefix": 1, "input_suffix": ""}),
                     ("extra of no kind", {"input_prefix": "", "input_suffix": "", "input_extra": [1]}),
                     ("n", {"input_prefix": "", "input_suffix": "", "n": 2})]:
    check.equal(what, fill(**fields).status, 400)
check.equal("the server ends", server.end(), 0)
check.end()
