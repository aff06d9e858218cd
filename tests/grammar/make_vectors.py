#!/usr/bin/env python3
"""Writes gbnf.json: what llama.cpp says of the grammars below and of texts, which are written here or made from those.

    make_vectors.py LLAMA_CPP_SOURCE LLAMA_CPP_LIBRARIES

Where Weft differs on purpose ("differs": its verdict), docs/grammars.md says why."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# grammar, texts
GRAMMARS = [
    ('root ::= "a"', ["a", "", "b", "aa"]),
    ('root ::= "hello" | "help"', ["hel", "help", "hello", "helpo"]),
    ("root  ::= [a-c]+ [^a-c] .", ["abcd!", "abc", "dx", "ad\n"]),
    ("root ::= [a-z0-9_-]*", ["a-b_9", "-", "A"]),
    ('root ::= [\\]\\[\\\\"]+', ['[]\\"', "x"]),
    ('root ::= "\\"\\\\\\n\\t\\r\\x41\\u00e9\\U0001F600"', ['"\\\n\t\rAé😀', '"\\\n\t\rAé']),
    ("root ::= [\\u0400-\\u04FF]{2,4}", ["да", "дада", "дадад", "д", "ab"]),
    ("root ::= [^\\x00-\\x7F]+", ["éü", "漢字", "a", "😀"]),
    ('root ::= "é" [à-ü] "漢" [一-龥]', ["éù漢字", "éa", "é"]),
    ('root ::= "a"{3}', ["aaa", "aa", "aaaa"]),
    ('root ::= "a"{2,}', ["a", "aa", "aaaaaa"]),
    ('root ::= "a"{1,3} "b"{0,1}', ["a", "aaab", "aaaab", "b", "abb"]),
    ('root ::= "a"{0}"b"', ["b", "ab"]),
    ('root ::= "a"{ 1 , 2 }', ["a", "aaa"]),
    ('root ::= "a"{0,0}', ["", "a"]),
    ('root ::= ("a" | "b" "c")* "d"?', ["", "abcabcd", "abd", "bcbc", "bb"]),
    ('root ::= ("a"\n | "b"\n )+', ["ab", "c"]),
    ('root ::= "a" |\n  "b"\n', ["a", "b"]),
    ('root ::=\n  "a" "b"', ["ab"]),
    ("root ::= x y # a comment\n# another\nx ::= \"1\"#x\ny ::= x{2} | \"2\"", ["111", "12", "11", "2"]),
    ('root ::= ( ( ( "a" ) ) )', ["a"]),
    ('root ::= "" "a"', ["a"]),
    ('root ::= ""', ["", "a"]),
    ("root ::= ", ["", "a"]),
    ('root ::= "a" | ', ["", "a"]),
    ('root ::= | "a"', ["", "a", "aa"]),
    ('root ::= "a"? "a"? "a"?', ["", "aaa", "aaaa"]),
    ('root ::= ("a"?)*', ["", "aaaa", "b"]),
    ('root ::= ("a"*)*', ["", "aaaa", "b"]),
    ('root ::= ("a"* "b"?)+', ["", "aabab", "c"]),
    ('root ::= "a"+?', ["", "aaa", "b"]),
    ('root ::= "(" root ")" | ""', ["", "(())", "(()", "())"]),
    ('root ::= "a" root "b" root | ""', ["", "aabb", "abab", "aab", "ba"]),
    ("root ::= expr\nexpr ::= term ([-+*/] term)*\nterm ::= num | \"(\" expr \")\"\nnum ::= [0-9]+",
     ["1", "1+2*3", "(1+(2-3))*4", "(1+", "1+)", "()"]),
    ('root ::= pal\npal ::= "a" pal "a" | "b" pal "b" | ""', ["abba", "abab", "aa", "abaaba"]),
    ('root ::= x x\nx ::= "a" | "a" "a"', ["a", "aa", "aaa", "aaaa", "aaaaa"]),
    ('root ::= .', ["a", "\n", "é", "😀", "ab"]),
    ('root ::= .* "end"', ["end", "the end", "endend", "en", "end."]),
    ('root ::= [^"]* "\\""', ['abc"', '"', 'a"b']),
    ('root ::= [a-]', ["a", "-", "b"]),
    ('root ::= [-a]', ["a", "-", "b"]),
    ('root ::= [+--]', ["+", ",", "-", "."]),
    ('root ::= [a\\-z]', ["a", "-", "z", "b"]),
    ('root ::= "a" . "b"', ["a.b", "aéb", "ab"]),
    ('root::="a"', ["a"]),
    ('\n\n# begin\n\nroot ::= "a"\n\n', ["a"]),
    ('root ::= "a"\r\nx ::= "b"\r\n', ["a", "b"]),
    ('root ::= a-b\na-b ::= "x"', ["x"]),
    ('root ::= 9\n9 ::= "x"', ["x"]),
    ('root ::= "a" b "c"\nb ::= "" | "b" b', ["ac", "abbbc", "abb"]),
    ('root ::= ws "x" ws\nws ::= [ \\t\\n]*', ["x", "  x\n", " "]),
    ('root ::= item ("," item)*\nitem ::= [a-z]{1,2} | "<" item{0,2} ">"',
     ["a,bc", "<ab>", "<<>a>,x", "<abcde>", "abc"]),
    # refused
    ('root ::= "a', []), ("root ::= [a", []), ("root = a", []), ("root ::= a", []), ('x ::= "a"', []), ("", []),
    ('root ::= ("a"', []), ('root ::= "a")', []), ("root ::= *", []), ('root ::= "\\q"', []), ('root ::= "\\x4"', []),
    ('root ::= "\\u12"', []), ('root ::= "a"{', []), ('root ::= "a"{x}', []), ('root ::= "a"{1', []),
    ('root ::= "a"{1,2', []),
    ("root ::= root \"a\" | \"b\"", []), ("root ::= x\nx ::= y\ny ::= x \"a\" | \"b\"", []),
    ('root ::= e root "a" | "b"\ne ::= ""', []), ('root ::= "a"? root', []), ("root ::= ::=", []), ("::= \"a\"", []),
    ('root ::= "a" "b', []), ('root ::= | * "a"', []), ("root ::= a_b\na_b ::= \"x\"", []), ('root ::= "a" ] ', []),
    ('root ::= {2}', []), ('root ::= ({2})', []), ('root ::= <[1', []), ("root ::= \"a\" % \"b\"", []),
    ('root ::= "a"\n "b"', []),
]

# grammar, what Weft says, why
DIFFERENT = {
    'root ::= "a" | "b"\nroot ::= "c"': "fault",  # the last one counts there
    "root ::= []": "fault",  # no element at all there
    "root ::= [z-a]": "fault",  # matches nothing there
    "root ::= \"\\uD800\"": "fault",  # no character
    "root ::= <[1]>": "fault",  # a token there
    "root ::= \"a\" root": "fault",  # can never end
    "root ::= [a-z] x\nx ::= y\ny ::= \"b\" x": "fault",
}


def mutations(text, rng):
    alphabet = sorted(set(text)) + ["a", "b", "(", ")", "1", "é", "\n", '"']
    for _ in range(4):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(3)
        cut = text[at + 1:] if kind else text[at:]
        yield text[:at] + (rng.choice(alphabet) if kind < 2 else "") + cut


def main():
    source, libraries = map(pathlib.Path, sys.argv[1:3])
    rng = random.Random(1)
    rows = []
    for grammar, texts in GRAMMARS:
        more = [m for t in texts for m in mutations(t, rng)]
        rows.append((grammar, list(dict.fromkeys(texts + more))))
    rows += [(grammar, []) for grammar in DIFFERENT]
    n_own = len(rows)
    for path in sorted((source / "grammars").glob("*.gbnf")):
        rows.append((path.read_text(), []))  # for the verdict on the grammar; not written
    lines = []
    for grammar, texts in rows:
        lines.append("g " + grammar.encode().hex())
        lines += ["t " + " ".join(str(ord(c)) for c in t) for t in texts]
    with tempfile.TemporaryDirectory() as tmp:
        program = pathlib.Path(tmp) / "verdicts"
        subprocess.run(["g++", "-O1", "-std=c++17", f"-I{source}/src", f"-I{source}/include",
                        f"-I{source}/ggml/include", str(HERE / "llama_verdicts.cpp"), f"-L{libraries}", "-lllama", "-lggml", "-lggml-base",
                        f"-Wl,-rpath,{libraries}", "-o", str(program)], check=True)
        out = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True,
                             timeout=60)
    verdicts = iter(out.stdout.split("\n"))
    result = []
    for i, (grammar, texts) in enumerate(rows):
        row = {"grammar": grammar, "verdict": next(verdicts), "texts": {t: next(verdicts) for t in texts}}
        if grammar in DIFFERENT:
            row["differs"] = DIFFERENT[grammar]
        if i < n_own:
            result.append(row)
        else:
            print(f"{len(grammar)} bytes: {row['verdict']}")
    (HERE / "gbnf.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(len(result), "grammars,", sum(len(r["texts"]) for r in result), "texts")


main()
