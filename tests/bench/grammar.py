#!/usr/bin/env python3
"""Masks of Weft, llguidance and xgrammar over the same tokens of the same texts: whether they are the same, and what they
cost. A package that is not installed is left out.

    grammar.py BENCH_GRAMMAR TOKENIZER_JSON [gbnf|schema GRAMMAR TEXT]..."""
import json
import statistics
import subprocess
import sys
import time

import numpy as np
import tokenizers


def fnv(ids):
    h = 0xCBF29CE484222325
    for byte in np.asarray(ids, "<u4").tobytes():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def bits_of(mask, n, ends):
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[:n].astype(bool)
    bits[ends] = False
    return np.flatnonzero(bits)


class LLGuidance:
    name = "llguidance"

    def __init__(self, path, eos):
        import llguidance
        from llguidance.hf import from_tokenizer  # noqa: F401
        from transformers import PreTrainedTokenizerFast
        self.ll = llguidance
        self.tok = from_tokenizer(PreTrainedTokenizerFast(tokenizer_file=path, eos_token=eos))

    def grammar(self, kind, text):
        if kind == "schema":
            return self.ll.LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_pattern": WHITESPACE})
        return self.ll.grammar_from("grammar", self.ll.gbnf_to_lark.gbnf_to_lark(text))

    def start(self, grammar):
        m = self.ll.LLMatcher(self.tok, grammar)
        if m.get_error():
            raise RuntimeError(m.get_error())
        return m

    def mask(self, m, buffer):
        m.unsafe_compute_mask_ptr(buffer.ctypes.data, buffer.nbytes)

    def accept(self, m, token):
        assert m.consume_token(token)


class XGrammar:
    name = "xgrammar"

    def __init__(self, path, eos):
        import torch
        import xgrammar
        from transformers import PreTrainedTokenizerFast
        self.xg, self.torch = xgrammar, torch
        tok = PreTrainedTokenizerFast(tokenizer_file=path, eos_token=eos)
        self.compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tok), max_threads=1,
                                                 cache_enabled=False)

    def grammar(self, kind, text):
        if kind == "schema":
            return self.compiler.compile_json_schema(text, any_whitespace=True)
        return self.compiler.compile_grammar(text)

    def start(self, grammar):
        return self.xg.GrammarMatcher(grammar, terminate_without_stop_token=False)

    def mask(self, m, buffer):
        m.fill_next_token_bitmask(self.torch.from_numpy(buffer).view(1, -1))

    def accept(self, m, token):
        assert m.accept_token(token)


WHITESPACE = r"[ ]?|\n[ \t]{0,64}"


def told(name, values):
    v = sorted(x / 1e3 for x in values)
    print(f"  {name:24} median {v[len(v) // 2]:9.2f}  mean {statistics.fmean(v):9.2f}  p90 {v[len(v) * 9 // 10]:9.2f}  "
          f"largest {v[-1]:9.2f} us")


def run_peer(peer, kind, text, ids, n_words, n, ends, repeats=5):
    began = time.perf_counter()
    grammar = peer.grammar(kind, text)
    peer.start(grammar)
    made = time.perf_counter() - began
    buffer = np.zeros(n_words, np.int32)
    times, hashes, counts = [[] for _ in range(len(ids) + 1)], [], []
    for r in range(repeats):
        m = peer.start(grammar)
        for i in range(len(ids) + 1):
            start = time.perf_counter_ns()
            try:
                peer.mask(m, buffer)
            except RuntimeError:
                buffer[:] = 0
            times[i].append(time.perf_counter_ns() - start)
            if r == 0:
                allowed = bits_of(buffer, n, ends)
                hashes.append(fnv(allowed))
                counts.append(len(allowed))
            if i < len(ids):
                peer.accept(m, ids[i])
    return made, [t[0] for t in times], [statistics.median(t[1:]) for t in times], hashes, counts


def main():
    bench, path = sys.argv[1:3]
    tok = tokenizers.Tokenizer.from_file(path)
    n = tok.get_vocab_size()
    eos = next((t for t in ("<|endoftext|>", "<|return|>", "</s>") if tok.token_to_id(t) is not None), None)
    special = [i for i, t in tok.get_added_tokens_decoder().items() if t.special]
    peers = []
    for kind in (LLGuidance, XGrammar):
        try:
            peers.append(kind(path, eos))
        except ImportError as e:
            print(f"{kind.name}: {e}")
    for kind, grammar, text in zip(sys.argv[3::3], sys.argv[4::3], sys.argv[5::3]):
        out = json.loads(subprocess.run([bench, path, kind, grammar, text], capture_output=True, text=True, check=True).stdout)
        print(f"{grammar}: {len(out['ids'])} tokens of {text}; trie {out['trie'] * 1e3:.1f} ms")
        print(f"  {'weft':24} grammar {out['grammar'] * 1e3:.2f} ms")
        told("weft, first text", out["cold"])
        told("weft, later texts", out["warm"])
        for peer in peers:
            try:
                made, cold, warm, hashes, counts = run_peer(peer, kind, open(grammar).read(), out["ids"], (n + 31) // 32, n, special)
            except Exception as e:  # noqa: BLE001: whatever they raise, the others go on
                print(f"  {peer.name}: {str(e)[:200]}")
                continue
            differ = [i for i, (a, b) in enumerate(zip(hashes, out["hashes"])) if a != b]
            print(f"  {peer.name:24} grammar {made * 1e3:.2f} ms, {len(differ)} of {len(hashes)} masks differ: "
                  f"{[(i, counts[i], out['counts'][i]) for i in differ[:8]]}")
            told(peer.name + ", first text", cold)
            told(peer.name + ", later texts", warm)


if __name__ == "__main__":
    main()
