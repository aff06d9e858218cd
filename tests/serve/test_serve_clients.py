"""test_serve_clients.py WEFT MODEL: what some clients of `weft serve` ask for beside OpenAI's own: the log-probabilities
of a prompt (against `weft logits`), how long a model stays, messages that go on."""

import array
import math
import os
import subprocess
import sys
import tempfile

from serving import Checks, Server, template_in, together, wait_until

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()
STORY = "Once upon a time there was a little girl named Lily. She had a caf\u00e9 and a red ball."
server = Server(weft, model, "--deterministic", "--context", "256", "--slots", "4")

# ---- log-probabilities of a prompt ----
ids = server.post("/tokenize", {"content": STORY}).json["tokens"]
out = os.path.join(folder.name, "logits")
subprocess.run([weft, "logits", model, "--tokens", ",".join(map(str, ids)), "--output", out, "--deterministic", "--device",
                "cpu,threads=1"], check=True, capture_output=True)
numbers = array.array("f")
with open(out, "rb") as f:
    numbers.frombytes(f.read())
V = len(numbers) // len(ids)
rows = []
for i in range(len(ids)):
    row = numbers[i * V:(i + 1) * V]
    most = max(row)
    total = most + math.log(math.fsum(math.exp(x - most) for x in row))
    rows.append([x - total for x in row])


def is_right(l, n, what, n_top=2):
    """The first n tokens of an answer's log-probabilities are the prompt's."""
    check.equal(f"{what}: the first", (l["token_logprobs"][0], l["top_logprobs"][0]), (None, None))
    off = max(abs(l["token_logprobs"][i] - rows[i - 1][ids[i]]) for i in range(1, n))
    check(f"{what}: they are right", off < 1e-4, off)
    best = max(abs(max(l["top_logprobs"][i].values()) - max(rows[i - 1])) for i in range(1, n))
    check(f"{what}: the best", best < 1e-4 and all(len(t) <= n_top for t in l["top_logprobs"][1:]), best)


def scored(prompt, **fields):
    return server.complete(prompt, echo=True, **fields)


choice = scored(STORY, logprobs=2, max_tokens=0).json
check.equal("usage", (choice["usage"]["prompt_tokens"], choice["usage"]["completion_tokens"]), (len(ids), 0))
choice = choice["choices"][0]
l = choice["logprobs"]
check.equal("the text", (choice["text"], choice["finish_reason"]), (STORY, "length"))
check.equal("one for each token", [len(x) for x in l.values()], [len(ids)] * 4)
check.equal("offsets", [STORY[a:b] for a, b in zip(l["text_offset"], l["text_offset"][1:])][:15], l["tokens"][:15])
check.equal("the last offset", STORY[l["text_offset"][-1]:], l["tokens"][-1])
is_right(l, len(ids), "none picked")
picked = scored(STORY, logprobs=2, max_tokens=3).json["choices"][0]
check("then what is picked", len(picked["logprobs"]["tokens"]) == len(ids) + 3 and
      picked["text"] == STORY + "".join(picked["logprobs"]["tokens"][-3:]), picked)
check.equal("the same", {k: v[:len(ids)] for k, v in picked["logprobs"].items()}, l)
check.equal("where the rest is", picked["logprobs"]["text_offset"][len(ids)], len(STORY))
check("the first of the rest", abs(picked["logprobs"]["token_logprobs"][len(ids)] - max(rows[-1])) < 1e-4)
is_right(scored(ids, logprobs=0, max_tokens=0).json["choices"][0]["logprobs"] | {"top_logprobs": l["top_logprobs"]}, len(ids), "ids")
again = together([lambda i=i: scored(ids, logprobs=2, max_tokens=i) for i in (0, 1, 5, 9, 0, 2)] +
                 [lambda: server.text(STORY, max_tokens=40)])
for i, reply in enumerate(again[:6]):
    check.equal(f"beside others {i}", {k: v[:len(ids)] for k, v in reply.json["choices"][0]["logprobs"].items()}, l)
events = [e["choices"][0] for e in scored(STORY, logprobs=2, max_tokens=2, stream=True).events[:-1]]
streamed = [sum((e["logprobs"][k] for e in events if e["logprobs"]), []) for k in l]
check.equal("as a stream", [x[:len(ids)] for x in streamed], list(l.values()))
check.equal("its text", "".join(e["text"] for e in events), scored(STORY, max_tokens=2).json["choices"][0]["text"])
one = scored([ids[0]], logprobs=1, max_tokens=0).json["choices"][0]
check.equal("of one token", one["logprobs"]["token_logprobs"], [None])
several = scored([ids[:4], ids], logprobs=2, max_tokens=0).json["choices"]
check.equal("of two prompts", [len(c["logprobs"]["tokens"]) for c in several], [4, len(ids)])
full = scored((ids * 12)[:256], logprobs=1, max_tokens=0).json["choices"][0]
check.equal("of a prompt that fills the context", len(full["logprobs"]["tokens"]), 256)
check.equal("nothing asked for", server.text(STORY, max_tokens=0), "")
check.equal("too many", scored([ids * 10] * 128, logprobs=20, max_tokens=0).status, 400)
check.equal("less than none", server.complete(STORY, max_tokens=-1).status, 400)

# ---- how long a model stays ----
for bad in (True, "", "soon", "5x", {}, "1h-3m"):
    check.equal(f"keep_alive {bad!r}", server.complete("x", max_tokens=1, keep_alive=bad).status, 400)


def state():
    return server.get("/v1/models").json["data"][0]["status"]["value"]


for good in (-1, "1h30m", 300.5, "-1s"):
    check.equal(f"keep_alive {good!r}", server.complete("x", max_tokens=1, keep_alive=good).status, 200)
check.equal("it stays", state(), "loaded")
check.equal("no longer", server.complete("x", max_tokens=1, keep_alive=0).status, 200)
check("it is given back", wait_until(lambda: state() == "unloaded"), state())
check.equal("and loaded again", (server.text(STORY, max_tokens=0), state()), ("", "loaded"))
check.equal("it ends", server.end(), 0)

# ---- a message that goes on ----
server = Server(weft, model, "--deterministic", "--context", "256", "--chat-template", template_in(folder.name))
said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Once upon a time "}]


def chat(messages, **fields):
    return server.post("/v1/chat/completions", {"messages": messages, "temperature": 0, "max_tokens": 9, **fields})


def answer(*args, **fields):
    return chat(*args, **fields).json["choices"][0]["message"]["content"]


def continued(prompt):
    return server.text(prompt, max_tokens=9)


check.equal("an answer is begun", answer(said), continued("user: Hi\nassistant: Once upon a time \nOnce upon a time"))
check.equal("it is not", answer(said, add_generation_prompt=False), continued("user: Hi\nassistant: Once upon a time \n"))
check.equal("a message goes on", answer(said, continue_final_message=True, add_generation_prompt=False),
            continued("user: Hi\nassistant: Once upon a time "))
check.equal("also the user's", answer(said[:1], continue_final_message=True), continued("user: Hi"))
for messages, fields, status in ((said, {"add_generation_prompt": True}, 400),
                                 ([*said, {"role": "assistant", "content": " "}], {}, 400),
                                 ([*said, {"role": "assistant", "content": None}], {}, 400)):
    check.equal(f"status of {messages[-1]}", chat(messages, continue_final_message=True, **fields).status, status)
reply = server.post("/v1/messages", {"messages": said, "max_tokens": 9, "temperature": 0}).json
check.equal("in Anthropic's form", reply["content"][0]["text"], continued("user: Hi\nassistant: Once upon a time "))
check.equal("it ends", server.end(), 0)

# ---- in few cells ----
server = Server(weft, model, "--deterministic", "--context", "64", "--cells", "64", "--slots", "3")
short = ids[:20]
for i, reply in enumerate(together([lambda: scored(short, logprobs=2, max_tokens=20) for _ in range(3)])):
    is_right(reply.json["choices"][0]["logprobs"], len(short), f"in few cells {i}")
check.equal("it ends", server.end(), 0)
check.end()
