"""python.py: the rules of the house for Python, where a parser can hold them.

Everywhere: a module says what it is, and imports nothing that it does not use. In the package and its tests as in C:
lines of at most 120 columns, files of 600 lines (1,000 in tests/), functions of 120; and every public class, function
and method of the package says what it is.
"""

import ast
import pathlib
import subprocess
import sys

ROOMS = ("python", "tests", "tools", "examples", "graph", "models", "shaders", "backends", "cmake")
STRICT = ("python/", "tests/python/", "tests/style/")


def exports(tree):
    """Names of __all__."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def unused_imports(tree):
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(node, "module", "") != "__future__":
            for alias in node.names:
                imported[(alias.asname or alias.name).partition(".")[0]] = node.lineno
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | exports(tree) | {"*"}
    # names in annotations that stand in strings
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [
        (line, f"{name} is imported and not used")
        for name, line in imported.items()
        if name not in used and name not in texts
    ]


def undocumented(tree):
    """Public things without a docstring."""
    found = []

    def visit(body, prefix):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
                setter = any(getattr(d, "attr", "") == "setter" for d in node.decorator_list)
                if not ast.get_docstring(node) and not setter:
                    found.append((node.lineno, f"{prefix}{node.name} has no docstring"))
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{node.name}.")

    visit(tree.body, "")
    return found


def sizes(path, tree, text):
    """What is too long."""
    found = [(i, f"{len(line)} columns") for i, line in enumerate(text.split("\n"), 1) if len(line) > 120]
    lines, limit = text.count("\n"), 1000 if path.startswith("tests/") else 600
    if lines > limit:
        found.append((lines, f"{lines} lines, the limit is {limit}"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno >= 120:
            found.append((node.lineno, f"{node.name}: {node.end_lineno - node.lineno + 1} lines, the limit is 120"))
    return found


def faults(path, text):
    """(line, fault) of one file."""
    tree = ast.parse(text)
    found = unused_imports(tree)
    if not ast.get_docstring(tree):
        found.append((1, "the module has no docstring"))
    if path.startswith(STRICT):
        found += sizes(path, tree, text)
    if path.startswith("python/weft/") and not pathlib.Path(path).name.startswith("_"):
        found += undocumented(tree)
    return sorted(found)


WRONG = """import os, sys
from a import b as c, d
def f():
    '''.'''
    return d
class C:
    def g(self): pass
    def _h(self): pass
""" + "x = 1 " + "+ 1 " * 40 + "\n"
EXPECTED = [
    "the module has no docstring",
    "os is imported and not used",
    "sys is imported and not used",
    "c is imported and not used",
    "C has no docstring",
    "C.g has no docstring",
    "166 columns",
]


def main():
    found = [text for _, text in faults("python/weft/wrong.py", WRONG)]
    if sorted(found) != sorted(EXPECTED):
        sys.exit(f"of a file that is wrong this found {found}")
    files = subprocess.run(["git", "ls-files", "*.py"], stdout=subprocess.PIPE, text=True).stdout.split()
    if not files:  # no repository: what lies in the rooms
        files = [str(p) for room in ROOMS for p in pathlib.Path(room).rglob("*.py")]
    all_faults = [f"{f}:{line}: {text}" for f in files for line, text in faults(f, pathlib.Path(f).read_text())]
    print("\n".join(all_faults) or f"{len(files)} files")
    sys.exit(bool(all_faults))


if __name__ == "__main__":
    main()
