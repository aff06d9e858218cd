"""test_serve_draft.py WEFT MODEL: texts of `weft serve --speculate MODEL` are the same as without, whether the draft
model agrees or not: alone, beside others, in few cells, on a context that is full; of several models; and what answers,
metrics and the plan tell of it."""

import json
import os
import re
import shutil
import subprocess
import tempfile

import serving
from serving import Checks, Server, sys, together

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()


def another(name, **config):
    """A small model with random weights and the same tokenizer."""
    path = os.path.join(folder.name, name)
    with open(os.path.join(model, "config.json")) as f:
        config = {**json.load(f), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, **config}
    with open(path + ".json", "w") as f:
        json.dump(config, f)
    subprocess.run([weft, "init", path + ".json", path, "--seed", "3"], check=True, capture_output=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(model, file), path)
    return path


stranger, other = another("stranger"), another("other", vocab_size=5000)
STORY = "Once upon a time there was a little girl named Lily. She loved to play outside in the park with her friends. "
ASKED = [
    {"prompt": STORY * 4, "max_tokens": 24},
    {"prompt": "Once upon a time", "max_tokens": 30, "stop": ["play"]},
    {"prompt": STORY, "max_tokens": 20, "temperature": 0.8, "seed": 5, "n": 2},
    {"prompt": STORY, "max_tokens": 20, "repeat_penalty": 1.3, "logprobs": 2},
    {"prompt": "Say: ", "max_tokens": 40, "grammar": 'root ::= ("[" [a-z ]{3,9} "]" " ")+'},
    {"prompt": STORY, "max_tokens": 1},
    {"prompt": "The end", "ignore_eos": True, "max_tokens": 140, "context_shift": True},
]
ALL = range(len(ASKED))


def texts(reply):
    return [(c["text"], c["finish_reason"], c["logprobs"]) for c in reply.json["choices"]]


def ask(server, i, **more):
    return server.complete(**{**ASKED[i], **more})


def counts(server):
    return [server.metric(f"weft_{name}_tokens_total") for name in ("drafted", "accepted", "draft_model")]


options = ["--deterministic", "--context", "128"]
server = Server(weft, model, *options)
want = [texts(ask(server, i)) for i in ALL]
check.equal("what guesses", server.get("/props").json["models"][0]["speculate"], "off")
check.equal("it ends", server.end(), 0)

# ---- the model itself, which is right, and one that is not; whether or not it pays ----
for path, right in ((model, True), (stranger, False)):
    server = Server(weft, model, *options, "--speculate", path, "--draft-always")
    name = os.path.basename(path)
    for i in ALL:
        check.equal(f"text {i} with {name}", texts(ask(server, i)), want[i])
    drafted, accepted, read = counts(server)
    check(f"{name} has guessed", drafted > 100 and read > 100, (drafted, read))
    check(f"{name} is right or not", accepted > 0.3 * drafted if right else accepted < 0.2 * drafted, (drafted, accepted))
    for i, reply in zip(ALL, together([lambda i=i: ask(server, i) for i in ALL])):
        check.equal(f"text {i} with {name} beside the others", texts(reply), want[i])
    before = counts(server)
    reply = ask(server, 0, **{"speculative.n_max": 0})
    check.equal("off for a request", (texts(reply), counts(server)), (want[0], before))
    ask(server, 0, max_tokens=9)
    before = counts(server)
    reply = ask(server, 0, max_tokens=3)
    check("a beginning that was read is not read again", counts(server)[2] - before[2] < 40, counts(server)[2] - before[2])
    details = reply.json["usage"]["completion_tokens_details"]
    now = counts(server)
    check.equal("usage tells", details["accepted_prediction_tokens"], now[1] - before[1])
    props = server.get("/props").json["models"][0]
    check.equal("what guesses", props["speculate"], name)
    if right:
        check("the profile shows it", '"draft"' in server.get("/profile").body.decode())
        check.equal(f"text 0 after that", texts(ask(server, 0)), want[0])
    check.equal("it ends", server.end(), 0)

# ---- where it pays alone; few cells ----
for more in (["--speculate", stranger], ["--speculate", model, "--draft-always", "--cells", "128", "--slots", "3"]):
    server = Server(weft, model, *options, *more)
    some = (0, 1, 3, 6)
    for i, reply in zip(some, together([lambda i=i: ask(server, i) for i in some])):
        check.equal(f"text {i} with {more}", texts(reply), want[i])
    check.equal("it ends", server.end(), 0)

# ---- several models, each with its own ----
server = Server(weft, f"one={model},speculate={model},draft-always", f"two={model},speculate=ngram", *options)
for i in (0, 1):
    check.equal(f"text {i} of one", texts(ask(server, i, model="one")), want[i])
    check.equal(f"text {i} of two", texts(ask(server, i, model="two")), want[i])
check.equal("what guesses", [m["speculate"] for m in server.get("/props").json["models"]],
            [os.path.basename(model), "ngram"])
server.post("/models/unload", {"model": "one"})
check.equal("text 1 of one, loaded again", texts(ask(server, 1, model="one")), want[1])
check.equal("it ends", server.end(), 0)


# ---- what is refused, and what is planned ----
def refused(*words):
    told = subprocess.run([weft, "serve", model, "--port", "0", "--device", "cpu,threads=1", *words], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=serving.PATIENCE)
    check.equal(f"status of {words}", told.returncode, 1)
    return told.stderr


check("another vocabulary", "other cannot draft for " in refused("--speculate", other))
check("no such model", "nowhere" in refused("--speculate", "./nowhere"))
sizes = [float(re.search(r"it takes ([0-9.]+) MiB", refused("--memory", "1M", *words))[1])
         for words in ((), ("--speculate", stranger))]
check("it is in the plan", 0.3 < sizes[1] - sizes[0], sizes)
check.end()
