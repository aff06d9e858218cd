"""test_serve_speculate.py WEFT MODEL: texts of `weft serve` are the same with guessed tokens as without: by the server
for all, by a request's prediction, alone and beside others; and what answers and metrics tell of it."""

import sys

from serving import Checks, Server, together

weft, model = sys.argv[1:3]
check = Checks()
REPEATED = "Tom has a red ball. Tom has a big red ball. Tom has a red ball. Tom has"
ASKED = [
    {"prompt": REPEATED, "max_tokens": 60},
    {"prompt": "Once upon a time", "max_tokens": 60, "stop": ["named", "play"]},
    {"prompt": REPEATED, "max_tokens": 40, "temperature": 0.8, "seed": 5, "n": 2},
    {"prompt": REPEATED, "max_tokens": 30, "repeat_penalty": 1.3, "logprobs": 2},
    {"prompt": "Say: ", "max_tokens": 60, "grammar": 'root ::= ("[" [a-z ]{3,9} "]" " ")+'},
    {"prompt": REPEATED, "max_tokens": 1},
    {"prompt": REPEATED, "ignore_eos": True, "max_tokens": 500},
    {"prompt": "The end", "max_tokens": 60, "temperature": 0.6, "seed": 9, "top_p": 0.9},
]


def ask(server, i, **more):
    return server.complete(**{**ASKED[i], **more})


def texts(reply):
    return [(c["text"], c["finish_reason"], c["logprobs"]) for c in reply.json["choices"]]


def drafted(reply):
    d = reply.json["usage"].get("completion_tokens_details", {})
    return d.get("accepted_prediction_tokens", 0), d.get("rejected_prediction_tokens", 0)


# ---- without, and by requests ----
options = ["--deterministic", "--context", "128"]
server = Server(weft, model, *options)
want = [texts(ask(server, i)) for i in range(len(ASKED))]
usage = ask(server, 0).json["usage"]
check("nothing is guessed by itself", "completion_tokens_details" not in usage, usage)
right = sum(
    drafted(server.complete(**ASKED[0], prediction={"type": "content", "content": want[0][0][0]}))[0] for _ in range(3))
check("a prediction that comes true is of use", right > 0, right)
check.equal("it is counted", server.metric("weft_accepted_tokens_total"), right)
parts = [REPEATED, " a blue dog" * 9]
wrong = {"type": "content", "content": [{"type": "text", "text": part} for part in parts]}
for i in range(len(ASKED)):
    true = {"type": "content", "content": want[i][0][0]}
    check.equal(f"text {i} with a true prediction", texts(ask(server, i, prediction=true)), want[i])
    check.equal(f"text {i} with another", texts(ask(server, i, prediction=wrong)), want[i])
for bad in ("text", {"type": "content"}, {"type": "text", "content": "x"}, {"type": "content", "content": [1]}):
    reply = ask(server, 0, prediction=bad)
    check.equal(f"status of the prediction {bad}", (reply.status, reply.error["param"]), (400, "prediction"))
check.equal("an empty prediction", texts(ask(server, 0, prediction={"type": "content", "content": ""})), want[0])
check.equal("it ends", server.end(), 0)

# ---- for every text ----
server = Server(weft, model, *options, "--speculate", "ngram")
for i in range(len(ASKED)):
    check.equal(f"text {i} alone", texts(ask(server, i)), want[i])
check("tokens were guessed", server.metric("weft_drafted_tokens_total") > 0)
for i, reply in enumerate(together([lambda i=i: ask(server, i) for i in range(len(ASKED))])):
    check.equal(f"text {i} beside the others", texts(reply), want[i])
before = server.metric("weft_drafted_tokens_total")
reply = ask(server, 0, **{"speculative.n_max": 0})
check.equal("off for a request", (texts(reply), drafted(reply)), (want[0], (0, 0)))
check.equal("nothing was guessed then", server.metric("weft_drafted_tokens_total"), before)
check.equal("beyond what there is", ask(server, 0, **{"speculative.n_max": 65}).status, 400)
check.equal("it ends", server.end(), 0)

# ---- a cache that is full soon ----
server = Server(weft, model, *options, "--speculate", "ngram", "--cells", "128", "--slots", "3")
some = (0, 1, 3)
for i, reply in zip(some, together([lambda i=i: ask(server, i) for i in some])):
    check.equal(f"text {i} in few cells", texts(reply), want[i])
check.equal("it ends", server.end(), 0)
check.end()
