#!/usr/bin/env python3
"""make_vectors.py [FETCHED]: writes vectors.json: what transformers (5.24.0, jinja2 3.1.6) makes of each template and
conversation. FETCHED: the folder that fetch.py filled. A text is its length and a hash (64 bit FNV-1a of its UTF-8);
of our own templates the texts stand there themselves; null: there is no text, but an error."""
import json
import pathlib
import sys

from conversations import CONVERSATIONS, render

here = pathlib.Path(__file__).parent
CONTINUED = " Yes, of  course, "


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def expect(path, whole):
    template = path.read_bytes().decode()
    row = {}
    for name, conversation in CONVERSATIONS.items():
        text, _ = render(template, conversation)
        data = text.encode() if text is not None else b""
        row[name] = None if text is None else text if whole else [len(data), fnv(data)]
    return row


def continued(path):
    """With continue_final_message, which the Python package has (tests/python/test_chat.py)."""
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": CONTINUED}]
    conversation = {**CONVERSATIONS["plain"], "messages": messages}
    text, _ = render(
        path.read_bytes().decode(), {**conversation, "add_generation_prompt": False, "continue_final_message": True}
    )
    return text if text is None or path.parent.name == "own" else [len(text.encode()), fnv(text.encode())]


out = {"conversations": CONVERSATIONS, "own": {}, "published": {}, "fetched": {}, "continued": {}}
published = {p.name for p in (here / "published").glob("*.jinja")}
for p in sorted((here / "own").glob("*.jinja")):
    out["own"][p.name] = expect(p, True)
for p in sorted((here / "published").glob("*.jinja")):
    out["published"][p.name] = expect(p, False)
if len(sys.argv) > 1:
    for p in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        if p.name not in published:
            out["fetched"][p.name] = expect(p, False)
else:
    out["fetched"] = json.loads((here / "vectors.json").read_text())["fetched"]
rows = [f' "conversations": {{\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in CONVERSATIONS.items()) + "}"]
for folder in ("own", "published"):
    for p in sorted((here / folder).glob("*.jinja")):
        out["continued"][p.name] = continued(p)
for group in ("own", "published", "fetched", "continued"):
    rows.append(f' "{group}": {{\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in out[group].items()) + "}")
(here / "vectors.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
