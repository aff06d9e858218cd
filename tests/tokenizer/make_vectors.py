#!/usr/bin/env python3
"""Writes vectors.json: texts, and what Hugging Face `tokenizers` and `transformers` make of them.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 transformers==5.24.0
    venv/bin/python tests/tokenizer/make_vectors.py NEOX_TOKENIZER.json BUNDLED_TOKENIZER.json \
        > tests/tokenizer/vectors.json

Run when the vectors change; the tests need the result only. Made with tokenizers 0.23.3 (Oniguruma
with Unicode 16, normalization with Unicode 9) and Python 3.11. Everything random comes from a fixed
seed.

The file: {"made_with", "classes": {...}, "texts": [...], "sets": [...]}. A text is a string, or
{"hex": bytes} if it is not UTF-8. A set names its file ("neox" or "bundled"), has a "patch"
(replaces keys of the file, "model" key by key; "edit" as the function of that name below does it),
"flags" ("special_as_text", "no_template", "no_decode"), perhaps "beside" (the other files of the folder
by name; tokenizer.json null: there is none), and
  "cases":  [text, ids, decoded, decoded without special tokens]: a text by its index or in place; a
            decoded text is left out if it is the text itself, or, for the second, if it is as the first
  "decode": [ids, decoded, decoded without special tokens] for ids that no text gives

"no_decode": tokenizers 0.23 decodes an added token with "normalized" to its normalised text, which a
ByteLevel decoder then takes for bytes; earlier versions, and Weft, give the token as the file has it.

"classes" are all code points, as [first, last, first, last, ...], that match an expression of
Oniguruma; that are a character of words, or not, to the search for added tokens ("word", "not
word": those of Unicode 14); and that NFC moves in front of U+0345 ("moves").
"""

import json
import os
import random
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

R = random.Random(20240607)

WORDS = """the of and a to in is it you that he was for on are with as I his they be at one have this from or had by
hot but some what there we can out other were all your when up use word how said an each she which do their time if
will way about many then them would write like so these her long make thing see him two has look more day could go come
did my sound no most number who over know water than call first people may down side been now find any new work part
take get place made live where after back little only round man year came show every good me give our under name very
through just form much great think say help low line before turn cause same mean differ move right boy old too does
tell sentence set three want air well also play small end put home read hand port large spell add even land here must
big high such follow act why ask men change went light kind off need house picture try us again animal point mother
internationalisation pneumonoultramicroscopicsilicovolcanoconiosis Kubernetes quantum Rumpelstiltskin""".split()

CODE = [
    "#include <stdio.h>\n\nint main(int argc, char **argv)\n{\n    for (int i = 0; i < argc; i++)\n"
    '        printf("%d: %s\\n", i, argv[i]);\n    return 0;\n}\n',
    "def fib(n):\n    a, b = 0, 1\n    while a < n:\n        yield a\n        a, b = b, a + b\n\n\nprint(list(fib(100)))\n",
    'fn main() {\n\tlet v: Vec<u32> = (1..=10).filter(|x| x % 2 == 0).collect();\n\tprintln!("{:?}", v);\n}\n',
    "const f = async (x) => { await fetch(`/api/${x}?q=1&r=2`); return x ?? null; };\n",
    "SELECT u.id, COUNT(*) AS n\nFROM users u\nLEFT JOIN orders o ON o.user_id = u.id\nWHERE u.age >= 21\nGROUP BY 1;\n",
    "<div class=\"box\" id='a1'>\n  <p>Hello &amp; goodbye &#8212; <b>bold</b></p>\n</div>\n",
    '{\n  "name": "x",\n  "values": [1, 2.5, -3e10, null, true],\n  "nested": {"a": {}}\n}\n',
    'for f in *.txt; do\n\tif [ -s "$f" ]; then wc -l < "$f" | tr -d \' \'; fi\ndone 2>/dev/null\n',
    "\\begin{equation}\n  \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n\\end{equation}\n",
    "main :: IO ()\nmain = mapM_ print . takeWhile (< 40) $ filter odd (map (^2) [1..])\n",
    "  mov\trax, [rbp-0x18]\n  xor\tedi, edi\n.L2:\n  jne\t.L2\t; loop\n",
    "if __name__ == '__main__':\n\n\n        x = {'a':1,'b':[1,2,3]}\n        # comment    with   spaces\n",
    'public static void main(String[] args) { System.out.println("\\u00e9"); } // done\n',
    "diff --git a/x b/x\n@@ -1,3 +1,4 @@\n-old line\n+new line\n context\n",
    "target: dep1 dep2\n\t$(CC) $(CFLAGS) -o $@ $^\n\n.PHONY: clean\n",
]

SCRIPTS = [
    "我爱自然语言处理,今天天气很好。",
    "中文和English混排,数字123也在。",
    "日本語のテキスト、カタカナとひらがな。",
    "今日は世界!元気ですか?",
    "안녕하세요 세계, 반갑습니다.",
    "한국어 문장입니다. 띄어쓰기가 있어요.",
    "Привет, мир! Как дела?",
    "Українська мова, їжак.",
    "Ελληνικά κείμενα με τόνους: ά έ ή ί ό ύ ώ",
    "שלום עולם, מה שלומך?",
    "שָׁלוֹם עֲלֵיכֶם",
    "مرحبا بالعالم، كيف حالك؟",
    "اَلسَّلَامُ عَلَيْكُمْ",
    "سلام دنیا، می‌خواهم",
    "नमस्ते दुनिया, क्षत्रिय ज़रूर",
    "বাংলা ভাষা",
    "தமிழ் மொழி",
    "ภาษาไทยไม่มีช่องว่าง",
    "ພາສາລາວ",
    "မြန်မာဘာသာ",
    "ქართული ენა",
    "Հայերեն լեզու",
    "አማርኛ ቋንቋ",
    "ខ្មែរ",
    "Tiếng Việt có dấu thanh",
    "Zażółć gęślą jaźń",
    "Příliš žluťoučký kůň",
    "Ærøskøbing, Þingvellir, ĲSSELMEER, ſtraße",
    "İstanbul ığdır",
    "naïve café façade coöperate",
    "español ¿qué? ¡sí!",
    "“quotes” ‘single’ — dash – en … ellipsis",
    "x² + y³ = z⁴, ½ ¾ ⅔, Ⅷ ⅻ ①②③",
    "€100 £20 ¥3000 ₹50 ₿1",
    "∀x∈ℝ: ⌈x⌉ ≥ x ∧ ¬(x ≠ x)",
    "١٢٣٤ ۱۲۳۴ १२३४ ๑๒๓๔ 123",
    "𝓗𝓮𝓵𝓵𝓸 𝔻𝕠𝕦𝕓𝕝𝕖 𝟙𝟚𝟛",
    "𐍈𐌰𐌹 𒀀𒁀 𓀀𓂀",
    "㈠㈡㊗㌀㍿",
]

EMOJI = [
    "😀",
    "😂🤣",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇩🇪🇫🇷🇯🇵",
    "❤️",
    "☺︎",
    "✊🏿✊🏻",
    "1️⃣2️⃣",
    "🧑🏾‍🚀",
    "🫠🫡",
    "🦩🪐",
    "👨🏻‍❤️‍💋‍👨🏿",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "🤷‍♀️",
    "©®™",
    "⌚️⏰",
    "🀄🃏",
    "😀a😀 b 😀",
]

# Sequences that form C changes, or that look as if it should.
NORMAL = [
    "e\u0301",
    "cafe\u0301 noir",
    "A\u030a \u00c5 \u212b",
    "o\u0323\u0302 o\u0302\u0323 \u1ed9",
    "\u1100\u1161\u11a8",
    "\u1100\u1161\u11a7",
    "\uac00\u11a8",
    "\uac00\u11a7",
    "\uac01\u11a8",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "\u1161\u11a8",
    "\u11a8\u1100",
    "\u2126 \u03a9",
    "\u212a K",
    "\u0340 \u0341 \u0343 \u0374 \u037e \u0387",
    "\u1f71 \u1fee \u1ffd \u2000 \u2001 \u2329 \u232a",
    "\uf900 \ufa1a \U0002f800 \ufb1d \ufb2a",
    "\u0958 \u09dc \u0b5c \u0f43 \u2adc",
    "\u0915\u093c",
    "\u1d15e \U0001d15e \U0001d1bb",
    "\u09c7\u09be \u09cb",
    "\u0bc6\u0bbe \u0b92\u0bd7",
    "\u0dd9\u0dcf\u0dca",
    "\u0f71\u0f72 \u0f73 \u0f75 \u0f81",
    "a\u0315\u0300\u05ae\u0062",
    "a\u0301\u0301\u0301",
    "\u0301a",
    "\u0301",
    " \u0301",
    "\n\u0301",
    "q\u0307\u0323",
    "\u1e9b\u0323",
    "\u0344 \u0308\u0301",
    "\u03b9\u0308\u0301 \u0390 \u1fd3",
    "\u30ab\u3099 \u30cf\u309a \u3046\u3099",
    "\u304b\u309a",
    "s\u0323\u0307 \u1e69 \u1e63\u0307",
    "\u0041\u030a\u0327",
    "\u1025\u102e",
    "\U00011131\U00011127",
    "\U0001133e\U00011347",
    "\U000110a5\U000110ba",
    "\U00011935\U00011930",
    "\U00011938",
    "a\u08ca\u0316",
    "a\u0345\u08ca",
    "a\u0345\u1df6",
    "a\u1df5\u0316",
    "a\u1ac1\u0316",
    "\U0001e4ec\u0316",
    "\u0301" * 40,
    "a" + "\u0316\u0301\u0327" * 20,
    "<|endo\u0301ftext|>",
    "\u212b<|endoftext|>e\u0301",
    "\u0344",
    "\ufb03 \u00bd \u2460",
]

SPECIAL = [
    "<|endoftext|>",
    "<|padding|>",
    "a<|endoftext|>b",
    "a <|endoftext|> b",
    "<|endoftext|><|endoftext|>",
    "<|endoftext|",
    "<|endoftext|>\n\n<|padding|> x",
    "<<|endoftext|>>",
    "<|EndOfText|>",
    "x  <|endoftext|>  y",
    "<|endof<|endoftext|>text|>",
    "<|",
    "|>",
    "<|padding|",
    " <|padding|>",
    "      <|endoftext|>      ",
    "<|endoftext|>'s",
    "don<|endoftext|>'t",
]


def texts():
    out = [
        "",
        " ",
        "\n",
        "\t",
        "\0",
        "a\0b\0",
        "a",
        "Hello, world!",
        " Hello",
        "Hello ",
        "Once upon a time",
    ]
    for word in ["I", "you", "he", "they", "THEY", "cat", "x", "é", "数"]:
        for tail in [
            "'s",
            "'t",
            "'re",
            "'ve",
            "'m",
            "'ll",
            "'d",
            "'S",
            "'LL",
            "'x",
            "''s",
            " 's",
            "\u2019s",
            "'",
            "'re's",
        ]:
            out.append(word + tail + " here")
    out += [
        "don't can't won't I'm we'll they've you're he'd O'Neill rock'n'roll 'tis 'twas",
        "'''s's'll",
        "it's'",
    ]
    for n in list(range(1, 41)) + [47, 48, 49, 50, 72, 100, 200]:
        out += [" " * n, "a" + " " * n + "b", " " * n + "x"]
        if n <= 26:
            out += [
                "x" + " " * n,
                "\n" + " " * n + "\n",
                " " * n + "\n",
                "\t" * n,
                "a\n" * n,
                "\n" * n + "a",
            ]
    for a in [
        " ",
        "\n",
        "\t",
        "\r",
        "\r\n",
        "\v",
        "\f",
        "\x85",
        "\xa0",
        "\u1680",
        "\u180e",
        "\u2003",
        "\u2028",
        "\u202f",
        "\u3000",
        "\u200b",
        "\ufeff",
    ]:
        out += [
            a,
            "a" + a + "b",
            a + "a",
            "a" + a,
            a * 3 + "a",
            "a" + a * 4 + " b",
            "  " + a + "  x",
            a + " " + a + "1",
            "." + a + ".",
        ]
    for k in range(60):
        out.append(
            "".join(
                R.choice([" ", " ", "\n", "\t", "\r\n", "a", "  ", "1", "."])
                for _ in range(R.randint(2, 24))
            )
        )
    out += [
        "0",
        "1234567890",
        "3.14159",
        "1,000,000",
        "1e-10",
        "0x1F",
        "2024-06-07",
        "12:34:56",
        "a1b2",
        "1st 2nd",
        "+49 (0)30",
        "v1.2.3-rc1",
    ]
    for k in range(40):
        out.append(
            str(R.randint(0, 10 ** R.randint(1, 20)))
            + R.choice(["", " ", ".", "a", "%"])
            + str(R.random())
        )
    for k in range(120):
        words = [R.choice(WORDS) for _ in range(R.randint(3, 14))]
        sentence = words[0].capitalize() + "".join(
            R.choice([" ", " ", " ", " ", ", ", " - ", "; ", "  "]) + w for w in words[1:]
        )
        out.append(sentence + R.choice([".", "!", "?", "...", ".\n", '."', ":", ""]))
    out += CODE + SCRIPTS + EMOJI + NORMAL + SPECIAL
    for code in CODE:
        out.append("    " + code.replace("\n", "\n    ")[:200])
        out.append(code.replace("    ", "\t")[:150].replace("\n", "\r\n"))
    for k in range(60):
        out.append(
            " ".join(R.choice(SCRIPTS + EMOJI + NORMAL + WORDS) for _ in range(R.randint(2, 4)))
        )
    out += [
        "a" * 300,
        "ab" * 150,
        "the" * 60,
        "=" * 130,
        "-" * 77,
        "!?" * 40,
        "哈" * 50,
        "é" * 60,
        "e\u0301" * 60,
        "😀" * 20,
        "0" * 100,
        "\n" * 100,
        "http://example.com/a/b?c=d&e=f#g",
        "user.name+tag@example.co.uk",
        "C:\\Windows\\System32",
        "/usr/local/bin/../lib",
    ]
    out += [chr(c) for c in range(1, 32)] + ["x" + chr(c) + "y" for c in range(127, 161)]
    pools = [
        range(32, 127),
        range(1, 0x250),
        range(0x300, 0x370),
        range(0x370, 0x600),
        range(0x900, 0x1200),
        range(0x1100, 0x1200),
        range(0x2000, 0x2800),
        range(0x3000, 0x3400),
        range(0xAC00, 0xD7A4),
        range(0x1F300, 0x1FB00),
        range(0x10000, 0x20000),
    ]
    for k in range(150):
        pool = R.choice(pools)
        out.append(
            "".join(
                chr(R.choice(R.choice([pool, range(32, 127)]))) for _ in range(R.randint(1, 14))
            )
        )
    for k in range(60):
        out.append(
            "".join(
                chr(c)
                for c in (R.randrange(0x110000) for _ in range(R.randint(1, 8)))
                if not 0xD800 <= c < 0xE000
            )
        )
    # Letters, numbers and marks that PCRE2 10.42 and Unicode 9 know not.
    out += [
        "a\u1c89 \ua7cb\u1c8ab 1\U00010d40 \U000116d0x",
        "\U00011f00\U00011f50 \U0001e4d0\U0001e4f0 \U0002ebf0\U00031350.",
        "\u180ea \u180e b\u180e",
    ]
    raw = [
        b"\x80",
        b"\xff\xfe",
        b"\xc3",
        b"a\xc3",
        b"\xc3(",
        b"\xe2\x82",
        b"\xe2\x82x",
        b"\xe2(\xa1",
        b"\xf0\x9f\x98",
        b"\xf0\x9f\x98\x41",
        b"\xf0\x28\x8c\xbc",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf x",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
        b"abc\xffdef \xfe\xfe\xff\xff",
        b"\xef\xbf\xbd\xef\xbf",
        b"caf\xe9 na\xefve",
        b"<|endoftext|>\xff<|endo\xc3ftext|>",
        b"e\xcc",
        b"  \xa0  ",
    ]
    for k in range(80):
        raw.append(
            bytes(
                R.choice(
                    [
                        R.randrange(256),
                        R.randrange(0x80, 0x100),
                        R.choice(b"a \xe2\x82\xac\xf0\x9f"),
                    ]
                )
                for _ in range(R.randint(1, 16))
            )
        )
    return list(dict.fromkeys(out)) + list(dict.fromkeys(r for r in raw))


def as_json(text):
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"hex": text.hex()}


def repaired(text):
    return text if isinstance(text, str) else text.decode("utf-8", errors="replace")


def decoded(tok, ids, text):
    """The tail of a case: what decoding gives, where it is not obvious."""
    full, bare = tok.decode(ids, skip_special_tokens=False), tok.decode(
        ids, skip_special_tokens=True
    )
    if bare != full:
        return [full, bare]
    return [] if full == text else [full]


def edit(model, edits):
    """Changes too large for a patch: the first merges alone, merges as pairs, one byte's symbol taken away."""
    if "keep" in edits:
        model["merges"] = model["merges"][: edits["keep"]]
    if "pairs" in edits:
        model["merges"] = [m.split(" ") for m in model["merges"]]
    if "rename" in edits:
        byte = edits["rename"]
        model["merges"] = [m for m in model["merges"] if byte not in m]
        model["vocab"] = {
            ("~%s~" % byte if byte in w else "") + w: i for w, i in model["vocab"].items()
        }


def patched(data, patch):
    file = json.loads(data)
    edit(file["model"], patch.get("edit", {}))
    for key, value in patch.items():
        if key != "edit":
            file[key] = {**file[key], **value} if key == "model" else value
    return file


def make_set(name, data, patch, cases, n_decode=0, flags=()):
    file = patched(data, patch)
    tok = Tokenizer.from_str(json.dumps(file))
    tok.encode_special_tokens = "special_as_text" in flags
    out = {"file": name, "patch": patch, "flags": list(flags), "cases": [], "decode": []}
    for key, text in cases:
        ids = tok.encode(repaired(text), add_special_tokens="no_template" not in flags).ids
        out["cases"].append(
            [key, ids] + ([] if "no_decode" in flags else decoded(tok, ids, repaired(text)))
        )
    for k in range(n_decode):
        ids = [
            R.randrange(tok.get_vocab_size()) if R.random() < 0.5 else R.randrange(260)
            for _ in range(R.randint(1, 12))
        ]
        out["decode"].append([ids] + (decoded(tok, ids, None)))
    return out


def open_folder(file, beside):
    """The tokenizer that transformers makes of a folder."""
    import transformers

    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        texts = {"config.json": {"model_type": "gpt_neox"}, "tokenizer.json": file, **beside}
        if texts["tokenizer.json"] is None:
            texts["vocab.json"] = file["model"]["vocab"]
            merges = file["model"]["merges"]
            texts["merges.txt"] = "#version: 0.2\n" + "".join(m + "\n" for m in merges)
        for name, content in texts.items():
            if content is not None:
                with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                    f.write(content if isinstance(content, str) else json.dumps(content))
        return transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer


def make_folder_set(data, patch, beside, texts):
    """As make_set, for a folder. What is decoded has been tested elsewhere."""
    tok = open_folder(patched(data, patch), beside)
    cases = [[t, tok.encode(t).ids] for t in texts]
    head = {"file": "bundled", "patch": patch, "flags": ["no_decode"], "beside": beside}
    return {**head, "cases": cases, "decode": []}


def added(id, content, **flags):
    token = {
        "id": id,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": False,
    }
    return {**token, **flags}


def variants(bundled, n):
    """Other kinds of files, as changes to the bundled one, which has n tokens."""
    file = json.loads(bundled)
    tokens = file["added_tokens"]
    plain = [w + " " + v for w, v in zip(WORDS[:12], SCRIPTS[:12])] + [
        "",
        " ",
        "  a",
        "Hello, world!  It's 1234567 o'clock.\n\n\tx",
        "\n\n x\n",
    ]
    marked = [
        "<m>",
        " <m> ",
        "a<m>b",
        "a <m> b",
        "  <m>\t\n<m>  c",
        "x<r>   y",
        "<r>    <l>",
        "   <l>z",
        "<w> a<w> <w>b é<w> ◌̰<w> ١<w> _<w> -<w>- \u200d<w> Ⓐ<w>",
        "é<n> e\u0301<n>",
        "<m><m><m>",
        "<m>  <r>  <l>  <w>",
        "xx<mm>",
        "<mm><m",
        "Å Å A\u030a",
        "  <m>" * 3,
        "<r>\u3000\u2003x\u180e<l>",
        "<m>  \xff<r>  ",
        "ab<s>  <s>",
    ]
    strip = tokens + [
        added(n, "<m>", lstrip=True, rstrip=True),
        added(n + 1, "<r>", rstrip=True),
        added(n + 2, "<l>", lstrip=True),
        added(n + 3, "<w>", single_word=True),
        added(n + 4, "<n>", normalized=True),
        added(n + 5, "<mm>", special=True),
        added(n + 6, "\u212b", normalized=False),
        added(n + 7, "<s>", special=True, normalized=True, rstrip=True),
    ]
    level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

    def split(pattern, behavior="Isolated", invert=False):
        return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}

    def sequence(*steps):
        return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": list(steps)}}

    def template(*parts):
        single = [
            (
                {"Sequence": {"id": "A", "type_id": 0}}
                if p == "A"
                else {"SpecialToken": {"id": p, "type_id": 0}}
            )
            for p in parts
        ]
        return {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                t: {"id": t, "ids": [i], "tokens": [t]}
                for i, t in enumerate(["<|endoftext|>", "<|padding|>"])
            },
        }

    level_post = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    texts = [(t, t) for t in plain]
    marks = [(t, t) for t in marked]
    yield {"added_tokens": strip}, marks + texts, ()
    yield {"added_tokens": tokens + [added(n, "e\u0301x", normalized=True)]}, [
        ("éx e\u0301xx", "éx e\u0301xx")
    ], ("no_decode",)
    yield {"added_tokens": strip, "normalizer": None}, marks + texts, ()
    yield {"added_tokens": strip}, marks + [(t, t) for t in SPECIAL], ("special_as_text",)
    yield {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}}, [
        (t, t) for t in NORMAL[:20]
    ], ()
    yield {"normalizer": None}, [(t, t) for t in NORMAL], ()
    yield {
        "pre_tokenizer": {**level, "add_prefix_space": True, "use_regex": True},
        "added_tokens": strip,
    }, marks + texts, ()
    yield {"pre_tokenizer": level}, texts[:12], ()
    yield sequence(split({"Regex": llama}), level), texts + [
        (t, t) for t in SCRIPTS + CODE[:5] + ["I'LL DON'T 'ſ 'K", "12345 1234567", " \n \r\n  x"]
    ], ()
    yield sequence(
        split({"Regex": r"\p{N}{1,3}"}),
        split({"String": "."}, "Isolated"),
        {**level, "use_regex": True},
    ), texts, ()
    yield sequence(split({"Regex": r"[\s\p{L}]+|\S"}, "Removed", True), level), texts, ()
    yield sequence(
        split({"String": "l"}, "Removed"),
        split({"Regex": r"x*"}),
        {**level, "add_prefix_space": True},
    ), texts, ()
    yield {"edit": {"pairs": True}}, texts, ()
    yield {"edit": {"keep": 300}, "model": {"ignore_merges": True}}, texts + [
        (t, t) for t in CODE[:4]
    ], ()
    yield {"post_processor": template("<|endoftext|>", "A")}, texts[:8] + [
        ("<|endoftext|>", "<|endoftext|>"),
        ("", ""),
    ], ()
    yield {
        "post_processor": {
            "type": "Sequence",
            "processors": [
                level_post,
                template("<|endoftext|>", "<|padding|>", "A", "<|padding|>"),
            ],
        }
    }, texts[:8], ()
    yield {"post_processor": template("<|endoftext|>", "A")}, texts[:3], ("no_template",)
    for unk in ({}, {"unk_token": "~Z~Z"}, {"unk_token": "~Z~Z", "fuse_unk": True}):
        edits = {"edit": {"rename": "Z"}, "model": unk}
        yield edits, [(t, t) for t in ["Z", "ZZZ", "aZb", "Zebra ZZ ZZ", "aZ", "ZZa Z"]], ()

    yield from splitting(texts, split, sequence, level)


def splitting(texts, split, sequence, level):
    """Digits both ways, Split with every behaviour, and one after the other."""
    numbers = ["a 12 b345", "١٢٣ ½ ②x²", "3.14-10", "\U00011de5\U00016ff41", "12\x00\x003", "000a"]
    doubles = ["hello llama", "ll", "l", "xllx l", "abbb12 bbb", "ababcab", "a\x00l\x00\x00"]
    cases = [(t, t) for t in numbers + doubles] + texts[12:]

    def digits(individual):
        return {"type": "Digits", "individual_digits": individual}

    regexed = {**level, "use_regex": True}
    for individual in (True, False):
        yield sequence(digits(individual), regexed), cases, ()
    for invert in (False, True):
        for behavior in ("MergedWithPrevious", "MergedWithNext", "Contiguous", "Removed"):
            for pattern in ({"String": "l"}, {"Regex": "b*"}, {"Regex": r"\d|\s"}):
                yield sequence(split(pattern, behavior, invert), level), cases, ("no_decode",)
    yield sequence(
        split({"Regex": r"\s+"}, "MergedWithNext"),
        digits(False),
        split({"String": "l"}, "Contiguous"),
        regexed,
    ), cases, ()
    yield sequence(digits(True), {**regexed, "add_prefix_space": True}), cases, ()



def single_words(tokens, n):
    """A word token next to exactly one character of each kind, at the ends of the text and inside."""
    w = [added(n, "<w>", single_word=True), added(n + 1, "<v>", single_word=True, lstrip=True)]
    near = ["b", "é", "1", "_", "\u0301", "-", " ", ".", "数", "\u200d", "<w>", "<v>", "\n"]
    cases = [t % c for c in near for t in ("<w>%s", "%s<w>", "%s<v>", "<v>%s", "x <w>%s.", "<w>%s<w>")]
    return {"added_tokens": tokens + w}, [(t, t) for t in cases], ()


def folders(bundled):
    """What the files beside tokenizer.json change: patch, files, texts."""
    file = json.loads(bundled)
    first = file["added_tokens"][0]  # <|endoftext|>; classes that rebuild the tokenizer forget the others
    small = {"edit": {"keep": 200}, "added_tokens": [first]}
    n = len(file["model"]["vocab"])
    texts = ["<|user|>the <|bot|> <s>", "the hill", " x<|user|>  <|bot|>y", "e\u0301<|endoftext|>", ""]

    def flags(content, **more):
        return {k: v for k, v in added(0, content, **more).items() if k != "id"}

    def config(kind, **more):
        return {"tokenizer_config.json": {"tokenizer_class": kind, **more}}

    # GPTNeoXTokenizer adds <|padding|> by itself, which the bundled file has.
    for kind in ("GPTNeoXTokenizer", "GPT2Tokenizer", "PreTrainedTokenizerFast"):
        spaces = {} if kind == "GPT2Tokenizer" else {"normalizer": file["normalizer"]}
        plain = {"normalizer": None} if kind == "GPT2Tokenizer" else spaces
        decoder = {
            "0": {k: v for k, v in first.items() if k != "id"},
            str(n + 1): flags("<|bot|>", lstrip=True),
            str(n): flags("<|user|>", special=True, rstrip=True),
        }
        extra = ["<|bot|>", {"content": "<|user|>", "lstrip": True}]
        word = {"bos_token": "<|user|>", "eos_token": flags("<|bot|>", rstrip=True, special=True)}
        for beside in (
            config(kind),
            config(kind, add_prefix_space=True, add_bos_token=True, bos_token="<|endoftext|>"),
            config(kind, added_tokens_decoder=decoder, pad_token="<s>"),
            config(kind, added_tokens_decoder={"9": flags("<|endoftext|>", lstrip=True)}),
            config(kind, additional_special_tokens=["<s>", "<|user|>"], image_token="<|bot|>"),
            config(kind, extra_special_tokens=["<|bot|>"], sep_token="<s>"),
            {**config(kind), "special_tokens_map.json": {**word, "additional_special_tokens": ["<s>"]}},
            {**config(kind, eos_token="<s>"), "special_tokens_map.json": word},
            {**config(kind, added_tokens_decoder=decoder), "special_tokens_map.json": {"pad_token": "<s>"}},
            {**config(kind), "added_tokens.json": {"<|user|>": n + 1, "<|bot|>": n}},
            {**config(kind, pad_token="<s>"), "added_tokens.json": {"<s>": n + 1, "<|bot|>": n}},
            {**config(kind), "special_tokens_map.json": {"extra_special_tokens": extra}},
        ):
            yield {**small, **plain}, beside, texts
    for kind in ("GPTNeoXTokenizer", "GPT2Tokenizer"):
        for more in (
            {},
            {"add_prefix_space": True, "bos_token": "<|endoftext|>"},
            {"add_bos_token": True, "add_eos_token": True, "bos_token": "<s>", "eos_token": "<|bot|>"},
        ):
            yield small, {"tokenizer.json": None, **config(kind, **more)}, texts


def ranges(holds):
    out = []
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000 or not holds(chr(c)):
            continue
        if out and out[-1] == c - 1:
            out[-1] = c
        else:
            out += [c, c]
    return out


def classes(bundled, n):
    file = json.loads(bundled)
    file["added_tokens"].append(added(n, "<w>", single_word=True))
    tok = Tokenizer.from_str(json.dumps(file))
    nfc = normalizers.NFC().normalize_str
    out = {}
    for regex in (r"\p{L}", r"\p{N}", r"\s"):
        split = pre_tokenizers.Split(Regex(regex), "removed")
        out[regex] = ranges(lambda c: not split.pre_tokenize_str(c))
    known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs")]
    word = {c for c in known if n not in tok.encode(c + "<w>").ids}
    out["word"] = ranges(lambda c: c in word)
    out["not word"] = ranges(lambda c: c not in word and unicodedata.category(c) != "Cn")
    out["moves"] = ranges(lambda c: nfc("a\u0345" + c) != "a\u0345" + nfc(c))
    return out


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    neox, bundled = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
    all_texts = texts()
    cases = list(enumerate(all_texts))
    sets = [make_set("neox", neox, {}, cases, 150), make_set("bundled", bundled, {}, cases, 100)]
    n = Tokenizer.from_str(bundled).get_vocab_size()
    for patch, texts_of, flags in variants(bundled, n):
        sets.append(make_set("bundled", bundled, patch, texts_of, 0, flags))
    patch, texts_of, flags = single_words(json.loads(bundled)["added_tokens"], n)
    sets.append(make_set("bundled", bundled, patch, texts_of, 0, flags))
    for patch, beside, texts_of in folders(bundled):
        sets.append(make_folder_set(bundled, patch, beside, texts_of))
    import transformers

    made_with = tokenizers.__version__, transformers.__version__
    print('{"made_with":"tokenizers %s, transformers %s",' % made_with)
    print(
        '"classes":{\n'
        + ",\n".join("%s:%s" % (dump(k), dump(v)) for k, v in classes(bundled, n).items())
        + "},"
    )
    print('"texts":[\n' + ",\n".join(dump(as_json(t)) for t in all_texts) + '\n],\n"sets":[')
    for i, s in enumerate(sets):
        head = dump({k: s[k] for k in ("file", "patch", "flags", "beside") if k in s})[:-1]
        print(
            '%s%s,\n"cases":[\n%s\n],\n"decode":[\n%s\n]}'
            % (
                "," if i else "",
                head,
                ",\n".join(map(dump, s["cases"])),
                ",\n".join(map(dump, s["decode"])),
            )
        )
    print("]}")


if __name__ == "__main__":
    main()
