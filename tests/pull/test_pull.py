"""test_pull.py WEFT MODEL: `weft pull` from a hub on 127.0.0.1 (hub.py): what it asks for, what it leaves in the cache,
and what it does when the network or the hub is at fault. Every pull has an empty cache of its own unless it goes on with another's."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from hub import Hub, PATIENCE, digest_of

weft, model = sys.argv[1:3]
failed = checks = 0
hub = Hub()
folder = tempfile.TemporaryDirectory()
NAME, TOKEN = "some/tiny_1.5", "hf_aSecret"
SNAPSHOT = f"models--some--tiny_1.5/snapshots/{Hub.COMMIT}"
BIG = random.Random(5).randbytes(3_000_000)
hub.add(NAME, {"config.json": b'{"model_type": "none"}', "model.safetensors": BIG, "README.md": b"read me",
               "pytorch_model.bin": BIG[:5000], "tokenizer.json": BIG[:9000], "onnx/model.onnx": BIG[:6000], "empty.txt": b"",
               "additional_chat_templates/tool use.jinja": b"{{ messages }}"})
WANTED = {"config.json", "model.safetensors", "tokenizer.json", "additional_chat_templates/tool use.jinja"}


def check(what, ok, seen=None):
    global failed, checks
    checks += 1
    if not ok:
        failed += 1
        print(f"FAILED: {what}: {seen!r}", flush=True)
    return ok


class Cache:
    """A cache, and pulls into it."""

    def __init__(self, **environment):
        self.path = tempfile.mkdtemp(dir=folder.name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "XDG_", "TRANSFORMERS", "SSL_")) and
                not k.lower().endswith(("_proxy", "_ca_bundle"))}
        self.environment = {**kept, "HF_HUB_CACHE": self.path, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DOWNLOAD_TIMEOUT": "600",
                            "HOME": folder.name, **environment}

    def start(self, *args, **more):
        return subprocess.Popen([weft, "pull", "--wait", "0.01", *args], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)

    def pull(self, *args):
        del hub.requests[:]
        return self.ended(self.start(*(args or (NAME,))))

    def ended(self, process):
        self.out, self.err = process.communicate(timeout=PATIENCE)
        self.status = process.returncode
        return self

    def at(self, *parts):
        return os.path.join(self.path, *parts)

    @property
    def repository(self):
        return self.at("models--some--tiny_1.5")

    def files(self, at=SNAPSHOT):
        """What a snapshot has: paths and bytes."""
        top = self.at(at)
        found = [os.path.relpath(os.path.join(d, f), top) for d, _, names in os.walk(top) for f in names]
        return {f: open(os.path.join(top, f), "rb").read() for f in found}

    def blob(self, data, ending=""):
        return os.path.join(self.repository, "blobs", digest_of(data) + ending)


def works(what, cache, wanted=None):
    ok = check(f"{what}: ends well", cache.status == 0, cache.err)
    check(f"{what}: the files", cache.files() == {f: hub.repositories[NAME][f] for f in wanted or WANTED}, sorted(cache.files()))
    return ok


def fails(what, cache, words, status=1):
    """One message, and nothing seen of a snapshot."""
    ok = cache.status == status and words in cache.err and cache.err.count("weft: ") == 1 and not cache.out
    check(f"{what}: says '{words}'", ok, (cache.status, cache.err))
    check(f"{what}: nothing to be seen", not os.path.exists(cache.at("models--some--tiny_1.5", "snapshots")))
    check(f"{what}: the token is not shown", TOKEN not in cache.err)
    return cache


# ---- faults that a server can have, each for one request ----
def begins(h, data):
    """The head of an answer with all that was asked for, and where that begins."""
    at = h.offset()
    h.send_response(206 if at else 200)
    if at:
        h.send_header("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")
    h.send_header("Content-Length", str(len(data) - at))
    h.end_headers()
    return at


def breaks_after(n):
    def act(h, data):
        at = begins(h, data)
        h.wfile.write(data[at:at + n])
        h.cut()
    return act


def says(status, **headers):
    return lambda h, data: h.reply(status, b"no", **headers)


def sends(change):
    return lambda h, data: h.send_data(change(data))


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def without_ranges(h, data):
    h.reply(200, data)


def without_end(h, data):
    """Half of it, with no length said; then the end, as it seems."""
    h.send_response(200)
    h.send_header("Connection", "close")
    h.end_headers()
    h.wfile.write(data[:len(data) // 2])
    h.close_connection = True


def to(location, **headers):
    return lambda h, data: h.reply(302, Location=location, **headers)


CDN = "cdn/model.safetensors"

# ---- what is pulled ----
c = Cache(HF_TOKEN=f" {TOKEN}\n").pull()
works("a pull", c)
check("prints where it is", c.out == c.at(SNAPSHOT) + "\n", c.out)
check("says what", "4 of 8 files" in c.err and "--include" in c.err, c.err)
check("links are relative", os.readlink(c.at(SNAPSHOT, "model.safetensors")) == f"../../blobs/{digest_of(BIG)}")
inner = "additional_chat_templates/tool use.jinja"
check("from inner folders, too", os.readlink(c.at(SNAPSHOT, inner)) == f"../../../blobs/{digest_of(b'{{ messages }}')}")
check("blobs are files of their own", os.path.isfile(c.blob(BIG)) and not os.path.islink(c.blob(BIG)))
check("main is that commit", open(os.path.join(c.repository, "refs/main")).read() == Hub.COMMIT)
check("nothing else is left", set(os.listdir(c.repository)) == {"blobs", "refs", "snapshots"} and
      len(os.listdir(c.at(c.repository, "blobs"))) == 4, os.listdir(c.at(c.repository, "blobs")))
check("the list came in pages", len(hub.asked("/tree/" + Hub.COMMIT)) == 3, hub.requests)
check("the hub gets the token", all(r["token"] == f"Bearer {TOKEN}" for r in hub.requests if not r["cdn"]), hub.requests)
check("nobody else does", all(r["token"] is None for r in hub.requests if r["cdn"]) and hub.asked("/cdn/" + NAME + "/tokenizer.json"))
c.pull()
works("once more", c)
check("fetches no file", not hub.asked("config.json") and not hub.asked("model.safetensors"), hub.requests)
hub.repositories[NAME]["config.json"] = b'{"model_type": "some"}'
c.pull()
works("a changed file", c)
check("is fetched alone", hub.asked("config.json") and not hub.asked("model.safetensors"), hub.requests)

c = Cache().pull(NAME + "@refs/pr/1", "--include", "*.onnx", "--include", "empty.txt", "--include", "READ??.md")
works("patterns", c, {"onnx/model.onnx", "empty.txt", "README.md"})
check("a revision with a slash", open(os.path.join(c.repository, "refs/refs/pr/1")).read() == Hub.COMMIT)
check("goes as one word", any(r["path"].endswith("/revision/refs%2Fpr%2F1") for r in hub.requests), hub.requests)
check("no token, no header", all(r["token"] is None for r in hub.requests), hub.requests)
c = Cache().pull(NAME + "@" + Hub.COMMIT, "--include", "onnx/")
works("a commit and a folder", c, {"onnx/model.onnx"})
check("has no reference", not os.path.exists(os.path.join(c.repository, "refs")))
hub.add("some/twins", {"one.bin": BIG, "two.bin": BIG})
c = Cache().pull("some/twins", "--include", "*")
check("the same bytes come once", c.status == 0 and "2 of 2 files, 5.7 MiB, of which 2.9 MiB are to come" in c.err and
      len(hub.asked("one.bin") + hub.asked("two.bin")) == 2, (c.err, hub.requests))
for first, then in ("v1", "v1/fix"), ("v1/fix", "v1"):
    c = Cache().pull(NAME + "@" + first, "--include", "empty.txt")
    check(f"{first} comes", c.status == 0, c.err)
    c.pull(NAME + "@" + then, "--include", "README.md")
    check(f"then {then} has no place", c.status == 1 and f"another revision's name is in the way: {NAME}@{Hub.COMMIT}" in c.err, c.err)
    check("which is seen before anything comes", not hub.asked("README.md"), hub.requests)
c = Cache()
hub.faults[CDN] = [lambda h, d: (os.makedirs(os.path.join(c.repository, "refs/main")), h.send_data(d))]
check("a place that is taken meanwhile", c.pull().status == 1 and "refs/main: Is a directory" in c.err, c.err)
check("leaves nothing beside it", os.listdir(os.path.join(c.repository, "refs")) == ["main"], os.listdir(os.path.join(c.repository, "refs")))
fails("a pattern for nothing", Cache().pull(NAME, "--include", "*.onyx"), "none of its 8 files is --include '*.onyx'")

# ---- tokens and folders, as huggingface_hub finds them ----
home = tempfile.mkdtemp(dir=folder.name)
os.makedirs(os.path.join(home, ".cache/huggingface"))
with open(os.path.join(home, ".cache/huggingface/token"), "w") as f:
    f.write("hf_ofTheFile\n")
c = Cache(HOME=home)
del c.environment["HF_HUB_CACHE"]
c.path = os.path.join(home, ".cache/huggingface/hub")
works("the usual folders", c.pull())
check("the usual token", hub.requests[0]["token"] == "Bearer hf_ofTheFile", hub.requests[0])
check("which can be switched off", Cache(HOME=home, HF_HUB_DISABLE_IMPLICIT_TOKEN="1").pull().status == 0 and
      hub.requests[0]["token"] is None, hub.requests)
c = Cache(HF_HOME=os.path.join(home, "there"), HF_TOKEN_PATH=os.path.join(home, ".cache/huggingface/token"))
del c.environment["HF_HUB_CACHE"]
c.path = os.path.join(home, "there/hub")
works("HF_HOME", c.pull())
check("HF_TOKEN_PATH", hub.requests[0]["token"] == "Bearer hf_ofTheFile", hub.requests[0])
fails("a token that is none", Cache(HF_TOKEN=TOKEN + "\nX: y").pull(), "HF_TOKEN: the token has a character")
check("asks nobody", not hub.requests)
fails("offline", Cache(HF_HUB_OFFLINE="1").pull(), "HF_HUB_OFFLINE")

# ---- what breaks and passes ----
hub.faults[CDN] = [breaks_after(1_000_000), breaks_after(0), breaks_after(1_200_000)]
c = Cache().pull()
works("a connection that breaks", c)
check("goes on where it broke", [r["range"] for r in hub.asked(CDN[4:]) if r["cdn"]] ==
      [None, "bytes=1000000-", "bytes=1000000-", "bytes=2200000-"], hub.requests)
check("says so", c.err.count("note: ") == 3 and "again in" in c.err, c.err)
hub.faults["model.safetensors"] = [says(503), says(429, Retry_After="0"), says(500)]
hub.faults["config.json"] = [says(504)]
works("a hub that has no time", Cache().pull())
hub.faults[CDN] = [breaks_after(500_000), without_ranges]
works("a server without ranges", Cache().pull())
hub.faults[CDN] = [without_end]
works("an end that is none", Cache().pull())
hub.faults[CDN] = [breaks_after(500_000), says(416)]
works("a range that it does not like", Cache().pull())
hub.faults[CDN] = [says(503)] * 3
fails("no more tries", Cache().pull(NAME, "--retries", "2"), "localhost answers 503")
check("as many as were asked for", len([r for r in hub.requests if r["cdn"] and r["path"].count("model.saf")]) == 3, hub.requests)
hub.faults[CDN] = [breaks_after(100)] * 2
c = fails("a broken pull", Cache().pull(NAME, "--retries", "1"), "model.safetensors: localhost: ")
check("what has come stays", os.path.getsize(c.blob(BIG, ".incomplete")) == 200)
works("and is gone on with", c.pull())
check("from there", hub.asked(CDN[4:])[-1]["range"] == "bytes=200-", hub.requests)

# ---- what was there before, right or wrong ----
c = Cache()
os.makedirs(os.path.dirname(c.blob(BIG)))
for what, old in (("nothing of use", b"x" * 1000), ("too much", BIG + b"x"), ("as much, but wrong", flipped(BIG)),
                  ("all of it", BIG)):
    shutil.rmtree(c.repository)
    os.makedirs(os.path.dirname(c.blob(BIG)))
    with open(c.blob(BIG, ".incomplete"), "wb") as f:
        f.write(old)
    works(f"an old beginning with {what}", c.pull())
    check(f"{what}: gone", not os.path.exists(c.blob(BIG, ".incomplete")))
check("what is all there is not fetched", not hub.asked(CDN[4:]), hub.requests)
with open(c.blob(BIG), "r+b") as f:
    f.truncate(100)
works("a blob that has become short", c.pull())

# ---- lies ----
hub.faults[CDN] = [sends(flipped)]
c = fails("other bytes", Cache().pull(), "its hash is " + digest_of(flipped(BIG)) + ", not " + digest_of(BIG))
check("they do not stay", not os.path.exists(c.blob(BIG)) and os.path.getsize(c.blob(BIG, ".incomplete")) == 0)
hub.faults["config.json"] = [sends(flipped)]
fails("other bytes of a small file", Cache().pull(), "config.json: what has come is not")
hub.faults[CDN] = [sends(lambda d: d + b"more")]
fails("more bytes", Cache().pull(), "the server has 3000004 bytes, the hub's list of files says 3000000")
hub.faults[CDN] = [sends(lambda d: d[:-7])]
fails("fewer bytes", Cache().pull(), "the server has 2999993 bytes")
hub.faults["config.json"] = [lambda h, d: (h.send_response(200), h.send_header("Connection", "close"), h.end_headers(),
                                           h.wfile.write(d * 1000), setattr(h, "close_connection", True))]
fails("more bytes without a length", Cache().pull(), "config.json: more comes than the 22 bytes")
hub.faults["config.json"] = [lambda h, d: h.reply(200, d, X_Repo_Commit="f" * 40)]
fails("another commit", Cache().pull(), "the hub answers for commit " + "f" * 40)
hub.faults["model.safetensors"] = [to("http://localhost:1/", X_Linked_Etag='"' + "e" * 64 + '"')]
fails("another hash in the headers", Cache().pull(), "the hub says its hash is " + "e" * 64)
hub.faults["model.safetensors"] = [to("http://localhost:1/", X_Linked_Size="12")]
fails("another size in the headers", Cache().pull(), "the hub says it has 12 bytes, and 3000000 in its list")
hub.faults[CDN] = [breaks_after(1000), lambda h, d: h.reply(206, d[500:], Content_Range=f"bytes 500-{len(d) - 1}/{len(d)}")]
fails("another range", Cache().pull(), "asked for what follows 1000 bytes")

# ---- names and numbers from the hub ----
top = set(os.listdir(folder.name))
for path in ("../evil", "a/../../evil", "/evil", "a//b", "./a", "a/", "a\\b", "..", "a\x1b[2Jb", "a\x7f", "a\u009bb", "", "n" * 300,
             "a/" * 600 + "b"):
    hub.edits["README.md"] = lambda e, path=path: {**e, "path": path}
    c = fails(f"the name {path[:20]!r}", Cache().pull(NAME, "--include", "*"), "could lead out of its folder")
    check("is not shown as it is", "\x1b" not in c.err and "\u009b" not in c.err, c.err)
works("a name that nobody wants", Cache().pull())
hub.edits["README.md"] = lambda e: {**e, "path": "a\0b"}
fails("a zero in a name", Cache().pull(), "a name with a zero in it")
hub.edits["README.md"] = lambda e: {**e, "path": "config.json"}
fails("a name twice", Cache().pull(), "'config.json': listed twice")
hub.edits["README.md"] = lambda e: {**e, "path": "config.json/x"}
c = Cache().pull(NAME, "--include", "*")
check("a file in a file", c.status == 1 and "config.json" in c.err and not os.path.exists(os.path.join(c.repository, "refs")), c.err)
check("nothing was put elsewhere", not os.path.exists(os.path.join(folder.name, "evil")) and
      not any("evil" in f for f in top), top)
for size in (-1, 1 << 45, 0.5, "12", None):
    hub.edits["README.md"] = lambda e, size=size: {**e, "size": size}
    fails(f"the size {size}", Cache().pull(), "'README.md': no size that a file can have")
hub.edits["README.md"] = lambda e: {**e, "size": 10**30}
fails("a size beyond numbers", Cache().pull(), "no JSON")
hub.edits["README.md"] = lambda e: {**e, "size": 1 << 43}
fails("a size beyond disks", Cache().pull(NAME, "--include", "*"), "MiB are to come, and")
for oid in ("../../../evil", "0" * 39, "X" * 40, 7):
    hub.edits["README.md"] = lambda e, oid=oid: {**e, "oid": oid}
    fails(f"the hash {oid}", Cache().pull(), "'README.md': no hash of it")
hub.edits["README.md"] = lambda e: {"path": "README.md"}
fails("an entry of nothing", Cache().pull(), "an entry without type or path")
hub.edits.clear()
tree, revision = f"/api/models/{NAME}/tree/{Hub.COMMIT}", f"/api/models/{NAME}/revision/main"


def answering(act, **more):
    """A pull from a hub whose list of files, or commit, is what `act` answers."""
    keep = hub.tree, hub.revision
    hub.tree = act
    if more.get("commit"):
        hub.tree, hub.revision = keep[0], act
    c = Cache().pull()
    hub.tree, hub.revision = keep
    return c


deep = "[" * 100000
for what, body, words in (("no list", b'{"a": 1}', "is no list"), ("no JSON", b"<html>", "no JSON"),
                          ("half of it", b'[{"type":', "no JSON"), ("nothing", b"", "no JSON"),
                          ("what is deep", deep.encode(), "no JSON"), ("keys twice", b'[{"a":1,"a":2}]', "no JSON"),
                          ("9 MiB", b"[" + b" " * (9 << 20) + b"]", "more than 8388608 bytes")):
    fails(f"a list that is {what}", answering(lambda h, *a, body=body: h.reply(200, body)), words)
fails("pages without end", answering(lambda h, *a: h.reply(200, b"[]", Link=f'<{hub.endpoint}{tree}?x>; rel="next"')), "has no end")
entries = list(hub.entries(NAME))
c = answering(lambda h, *a: h.reply(200, json.dumps(entries[4:] if "at=4" in h.path else entries[:4]).encode(),
                                    **({} if "at=4" in h.path else {"Link": f'<{tree}?at=4>; rel="next"'})))
works("a page by a part of an address", c)
fails("pages elsewhere", answering(lambda h, *a: h.reply(200, json.dumps(list(hub.entries(NAME))).encode(), Link='<file:///etc/passwd>; rel="next"')),
      "no address of http")
for sha in ("../../evil", "", 5, "0" * 41):
    fails(f"the commit {sha!r}", answering(lambda h, *a, sha=sha: h.reply(200, json.dumps({"sha": sha}).encode()), commit=True),
          "names no commit")
fails("endless headers", answering(lambda h, *a: h.reply(200, b"[]", **{f"X{i}": "y" * 1000 for i in range(90)}, X_Z="z" * 60000,
                                                         X_A="z" * 60000, X_B="z" * 60000), commit=True), "revision 'main': 127.0.0.1: ")

# ---- where it is sent ----
for what, location, words in (("a file", "file:///etc/passwd", "no address of http"), ("ftp", "ftp://localhost/x", "no address of http"),
                              ("nothing", "", "sends on to no address"), ("a user", "http://a:b@localhost/", "user's name"),
                              ("itself", f"{hub.endpoint}/{NAME}/resolve/x/config.json", "sent on more than 10 times")):
    hub.faults["config.json"] = [to(location)] * 12
    fails(f"sent on to {what}", Cache().pull(NAME, "--retries", "0"), words)
hub.faults.clear()
hub.faults["config.json"] = [to(f"/{NAME}/resolve/moved/config.json?x=y z&etag=%22a%22")]
works("sent on within the hub", Cache(HF_TOKEN=TOKEN).pull())
check("with the token", hub.asked("moved/config.json")[0]["token"] == f"Bearer {TOKEN}", hub.requests)
hub.cdn_host = "127.0.0.1"
works("another port", Cache(HF_TOKEN=TOKEN).pull())
check("is another server", all(r["token"] is None for r in hub.requests if r["cdn"]), hub.requests)
hub.cdn_host = "127.0.0.2"
hub.faults["model.safetensors"] = [to(f"http://127.0.0.1:{hub.cdn.server_port}/cdn/{NAME}/model.safetensors")]
hub.faults[CDN] = [to(f"{hub.endpoint}/cdn/{NAME}/model.safetensors")]
hub.faults["tokenizer.json"] = [lambda h, d: h.send_data(d)]
works("away and back", Cache(HF_TOKEN=TOKEN).pull())
check("the hub gets it again", hub.asked("/cdn/" + NAME + "/model.safetensors")[-1]["token"] == f"Bearer {TOKEN}", hub.requests)
hub.cdn_host = "localhost"
fails("an address that is none", Cache(HF_ENDPOINT="ftp://x").pull(), "HF_ENDPOINT: ftp://x: no address of http")
for address, shown in (("ftp://me:secret@x", "ftp://x"), ("me:secret@x", "x"), ("http://me:sec/secret@x:99999", "http://x:99999"),
                       ("http://me:secret@x", "http://x")):
    c = fails(f"a password in {address}", Cache(HF_ENDPOINT=address).pull(), f"HF_ENDPOINT: {shown}: ")
    check("is not shown", "secret" not in c.err, c.err)

# ---- https, with a certificate that the test makes itself ----
pem = os.path.join(folder.name, "localhost.pem")
if shutil.which("openssl"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", pem, "-out", pem + ".crt"],
                   check=True, capture_output=True, timeout=PATIENCE)
    hub.secure(pem + ".crt", pem)
    plain, hub.endpoint = hub.endpoint, f"https://localhost:{hub.tls.server_port}"
    fails("a server that nobody vouches for", Cache(HF_TOKEN=TOKEN).pull(), "ertificate")
    check("hears nothing", not hub.requests, hub.requests)
    fails("on from https to http", Cache(HF_TOKEN=TOKEN, SSL_CERT_FILE=pem + ".crt").pull(), "from https to http (localhost), which is refused")
    check("asks there for nothing", not any(r["cdn"] for r in hub.requests), hub.requests)
    keep, hub.tree = hub.tree, lambda h, *a: h.reply(200, json.dumps(list(hub.entries(NAME))).encode(), Link=f'<{plain}{tree}>; rel="next"')
    fails("a page by http", Cache(HF_TOKEN=TOKEN, SSL_CERT_FILE=pem + ".crt").pull(), "from https to http (127.0.0.1), which is refused")
    hub.tree = keep
    works("https", Cache(SSL_CERT_FILE=pem + ".crt").pull(NAME, "--include", "config.json"), {"config.json"})
    hub.endpoint = plain

# ---- refusals ----
for what, name, words, environment in (
        ("no repository", "some/none", "has no such repository, or it is private: then HF_TOKEN", {}),
        ("nor with a token", "some/none", "private and not for the token of HF_TOKEN", {"HF_TOKEN": TOKEN}),
        ("no revision", NAME + "@v9", "has no such revision", {})):
    fails(what, Cache(**environment).pull(name), words)
hub.faults["config.json"] = [says(401, X_Error_Code="GatedRepo", X_Error_Message="Access to model is restricted")]
fails("gated", Cache().pull(), f"gated: ask for access at {hub.endpoint}/{NAME}, and set HF_TOKEN")
hub.faults["config.json"] = [says(403, X_Error_Code="GatedRepo")]
fails("gated with a token", Cache(HF_TOKEN=TOKEN).pull(), "gated: whom the token of HF_TOKEN belongs to has no access")
hub.faults["config.json"] = [says(401, X_Error_Message="Invalid credentials in Authorization header")]
fails("a wrong token", Cache(HF_TOKEN=TOKEN).pull(), "does not take the token of HF_TOKEN")
hub.faults["config.json"] = [says(404, X_Error_Code="EntryNotFound")]
fails("a file that has gone", Cache().pull(), "config.json is not there")
hub.faults["config.json"] = [says(404)]
fails("a file that has gone without a word", Cache().pull(), "config.json is not there")
fails("a list that is not there", answering(lambda h, *a: h.reply(404)), "has no such repository")
hub.faults[CDN] = [says(403, X_Error_Message="a\x1b[2Jb")]
c = fails("an expired address", Cache().pull(), "localhost answers 403")
check("its words are made harmless", "\x1b" not in c.err, c.err)
for name in ("a/b/c", "../evil", "a@", "a@../b", "a@x y", "a b", "-", "a@" + "x" * 300, "a@-x", "a@b/./c", "a@.lock", "a@b."):
    fails(f"the argument {name[:20]!r}", Cache().pull(name), "pull: ", 2)
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    fails("nobody there", Cache(HF_ENDPOINT=f"http://127.0.0.1:{s.getsockname()[1]}").pull(), "(is there a network?)")

# ---- models of other kinds ----
half = len(BIG) // 2
shards = {f"model-0000{i}-of-00002.safetensors": BIG[(i - 1) * half:i * half] for i in (1, 2)}
index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
both = dict(shards, **{"config.json": b"{}", "other.safetensors": BIG[:8000]})
hub.add(NAME, dict(both, **{"model.safetensors.index.json": json.dumps(index).encode()}))
works("shards", Cache().pull(), set(hub.repositories[NAME]) - {"other.safetensors"})
for name, words in (("model-00003-of-00002.safetensors", "names a file that is not there"), (5, "names a file that is not there"),
                    ("../evil", "could lead out of its folder")):
    index["weight_map"]["c"] = name
    hub.add(NAME, dict(both, **{"model.safetensors.index.json": json.dumps(index).encode(), "../evil": b"evil"}))
    fails(f"a shard {name}", Cache().pull(), words)
hub.add(NAME, dict(both, **{"model.safetensors.index.json": b"{}"}))
fails("an index of nothing", Cache().pull(), "names no weights")
for path, size, words in (("config.json", 1 << 43, "MiB are to come, and"),
                          ("model.safetensors.index.json", (64 << 20) + 1, "has 67108865 bytes, the limit is 67108864")):
    hub.edits = {path: lambda e, size=size: {**e, "size": size}}
    fails(f"{path} of {size} bytes", Cache().pull(), words)
    check("not even the index comes", not hub.asked("index.json"), hub.requests)
hub.edits = {}
gguf = {f"a-q8_0-0000{i}-of-00002.gguf": BIG[i * 5000:i * 9000] for i in (1, 2)}
hub.add(NAME, dict(gguf, **{"README.md": b""}))
c = Cache().pull()
works("the one GGUF model", c, set(gguf))
check("prints its first file", c.out == c.at(SNAPSHOT, "a-q8_0-00001-of-00002.gguf") + "\n", c.out)
hub.add(NAME, dict(gguf, **{"b-q4_0.gguf": BIG[:5000]}))
fails("several", Cache().pull(), "choose by --include, as in --include 'a-q8_0-00001-of-00002.gguf': a-q8_0-00001-of-00002.gguf, b-q4_0.gguf")
hub.add(NAME, {"\x1b]0;owned\x07x.gguf": b"x", "\x1b]1;owned\x07y.gguf": b"y"})
c = fails("names that a terminal would obey", Cache().pull(), "as in --include '?]0;owned?x.gguf': ?]0;owned?x.gguf, ?]1;owned?y.gguf")
check("are not shown as they are", "\x1b" not in c.err, c.err)
hub.add(NAME, dict(gguf, **{"b-q4_0.gguf": BIG[:5000]}))
c = Cache().pull(NAME, "--include", "*q4_0.gguf")
works("one of them", c, {"b-q4_0.gguf"})
check("prints it", c.out == c.at(SNAPSHOT, "b-q4_0.gguf") + "\n", c.out)
hub.add(NAME, {"pytorch_model.bin": BIG, "config.json": b"{}"})
fails("nothing to run", Cache().pull(), "no model.safetensors, no model.safetensors.index.json and no GGUF file")
hub.add(NAME, {"adapter_config.json": b"{}", "model.safetensors": BIG})
fails("no configuration", Cache().pull(), "no config.json")
hub.add(NAME, {"adapter_config.json": b"{}", "adapter_model.safetensors": BIG, "optimizer.pt": BIG})
works("an adapter", Cache().pull(), {"adapter_config.json", "adapter_model.safetensors"})

# ---- two at once, ends by signals, full disks ----
hub.add(NAME, {"config.json": b"{}", "model.safetensors": BIG})
WANTED = set(hub.repositories[NAME])
reached, go_on = threading.Event(), threading.Event()


def holds(h, data):
    """Half of it; the rest when it is told to."""
    at = begins(h, data)
    h.wfile.write(data[at:half])
    h.wfile.flush()
    reached.set()
    go_on.wait(PATIENCE)
    h.wfile.write(data[max(at, half):])


def held(cache):
    """A pull that has come to the middle."""
    reached.clear(), go_on.clear()
    hub.faults[CDN] = [holds]
    del hub.requests[:]
    process = cache.start(NAME)
    check("comes to the middle", reached.wait(PATIENCE))
    return process


def wait_until(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    check(what, is_so())


def has_come(cache, n):
    path = cache.blob(BIG, ".incomplete")
    return os.path.exists(path) and os.path.getsize(path) >= n


c = Cache()
first = held(c)
wait_until("half has come", lambda: has_come(c, half))
check("no snapshot meanwhile", not os.path.exists(os.path.join(c.repository, "snapshots")))
second = c.start(NAME)
line = second.stderr.readline(), second.stderr.readline()
check("another pull waits, and says so", "another pull fetches it; waiting" in line[1], line)
go_on.set()
works("the first", c.ended(first))
works("the second", c.ended(second))
check("one request for both", len([r for r in hub.requests if r["cdn"]]) == 1, hub.requests)

c = Cache()
first = held(c)
wait_until("half has come again", lambda: has_come(c, half))
first.kill()
check("killed", c.ended(first).status == -signal.SIGKILL)
go_on.set()
check("what has come is there", os.path.getsize(c.blob(BIG, ".incomplete")) >= half)
works("a pull after it", c.pull())
check("goes on", hub.asked(CDN[4:])[-1]["range"] == f"bytes={half}-", hub.requests)

for by, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
    c = Cache()
    first = held(c)
    first.send_signal(by)
    fails(f"{by.name} while it waits", c.ended(first), "cancelled while pulling", status)
    go_on.set()
works("and on", c.pull())

hub.faults[CDN] = [lambda h, d: (reached.clear(), go_on.clear(), h.send_response(200), h.end_headers(), h.wfile.flush(),
                                 go_on.wait(PATIENCE))]
fails("a server that says nothing", Cache(HF_HUB_DOWNLOAD_TIMEOUT="1").pull(NAME, "--retries", "0"),
      "ess than 64 bytes/sec transferred the last 1 seconds")
go_on.set()

limits = resource.getrlimit(resource.RLIMIT_FSIZE)
c = Cache()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # which a child has, too; and its signal stays ignored
process = c.start(NAME, restore_signals=False)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
fails("a file that may not grow", c.ended(process), "could not be written: File too large")
check("its beginning stays", os.path.getsize(c.blob(BIG, ".incomplete")) == 1_000_000)
works("until it may", c.pull())
check("says how much is to come", "2.9 MiB, of which 1.9 MiB are to come" in c.err, c.err)
check("and is gone on with", hub.asked(CDN[4:])[-1]["range"] == "bytes=1000000-", hub.requests)
c = Cache()
os.makedirs(os.path.join(c.repository, "blobs"))
c.path = os.path.join(c.repository, "blobs", "none")
with open(c.path, "w") as f:
    f.write("a file")
c.environment["HF_HUB_CACHE"] = c.path
check("a cache that is a file", c.pull().status == 1 and "Not a directory" in c.err, c.err)

# ---- what the cache has is a MODEL ----
real = {f: open(os.path.join(model, f), "rb").read() for f in os.listdir(model)}
hub.add("some/stories", real)
c = Cache().pull("some/stories")
run = [weft, "generate", "-p", "Once upon a time", "-n", "4", "--device", "cpu,threads=1"]
texts = {m: subprocess.run([*run, m], env=c.environment, capture_output=True, text=True, timeout=PATIENCE).stdout
         for m in (model, c.out.strip(), "some/stories", "some/stories@main", f"some/stories@{Hub.COMMIT}")}
seen = subprocess.run([*run, "some/stories@v2"], env=c.environment, capture_output=True, text=True, timeout=PATIENCE)
check("another revision is to be pulled", "`weft pull some/stories@v2` fetches it" in seen.stderr, seen.stderr)
check("runs by its path and by its name", len(set(texts.values())) == 1 and texts[model].startswith("Once upon a time,"), texts)
index = json.dumps({"weight_map": {"a": "config.json"}}).encode()
for name, data in (("config.json", b"{}"), ("model.safetensors.index.json", index + b" " * (64 << 20))):
    os.makedirs(c.at("models--some--stories/snapshots/other"), exist_ok=True)
    with open(c.at("models--some--stories/snapshots/other", name), "wb") as f:
        f.write(data)
with open(c.at("models--some--stories/refs/main"), "w") as f:
    f.write("other")
seen = subprocess.run([*run, "some/stories"], env=c.environment, capture_output=True, text=True, timeout=PATIENCE)
check("a snapshot with an index of 64 MiB is not whole", seen.stdout == texts[model], seen.stderr)
gguf = os.path.join(folder.name, "stories.gguf")
subprocess.run([weft, "convert", model, gguf], check=True, capture_output=True, timeout=PATIENCE)
hub.add("some/gguf", {"stories-f16.gguf": open(gguf, "rb").read(), "config.json": b"{}"})
c = Cache().pull("some/gguf")
for named in (c.out.strip(), "some/gguf"):
    seen = subprocess.run([weft, "inspect", named, "--device", "cpu,threads=1"], env=c.environment, capture_output=True, text=True, timeout=PATIENCE)
    check(f"a GGUF model by {named}", seen.returncode == 0 and "stories-f16.gguf" in seen.stdout, (seen.stdout[:200], seen.stderr))
hub.add("some/stories.gguf", real)
c = Cache().pull("some/stories.gguf")
seen = subprocess.run([*run, "some/stories.gguf"], env=c.environment, capture_output=True, text=True, timeout=PATIENCE)
check("a repository with a file's name", seen.stdout == texts[model], seen.stderr)

hub.close()
folder.cleanup()
print(f"{checks} checks, {failed} failed")
sys.exit(failed > 0)
