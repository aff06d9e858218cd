#!/usr/bin/env python3
"""make_expressions.py: writes expressions.json: what jinja2, as transformers sets it up, makes of each line of
expressions.txt, an expression or, where it holds {%, a template. null: an error, or an address of Python's memory."""
import json
import pathlib
import re

from conversations import NOW, render

here = pathlib.Path(__file__).parent
VARIABLES = {"messages": [{"role": "user", "content": "hi"}], "now": NOW, "n": 3, "f": 2.5, "s": "Hello World", "e": "", "u": "Ünï 🦊",
             "l": [3, 1, 2], "d": {"a": 1, "b": {"c": [1, 2]}, "items": 7}, "z": None, "t": True,
             "p": [{"n": "x", "v": 2}, {"n": "Y", "v": 1}, {"n": "x", "v": 0}]}
rows = []
for line in (here / "expressions.txt").read_text().splitlines():
    if not line or line.startswith("# "):
        continue
    text, why = render(line if "{%" in line else "{{ " + line + " }}", VARIABLES)
    if text and re.search(r" at 0x|<class ", text):
        text = None
    rows.append(f"  {json.dumps(line)}: {json.dumps(text)}")
(here / "expressions.json").write_text('{\n "variables": ' + json.dumps(VARIABLES) + ',\n "expressions": {\n' + ",\n".join(rows) + "}\n}\n")
print(len(rows))
