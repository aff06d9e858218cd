#!/usr/bin/env python3
"""The syntax files of docs/editors/ know the words that the reader knows (graph/text/grammar.c), and say what they are.
Where vim is installed, it says so itself.

usage: test_editors.py ROOT
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

# A line, and what each of its words between blanks begins with: S statement, W word, V value, O op, F function, T type,
# N number, C constant, L operator of letters, " string, { brace in one, # comment, . nothing of that.
SAMPLE = [
    ("weft-graph 2  # comment", "HH##"),
    ("param L : int = 28 in 1..4096 from \"n layer\" # a", "S..T.NWNW\"\"##"),
    ("param b : bool = true", "S..T.C"),
    ("param n : int = 2 from \"n\" else 1", "S..T.NW\"WN"),
    ("%w.1 = weight \"embed\" : any[ size, f16 ]", "V.O\".T.T."),
    ("    %x, %y = top_k %w.1 {k = min( i % 2, 0xff )}", "VV.OV..F..NN."),
    ("    } else if a and not b in [ 1e-6 ] {", ".S S.LL.W.N..".replace(" ", "")),
    ("    scope \"layers.{i + 1}.\\{ # \" { # b", "S\".N\"\".##"),
    ("let scope_of = scope", "S..."),
    ("if c {", "S.."),
]
VIM = {"Statement": "S", "Word": "W", "Value": "V", "Op": "O", "Function": "F", "Type": "T", "Number": "N", "Constant": "C",
       "Operator": "L", "String": "\"", "Brace": "{", "Comment": "#", "Head": "H"}
failed = 0


def check(what, got, want):
    global failed
    if got == want:
        return
    failed += 1
    print(f"{what}:\n  wanted {want}\n  got    {got}")


def grammar(root):
    """statement words, reserved words and types of parameters, as the reader has them"""
    text = open(os.path.join(root, "graph/text/grammar.c")).read()
    tables = [re.search(r"\b%s\[\] = \{([^}]*)\}" % name, text)[1] for name in ("reserved", "param_types")]
    return (set(re.findall(r"\.word = \"(\w+)\"", text)), *(set(re.findall(r"\"(\w+)\"", t)) for t in tables))


def alternatives(pattern):
    """the words of (a|b|c) in a pattern"""
    group = re.search(r"\((?:\?:)?(\w+(?:\|\w+)+)\)", pattern)
    return set(group[1].split("|")) if group else set()


def check_textmate(path, statements, reserved, types):
    data = json.load(open(path))
    patterns = []

    def walk(x):
        if isinstance(x, dict):
            patterns.extend((k, v, x.get("name")) for k, v in x.items() if k in ("match", "begin", "end"))
        for y in x.values() if isinstance(x, dict) else x if isinstance(x, list) else ():
            walk(y)

    walk(data)
    for _, pattern, _ in patterns:
        re.compile(pattern)
    used = set(re.findall(r"\"#(\w+)\"", json.dumps(data)))
    check("TextMate: parts that are included", used, set(data["repository"]))
    check("TextMate: statements", alternatives(data["repository"]["statement"]["patterns"][0]["match"]), statements)
    words = [(name, alternatives(pattern)) for _, pattern, name in patterns]
    check("TextMate: words", set().union(*(w for n, w in words if n in ("constant.language.weft", "keyword.operator.word.weft",
                                                                       "keyword.other.weft"))) & reserved, reserved)
    check("TextMate: types", next(w for n, w in words if n == "storage.type.weft"), types)


def check_extension(folder):
    """the files that the extension of Visual Studio Code names are there, and say the same"""
    data = json.load(open(os.path.join(folder, "package.json")))["contributes"]
    grammar, language = data["grammars"][0], data["languages"][0]
    textmate = json.load(open(os.path.join(folder, grammar["path"])))
    json.load(open(os.path.join(folder, language["configuration"])))
    check("extension: scope", grammar["scopeName"], textmate["scopeName"])
    check("extension: files", [e.removeprefix(".") for e in language["extensions"]], textmate["fileTypes"])
    check("extension: language", grammar["language"], language["id"])


def check_vim_words(path, statements, reserved, types):
    text = open(path).read()
    lists = [set(m.split(r"\|")) for m in re.findall(r"\\%\((\w+(?:\\\|\w+)+)\\\)", text)]
    check("vim: statements", statements in lists, True)
    check("vim: types", types in lists, True)
    check("vim: words", set(" ".join(re.findall(r"^syntax keyword \w+(.*)$", text, re.M)).split()) & reserved, reserved)


def check_types(root, textmate):
    """every type of values is one for the editors"""
    names = set(re.findall(r"^WEFT_DTYPE\(\d+, \w+, +(\w+)", open(os.path.join(root, "graph/dtype.def")).read(), re.M))
    names |= set(re.findall(r"^WEFT_BLOCK\(\d+, \w+, +(\w+)", open(os.path.join(root, "graph/block.def")).read(), re.M))
    pattern = next(p["match"] for p in json.load(open(textmate))["repository"]["expression"]["patterns"]
                   if p.get("name") == "storage.type.weft" and "any" in p["match"])
    check("types of values", {n for n in names | {"any"} if not re.fullmatch(pattern, n)}, set())


def check_vim(path):
    """what vim makes of the sample"""
    with tempfile.TemporaryDirectory() as folder:
        text, out, script = (os.path.join(folder, n) for n in ("a.weft", "out", "script.vim"))
        open(text, "w").write("".join(line + "\n" for line, _ in SAMPLE))
        open(script, "w").write(f"""set nocompatible
syntax on
source {path}
let lines = []
for l in range(1, line('$'))
  call add(lines, join(map(range(1, strlen(getline(l))), 'synIDattr(synID(l, v:val, 1), "name")'), ','))
endfor
call writefile(lines, '{out}')
qall!
""")
        subprocess.run(["vim", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", script, text], stdin=subprocess.DEVNULL, timeout=60)
        for (line, want), got in zip(SAMPLE, open(out).read().splitlines(), strict=True):
            names = got.split(",")
            signs = "".join(VIM.get(names[m.start()].removeprefix("weft"), ".") for m in re.finditer(r"\S+", line))
            check(f"vim: {line}", signs, want)


def main(root):
    words = grammar(root)
    textmate, vim = (os.path.join(root, "docs/editors", n) for n in ("weft.tmLanguage.json", "weft.vim"))
    check("the reader's statements", "repeat" in words[0] and len(words[0]) > 10, True)
    check_textmate(textmate, *words)
    check_extension(os.path.dirname(textmate))
    check_types(root, textmate)
    check_vim_words(vim, *words)
    if shutil.which("vim"):
        check_vim(vim)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
