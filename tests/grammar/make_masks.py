#!/usr/bin/env python3
"""Writes masks.json: the masks that llguidance and xgrammar agree on, token by token of some texts, for the bundled
model's vocabulary: how many tokens may come, and a hash of their ids (FNV-1a of 32-bit numbers, special tokens left out).

    make_masks.py            # with llguidance, xgrammar, transformers and torch"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
import grammar as peers  # noqa: E402: the classes of tests/bench/grammar.py

BENCH = HERE.parent / "bench" / "grammars"
ROWS = [(BENCH / f"{name}.gbnf", BENCH / f"{text}.txt")
        for name, text in (("list", "list"), ("json", "person"), ("json", "bounded"))]


def main():
    import tokenizers
    path = str(HERE.parents[1] / "models/bundled/tiny-stories-neox/tokenizer.json")
    tok = tokenizers.Tokenizer.from_file(path)
    n = tok.get_vocab_size()
    special = [i for i, t in tok.get_added_tokens_decoder().items() if t.special]
    out = []
    for grammar, text in ROWS:
        ids = tok.encode(text.read_text(), add_special_tokens=False).ids
        found = []
        for kind in (peers.LLGuidance, peers.XGrammar):
            peer = kind(path, "<|endoftext|>")
            run = peers.run_peer(peer, "gbnf", grammar.read_text(), ids, (n + 31) // 32, n, special, repeats=2)
            found.append({"hashes": run[3], "counts": run[4]})
        if found[0] != found[1]:
            sys.exit(f"{grammar}: they do not agree")
        out.append({"grammar": grammar.read_text(), "ids": ids, **found[0]})
    (HERE / "masks.json").write_text(json.dumps(out) + "\n")
    print(len(out), "texts,", sum(len(r["hashes"]) for r in out), "masks")


main()
