"""test_serve_models.py WEFT MODEL: several models in one `weft serve`: loaded on demand, given back, refused; what waits for
one delays no stream of another."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import serving
from serving import Checks, Server, together

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()
STORY, ALONE = "Once upon a time", ", there was a little girl named Lily."


def inside(name):
    return os.path.join(folder.name, name)


def state(server, name):
    return next(m["state"] for m in server.get("/props").json["models"] if m["model"] == name)


def until(what, server, name, wanted):
    end = time.monotonic() + serving.PATIENCE
    while state(server, name) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    check.equal(what, state(server, name), wanted)


def logged(what, server, line, n):
    end = time.monotonic() + serving.PATIENCE
    while server.lines.count(line) < n and time.monotonic() < end:
        time.sleep(0.01)
    check(f"{what}: '{line}' {n} times", server.lines.count(line) >= n, server.lines)


@contextlib.contextmanager
def held(server, name):
    """Keeps a model in use by a text that goes on where the context is full, and is read as fast as it is written."""
    body = json.dumps({"prompt": "The", "stream": True, "ignore_eos": True, "context_shift": True, "max_tokens": 1 << 22, "model": name}).encode()
    ends = threading.Event()

    def read(s):
        while not ends.is_set() and s.recv(65536):
            pass

    with server.connect() as s:
        s.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        s.recv(20)
        reader = threading.Thread(target=read, args=(s,))
        reader.start()
        try:
            yield
        finally:
            ends.set()
            reader.join(serving.PATIENCE)


def refused(*words):
    """What `weft serve` says of words that it does not take."""
    r = subprocess.run([weft, "serve", *words, "--port", "0", "--device", "cpu,threads=1"], stderr=subprocess.PIPE, text=True, errors="replace",
                       stdin=subprocess.DEVNULL, timeout=serving.PATIENCE)
    return r.returncode, r.stderr


# ---- what the command line says of models ----
name = model.rstrip("/").rsplit("/", 1)[-1]
for words, said in [((model, model), f"two models are called '{name}'"), ((f"a={model},contxt=5",), "did you mean 'context'"),
                    ((f"a={model},port=5",), "port is no option of one model"), ((f"a={model},context=x",), "expected a whole"),
                    ((f"a={model},exact=1",), "exact takes no value"), ((f"a={model},context",), "context needs a value"),
                    ((f"={model}",), "expected NAME=PATH"), ((model, f"b={model}", "--name", "c"), "--name is for one model"),
                    ((model, "--memory", "much"), "expected a number of bytes"), ([f"m{i}={model}" for i in range(17)], "more than 16"),
                    ((f"\udcff={model}",), "a name is UTF-8"), ((f"a={model},context=4,context=5",), "--context is given twice")]:
    status, text = refused(*words)
    check(f"{words} is refused", status == 2 and said in text, (status, text))
status, text = refused(model, "b=/nowhere")
check("a model that is not there is told at the start", status == 1 and "/nowhere" in text, (status, text))

# ---- loaded when it is asked for ----
broken, comma = inside("broken"), inside("a,b=c")
shutil.copytree(model, broken)
os.symlink(os.path.abspath(model), comma)
adapter = serving.adapter_in(folder.name, "other", seed=3)
server = Server(weft, f"one={model}", f"two={model},context=64,slots=2,lora={adapter}", f"bad={broken}", comma, "--deterministic")
with open(os.path.join(broken, "config.json"), "w") as f:
    f.write("{")
check.equal("the first is loaded, the others are not", [(m["id"], m["status"]["value"]) for m in server.get("/v1/models").json["data"]],
            [("one", "loaded"), ("two", "unloaded"), ("two:other", "unloaded"), ("bad", "unloaded"), ("a,b=c", "unloaded")])
check.equal("without a name the first is meant", server.complete(STORY, max_tokens=9).json["model"], "one")
check.equal("and no other is loaded for it", state(server, "two"), "unloaded")
seen = together([lambda m=m: server.text(STORY, model=m, max_tokens=9) for m in ["one", "two"] * 8])
check.equal("sixteen at once, eight of them for one that is loaded meanwhile", seen, [ALONE] * 16)
check.equal("each has its own options", [(m["context"], m["slots"]) for m in server.get("/props").json["models"][:2]],
            [(512, 16), (64, 2)])
check("an adapter belongs to its model", server.text(STORY, model="two:other", max_tokens=9) not in ("", ALONE))
check.equal("and to no other", server.complete(STORY, model="one:other").status, 404)
check.equal("tokens by another model", server.post("/tokenize", {"content": STORY, "model": "a,b=c"}).json["tokens"], [424, 436, 260, 398])
r = server.complete(STORY, model="bad")
check.equal("a damaged file", (r.status, r.error["code"], r.error["type"]), (503, "model_not_loaded", "server_error"))
check("of which the answer names no path", folder.name not in r.error["message"], r.error)
end = time.monotonic() + serving.PATIENCE
while not any("broken" in line and "config.json" in line for line in server.lines) and time.monotonic() < end:
    time.sleep(0.01)
check("but the log does", time.monotonic() < end, server.lines)
check.equal("it is tried again when it is asked for again", server.complete(STORY, model="bad").status, 503)
shutil.copy(os.path.join(model, "config.json"), broken)
check.equal("and loaded when it is whole", server.text(STORY, model="bad", max_tokens=9), ALONE)
check.equal("a stream of one that must be loaded first", server.post("/models/unload", {"model": "two"}).json, {"success": True})
until("which it is not", server, "two", "unloaded")
events = server.complete(STORY, model="two", max_tokens=9, stream=True).events
check.equal("is that of one that was", "".join(e["choices"][0]["text"] for e in events[:-1]), ALONE)
metrics = server.get("/metrics").body.decode()
check("/metrics tells of each", 'weft_loads_total{model="two"} 2' in metrics and 'weft_loaded{model="one"} 1' in metrics, metrics)
check("what was counted stays counted", 'weft_generated_tokens_total{model="two"} 90' in metrics, metrics)
for body, status in [({"model": "none"}, 404), ({}, 400), (b"{", 400)]:
    for what in ("load", "unload"):
        check.equal(f"/models/{what} of {body}", server.post(f"/models/{what}", body).status, status)
server.post("/models/unload", {"model": "one"})
until("one is given back", server, "one", "unloaded")
check.equal("and loaded", server.post("/models/load", {"model": "one"}).json, {"success": True})
check.equal("which is answered then", state(server, "one"), "loaded")
check.equal("/models/load of a loaded one", server.post("/models/load", {"model": "one"}).status, 200)

# ---- where its time goes ----
stories = together([lambda: server.text(STORY, model="one", max_tokens=9), lambda: server.get("/profile/one"),
                    lambda: server.text(STORY, model="one", max_tokens=9)])
profile = stories[1]
check("/profile is a page", profile.status == 501 or (profile.status == 200 and b'id="weft-a"' in profile.body), profile.body[:300])
if profile.status == 200:
    check("of both programs, with times", all(re.search(x, profile.body) for x in
                                                     (rb'"name": ?"prompt"', rb'"name": ?"decode"', rb'"profile":')))
    check.equal("and without a file's name", profile.body.count(os.path.abspath(model).encode()), 0)
check.equal("texts go on", [stories[0], stories[2]], [ALONE] * 2)
check.equal("/profile is of the first", server.get("/profile").status, profile.status)
check.equal("/profile of none", server.get("/profile/none").status, 404)
for site, status in [("cross-site", 403), ("same-site", 403), ("none", profile.status)]:
    check.equal(f"/profile for a page, {site}", server.get("/profile", [f"Sec-Fetch-Site: {site}"]).status, status)
check.equal("/profile has no head", server.ask("HEAD", "/profile").status, 405)
server.post("/models/unload", {"model": "bad"})
until("one that is not loaded", server, "bad", "unloaded")
check.equal("/profile of it", server.get("/profile/bad").status, 409)
check.equal("does not load it", state(server, "bad"), "unloaded")
check.equal("it leaves the cache as it was", server.text(STORY, model="one", max_tokens=9), ALONE)
check.equal("the server ends with", server.end(), 0)

# ---- room for one alone, and a time to be kept of none ----
small = ("--context", "64", "--cells", "64", "--deterministic")
server = Server(weft, f'a"b\\c={model}', *small)
need = server.get("/props").json["models"][0]["bytes"]
check("a name as Prometheus reads it", 'weft_loaded{model="a\\"b\\\\c"} 1' in server.get("/metrics").body.decode())
check.equal("/profile with a context of 64", server.get("/profile").status, profile.status)
server.end()
status, text = refused(f"one={model}", f"two={model}", "--preload", "--memory", str(need * 3 // 2), *small)
check("--preload of more than fits is refused with numbers", status == 1 and "two: it takes" in text and "--memory allows" in text, text)
server = Server(weft, f"one={model}", f"two={model}", "--preload", "--memory", str(need * 3), *small)
check.equal("--preload loads all", [m["state"] for m in server.get("/props").json["models"]], ["loaded"] * 2)
server.end()
server = Server(weft, f"one={model}", f"two={model}", f"brief={model},keep-alive=0", f"large={model},context=512,cells=16384",
                "--memory", str(need * 3 // 2), "--timeout", "3", *small)
for m in ["two", "one", "brief", "one"]:
    check.equal(f"{m} takes the room of another", server.text(STORY, model=m, max_tokens=9), ALONE)
check.equal("there is one at a time", sorted(m["state"] for m in server.get("/props").json["models"]), ["loaded"] + ["unloaded"] * 3)
with held(server, "two"):  # until nobody reads it
    r = server.complete(STORY, model="one")
    check("what is in use stays", r.status == 503 and "models that are in use have" in r.error["message"], r.body)
end = time.monotonic() + serving.PATIENCE
while server.complete(STORY, model="brief", max_tokens=1).status != 200 and time.monotonic() < end:
    pass
check("what nobody reads goes", time.monotonic() < end)
until("what is kept for no time goes by itself", server, "brief", "unloaded")
check.equal("one more", server.text(STORY, model="one", max_tokens=9), ALONE)
r = server.complete(STORY, model="large")
check("what can never fit is refused with numbers", r.status == 503 and "--memory allows" in r.error["message"], r.body)
check.equal("and nothing goes for it", state(server, "one"), "loaded")
check.equal("then the server ends with", server.end(), 0)

# ---- one that must wait for its room, and others beside it ----
server = Server(weft, f"one={model}", f"two={model}", f"three={model}", f"wide={model},cells=1024", "--memory", str(need * 5 // 2), "--timeout",
                "4", *small)
with held(server, "two"):
    wide = threading.Thread(target=lambda: answers.append(server.complete(STORY, model="wide")))
    answers = []
    wide.start()
    logged("a model that must wait for its room", server, "loading wide", 1)
    until("and gives nothing back in vain: the one that is idle", server, "one", "loaded")
    check.equal("which is served", server.text(STORY, model="one", max_tokens=9), ALONE)
    check.equal("another is loaded meanwhile", server.text(STORY, model="three", max_tokens=9), ALONE)
    check.equal("in the place of the idle one", (state(server, "one"), state(server, "two")), ("unloaded", "loaded"))
    wide.join(serving.PATIENCE)
    check("it waits no longer than --timeout", answers and answers[0].status == 503 and "in use" in answers[0].error["message"], answers)
    check.equal("unloading one that is in use", server.post("/models/unload", {"model": "two"}).status, 200)
    check.equal("and loading it before it has gone", server.post("/models/load", {"model": "two"}).status, 200)
    body = json.dumps({"prompt": STORY, "model": "wide"}).encode()
    with server.connect() as s:
        s.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        logged("one whose client goes", server, "loading wide", 2)
    until("is loaded for nobody", server, "wide", "unloaded")
check.equal("it is loaded when there is room", server.text(STORY, model="wide", max_tokens=9), ALONE)
check.equal("that server ends with", server.end(), 0)
server = Server(weft, f"one={model}", f"wide={model},cells=1024", "--memory", str(need * 5 // 2), *small)
seen = together([lambda m=m: [server.text(STORY, model=m, max_tokens=9) for _ in range(2)] for m in ["one", "one", "wide", "wide"]])
check.equal("two that have no room beside each other, asked for all the time", seen, [[ALONE] * 2] * 4)
check.equal("then that server ends with", server.end(), 0)
check.end()
