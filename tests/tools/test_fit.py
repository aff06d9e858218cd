#!/usr/bin/env python3
"""test_fit.py WEFT FOLDER: what --fit chooses for artificial budgets, that it says so, and that the process measured by
the system then stays within them. Exit status 1 if something differs."""
import json, os, re, subprocess, sys

weft, folder = sys.argv[1], sys.argv[2]
os.makedirs(folder, exist_ok=True)
config, model = os.path.join(folder, "fit.json"), os.path.join(folder, "fit.gguf")
MIB, WHOLE = 1 << 20, 1024
failures = 0


def check(what, ok, *seen):
    global failures
    if not ok:
        failures += 1
        print("FAILED:", what, *seen)


def run(*args):
    """Exit status, stdout, stderr and the most memory in MiB."""
    p = subprocess.Popen([weft, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = p.stdout.read(), p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return p.returncode, out, err, usage.ru_maxrss / 1024


def memory(budget, *more):
    """The choice: a dict of the sentences by their first word, and the plan's total in MiB."""
    status, out, err, _ = run("memory", model, "--device", f"cpu,threads=2,memory={int(budget * MIB)}", "--fit", *more)
    said = dict(re.match(r"fit: (\w+): (.*)", l).groups() for l in err.splitlines() if re.match(r"fit: \w+: ", l))
    total = re.search(r"^  total +([0-9.]+) MiB", out, re.M)
    return status, said, float(total.group(1)) if total else None, err


with open(config, "w") as f:
    json.dump({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 1024, "num_hidden_layers": 4,
               "num_attention_heads": 16, "intermediate_size": 4096, "vocab_size": 256, "max_position_embeddings": WHOLE,
               "rotary_pct": 0.25}, f)
status, _, err, _ = run("init", config, model, "--weights", "q4_K")
check("a model", status == 0, err)

# all of it
status, said, whole, err = memory(1024)
check("everything fits", status == 0 and said["context"].startswith(f"{WHOLE} tokens") and said["cache"].startswith("f16:"), err)
check("given types are kept", said.get("weights", "").startswith("of the types that the files have"), err)

# less and less: in types before tokens, never above the budget, and with no less than a larger budget has
seen, before = set(), WHOLE + 1
for budget in [whole + 14, *(whole - x for x in range(6, 30, 4))]:
    status, said, total, err = memory(budget)
    if status:
        continue
    tokens, cache = int(said["context"].split()[0]), said["cache"].split()[0].rstrip(":")
    check("the plan stays below the budget", total < budget, budget, total)
    check("less memory, no more tokens", tokens <= before, budget, said)
    check("the reason", tokens == WHOLE or f"of the model's {WHOLE}" in said["context"], said)
    check("the reason of the cache", cache == "f16" or "instead of f16" in said["cache"], said)
    before = tokens
    seen.add((cache, tokens < WHOLE))
check("a smaller type with all tokens", ("q8_0", False) in seen, seen)
check("a smaller type with fewer", ("q8_0", True) in seen, seen)

# what is asked for is kept
status, said, _, err = memory(whole, "--kv", "f16", "--chunk", "512")
check("cache as asked", status == 0 and said["cache"] == "f16: as --kv says" and "runs" not in said, err)
check("then the context gives", int(said["context"].split()[0]) < WHOLE, err)
status, said, _, err = memory(whole - 18, "--context", str(WHOLE))
check("context as asked", status == 0 and said["context"] == f"{WHOLE} tokens: as --context says", err)

# nothing fits: the smallest budget is named, and is one
status, said, _, err = memory(20)
named = re.search(r"take (\d+) MiB on cpu, which has 20: that is the smallest budget that would do", err)
check("nothing fits", status == 1 and named, err)
if named:
    status, said, _, err = memory(int(named.group(1)))
    check("the smallest budget", status == 0, err)
    status, said, _, err = memory(int(named.group(1)) - 3)
    check("there is none below it", status == 1, err)

# measured, with the whole context in use
for budget in [whole + 14, whole - 20]:
    chosen = int(memory(budget)[1]["context"].split()[0])
    # pages of the process are counted anew, and a step of 64 tokens may hang on one
    tokens = ",".join(str(i % 256) for i in range(chosen - 66))
    status, out, err, peak = run("generate", model, "--device", f"cpu,threads=2,memory={int(budget * MIB)}", "--fit", "--tokens",
                                 tokens, "--max-tokens", "2", "--ignore-eos")
    print(f"  budget {budget:.1f} MiB, {chosen} tokens: measured {peak:.1f} MiB")
    check("it runs", status == 0, err)
    check("measured below the budget", peak <= budget, budget, peak)

# weights that nobody quantised: what would help
status, out, err, _ = run("memory", config, "--device", "cpu,memory=100M", "--fit")
check("smaller weights would fit", status == 1 and re.search(r"; `--weights \w+` would fit$", err.strip()), err)
os.remove(model)
sys.exit(1 if failures else 0)
