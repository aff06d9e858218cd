"""test_speculate.py WEFT MODEL: generate and chat with --speculate: the same text, what is told of it, what is refused."""

import json
import re
import subprocess
import sys
import tempfile

weft, model = sys.argv[1:3]
failed = 0
cpu = ["--device", "cpu,threads=1", "--deterministic"]
prompt = "Tom has a red ball. Tom has a big red ball. Tom has"


def check(what, ok, *seen):
    global failed
    if not ok:
        failed += 1
        print(f"FAILED: {what}: {seen!r}")


def run(*words, status=0, said=""):
    r = subprocess.run([weft, *words], input=said.encode(), capture_output=True, timeout=300)
    check(f"status of {words}", r.returncode == status, r.returncode, r.stderr)
    return r.stdout.decode(), r.stderr.decode()


def generate(*options):
    return json.loads(run("generate", model, *cpu, "-p", prompt, "-n", "48", "--json", *options)[0])


# ---- generate ----
plain = generate()
check("nothing is drafted by itself", "draft" not in plain, plain)
for how in ("ngram", model):
    for more in ((), ("--temperature", "0.9", "--seed", "4"), ("--draft-tokens", "3"), ("--draft-always",)):
        a, b = generate(*more, "--speculate", "off"), generate(*more, "--speculate", how)
        check(f"the same text with {how} and {more}", a["tokens"] == b["tokens"] and a["text"] == b["text"], a, b)
        draft = b.get("draft", {"tokens": 0, "accepted": 0})
        check("what was right was drafted", 0 <= draft["accepted"] <= draft["tokens"], draft)
        if more == ("--draft-always",):
            check("something is drafted", draft["tokens"] > 0, draft)
        if how == model and "--temperature" not in more:
            check("a model drafts what it picks itself", draft["tokens"] == draft["accepted"], draft)

err = run("generate", model, *cpu, "-p", prompt, "-n", "8", "--draft-tokens", "3", status=2)[1]
check("tokens of no draft", "nothing is drafted without --speculate" in err, err)
err = run("generate", model, *cpu, "-p", prompt, "-n", "8", "--speculate", "./nowhere", status=1)[1]
check("a model that is not there", "nowhere" in err, err)

with tempfile.TemporaryDirectory() as folder:
    config = {"architectures": ["GPTNeoXForCausalLM"], "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32,
              "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "eos_token_id": 0}
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    run("init", f"{folder}/config.json", f"{folder}/small")
    err = run("generate", model, *cpu, "-p", prompt, "-n", "8", "--speculate", f"{folder}/small", status=1)[1]
    why = r"small cannot draft for .*: it has a vocabulary of 50 tokens, not 4096"
    check("another vocabulary", re.search(why, err), err)

# ---- chat ----
said = f"{prompt}\n and then {prompt}\n"
want = run("chat", model, *cpu, "-n", "24", said=said)[0]
for how in ("ngram", model):
    got, err = run("chat", model, *cpu, "-n", "24", "--speculate", how, "--verbose", said=said)
    check(f"the same answers with {how}", got == want, got, want)

sys.exit(1 if failed else 0)
