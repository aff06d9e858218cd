"""test_serve_shift.py WEFT MODEL: texts that fill the context and go on. What is expected is put together of texts that end where
the context is full, each asked for by the token ids that a shift leaves of the one before."""

import json
import os
import re
import sys
import tempfile

from serving import Checks, Server, together

weft, model = sys.argv[1:3]
check = Checks()
CONTEXT = 64
NO_END = {"0": -100}  # the end of a text is no token that its words tell of
PROMPT = "Once upon a time there was a little girl"
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "template.jinja")
with open(path, "w") as f:
    f.write("{% for m in messages %}{{ m.content }}{% endfor %}")
options = ["--deterministic", "--context", str(CONTEXT), "--chat-template", path, "--name", "tiny"]
server = Server(weft, model, *options)


def tokens(text):
    return server.post("/tokenize", {"content": text}).json["tokens"]


def whole(prompt, n, **fields):
    return server.complete(prompt, **{"max_tokens": n, "logit_bias": NO_END, **fields}).json["choices"][0]


def shifted(ids, keep):
    """A text of a token more than the context, after a shift; and how many tokens it has lost."""
    drop = (len(ids) - keep) // 2
    return ids[:keep] + ids[keep + drop:], drop


def expected(ids, n, keep):
    """n tokens behind the prompt: their texts, log-probabilities, and what was dropped."""
    texts, logprobs, dropped = [], [], 0
    while n:
        part = min(n, CONTEXT + 1 - len(ids))
        c = whole(ids, part, context_shift=False, logprobs=2)
        check.equal("a part ends", c["finish_reason"], "length")
        texts.append(c["text"])
        logprobs += c["logprobs"]["token_logprobs"]
        ids, n = ids + tokens(c["text"]), n - part
        check("its tokens are read again from its text", n == 0 or len(ids) == CONTEXT + 1, len(ids))
        if n:
            ids, drop = shifted(ids, keep)
            dropped += drop
    return texts, logprobs, dropped


def named_events(path, body):
    return [json.loads(line[6:]) for line in server.post(path, body).body.decode().split("\n") if line.startswith("data: ")]


# ---- the text ----
ids = tokens(PROMPT)
for keep, said in ((0, {}), (3, {"n_keep": 3}), (len(ids), {"n_keep": -1})):
    texts, logprobs, dropped = expected(ids, 100, keep)
    c = whole(PROMPT, 100, context_shift=True, logprobs=2, **said)
    check.equal(f"text with {said}", c["text"], "".join(texts))
    check.equal(f"log-probabilities with {said}", c["logprobs"]["token_logprobs"], logprobs)
    check.equal(f"what is told with {said}", (c["finish_reason"], c["truncated"], c["dropped_tokens"]), ("length", True, dropped))
    if not said:
        text, parts, lost = c["text"], texts, dropped
check("a shift is another text than the kept beginning", text != c["text"], text)
long = tokens(text)[:CONTEXT]
texts, _, dropped = expected(long, 9, CONTEXT - 4)
c = whole(long, 9, context_shift=True, n_keep=-1)
check.equal("a prompt as long as the context, all kept", (c["text"], c["dropped_tokens"]), ("".join(texts), dropped))
check("shifts are counted", server.metric("weft_context_shifts_total") > 9, server.get("/metrics").body[-400:])

# ---- as streams, beside others, with guessed tokens ----
events = server.complete(PROMPT, max_tokens=100, logit_bias=NO_END, context_shift=True, stream=True).events
check.equal("a stream ends", events.pop(), "[DONE]")
choices = [e["choices"][0] for e in events]
check.equal("a stream", "".join(c["text"] for c in choices), text)
check.equal("its last event tells", choices[-1].get("dropped_tokens"), lost)
check("the others do not", not any("truncated" in c for c in choices[:-1]), choices)
jobs = [lambda: whole(PROMPT, 100, context_shift=True)["text"]] * 3
check.equal("beside others", together(jobs), [text] * 3)
guess = {"type": "content", "content": text}
check.equal("with a prediction", whole(PROMPT, 100, context_shift=True, prediction=guess)["text"], text)

# ---- what goes on over a shift ----
edge = len(parts[0])
word = text[edge - 4:edge + 4]
c = whole(PROMPT, 100, context_shift=True, stop=word)
check.equal("a stop string over a shift", (c["text"], c["finish_reason"]), (text[:text.index(word)], "stop"))
c = server.complete(PROMPT, max_tokens=300, context_shift=True, grammar='root ::= "[" [a-z ]{300,320} "]"').json["choices"][0]
check("a grammar over a shift", re.fullmatch(r"\[[a-z ]{300,320}\]", c["text"]) and c["finish_reason"] == "stop" and c.get("truncated"), c)
window, said, seen = list(ids), "", list(ids)
for _ in range(64):
    if len(window) > CONTEXT:
        window, _ = shifted(window, 0)
    c = whole(window, 1, logit_bias={**{str(i): -1.5 for i in seen[-CONTEXT:]}, **NO_END})
    said += c["text"]
    window, seen = window + tokens(c["text"]), seen + tokens(c["text"])
check.equal("tokens are told apart by their texts", len(seen), len(ids) + 64)
check.equal("penalties over a shift", whole(PROMPT, 64, context_shift=True, presence_penalty=1.5, repeat_last_n=CONTEXT)["text"], said)

# ---- where it stops, and what is refused ----
c = whole(PROMPT, 100)
check.equal("without", (c["text"], c["finish_reason"], "truncated" in c), (parts[0], "length", False))
c = whole(PROMPT, 9, context_shift=True)
check("where nothing is dropped nothing is told", "truncated" not in c, c)
for field, bad in (("context_shift", 1), ("context_shift", "shift"), ("n_keep", -2), ("n_keep", 0.5), ("n_keep", "all")):
    r = server.complete(PROMPT, **{field: bad})
    check.equal(f"{field} of {bad!r}", (r.status, r.error["param"]), (400, field))
r = server.complete(PROMPT, max_tokens=1 << 23, context_shift=True)
check.equal("too many tokens", (r.status, r.error["param"]), (400, "max_tokens"))
check.equal("a prompt beyond the context", server.complete(PROMPT * 9, context_shift=True).error["code"], "context_length_exceeded")
check.equal("infill has no such field", server.post("/infill", {"context_shift": True}).error["code"], "unknown_parameter")
check.equal("it ends", server.end(), 0)

# ---- for every text, with few pages; the other endpoints ----
server = Server(weft, model, *options, "--context-shift", "--cells", "128")
check.equal("few pages", together(jobs), [text] * 3)
check.equal("a request that says no", whole(PROMPT, 100, context_shift=False)["text"], parts[0])
talk = {"messages": [{"role": "user", "content": PROMPT}], "temperature": 0}
r = server.post("/v1/chat/completions", {**talk, "ignore_eos": True}).json
check.equal("a chat's end that is not said", (r["usage"]["completion_tokens"], r["choices"][0]["finish_reason"]), (CONTEXT, "length"))
check("a chat tells", r["choices"][0]["truncated"], r)
r = server.post("/v1/messages", {**talk, "max_tokens": 100}).json
check("a message tells", r["usage"]["output_tokens"] > CONTEXT and r["truncated"], r)
r = named_events("/v1/messages", {**talk, "max_tokens": 100, "stream": True})
check("a message's stream tells", [e["type"] for e in r if "truncated" in e] == ["message_delta"], r)
r = named_events("/v1/responses", {"input": PROMPT, "temperature": 0, "max_output_tokens": 100, "stream": True})
told = [e["type"] for e in r if "truncated" in e.get("response", {})]
check.equal("a response tells in its last event", told, [r[-1]["type"]])
check.equal("it ends", server.end(), 0)
check.end()
