#!/usr/bin/env python3
"""Writes pipelines.json: small tokenizers with the components of published ones, and what Hugging Face's makes of texts.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python tests/tokenizer/make_pipelines.py BUNDLED_TOKENIZER.json > tests/tokenizer/pipelines.json

Run when the vectors change; the tests need the result only. Each set is a tokenizer.json with the components and regular
expressions of a published family; its model is trained here on the texts of make_vectors.py, or (byte-level ones) is the
bundled one, cut short. Everything random here comes from a fixed seed; the trainers give a slightly different vocabulary
each time.

The file: {"made_with", "texts": [...], "models": {...}, "classes": {...}, "sets": [...]}. A text is as in vectors.json. A
model that several sets share stands under its name in "models"; the set's file then has that name in its place, and
perhaps "options" of the model. A set has "name", "file", "around": the tokens that come around every text,
  "ids":    for each text its ids, without those around it
  "texts":  for each text what decoding gives, null where it is the text itself
  "decode": [ids, decoded, decoded without special tokens] of ids at random

"classes" are all code points, as [first, last, first, last, ...], that match an expression or that a component takes for
one of a kind; "lower" has each character and what Lowercase makes of it; "forms" a hash of the form of every character.
"""

import base64
import json
import random
import struct
import sys

import make_vectors
import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

R = random.Random(20261129)
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]


# ---- texts ----------------------------------------------------------------------------------------------------------

EDGES = """<s>|</s>|<s>a|a<s>|a<s>b|a <s> b|<s> a|<s>  a|a  <s>|<s><s>|<s></s>|<s> </s>|x<mask>y|x <mask> y|  <mask>  |<mask>
<mask>|a<|<s|s>|<s>Hello world</s>|<user>hi|hi <user>|a<user>b|<user> <user>|<word>|a<word>|<word>a| <word> |-<word>-|é<word>
é|e\u0301|\u00e9\u0301|\u1112\u1161\u11ab|\ud55c\uae00|\u1100\u1161|\uac00\u11a8|\ufb01sh|o\ufb03ce|\u2460\u2461|\uff76\uff9e|\uff21\uff22\uff23
\u212b|\u00c5|A\u030a|\u0130stanbul|\u1e9e|STRASSE|\u03a3\u0391\u03a3|\u01c4\u01c5\u01c6|ΑΒΓ|ЖЗИ|Ω|\u2126|x\u00b2|\u00bd|\u2167|\u3000a\u3000|a\u00a0b|a\u2009b|a\u200bb|a\u200db|\u200b|\ufeffa|a\u00adb
I'm|I'LL|don't|we've|'s|'S|they'RE|it's 's|can't!|''|'a'|it\u2019s|a.b.c|a,b|a;b|(a)|[a]|{a}|a-b|a_b|a/b|a\\b|$5.00|100%|#1|@x|a&b|a*b|~a~|^a|`a`|a|b|"a"|\u201ca\u201d|\u00bfa?|a\u3002b|\u060c|a\u2014b|...|!!!|?!|--|===|a\u00a9b|\u20ac5
0|12|123|1234|12345|123456|1234567|12345678|1,234.5|3.14|a1b22c333|\u0661\u0662\u0663\u0664|\u00b2\u00b3|1\u00bd|\uff11\uff12\uff13\uff14|007|1e10|v2.0|10:30|2024-01-02|1234 5678|x12345y
hello|Hello|HELLO|hELLO|HelloWorld|helloWorld|HTTPServer|getHTTPResponse|iPhone15Pro|McDonald|\u00c9t\u00e9|\u00c9T\u00c9|NA\u00cfVE|\u4f60\u597d|\u4f60\u597d world|a\u4f60b|\u65e5\u672c\u8a9e|\u3053\u3093|\u30ab\u30bf|\u0939\u093f\u0928|\u0e44\u0e17\u0e22|\u05e9\u05b8\u05c1|\u0627\u064e\u0644
\U0001f600|a\U0001f600b|\U0001f468\u200d\U0001f469\u200d\U0001f467|\U0001f1e9\U0001f1ea|\U0001f44d\U0001f3fd|\u2764\ufe0f|1\ufe0f\u20e3|\U0001f600\U0001f600\U0001f600|\U00020000|\U0001d49c
\u0301|\u0301a|a\u0301\u0323|a\u0323\u0301|q\u0307\u0323|a\u20dd|\u1ab0a|a\u08d3|\u200e a|a\u202eb|\ufffd|\ufffda\ufffd|\ue000|\U000f0000|\u0378|\u061c""".replace("\n", "|").split("|")

SPACES = ["", " ", "  ", "   ", " a", "a ", "  a", "a  ", "a b", "a  b", "a   b", " a b ", "\n", "\n\n", "a\n", "\na", "a\nb",
          "a\n\nb", "a \n b", " \n ", "a\n b", "a \nb", "\t", "a\tb", "\ta", "a\t", "\r\n", "a\r\nb", "a\r", " \t \n ", "a\x0bb",
          "a\x0cb", "a\x85b", "a\u2028b", "a\u1680b", "a\u180eb", "\u2581", "\u2581a", "a\u2581b", "\u2581\u2581", " \u2581 ",
          "a\u2581 b", "\0", "a\0b", "\0\0", " \0 ", "\x01", "a\x1fb", "\x7f", "the  cat   sat    on     the      mat",
          "    if x:\n        y = 1\n", "x" * 130, "ab" * 70, "a" * 99, "a" * 100, "a" * 101, "\u00e9" * 99, "\u00e9" * 101,
          "\u4f60" * 60, "-" * 70, "!" * 33, "9" * 40, " " * 40, "\n" * 20, "'" * 20, "the" * 40, "\U0001f600" * 12,
          "pneumonoultramicroscopicsilicovolcanoconiosis", "don't" * 9, "a." * 30, "<s>" * 6, "<s> " * 5, "e\u0301" * 30,
          "\u0301" * 35, "<0x41>", "a<0x0A>b", "##a", "a ##b", "</w>", "a</w>", "[UNK]", "<unk>", "a<unk>b", " <unk> "]


def texts():
    out = EDGES + SPACES
    short = [t for t in make_vectors.texts() if len(t) <= 26]
    raw = [t for t in short if isinstance(t, bytes)]
    out += R.sample([t for t in short if isinstance(t, str)], 310) + R.sample(raw, 40)
    return list(dict.fromkeys(out))


CORPUS = make_vectors.WORDS * 3 + make_vectors.SCRIPTS + make_vectors.CODE + [
    " ".join(R.choice(make_vectors.WORDS) for _ in range(8)) + R.choice([".", ",", "!", "?"]) for _ in range(200)
]


# ---- parts ----------------------------------------------------------------------------------------------------------

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
ENDS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + ENDS
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + ENDS)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT4O = "|".join([r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + CONTRACTIONS + "?",
                  r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?",
                  r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + ENDS])
BAILING = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"
          r"\s+(?!\S)|\s")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK3 = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
             r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
             + ENDS]
DEEPSEEK1 = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿΑ-ΡΣ-ωЀ-ҁҊ-ԯ]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+",
             r"\p{N}+"]
KIMI = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^\p{Han}]]+|[[0-9]\p{Nd}]{1,3}|[^\P{S}]+|(?m:.)"

# Not of a published file: what Oniguruma and PCRE2 read differently.
SYNTAX = (r"(?:x(?i)y|the)|(?#a comment)h{,2}l|(?:\h{2,3})+|\h{1,2}+z|\v|\u0041|(?m:e.)|^\s+|[^\W\d]+$|[\D&&[^[:lower:]\s]]+|"
          r"[[:^alpha:]&&[^ ]]|(?i:o|T)\B|\H")

LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
LEVEL_REGEX = {**LEVEL, "use_regex": True}
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
BACK = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def many(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def pre(*parts):
    return many("pretokenizers", *parts)


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def template(before, after, ids):
    parts = [{"SpecialToken": {"id": t, "type_id": 0}} for t in before] + [{"Sequence": {"id": "A", "type_id": 0}}]
    parts += [{"SpecialToken": {"id": t, "type_id": 0}} for t in after]
    known = {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in before + after}
    return {"type": "TemplateProcessing", "single": parts, "pair": parts, "special_tokens": known}


def tokens(ids, extra):
    """Special tokens, and added ones that are not: with their flags."""
    out = [make_vectors.added(ids.get(t, 0), t, special=True) for t in SPECIAL if t in ids]
    for t in out:
        t["lstrip"] = t["content"] == "<mask>"
    n = max(ids.values()) + 1
    for i, (text, flags) in enumerate(extra.items()):
        out.append(make_vectors.added(n + i, text, **flags))
    return out


EXTRA = {"<user>": {"rstrip": True, "special": True}, "<word>": {"single_word": True}}


# ---- models ---------------------------------------------------------------------------------------------------------


def bundled(path, n_merges):
    """The first merges of the bundled byte-level model."""
    model = json.load(open(path, encoding="utf-8"))["model"]
    merges = model["merges"][:n_merges]
    pairs = [m.split(" ") if isinstance(m, str) else m for m in merges]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {t: i for i, t in enumerate(SPECIAL + alphabet)}
    for a, b in pairs:
        vocab.setdefault(a + b, len(vocab))
    return {"type": "BPE", "vocab": vocab, "merges": pairs}


def trained(trainer, model, normalizer, cut, corpus=CORPUS):
    tok = Tokenizer(model)
    if normalizer:
        tok.normalizer = normalizer
    if cut:
        tok.pre_tokenizer = cut
    tok.train_from_iterator(corpus, trainer)
    return json.loads(tok.to_str())["model"]


def sentencepiece(byte_tokens=True):
    """BPE of characters, with a token for every byte, as SentencePiece's are converted."""
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=420, limit_alphabet=110, show_progress=False)
    model = trained(trainer, models.BPE(), spaces, pre_tokenizers.Metaspace())
    bytes_ = ["<0x%02X>" % b for b in range(256)] if byte_tokens else []
    first = ["<unk>", "<s>", "</s>", "<mask>"] + bytes_
    texts_ = first + [t for t in model["vocab"] if t not in first]
    return {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": byte_tokens,
            "vocab": {t: i for i, t in enumerate(texts_)}, "merges": model["merges"]}


def unigram(byte_tokens):
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>", "<s>", "<mask>"],
                                      unk_token="<unk>", show_progress=False, max_piece_length=9)
    model = trained(trainer, models.Unigram(), normalizers.NFKC(), pre_tokenizers.Metaspace(),
                    [t for t in CORPUS if t.isascii()] + ["naïve café über Å 数 日本"] * 3)
    model["vocab"] = [[t, round(score, 4)] for t, score in model["vocab"]]
    if byte_tokens:
        model["vocab"] += [["<0x%02X>" % b, -20.0] for b in range(256)]
        model["byte_fallback"] = True
    return model


def wordpiece():
    trainer = trainers.WordPieceTrainer(vocab_size=420, limit_alphabet=100, show_progress=False,
                                        special_tokens=["<pad>", "<unk>", "<s>", "</s>", "<mask>"])
    model = trained(trainer, models.WordPiece(unk_token="<unk>"), normalizers.BertNormalizer(),
                    pre_tokenizers.BertPreTokenizer())
    return {**model, "unk_token": "<unk>"}


def suffixed():
    trainer = trainers.BpeTrainer(vocab_size=360, limit_alphabet=80, end_of_word_suffix="</w>", show_progress=False,
                                  special_tokens=["<unk>", "<s>", "</s>"])
    return trained(trainer, models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), normalizers.BertNormalizer(),
                   pre_tokenizers.BertPreTokenizer())


# ---- SentencePiece's table of characters -----------------------------------------------------------------------------

RULES = {"ﬁ": "fi", "ﬃ": "ffi", "①": "1", "②": "2", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\u200b": "", "\ufeff": "",
         "e\u0301": "é", "a\u0301": "á", "A\u030a": "Å", "\u212b": "Å", "ｶ\uff9e": "ガ", "Ａ": "A", "Ｂ": "B", "１": "1", "２": "2",
         "\u00bd": "1\u20442", "\u2126": "Ω", "\u0301": "\u0301", "…": "...", "q\u0307\u0323": "q", "q": "q", "\x7f": ""}


def charsmap(rules):
    """A double array, as charsmap.c describes it: the first offset at which all children of a node are free."""
    texts_, places = b"", {}
    for source, target in sorted(rules.items()):
        places[source.encode()] = len(texts_)
        texts_ += target.encode() + b"\0"
    tree = {}
    for key in places:
        node = tree
        for byte in key:
            node = node.setdefault(byte, {})
        node[None] = places[key]
    units, used = {0: 0}, {0}

    def place(node, at):
        labels = [0 if b is None else b for b in node]
        offset = 1
        while any((at ^ offset ^ label) in used for label in labels):
            offset += 1
        base = at ^ offset
        used.update(base ^ label for label in labels)
        units[at] = units.get(at, 0) | offset << 10 | (256 if None in node else 0)
        for label, child in node.items():
            if label is None:
                units[base] = 1 << 31 | child
            else:
                units[base ^ label] = label
        for label, child in node.items():
            if label is not None:
                place(child, base ^ label)

    place(tree, 0)
    size = (max(units) | 255) + 1  # all places that a byte can lead to
    array = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size))
    return base64.b64encode(struct.pack("<I", len(array)) + array + texts_).decode()


# ---- sets -----------------------------------------------------------------------------------------------------------


def sets(shared):
    def byte_level(name, cut, normalizer=None, options=None, post=None, extra=None):
        ids = shared["bytes"]["vocab"]
        return name, "bytes", options or {}, {
            "added_tokens": tokens(ids, EXTRA if extra is None else extra), "normalizer": normalizer,
            "pre_tokenizer": cut, "post_processor": post and post(ids), "decoder": LEVEL_REGEX}

    def other(name, model, normalizer, cut, decoder, post=None, options=None, extra=None):
        vocab = shared[model]["vocab"]
        ids = vocab if isinstance(vocab, dict) else {t: i for i, (t, _) in enumerate(vocab)}
        return name, model, options or {}, {
            "added_tokens": tokens(ids, EXTRA if extra is None else extra), "normalizer": normalizer,
            "pre_tokenizer": cut, "post_processor": post and post(ids), "decoder": decoder}

    def around(before, after):
        return lambda ids: template(before, after, ids)

    nfc, nfkc = {"type": "NFC"}, {"type": "NFKC"}
    llama_decoder = many("decoders", BACK, {"type": "ByteFallback"}, {"type": "Fuse"},
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True}
    meta = metaspace("always", True)
    spaces_of = {" " * n: {"normalized": True} for n in (2, 3, 4, 7)}

    yield byte_level("GPT-2", LEVEL_REGEX, post=lambda ids: LEVEL)
    yield byte_level("Phi-2", LEVEL_REGEX, extra=spaces_of)
    yield byte_level("RoBERTa", {**LEVEL_REGEX, "add_prefix_space": True}, post=lambda ids: {
        "type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]], "trim_offsets": True,
        "add_prefix_space": True})
    yield byte_level("Llama 3", pre(split(LLAMA3), LEVEL), options={"ignore_merges": True},
                     post=lambda ids: many("processors", LEVEL, template(["<s>"], [], ids)))
    yield byte_level("Qwen 2", pre(split(QWEN2), LEVEL), normalizer=nfc)
    yield byte_level("Qwen 3.5", pre(split(QWEN35), LEVEL), normalizer=nfc)
    yield byte_level("gpt-oss", pre(split(GPT4O), LEVEL))
    yield byte_level("tekken", pre(split(GPT4O.replace(CONTRACTIONS + "?", "").replace("{1,3}", "")), LEVEL),
                     options={"ignore_merges": True}, post=around(["<s>"], []))
    yield byte_level("Ling", pre(split(BAILING), LEVEL))
    yield byte_level("cl100k", pre(split(CL100K), LEVEL), normalizer=many("normalizers"))
    yield byte_level("Falcon", pre({"type": "Punctuation", "behavior": "Contiguous"}, LEVEL_REGEX,
                                   {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]")))
    yield byte_level("BLOOM", pre(split(BLOOM), LEVEL))
    yield byte_level("StarCoder", pre({"type": "Digits", "individual_digits": True}, LEVEL_REGEX))
    yield byte_level("DeepSeek V3", pre(*map(split, DEEPSEEK3), LEVEL), post=around(["<s>"], []))
    yield byte_level("DeepSeek V1", pre(*map(split, DEEPSEEK1), LEVEL))
    yield byte_level("SuperBPE", pre(split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))"), LEVEL))
    yield byte_level("nested classes", pre(split(KIMI), split(r"\b[\w\-]+\b", "MergedWithNext"), LEVEL))
    yield other("Llama 2, old", "llama", many("normalizers", {"type": "Prepend", "prepend": "▁"}, REPLACE), None,
                llama_decoder, around(["<s>"], []))
    yield other("Llama 2, new", "llama", None, metaspace("first", False), llama_decoder, around(["<s>"], []),
                {"ignore_merges": True})
    yield other("Yi", "llama", REPLACE, metaspace("never", True), many(
        "decoders", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
        {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 0}))
    yield other("Gemma", "llama", REPLACE, split(" ", "MergedWithPrevious", kind="String"),
                many("decoders", BACK, {"type": "ByteFallback"}, {"type": "Fuse"}), around(["<s>"], []),
                extra={**EXTRA, "\n\n": {}, "▁▁": {}})
    yield other("no bytes", "llama", nfkc, metaspace("first", True), {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, None,
        {"byte_fallback": False})
    yield other("T5", "unigram", many("normalizers", {"type": "Precompiled", "precompiled_charsmap": charsmap(RULES)},
                                      {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
                pre({"type": "WhitespaceSplit"}, meta), {**meta, "type": "Metaspace"}, around([], ["</s>"]))
    yield other("ALBERT", "unigram", many(
        "normalizers", {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}, {"type": "NFKD"},
        {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}),
        meta, meta, around(["<s>"], ["</s>"]))
    yield other("Unigram with bytes", "unigram bytes", {"type": "NFD"}, metaspace("first", False),
                many("decoders", {"type": "ByteFallback"}, meta))
    yield other("BERT", "wordpiece", bert, {"type": "BertPreTokenizer"},
                {"type": "WordPiece", "prefix": "##", "cleanup": True},
                lambda ids: {"type": "BertProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]]},
                extra={**EXTRA, "<Norm>": {"normalized": True}})
    yield other("BERT, cased", "wordpiece", {**bert, "lowercase": False, "handle_chinese_chars": False},
                {"type": "Whitespace"}, None, around(["<s>"], ["</s>"]), {"max_input_chars_per_word": 12})
    yield other("GPT-1", "suffixed", bert, {"type": "BertPreTokenizer"}, {"type": "BPEDecoder", "suffix": "</w>"})
    yield other("delimiters", "suffixed", {"type": "Lowercase"}, pre(
        {"type": "CharDelimiterSplit", "delimiter": "a"}, split(r"[eo]", "MergedWithPrevious", True)), {
            "type": "WordPiece", "prefix": "t", "cleanup": False}, None, {"fuse_unk": True})
    yield byte_level("syntax", pre(split(SYNTAX), LEVEL), extra={})


# ---- results --------------------------------------------------------------------------------------------------------


def run(name, model, options, file, shared, all_texts):
    whole = {"version": "1.0", "truncation": None, "padding": None, **file, "model": {**shared[model], **options}}
    tok = Tokenizer.from_str(json.dumps(whole))
    around = tok.encode("a").ids
    bare = tok.encode("a", add_special_tokens=False).ids
    k = next(i for i in range(len(around)) if around[i:i + len(bare)] == bare) if bare else len(around)
    before, after = around[:k], around[k + len(bare):]
    out = {"name": name, "model": model, "options": options, "file": file, "around": [before, after]}
    out["ids"], out["texts"], out["decode"] = [], [], []
    for text in map(make_vectors.repaired, all_texts):
        ids = tok.encode(text, add_special_tokens=False).ids
        assert tok.encode(text).ids == before + ids + after, (name, text)
        back = tok.decode(ids, skip_special_tokens=False)
        out["ids"].append(ids)
        out["texts"].append(None if back == text else back)
    n = tok.get_vocab_size()
    bytes_ = [i for t, i in tok.get_vocab().items() if t.startswith("<0x")]
    for _ in range(60):
        pools = [range(n), range(8)] + ([bytes_] * 3 if bytes_ else [])
        ids = [R.choice(R.choice(pools)) for _ in range(R.randint(0, 10))]
        out["decode"].append([ids, tok.decode(ids, skip_special_tokens=False), tok.decode(ids)])
    return out


# ---- classes --------------------------------------------------------------------------------------------------------

EXPRESSIONS = [r"\w", r"\d", r"\h", r"\p{M}", r"\p{P}", r"\p{S}", r"\p{Lu}", r"\p{Ll}", r"\p{Lm}", r"\p{Lo}",
               "[[:alpha:]]", "[[:alnum:]]", "[[:upper:]]", "[[:lower:]]", "[[:punct:]]", "[[:space:]]"]


def classes():
    every = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)

    def lost(text):
        left = set(text)
        return make_vectors.ranges(lambda c: c not in left)

    def split_off(cut):
        return lost("".join(piece for piece, _ in cut.pre_tokenize_str(every)))

    def bert(clean, accents):
        return normalizers.BertNormalizer(clean, False, accents, False).normalize_str

    out = {e: split_off(pre_tokenizers.Split(tokenizers.Regex(e), "removed")) for e in EXPRESSIONS}
    out["punctuation"] = split_off(pre_tokenizers.Punctuation("removed"))
    out["mark"] = lost(normalizers.StripAccents().normalize_str(every))
    out["nonspacing"] = make_vectors.ranges(lambda c: bert(False, True)("a" + c) == "a")
    out["control"] = make_vectors.ranges(lambda c: c in "\0\t\n\r" or (c != "\ufffd" and bert(True, False)("a" + c) == "a"))
    lower = normalizers.Lowercase().normalize_str
    pairs = [(c, lower(chr(c))) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    out["lower"] = [x for c, t in pairs if t != chr(c) for x in (c, t)]
    forms = {"NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD()}
    out["forms"] = {k: fnv("".join(f.normalize_str(c) + "\n" for c in every)) for k, f in forms.items()}
    return out


def fnv(text):
    """64 bits of FNV-1a, of a text too long to keep."""
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return "%016x" % h


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    shared = {"bytes": bundled(sys.argv[1], 260), "llama": sentencepiece(), "unigram": unigram(False),
              "unigram bytes": unigram(True), "wordpiece": wordpiece(), "suffixed": suffixed()}
    all_texts = texts()
    print('{"made_with":"tokenizers %s",' % tokenizers.__version__)
    print('"texts":[\n' + ",\n".join(dump(make_vectors.as_json(t)) for t in all_texts) + "\n],")
    print('"models":{\n' + ",\n".join("%s:%s" % (dump(k), dump(v)) for k, v in shared.items()) + "\n},")
    print('"classes":{\n' + ",\n".join("%s:%s" % (dump(k), dump(v)) for k, v in classes().items()) + "\n},")
    print('"sets":[')
    for i, row in enumerate(sets(shared)):
        result = run(*row, shared, all_texts)
        print("," * (i > 0) + "{" + ",\n".join("%s:%s" % (dump(k), dump(v)) for k, v in result.items()) + "}")
    print("]}")


if __name__ == "__main__":
    main()
