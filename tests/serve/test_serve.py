"""test_serve.py WEFT MODEL: `weft serve` over plain sockets, with the bundled model: every endpoint, every error, streams,
clients that go, many at once. A deterministic server: what it says to one does not depend on what it says to others."""

import array
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from serving import PATIENCE, Checks, Server, template_in, together

weft, model = sys.argv[1:3]
name = model.rstrip("/").rsplit("/", 1)[-1]
check = Checks()
folder = tempfile.TemporaryDirectory()
server = Server(weft, model, "--deterministic", "--chat-template", template_in(folder.name), "--slots", "16", "--embeddings")

STORY = "Once upon a time"
ALONE = ", there was a little girl named Lily."

# ---- what it says of itself ----
check.equal("/health", (server.get("/health").status, server.get("/health").json), (200, {"status": "ok"}))
check.equal("/ready", server.get("/ready").status, 200)
models = server.get("/v1/models").json
check.equal("/v1/models", [m["id"] for m in models["data"]], [name])
check.equal("/v1/models/NAME", server.get(f"/v1/models/{name}").json["id"], name)
check.equal("/v1/models/other", server.get("/v1/models/other").status, 404)
props = server.get("/props").json["models"][0]
check.equal("/props", (props["context"], props["vocabulary"], props["slots"]), (512, 4096, 16))
check("/props has the template", "raise_exception" in props["chat_template"], props["chat_template"])
head = server.ask("HEAD", "/health")
check.equal("HEAD", (head.status, head.body), (200, b""))

# ---- completions ----
r = server.complete(STORY, max_tokens=9)
answer = r.json
check.equal("a completion's status and type", (r.status, r.headers["content-type"]), (200, "application/json"))
check.equal("its text", answer["choices"][0]["text"], ALONE)
check.equal("its end", answer["choices"][0]["finish_reason"], "length")
check.equal("its object", (answer["object"], answer["model"]), ("text_completion", name))
check.equal("its usage", [answer["usage"][k] for k in ("prompt_tokens", "completion_tokens", "total_tokens")], [4, 9, 13])
check("its id", answer["id"].startswith("cmpl-") and len(answer["id"]) > 20, answer["id"])
check.equal("the model by name", server.complete(STORY, model=name, max_tokens=9).json["choices"][0]["text"], ALONE)
check.equal("16 tokens by default", server.complete(STORY).json["usage"]["completion_tokens"], 16)
check.equal("a prompt of tokens", server.text([424, 436, 260, 398], max_tokens=9), ALONE)
check.equal("echo", server.text(STORY, max_tokens=9, echo=True), STORY + ALONE)
several = server.complete([STORY, [424, 436, 260, 398]], max_tokens=9, n=2).json
check.equal("two prompts, two each", [(c["index"], c["text"]) for c in several["choices"]], [(i, ALONE) for i in range(4)])
check.equal("usage of both", (several["usage"]["prompt_tokens"], several["usage"]["completion_tokens"]), (8, 36))
check.equal("stop", server.text(STORY, stop=" girl"), ", there was a little")
stopped = server.complete(STORY, stop=["xyz", "tle g"]).json["choices"][0]
check.equal("stop within a token", (stopped["text"], stopped["finish_reason"]), (", there was a lit", "stop"))
ids = server.post("/tokenize", {"content": ALONE}).json["tokens"]
check.equal("logit_bias", server.text(STORY, max_tokens=1, logit_bias={str(ids[1]): 100}), " there")
check("a ban", server.text(STORY, max_tokens=1, logit_bias={str(ids[0]): -100}) != ",", None)
seeded = [server.complete("The", temperature=1.5, seed=s, max_tokens=12).json["choices"][0]["text"] for s in (5, 5, 6)]
check("a seed repeats, another does not", seeded[0] == seeded[1] != seeded[2], seeded)
free = [server.complete("The", temperature=1.5, max_tokens=12).json["choices"][0]["text"] for _ in range(4)]
check("without a seed texts differ", len(set(free)) > 1, free)
choices = server.complete("The", temperature=1.5, seed=5, max_tokens=12, n=3).json["choices"]
check("choices of one seed differ", len({c["text"] for c in choices}) == 3, choices)
check.equal("the first is that of the seed", choices[0]["text"], seeded[0])
check.equal("top_k 1", server.complete(STORY, temperature=1, top_k=1, max_tokens=9).json["choices"][0]["text"], ALONE)
for field, value in [("top_p", 0.001), ("min_p", 0.999), ("typical_p", 0.0001), ("samplers", ["top_k"])]:
    r = server.complete(STORY, temperature=1, max_tokens=3, **{field: value})
    check.equal(f"{field} is taken", r.status, 200)
penalised = server.text("Lily Lily Lily Lily", max_tokens=20, repeat_penalty=1.5, presence_penalty=2, frequency_penalty=2)
check("penalties matter", penalised != server.text("Lily Lily Lily Lily", max_tokens=20), penalised)
check.equal("dry, mirostat, xtc", server.complete(STORY, dry_multiplier=1, mirostat=2, xtc_probability=0.5,
                                                  max_tokens=3).status, 200)

# ---- log-probabilities ----
l = server.complete(STORY, max_tokens=3, logprobs=2).json["choices"][0]["logprobs"]
check.equal("tokens", l["tokens"], [",", " there", " was"])
check.equal("offsets", l["text_offset"], [0, 1, 7])
check("the best of two is the one picked", all(max(t.values()) == p and len(t) == 2
                                               for t, p in zip(l["top_logprobs"], l["token_logprobs"])), l)
check("logarithms", all(-5 < p < 0 for p in l["token_logprobs"]), l)

many = server.complete(STORY, n=128, max_tokens=500, logprobs=20)
check.equal("too many for one answer", (many.status, many.error["param"]), (400, "top_logprobs"))
a = server.post("/tokenize", {"content": "a"}).json["tokens"][0]
never = server.complete(STORY, grammar='root ::= "a"', logit_bias={str(a): -100})
check.equal("no token is left", (never.status, never.error["code"]), (422, "beyond_limits"))

# ---- ends ----
full = server.complete(STORY, max_tokens=4096, ignore_eos=True).json
check.equal("a full context", (full["choices"][0]["finish_reason"], full["usage"]["total_tokens"]), ("length", 513))
long = server.complete("a " * 600)
check.equal("a prompt longer than it", (long.status, long.error["code"]), (400, "context_length_exceeded"))
ended = server.complete("The end.", max_tokens=240).json["choices"][0]
check.equal("the end of the text", ended["finish_reason"], "stop")

# ---- chat ----
talk = [{"role": "user", "content": "Hi"}]
chat = server.post("/v1/chat/completions", {"messages": talk, "temperature": 0, "max_tokens": 9}).json
check.equal("a chat's object", (chat["object"], chat["id"][:9]), ("chat.completion", "chatcmpl-"))
message = chat["choices"][0]["message"]
prompt = "user: Hi\n" + STORY
check.equal("its text", (message["role"], message["content"]), ("assistant", server.text(prompt, max_tokens=9)))
parts = [{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}]
r = server.post("/v1/chat/completions", {"messages": parts, "temperature": 0, "max_completion_tokens": 9})
check.equal("content in parts", r.json["choices"][0]["message"]["content"], message["content"])
r = server.post("/v1/chat/completions", {"messages": talk, "max_tokens": 9, "temperature": 0, "logprobs": True,
                                         "top_logprobs": 3}).json["choices"][0]["logprobs"]["content"]
check.equal("log-probabilities", (len(r), len(r[0]["top_logprobs"])), (9, 3))
check.equal("bytes", bytes(b for t in r for b in t["bytes"]).decode(), message["content"])
tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
r = server.post("/v1/chat/completions", {"messages": talk, "tools": [tool], "temperature": 0, "max_tokens": 9})
check.equal("tools reach the template", r.json["choices"][0]["message"]["content"],
            server.text("user: Hi\n1 tools\n" + STORY, max_tokens=9))
r = server.post("/v1/chat/completions", {"messages": talk, "chat_template_kwargs": {"greeting": "One day"},
                                         "temperature": 0, "max_tokens": 9})
check.equal("so do variables", r.json["choices"][0]["message"]["content"], server.text("user: Hi\nOne day", max_tokens=9))

# ---- texts that must match ----
schema = {"type": "object", "properties": {"name": {"enum": ["Lily", "Tom"]}, "age": {"type": "integer", "maximum": 99,
          "minimum": 1}}, "required": ["name", "age"], "additionalProperties": False}
ask = {"messages": talk, "temperature": 1, "seed": 3, "max_tokens": 80}
r = server.post("/v1/chat/completions", {**ask, "n": 3, "response_format": {"type": "json_schema", "json_schema": {
    "name": "x", "schema": schema}}}).json["choices"]
said = [json.loads(c["message"]["content"]) for c in r]
check("answers of a schema", all(set(s) == {"name", "age"} and s["name"] in ("Lily", "Tom") and 1 <= s["age"] <= 99 for s in said),
      said)
check.equal("end by themselves", {c["finish_reason"] for c in r}, {"stop"})
check.equal("a grammar", server.text(STORY, grammar='root ::= " a " ("cat" | "dog")', temperature=2) in (" a cat", " a dog"), True)
r = server.complete(STORY, grammar='root ::= " zebra"', logprobs=1).json["choices"][0]
check("log-probabilities stay the model's own", r["text"] == " zebra" and min(r["logprobs"]["token_logprobs"]) < -3, r)
streamed = server.complete(STORY, json_schema={"enum": ["yes", "no"]}, stream=True).events
check("a stream", "".join(e["choices"][0]["text"] for e in streamed[:-1]) in ('"yes"', '"no"'), streamed)

# ---- calls of tools, which a grammar makes the model write ----
call = '<tool_call>\\n{\\"name\\": \\"f\\", \\"arguments\\": {\\"a\\": [1, \\"x\\"]}}\\n</tool_call>'
calling = {"messages": talk, "tools": [tool], "grammar": f'root ::= "Well. {call}\\n{call}"', "max_tokens": 200}
c = server.post("/v1/chat/completions", calling).json["choices"][0]
calls = c["message"]["tool_calls"]
check.equal("two calls", [(d["type"], d["function"]["name"], json.loads(d["function"]["arguments"])) for d in calls],
            [("function", "f", {"a": [1, "x"]})] * 2)
check.equal("beside a text", (c["message"]["content"], c["finish_reason"]), ("Well. ", "tool_calls"))
check("with ids that differ", calls[0]["id"] != calls[1]["id"], calls)
deltas = [e["choices"][0] for e in server.post("/v1/chat/completions", {**calling, "stream": True}).events[:-1]]
check.equal("in a stream", "".join(d["delta"].get("content", "") for d in deltas), "Well. ")
check.equal("calls come whole", [d["function"]["arguments"] for x in deltas for d in x["delta"].get("tool_calls", [])],
            ['{"a":[1,"x"]}'] * 2)
check.equal("and end it", deltas[-1]["finish_reason"], "tool_calls")
broken = {**calling, "grammar": 'root ::= "a <tool_call> b"'}
c = server.post("/v1/chat/completions", broken).json["choices"][0]
check.equal("what is no call stays text", (c["message"]["content"], c["finish_reason"]), ("a <tool_call> b", "stop"))
deltas = [e["choices"][0]["delta"] for e in server.post("/v1/chat/completions", {**broken, "stream": True}).events[:-1]]
check.equal("in a stream, too", "".join(d.get("content", "") for d in deltas), "a <tool_call> b")

# ---- streams ----
r = server.complete(STORY, max_tokens=9, stream=True, stream_options={"include_usage": True})
check.equal("a stream's type", (r.status, r.headers["content-type"]), (200, "text/event-stream"))
events = r.events
check.equal("it ends", events[-1], "[DONE]")
check.equal("its text", "".join(e["choices"][0]["text"] for e in events[:-2]), ALONE)
check.equal("its finish", [e["choices"][0]["finish_reason"] for e in events[:-2]], [None] * 9 + ["length"])
check.equal("its usage", (events[-2]["choices"], events[-2]["usage"]["completion_tokens"]), ([], 9))
check("one id", len({e["id"] for e in events[:-1]}) == 1, events)
r = server.post("/v1/chat/completions", {"messages": talk, "temperature": 0, "max_tokens": 9, "stream": True}).events
check.equal("a chat's stream begins with the role", r[0]["choices"][0]["delta"], {"role": "assistant", "content": ""})
check.equal("and has the same text", "".join(e["choices"][0]["delta"].get("content", "") for e in r[:-1]),
            message["content"])
r = server.complete("The", max_tokens=5, n=3, seed=1, temperature=1.2, stream=True, logprobs=1).events
check.equal("streams of three choices", {e["choices"][0]["index"] for e in r[:-1]}, {0, 1, 2})
check("have their log-probabilities", sum(len(e["choices"][0]["logprobs"]["tokens"]) for e in r[:-1]
                                          if e["choices"][0]["logprobs"]) == 15, r)

# ---- vectors ----
V = "/v1/embeddings"
r = server.post(V, {"input": ["a red ball", "a big red ball", [424, 436]]}).json
vectors = [d["embedding"] for d in r["data"]]
check.equal("vectors", ([len(v) for v in vectors], r["usage"]["prompt_tokens"], r["model"]), ([256] * 3, 9, name))
check("of length 1", all(abs(sum(a * a for a in v) - 1) < 1e-5 for v in vectors))
out = os.path.join(folder.name, "rows")
subprocess.run([weft, "embed", model, "--prompt", "a red ball", "--pool", "mean", "--output", out, "--deterministic", "--device",
                "cpu,threads=1"], check=True)
row = array.array("f", open(out, "rb").read())
size = sum(a * a for a in row) ** 0.5
check("as `weft embed` has them", all(abs(a / size - b) < 1e-5 for a, b in zip(row, vectors[0])), (row[:3], vectors[0][:3]))
coded = server.post(V, {"input": "a red ball", "encoding_format": "base64"}).json["data"][0]["embedding"]
check("as base64", all(abs(a - b) < 1e-7 for a, b in zip(array.array("f", base64.b64decode(coded)), vectors[0])), coded[:20])
first = [server.post(V, {"input": i, "pooling": p}).json["data"][0]["embedding"] for i, p in [("a red ball", "cls"), (server.post(
    "/tokenize", {"content": "a red ball"}).json["tokens"][:1], "last")]]
check("cls is the first token's", max(abs(a - b) for a, b in zip(*first)) < 1e-5, first)
r = server.post("/v1/rerank", {"model": name, "query": "a", "documents": ["b"]})
check.equal("no model ranks", (r.status, r.error["code"]), (422, "no_ranking_head"))
last = server.post(V, {"input": "a red ball", "pooling": "last"}).json["data"][0]["embedding"]
check("the last token's are others", max(abs(a - b) for a, b in zip(last, vectors[0])) > 1e-3)

# ---- tokens ----
check.equal("/tokenize", server.post("/tokenize", {"content": STORY}).json, {"tokens": [424, 436, 260, 398]})
pieces = server.post("/tokenize", {"content": "Once é", "with_pieces": True}).json["tokens"]
check.equal("pieces", pieces[0], {"id": 424, "piece": "Once"})
check.equal("/detokenize", server.post("/detokenize", {"tokens": [424, 436]}).json, {"content": "Once upon"})

# ---- errors: (what, status, code, path, body) ----
C, H, T = "/v1/completions", "/v1/chat/completions", "/tokenize"
ok = {"prompt": STORY}
for what, status, code, path, body in [
    ("no JSON", 400, "invalid_json", C, b"{"),
    ("an empty body", 400, "invalid_json", C, b""),
    ("no object", 400, "invalid_json", C, b"[1]"),
    ("no UTF-8", 400, "invalid_json", C, b'{"prompt": "\xff"}'),
    ("half a surrogate", 400, "invalid_json", C, b'{"prompt": "\\ud800"}'),
    ("a field twice", 400, "invalid_json", C, b'{"prompt": "a", "prompt": "b"}'),
    ("deep nesting", 400, "invalid_json", C, b"[" * 100000),
    ("no prompt", 400, "invalid_value", C, {}),
    ("an empty prompt", 400, "invalid_value", C, {"prompt": ""}),
    ("no prompts", 400, "invalid_value", C, {"prompt": []}),
    ("a prompt that is a number", 400, "invalid_value", C, {"prompt": 3}),
    ("an id out of range", 400, "invalid_value", C, {"prompt": [4096]}),
    ("a negative id", 400, "invalid_value", C, {"prompt": [-1]}),
    ("an unknown field", 400, "unknown_parameter", C, {**ok, "temprature": 1}),
    ("an unknown model", 404, "model_not_found", C, {**ok, "model": "gpt-4"}),
    ("a model that is a number", 400, "invalid_value", C, {**ok, "model": 4}),
    ("a negative temperature", 400, "invalid_value", C, {**ok, "temperature": -1}),
    ("a temperature in words", 400, "invalid_value", C, {**ok, "temperature": "hot"}),
    ("max_tokens below 0", 400, "invalid_value", C, {**ok, "max_tokens": -1}),
    ("half a token", 400, "invalid_value", C, {**ok, "max_tokens": 1.5}),
    ("n 0", 400, "invalid_value", C, {**ok, "n": 0}),
    ("too many choices", 400, "invalid_value", C, {"prompt": [STORY, STORY], "n": 100}),
    ("best_of", 400, "unsupported_value", C, {**ok, "best_of": 2}),
    ("stream in words", 400, "invalid_value", C, {**ok, "stream": "yes"}),
    ("too many log-probabilities", 400, "invalid_value", C, {**ok, "logprobs": 21}),
    ("too many stops", 400, "invalid_value", C, {**ok, "stop": ["a"] * 17}),
    ("an empty stop", 400, "invalid_value", C, {**ok, "stop": ""}),
    ("a bias too large", 400, "invalid_value", C, {**ok, "logit_bias": {"1": 101}}),
    ("a bias of no token", 400, "invalid_value", C, {**ok, "logit_bias": {"a": 1}}),
    ("an unknown sampler", 400, "invalid_value", C, {**ok, "samplers": ["best"]}),
    ("a sampler twice", 400, "invalid_value", C, {**ok, "samplers": ["top_k", "top_k"]}),
    ("mirostat 1", 400, "invalid_value", C, {**ok, "mirostat": 1}),
    ("a seed in words", 400, "invalid_value", C, {**ok, "seed": "x"}),
    ("stream_options of another kind", 400, "invalid_value", C, {**ok, "stream_options": {"usage": True}}),
    ("no messages", 400, "invalid_value", H, {"messages": []}),
    ("messages of no kind", 400, "invalid_value", H, {"messages": "Hi"}),
    ("a message without role", 400, "invalid_value", H, {"messages": [{"content": "Hi"}]}),
    ("an image", 400, "invalid_value", H, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
    ("a message that the template refuses", 422, "template", H, {"messages": [{"role": "refuse", "content": "x"}]}),
    ("tools of no kind", 400, "invalid_value", H, {"messages": talk, "tools": {}}),
    ("a tool that must be called, of none", 400, "invalid_value", H, {"messages": talk, "tool_choice": "required"}),
    ("top_logprobs alone", 400, "invalid_value", H, {"messages": talk, "top_logprobs": 2}),
    ("a field of the other endpoint", 400, "unknown_parameter", H, {"messages": talk, "prompt": "x"}),
    ("a broken grammar", 400, "invalid_value", C, {**ok, "grammar": "root ::= ("}),
    ("a schema of no kind", 400, "invalid_value", C, {**ok, "json_schema": 3}),
    ("a schema that is not known", 400, "invalid_value", C, {**ok, "json_schema": {"type": "colour"}}),
    ("two of them", 400, "invalid_value", C, {**ok, "json_schema": {}, "grammar": "root ::= \"a\""}),
    ("a format of no kind", 400, "invalid_value", H, {"messages": talk, "response_format": {"type": "xml"}}),
    ("no input", 400, "invalid_value", V, {}),
    ("an empty input", 400, "invalid_value", V, {"input": ""}),
    ("another width", 400, "unsupported_value", V, {"input": "a", "dimensions": 3}),
    ("another encoding", 400, "invalid_value", V, {"input": "a", "encoding_format": "hex"}),
    ("no content", 400, "invalid_value", T, {}),
    ("tokens of no kind", 400, "invalid_value", "/detokenize", {"tokens": "x"}),
    ("a token out of range", 400, "invalid_value", "/detokenize", {"tokens": [1 << 40]}),
]:
    r = server.post(path, body)
    check(what, r.status == status and r.error["code"] == code and r.error["message"], (r.status, r.body))
check.equal("no such path", (server.get("/v2").status, server.get("/v2").error["code"]), (404, "not_found"))
r = server.get(C)
check.equal("a wrong method", (r.status, r.headers["allow"]), (405, "POST"))
check.equal("a method that nobody has", server.ask("BREW", "/health").status, 405)
check.equal("a preflight", server.ask("OPTIONS", C).status, 405)
check("no word of other origins", "access-control-allow-origin" not in server.ask("OPTIONS", C).headers)
check.equal("a page of another site", server.post(C, ok, ["Origin: http://evil.example"]).status, 403)
own = server.post(C, {**ok, "max_tokens": 1}, [f"Origin: http://127.0.0.1:{server.port}"])
check.equal("a page of its own", own.status, 200)
rebound = server.raw(b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
check("a name that points here", rebound.startswith(b"HTTP/1.1 403"), rebound)

# ---- HTTP ----
for what, data in [("no HTTP", b"hello\r\n\r\n"), ("no version", b"GET /\r\n\r\n"), ("bytes", bytes(range(256)) * 4 + b"\r\n\r\n"),
                   ("no host", b"GET /health HTTP/1.1\r\n\r\n"), ("two lengths", b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\n"
                                                                 b"Content-Length: x\r\n\r\n")]:
    with server.connect() as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        try:
            seen = s.recv(65536)
        except ConnectionResetError:
            seen = b""
    check(f"{what}: refused", not seen or seen[9:12] in (b"400", b"405", b"404", b"505", b"401", b"403"), seen)
with server.connect() as s:  # a header that is too long
    try:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100000 + b"\r\n\r\n")
        seen = s.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        seen = b""
check("a header of 100,000 bytes", not seen or seen[9:12] in (b"431", b"413", b"400"), seen)
r = server.raw(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{{".encode())
check("a body that is said to be too large", r.startswith(b"HTTP/1.1 413"), r)
pieces = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(140)) + b"0\r\n\r\n"
r = server.raw(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + pieces)
check("one that is", r.startswith(b"HTTP/1.1 413"), r[:200])
body = b'{"prompt": "Once upon a time", "max_tokens": 9, "temperature": 0}'
chunks = b"".join(b"1\r\n" + body[i:i + 1] + b"\r\n" for i in range(len(body))) + b"0\r\n\r\n"
r = server.raw(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks)
check("a body in pieces of one byte", ALONE.encode() in r, r)
with server.connect() as s:  # three requests on one connection, sent at once
    one = f"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    s.sendall(one + one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    seen = b""
    while block := s.recv(65536):
        seen += block
check.equal("three on one connection", seen.count(b"HTTP/1.1 200"), 3)

# ---- many at once, each as alone ----
prompts = [f"{STORY} there {w}" for w in ("was a cat", "were two dogs", "lived a boy", "was a big tree", "came a bird", "sat a frog",
                                         "stood a house", "ran a fox")] + [f"One day, {n}" for n in
          ("Tom", "Sue went to", "Ben and Mia", "a little fish", "the sun was", "Lily saw", "a red car", "mom said")]
alone = [server.text(p, max_tokens=24) for p in prompts]


def stream(p):
    def run():
        events = server.complete(p, max_tokens=24, stream=True).events
        return "".join(e["choices"][0]["text"] for e in events[:-1])
    return run


check.equal("16 streams at once are as each alone", together([stream(p) for p in prompts]), alone)
mixed = together([stream(p) for p in prompts] + [lambda: server.text("a " * 300, max_tokens=5)] * 4 +
                 [lambda: server.post("/tokenize", {"content": "x " * 1000}).status] * 4)
check.equal("also beside long prompts", mixed[:16], alone)
check.equal("and these beside them", mixed[16:], [server.text("a " * 300, max_tokens=5)] * 4 + [200] * 4)
cached = server.metric("weft_cached_tokens_total")
r = server.complete(STORY + ALONE * 3, max_tokens=1).json["usage"]
again = server.complete(STORY + ALONE * 3, max_tokens=1).json["usage"]
check.equal("a prompt that was there", again["prompt_tokens_details"]["cached_tokens"], again["prompt_tokens"] - 1)
check("is counted", server.metric("weft_cached_tokens_total") >= cached + again["prompt_tokens"] - 1)

# ---- clients that go ----
def wait_until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return check(what, False, "it did not come")
        time.sleep(0.02)
    return check(what, True)


endless = f'{{"prompt": "{STORY}", "max_tokens": 500, "ignore_eos": true%s}}'
for what, more in (("a stream's", ', "stream": true'), ("another's", "")):
    body = (endless % more).encode()
    lost = []
    for _ in range(3):
        s = server.connect()
        s.sendall(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        lost.append(s)
    if more:
        lost[0].recv(100)
    for s in lost:
        s.close()
    wait_until(f"{what} client has gone, and its text ends", lambda: server.metric("weft_running") == 0)
check.equal("and others do not notice", server.text(STORY, max_tokens=9), ALONE)
check.equal("no error was the server's", [s for s in (500, 502, 503) if f'code="{s}"' in server.get("/metrics").body.decode()], [])

# ---- the end: what has begun is finished ----
body = (endless % ', "stream": true').encode()
with server.connect() as s:
    s.sendall(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    seen = s.recv(65536)
    server.process.terminate()
    while block := s.recv(65536):
        seen += block
        if b"[DONE]" in seen:
            break
check("a stream is finished after SIGTERM", b"[DONE]" in seen, seen[-300:])
check.equal("then the server ends with", server.wait(), 0)
check.end()
