#!/usr/bin/env python3
"""Makes gguf.json: tokenizers of GGUF files, cut down to what a few texts need, and the ids of those texts.

    make_gguf.py LLAMA_CPP LIBRARIES > gguf.json

LLAMA_CPP: llama.cpp's source, whose models/ggml-vocab-*.gguf are cut down: of tokens and merges stay those whose
text is found in the texts, so that the ids are the same but for their numbers. LIBRARIES: the folder of its libraries.
Needs gguf, tokenizers and llama-cpp-python's llama_cpp.py (LLAMA_CPP/../../llama_cpp, as in its source distribution).

The ids are llama.cpp's. Where Hugging Face has others for the same model (normal forms, Falcon's digits, white space
of BERT), they are those of `tokenizers` with the components that are written here.
"""
import ctypes
import json
import os
import sys
import tempfile
import types

from gguf import GGUFReader, GGUFWriter
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

SOURCE, LIBRARIES = sys.argv[1:3]
os.environ["LLAMA_CPP_LIB_PATH"] = LIBRARIES
package = types.ModuleType("llama_cpp")
package.__path__ = [os.path.join(SOURCE, "../../llama_cpp")]
sys.modules["llama_cpp"] = package
import llama_cpp.llama_cpp as L  # noqa: E402


@L.llama_log_callback
def silent(*_):
    pass


L.llama_log_set(silent, ctypes.c_void_p(0))

TEXTS = [
    "", "Hello world", " Hello, y'all! How are you 😁 ?", "I'm we'll THEY'RE it'D 'S 'llama",
    "3 33 333 3333 33333 1234567", "  two\n\n\nlines\r\n\ttab \n ", "!!!!!! $5 #x_y /a/b <|c|> =====",
    "Ünïcødé é, привет мир", "你好 こんにちは カナ 한국어 ½ ²", "HTTPServer iOS aBcDE Ab", "a\u00a0b\u3000c   ", "🤖👩‍👧 नमस्ते ไทย",
]
SPECIAL = ["<s>Hello</s> x<s>", "<|user|>\n Hello<|end|> \n<|assistant|>", "a<unk>b", "[CLS] a [SEP]",
           "<|endoftext|> a"]
DECOMPOSED = ["re\u0301sume\u0301 e\u0301", "A\u030a \u1112\u1161\u11ab"]


def alphabet():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


BYTES = alphabet()


def level(text):
    return "".join(BYTES[b] for b in text.encode())


def read(name):
    reader = GGUFReader(f"{SOURCE}/models/ggml-vocab-{name}.gguf")
    out = {"arch": reader.fields["general.architecture"].contents(),
           "name": reader.fields["general.name"].contents(), "keys": {}}
    for key, field in reader.fields.items():
        if key.startswith("tokenizer.ggml."):
            out["keys"][key[15:]] = field.contents()
    return out


def cut(name, texts, spell):
    """A vocabulary of what the texts can need. spell: how a text is spelled in tokens."""
    file = read(name)
    keys = file["keys"]
    all_texts = "\n".join([spell(t) for t in texts] + list(texts))
    tokens, kinds = keys.pop("tokens"), keys.pop("token_type", None)
    scores, merges = keys.pop("scores", None), keys.pop("merges", None)
    named = {keys[k] for k in keys if k.endswith("_token_id")}
    stay = []
    for i, token in enumerate(tokens):
        kind = kinds[i] if kinds else 1
        single = len(token) == 1 and token in BYTES.values()
        if token in all_texts or kind == 6 or i in named or single and merges:
            stay.append(i)
    number = {old: new for new, old in enumerate(stay)}
    kept = {tokens[i] for i in stay}
    for key in keys:
        if key.endswith("_token_id"):
            keys[key] = number[keys[key]]
    if "cls_token_id" in keys and "bos_token_id" not in keys:
        keys["bos_token_id"] = keys["cls_token_id"]  # as llama.cpp takes it, by its usual number
    keys.pop("precompiled_charsmap", None)
    keys.pop("token_type_count", None)
    file["tokens"] = [tokens[i] for i in stay]
    if kinds:
        file["types"] = [kinds[i] for i in stay]
    if scores and len(set(scores)) > 1:
        file["scores"] = [scores[i] for i in stay]
    if merges:
        file["merges"] = [m for m in merges if (s := m.index(" ", 1)) and m[:s] in kept and m[s + 1:] in kept
                          and m[:s] + m[s + 1:] in kept]
    return file


def write(file, path, pre=None):
    w = GGUFWriter(path, file["arch"])
    w.add_name(file["name"])
    for key, value in {**file["keys"], **({"pre": pre} if pre else {})}.items():
        add = {bool: w.add_bool, int: w.add_uint32, str: w.add_string}[type(value)]
        add("tokenizer.ggml." + key, value)
    w.add_token_list(file["tokens"])
    if "types" in file:
        w.add_token_types(file["types"])
    if "scores" in file:
        w.add_token_scores(file["scores"])
    if "merges" in file:
        w.add_token_merges(file["merges"])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def llama(file, texts, pre=None):
    with tempfile.NamedTemporaryFile(suffix=".gguf") as f:
        write(file, f.name, pre)
        params = L.llama_model_default_params()
        params.vocab_only = True
        model = L.llama_model_load_from_file(f.name.encode(), params)
        assert model, pre
        vocab = L.llama_model_get_vocab(model)

        def ids(text, add):
            data = text.encode()
            room = (L.llama_token * (len(data) * 4 + 16))()
            return list(room[:L.llama_tokenize(vocab, data, len(data), room, len(room), add, True)])

        out = [ids(t, False) for t in texts]
        full, bare = ids("Hello", True), ids("Hello", False)
        at = next(i for i in range(len(full)) if full[i:i + len(bare)] == bare)
        around = [full[:at], full[at + len(bare):]]
        L.llama_model_free(model)
    return out, around


def hugging(file, texts, normalizer, steps, ignore_merges):
    """Ids of byte-level BPE with these components."""
    vocab = {t: i for i, t in enumerate(file["tokens"])}
    merges = [(m[:s], m[s + 1:]) for m in file["merges"] for s in [m.index(" ", 1)]]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tok.add_special_tokens([AddedToken(t, special=True) for t, k in zip(file["tokens"], file["types"]) if k == 3])
    return [tok.encode(t, add_special_tokens=False).ids for t in texts]


def split(regex):
    return pre_tokenizers.Split(Regex(regex), "isolated")


BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
NO_REGEX = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
ENGLISH = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"


def cased(after, but=""):
    return (rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}{but}]*[{LOWER}{but}]+{after}|"
            rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}{but}]+[{LOWER}{but}]*{after}")


def o200k(after, number):
    return cased(after) + rf"|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


NFC = normalizers.NFC()
# Names whose models Hugging Face treats otherwise than llama.cpp: normal forms; digits among the characters that stand
# for bytes; upper and lower case of letters outside ASCII, or at all, which llama.cpp does not tell apart for all names.
OTHERS = {
    "olmo": (NFC, [BYTE_LEVEL]), "mpt": (NFC, [BYTE_LEVEL]), "modern-bert": (NFC, [BYTE_LEVEL]),
    "command-r": (NFC, [pre_tokenizers.Digits(True), BYTE_LEVEL]),
    "qwen2": (NFC, [split(CL100K), NO_REGEX]), "f2llmv2": (NFC, [split(CL100K), NO_REGEX]),
    "stablelm2": (NFC, [split(CL100K), NO_REGEX]), "qwen35": (NFC, [split(QWEN35), NO_REGEX]),
    "falcon": (None, [pre_tokenizers.Punctuation("contiguous"), BYTE_LEVEL, pre_tokenizers.Digits(False),
                      split("[0-9][0-9][0-9]")]),
    "tekken": (None, [split(o200k("", r"\p{N}")), NO_REGEX]),
    "kimi-k2": (None, [split(r"[\p{Han}]+|" + cased(ENGLISH, r"&&[^\p{Han}]") +
                             r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), NO_REGEX]),
    "youtu": (None, [split("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"),
                     split(o200k(ENGLISH, r"\p{N}")), NO_REGEX]),
}
for name in ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "granite-embed-multi-97m"]:
    OTHERS[name] = (None, [split(o200k(ENGLISH, r"\p{N}{1,3}")), NO_REGEX])
for name in ["tiny_aya", "cohere2moe"]:
    OTHERS[name] = (None, [split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(o200k(ENGLISH, r"\p{N}{1,3}")), NO_REGEX])
WHOLE = {"tekken", "youtu", "granite-embed-multi-97m"}
PRE = """gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code
roberta-bpe exaone4 jais trillion granite-docling olmo mpt starcoder refact command-r smollm codeshell exaone minerva-7b
mellum2 falcon default llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe
chatglm-bpe glm4 glm5 minicpm5 jais-2 qwen2 f2llmv2 stablelm2 deepseek-r1-qwen kormo megrez hunyuan solar-open grok-2
qwen35 laguna ufakzeka seed-coder bailingmoe bailingmoe2 llada-moe exaone-moe gpt-4o llama4 kanana2 talkie minimax-m2
granite-embed-multi-97m tiny_aya cohere2moe youtu tekken kimi-k2 deepseek-llm deepseek-coder deepseek-v3 hunyuan-dense
joyai-llm hy_v4 spark2_5 afmoe bloom poro-chat gpt3-finnish viking superbpe chameleon""".split()


def names_file():
    texts = TEXTS + DECOMPOSED
    file = cut("gpt-2", texts, level)
    del file["keys"]["pre"]
    cases = []
    for pre in PRE:
        ids, around = llama(file, texts, pre)
        if pre in OTHERS:
            ids = hugging(file, texts, *OTHERS[pre], pre in WHOLE)
        case = {"pre": [pre], "ids": ids, "around": around}
        same = next((c for c in cases if c["ids"] == ids and c["around"] == around), None)
        if same:
            same["pre"].append(pre)
        else:
            cases.append(case)
    return {**file, "texts": texts, "cases": cases, "back": len(TEXTS)}


# back: how many of the texts decoding gives back. Not where normalizers lose something, nor where an added token is a
# character of those that stand for bytes ("ø" of DeepSeek), which Hugging Face decodes to that byte.
def model_file(name, spell, back=len(TEXTS), texts=TEXTS + SPECIAL, **changes):
    file = cut(name, texts, spell)
    file["keys"].update(changes)
    ids, around = llama(file, texts)
    return {**file, "texts": texts, "cases": [{"pre": [], "ids": ids, "around": around}], "back": back}


def spaces(text):
    return "▁" + text.replace(" ", "▁")


# llama.cpp takes fewer accents away than BERT.
PLAIN = [t for t in TEXTS if not any(c in t for c in "한न\u3000ï")]
files = [names_file()]
files.append(model_file("llama-spm", spaces))
files.append(model_file("llama-spm", spaces, add_space_prefix=False, add_eos_token=True))
files.append(model_file("phi-3", spaces, back=0))
files.append(model_file("gemma-4", spaces, texts=TEXTS + SPECIAL[1:]))  # </s> is one if others are missing
files.append(model_file("llama-bpe", level))
files.append(model_file("deepseek-llm", level, back=0))
files.append(model_file("bert-bge", lambda t: t.lower() + spaces(t.lower()), 0, PLAIN + SPECIAL))
# Without the table of characters newlines are no spaces.
files.append(model_file("nomic-bert-moe", spaces, 0, PLAIN[:5]))
json.dump(files, sys.stdout, ensure_ascii=False, separators=(",", ":"))
print()
