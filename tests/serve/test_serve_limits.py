"""test_serve_limits.py WEFT MODEL: what `weft serve` does with too much: connections, slow and silent clients, full queues, full
caches, keys, signals. One server with small limits after another; each check waits for what must happen."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

from serving import Checks, Server, adapter_in, parse, read_all, together

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()
C = "/v1/completions"
STORY = "Once upon a time"
ALONE = ", there was a little girl named Lily."


def request(server, body, extra=""):
    return (f"POST {C} HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {len(body)}\r\n{extra}\r\n").encode() + body


def endless(n=500, stream=True):
    return (f'{{"prompt": "{STORY}", "max_tokens": {n}, "ignore_eos": true, "temperature": 0, '
            f'"stream": {str(stream).lower()}}}').encode()


# ---- a thousand connections that say nothing, and one that does ----
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
server = Server(weft, model, "--deterministic", "--slots", "2")
idle = [server.connect() for _ in range(1000)]
check.equal("beside 1,000 connections", server.text(STORY, max_tokens=9), ALONE)
check("which are there", server.metric("weft_connections") >= 1000, server.metric("weft_connections"))
one = f"GET /health HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()
for s in idle[::100]:
    s.sendall(one)
check.equal("ten of them speak", [s.recv(65536)[:15] for s in idle[::100]], [b"HTTP/1.1 200 OK"] * 10)
for s in idle:
    s.close()
# an end while two texts are written and others wait: the first signal lets them end, the second does not
busy = [server.connect() for _ in range(4)]
for s in busy:
    s.sendall(request(server, endless()))
for s in busy[:2]:
    s.recv(1)
server.process.send_signal(signal.SIGTERM)
while True:
    try:
        server.connect().close()
    except OSError:
        break
server.process.send_signal(signal.SIGTERM)
seen = [read_all(s) for s in busy]
check("a second signal ends streams", all(b"[DONE]" not in x for x in seen), [x[-200:] for x in seen])
check("which say so", all(b"the server is ending" in x for x in seen), [x[-200:] for x in seen])
check.equal("and the server", server.wait(), 0)

# ---- keys, and limits that are small ----
keys = os.path.join(folder.name, "keys")
with open(keys, "w") as f:
    f.write("sesame\nanother key\n")
server = Server(weft, model, "--api-key", keys, "--timeout", "1", "--slots", "1", "--queue", "2", "--max-body", "4096",
                "--name", "tiny")
check.equal("no key", (server.get("/v1/models").status, server.get("/v1/models").error["code"]), (401, "invalid_api_key"))
check.equal("it says how", server.get("/v1/models").headers["www-authenticate"], "Bearer")
for key, status in [("sesame", 200), ("another key", 200), ("sesam", 401), ("sesamee", 401), ("", 401), ("Sesame", 401)]:
    check.equal(f"the key '{key}'", server.get("/v1/models", [f"Authorization: Bearer {key}"]).status, status)
check.equal("in another header", server.get("/v1/models", ["X-Api-Key: sesame"]).status, 200)
check.equal("in another form", server.get("/v1/models", ["Authorization: Basic sesame"]).status, 401)
check.equal("no key for what is not there", server.get("/nothing").status, 401)
check.equal("/health is open", server.get("/health").status, 200)
check.equal("/metrics is not", server.get("/metrics").status, 401)
auth = ["Authorization: Bearer sesame"]
key = "Authorization: Bearer sesame\r\n"
check.equal("its name", server.get("/v1/models", auth).json["data"][0]["id"], "tiny")
check.equal("any host's name goes with a key", parse(server.raw(
    b"GET /v1/models HTTP/1.1\r\nHost: weft.example\r\nConnection: close\r\n" + key.encode() + b"\r\n")).status, 200)
check.equal("a body of 4,096 bytes", server.post("/tokenize", b'{"content": "' + b"a" * 4081 + b'"}', auth).status, 200)
check.equal("and of one more", server.post("/tokenize", b'{"content": "' + b"a" * 4082 + b'"}', auth).status, 413)

# one text runs, two wait, the others are refused
streams = []
for i in range(3):
    s = server.connect()
    s.sendall(request(server, endless(400), key))
    check.equal("a place", s.recv(15), b"HTTP/1.1 200 OK")
    streams.append(s)
    while not i and b"data" not in s.recv(4096):  # the first runs before the others come
        pass
refused = server.post(C, {"prompt": STORY}, auth)
check.equal("a full queue", (refused.status, refused.error["code"], refused.headers["retry-after"]), (429, "queue_full", "1"))
check.equal("a request for more than it", server.post(C, {"prompt": STORY, "n": 3}, auth).status, 429)
check.equal("vectors that were not asked for", server.post("/v1/embeddings", {"input": "a"}, auth).status, 422)
check.equal("others are answered", server.post("/tokenize", {"content": "a"}, auth).status, 200)
for s in streams[1:]:
    s.close()
check("the first is finished", b"[DONE]" in read_all(streams[0]))

# slow ones: silence, a byte now and then, a body that does not come
silent = [server.connect() for _ in range(3)]
silent[1].sendall(b"GET /hea")
silent[2].sendall(request(server, b"x" * 100, key)[:-50])
slow = server.connect()
ended = False
try:
    while True:  # as often as it lets us
        slow.sendall(b"X")
        slow.settimeout(0.2)
        try:
            if not slow.recv(100):
                break
        except socket.timeout:
            pass
except (ConnectionResetError, BrokenPipeError):
    pass
check("a client that sends a byte now and then is dropped", True)
for what, s in zip(("silence", "half a line", "half a body"), silent):
    data = read_all(s)
    check(f"{what} is dropped", not data or data[9:12] in (b"408", b"400"), data)
check.equal("the server ends", server.end(), 0)

# ---- a request that comes when the server has ended but for its connections ----
server = Server(weft, model)
with server.connect() as s:
    s.sendall(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{\"content\":")
    check.equal("half a request is here", server.get("/health").status, 200)
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    try:
        s.sendall(b' "Once"  }')
        s.recv(65536)
    except OSError:
        pass  # it was closed before
check.equal("the server ends, twice told", server.wait(), 0)

# ---- 64 keys ----
many = os.path.join(folder.name, "many")
for n in (64, 65):
    with open(many, "w") as f:
        f.writelines(f"key-{i}\n\n" for i in range(n))
    told = subprocess.run([weft, "serve", os.path.join(folder.name, "none"), "--api-key", many], capture_output=True, text=True)
    check.equal(f"{n} keys are {'more than 64' if n > 64 else 'read'}", "more than 64 keys" in told.stderr, n > 64)

# ---- a cache that is smaller than what is asked of it ----
server = Server(weft, model, "--deterministic", "--slots", "4", "--cells", "512", "--chat-template", os.devnull)
alone = [server.text(f"{STORY} there was a {x}", max_tokens=200, ignore_eos=True) for x in ("cat", "dog", "bird", "fish")]
many = together([lambda x=x: server.text(f"{STORY} there was a {x}", max_tokens=200, ignore_eos=True)
                 for x in ("cat", "dog", "bird", "fish")])
check.equal("texts that do not fit at once are as each alone", many, alone)
check("for some were set back", server.metric("weft_preemptions_total") > 0)
check.equal("the server ends", server.end(signal.SIGINT), 0)

# ---- adapters, chosen by the model's name ----
folders = [adapter_in(folder.name, a, seed) for a, seed in (("one", 1), ("two", 2))]
server = Server(weft, model, "--deterministic", "--name", "tiny", "--lora", folders[0], "--lora", folders[1])
names = [m["id"] for m in server.get("/v1/models").json["data"]]
check.equal("adapters are models", names, ["tiny", "tiny:one", "tiny:two"])
check.equal("one by its name", server.get("/v1/models/tiny:two").json["id"], "tiny:two")
alone = [server.text(STORY, model=m, max_tokens=20) for m in names]
check("what they write differs", len(set(alone)) == 3 and alone[0].startswith(ALONE), alone)
told = subprocess.run([weft, "generate", model, "--lora", folders[1], "--prompt", STORY, "--max-tokens", "20", "--deterministic",
                       "--json", "--device", "cpu,threads=1"], capture_output=True, check=True)
check.equal("it is what `weft generate --lora` writes", json.loads(told.stdout)["text"], alone[2])
check.equal("also in one batch", together([lambda m=m: server.text(STORY, model=m, max_tokens=20) for m in names * 3]), alone * 3)
check.equal("an answer names it", server.complete(STORY, model="tiny:one", max_tokens=1).json["model"], "tiny:one")
check.equal("another", server.complete(STORY, model="tiny:three").status, 404)
check.equal("the server ends", server.end(), 0)
check.end()
