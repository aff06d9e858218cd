"""`weft profile` from outside: tables, the document, traces, comparisons and their exit statuses.

usage: test_profile.py WEFT MODEL ROOT [DEVICE]. Exit status 77: jsonschema, or the device, is not there."""
import copy
import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not there")
    sys.exit(77)

weft, model, root = sys.argv[1:4]
device = sys.argv[4] if len(sys.argv) > 4 else "cpu"
failures = checks = 0
folder = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = folder.name
SHORT = ["--device", device, "--prompt-tokens", "24", "--decode-tokens", "6", "--repeat", "3"]


def check(name, ok, *detail):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print("FAILED:", name, *detail)


def run(*args, status=0):
    done = subprocess.run([weft, "profile", *args], capture_output=True, text=True)
    check(f"exit status of {' '.join(args)[:150]}", done.returncode == status, done.returncode, done.stderr.strip())
    return done


def path(name):
    return os.path.join(folder.name, name)


def write(name, data):
    with open(path(name), "w") as f:
        f.write(data if isinstance(data, str) else json.dumps(data))
    return path(name)


# ---- tables ----

def rows_of(text):
    """Per program: the times of the groups' rows, and the rows below them by name."""
    programs, groups, named = [], None, None
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")] if line.startswith("|") else line.split(None, 1)
        if "share" in line:
            groups, named = [], {}
            programs.append((groups, named))
        elif groups is not None and cells and cells[0].replace(".", "").isdigit():
            last = next((n for n in ("all nodes", "gaps between steps", "submit", "wait", "host", "a run")
                         if line.rstrip(" |").endswith(n)), None)
            if last:
                named[last] = float(cells[0])
            else:
                groups.append(float(cells[0]))
            if last == "a run":
                groups = None
    return programs


def tables():
    for by in ("op", "layer", "shape", "node"):
        for form in ("text", "md"):
            text = run(model, *SHORT, "--by", by, "--format", form).stdout
            check(f"{by} {form}: at most 100 columns", max(map(len, text.splitlines())) <= 100)
            programs = rows_of(text)
            check(f"{by} {form}: two programs", len(programs) == 2, text)
            for groups, named in programs:
                check(f"{by} {form}: all rows are there", len(named) == 6 and groups, named)
                check(f"{by} {form}: rows add up", abs(sum(groups) - named["all nodes"]) <= 0.06 * (len(groups) + 1),
                      sum(groups), named)
                check(f"{by} {form}: sorted", groups == sorted(groups, reverse=True), groups)


# ---- the document and traces ----

def document():
    run(model, *SHORT, "--check", "--format", "json", "--output", path("a.json"))
    with open(path("a.json")) as f:
        doc = json.load(f)
    schema = os.path.join(root, "docs", "dump-1.schema.json")
    with open(schema) as f:
        jsonschema.Draft7Validator(json.load(f)).validate(doc)
    check("programs", [p["name"] for p in doc["programs"]] == ["prompt", "decode"])
    roof = doc["devices"][0]["roof"]
    check("a roof", roof["bytes_per_second"] > 0)
    check("all of it", set(roof) == {"bytes_per_second", "f32_ops_per_second", "int8_ops_per_second",
                                     "f16_matrix_ops_per_second", "launch_seconds"}, roof)
    for p in doc["programs"]:
        profile = p["profile"]
        planned = {n["id"]: n for n in next(s for s in p["stages"] if s["name"] == "planned")["nodes"]}
        steps = p["plan"]["steps"]
        check("an entry per step", [n["node"] for n in profile["nodes"]] == [s["node"] for s in steps])
        check("nodes are planned", all(n["node"] in planned for n in profile["nodes"]))
        check("every node took time", all(n["seconds"] > 0 for n in profile["nodes"]))
        check("work is counted", all(n["bytes"] > 0 for n in profile["nodes"]))
        check("parts", all(x >= 0 for x in profile["parts"].values()) and profile["parts"]["nodes"] > 0, profile["parts"])
        tracks = {t["id"] for t in profile["tracks"]}
        check("spans lie on tracks", all(s[0] in tracks and s[4] <= s[5] for s in profile["spans"]))
        check("every step has a span", {k for s in profile["spans"] if s[1] == "step" for k in range(s[2], s[2] + s[3])}
              == set(range(len(steps))))
        c = profile["conditions"]
        check("the roof in turns", c["turns"] >= 3 and len(c["roofs"]) == len(doc["devices"]), c)
        check("its spread", all(c["roofs"][0]["least"][k] <= roof[k] <= c["roofs"][0]["most"][k] for k in roof), c, roof)
        check("checked", len(p["check"]["nodes"]) >= len(steps) and not any(n["failed"] for n in p["check"]["nodes"]))
    return doc


def parts():
    """Of a single run the parts add up to it, whatever the machine did meanwhile; of several, medians need not."""
    run(model, "--device", device, "--prompt-tokens", "4", "--decode-tokens", "1", "--repeat", "1", "--format", "json",
        "--output", path("once.json"))
    with open(path("once.json")) as f:
        for program in json.load(f)["programs"]:
            profile = program["profile"]
            took, nodes = profile["seconds"]["median"], profile["nodes"]
            check("parts are a run", profile["runs"] == 1 and abs(sum(profile["parts"].values()) - took) < 1e-6 * took,
                  profile["parts"], took)
            check("nodes are their part", abs(sum(n["seconds"] for n in nodes) - profile["parts"]["nodes"]) < 1e-6 * took,
                  profile["parts"])
            steps = [s["step"] for s in program["plan"]["steps"]]
            check("each step is among them", sorted(n["step"] for n in nodes) == steps, steps)


# What the Trace Event Format's documentation says of the object form and of the kinds of events that are used.
EVENT = {
    "type": "object", "required": ["ph", "name", "pid", "tid", "args"],
    "properties": {"name": {"type": "string", "minLength": 1}, "pid": {"type": "integer", "minimum": 1},
                   "tid": {"type": "integer", "minimum": 0}, "args": {"type": "object"}},
    "oneOf": [
        {"properties": {"ph": {"const": "X"}, "cat": {"type": "string"}, "ts": {"type": "number", "minimum": 0},
                        "dur": {"type": "number", "minimum": 0}}, "required": ["cat", "ts", "dur"]},
        {"properties": {"ph": {"const": "M"}, "name": {"enum": ["process_name", "thread_name"]},
                        "args": {"properties": {"name": {"type": "string"}}, "required": ["name"]}}},
        {"properties": {"ph": {"const": "C"}, "ts": {"type": "number", "minimum": 0},
                        "args": {"additionalProperties": {"type": "number"}, "minProperties": 1}}, "required": ["ts"]},
    ],
}
TRACE = {"type": "object", "required": ["traceEvents"], "additionalProperties": False,
         "properties": {"displayTimeUnit": {"enum": ["ms", "ns"]}, "traceEvents": {"type": "array", "items": EVENT}}}


def trace(doc):
    events = json.loads(run(model, *SHORT, "--format", "perfetto").stdout)
    jsonschema.Draft7Validator(TRACE).validate(events)
    events = events["traceEvents"]
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    processes = {e["pid"] for e in events if e["name"] == "process_name"}
    names = {f"%{n['out'][0]} {n['op']}" + (f" {n['scope']}" if n["scope"] else ""): n["id"]
             for p in doc["programs"] for n in next(s for s in p["stages"] if s["name"] == "planned")["nodes"]}
    open_until = {}
    for e in sorted((e for e in events if e["ph"] == "X"), key=lambda e: (e["pid"], e["tid"], e["ts"], -e["dur"])):
        track = (e["pid"], e["tid"])
        check("its thread has a name", track in named and e["pid"] in processes, e)
        stack = open_until.setdefault(track, [])
        while stack and stack[-1] <= e["ts"] + 1e-6:
            stack.pop()
        check("events of a thread nest", not stack or e["ts"] + e["dur"] <= stack[-1] + 1e-3, e)
        stack.append(e["ts"] + e["dur"])
        if e["cat"] == "step":
            check("the name is the dump's", all(n in names for n in e["name"].split(" + ")), e)
            check("so is the node", names.get(e["name"].split(" + ")[0]) == e["args"]["node"], e)
    live = [e for e in events if e["ph"] == "C"]
    most = max(max(m["live"]) for p in doc["programs"] for m in p["plan"]["memory"])
    check("live memory is the plan's", live and max(e["args"]["bytes"] for e in live) == most, most)
    steps = sum(e["ph"] == "X" and e["cat"] == "step" for e in events)
    check("steps are there", steps >= sum(len(p["plan"]["steps"]) for p in doc["programs"]) // 2, steps)


# ---- comparisons ----

def quiet(doc):
    """The same with a noise of 0.1 % everywhere: what the machine did while this was measured is not the subject."""
    doc = copy.deepcopy(doc)
    for p in doc["programs"]:
        profile = p["profile"]
        profile["runs"] = 16
        profile["conditions"]["warnings"] = []
        for t in [profile["seconds"]] + profile["nodes"]:
            t["mad"] = 0.001 * t.get("median", t.get("seconds"))
    return doc


def slower(doc, by, mad=None):
    """The decode program's slowest node takes `by` of a run longer, and so does the run."""
    doc = copy.deepcopy(doc)
    profile = next(p for p in doc["programs"] if p["name"] == "decode")["profile"]
    node = max(profile["nodes"], key=lambda n: n["seconds"])
    more = by * profile["seconds"]["median"]
    node["seconds"] += more
    profile["seconds"]["median"] += more
    if mad is not None:
        node["mad"] = profile["seconds"]["mad"] = mad * profile["seconds"]["median"]
    return doc, node["node"]


def comparisons(measured):
    doc = quiet(measured)
    a = write("quiet.json", doc)
    worse, node = slower(doc, 0.10)
    b = write("worse.json", worse)
    run("--diff", a, a, "--fail-above", "0")
    run("--diff", a, b)
    done = run("--diff", a, b, "--fail-above", "5", status=1)
    check("what got slower is named", "decode: " in done.stderr and "10.0% of a run" in done.stderr, done.stderr)
    check("the table is still printed", "slower" in done.stdout)
    run("--diff", a, b, "--fail-above", "15")
    run("--diff", b, a, "--fail-above", "5")
    run("--diff", a, write("noisy.json", slower(doc, 0.10, mad=0.2)[0]), "--fail-above", "5")
    # the noise of the older file counts as much
    run("--diff", write("noisy_before.json", slower(doc, 0.0, mad=0.2)[0]), b, "--fail-above", "5")
    compensated = copy.deepcopy(worse)
    profile = compensated["programs"][1]["profile"]
    profile["seconds"]["median"] = doc["programs"][1]["profile"]["seconds"]["median"]
    run("--diff", a, write("compensated.json", compensated), "--fail-above", "5", status=1)

    for form in ("text", "md"):
        text = run("--diff", a, b, "--format", form, "--top", "3").stdout
        check(f"{form}: at most 100 columns", max(map(len, text.splitlines())) <= 100)
    first = json.loads(run("--diff", a, b, "--format", "json").stdout)["programs"][1]["nodes"][0]
    check("the largest change comes first", first["node_b"] == node and first["counts"] and first["change"] > 0, first)
    mad = next(n for n in doc["programs"][1]["profile"]["nodes"] if n["node"] == first["node_a"])["mad"]
    noise = 3 * 1.2533 * 1.4826 * mad * math.sqrt(2 / 16)  # docs/profiling.md; both files have it
    check("the noise is three standard errors", abs(first["noise"] / noise - 1) < 1e-6, (first, noise))
    for by in ("op", "layer"):
        groups = json.loads(run("--diff", a, b, "--format", "json", "--by", by).stdout)["programs"][1]
        change = sum(n["b"] - n["a"] for n in groups["nodes"])
        check(f"groups by {by} add up", abs(change - groups["seconds"]["change"]) < 1e-9, change)

    fewer = copy.deepcopy(doc)
    gone = fewer["programs"][1]["profile"]["nodes"].pop(0)["node"]
    nodes = json.loads(run("--diff", a, write("fewer.json", fewer), "--format", "json").stdout)["programs"][1]["nodes"]
    alone = [n for n in nodes if n["b"] is None]
    groups = json.loads(run("--diff", a, write("fewer.json", fewer), "--format", "json", "--by", "op").stdout)
    there = sum(n["b"] or 0 for n in groups["programs"][1]["nodes"])
    wanted = sum(n["seconds"] for n in fewer["programs"][1]["profile"]["nodes"])
    check("what is not there takes no time in a group", abs(there - wanted) < 1e-9, (there, wanted))
    check("what is in one file alone is told", [n["node_a"] for n in alone] == [gone] and nodes[-1] == alone[0], alone)


def disturbances(doc):
    """A comparison repeats what the files say of the conditions they were measured under."""
    a, worse = write("calm.json", quiet(doc)), slower(quiet(doc), 0.10)[0]
    said = "others kept 0.97 of 2 processors busy meanwhile"
    for p in worse["programs"]:
        p["profile"]["conditions"]["warnings"] = [said]
    b = write("disturbed.json", worse)
    check("calm files have no warning", "warning" not in run("--diff", a, a).stdout)
    for first, second, side in ((a, b, "B"), (b, a, "A")):
        for form in ("text", "md"):
            text = run("--diff", first, second, "--format", form).stdout
            check(f"{form}: told of {side}", text.count(f"warning: while {side} was measured {said}\n") == 2, text)
        told = json.loads(run("--diff", first, second, "--format", "json").stdout)["programs"][0]["warnings"]
        check("JSON says so", told[side.lower()] == [said] and not told["ab"[side == "A"]], told)
    old = quiet(doc)
    for p in old["programs"]:
        del p["profile"]["conditions"]
    run("--diff", write("old.json", old), a)


def busy():
    """While others compute on every processor, a profile says so. Whatever the machine does besides, the others get
    at least their share."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        text = run(model, *SHORT, "--format", "json").stdout
        plain = run(model, *SHORT).stdout
        bench = subprocess.run([weft, "bench", model, *SHORT, "--json"], capture_output=True, text=True).stdout
    finally:
        for p in others:
            p.kill()
            p.wait()
    known = json.loads(text)["programs"][0]["profile"]["conditions"]
    if known["others"] is None:
        print("what others do with the processors is not known here: not judged")
        return
    check("a busy machine is noticed", known["others"] > 0.05 * known["processors"], known)
    for p in json.loads(text)["programs"]:
        check("and told", any("others kept" in w for w in p["profile"]["conditions"]["warnings"]), p["name"])
    check("in both tables", plain.count("\nwarning: others kept ") == 2, plain)
    check("by bench, too", any("others kept" in w for w in json.loads(bench)["conditions"]["warnings"]), bench)


def refusals(doc):
    a = write("a.json", doc)

    def refuses(text, *args, status=1):
        done = run(*args, status=status)
        check(f"says '{text}'", text in done.stderr and done.stderr.startswith("weft: "), done.stderr)

    refuses("no JSON", "--diff", a, write("text.json", "weft"))
    refuses("no profile of weft", "--diff", write("list.json", [1]), a)
    refuses("version", "--diff", a, write("later.json", {**doc, "version": 2}))
    bare = copy.deepcopy(doc)
    for p in bare["programs"]:
        del p["profile"]
    refuses("no profile in it", "--diff", a, write("bare.json", bare))
    other = copy.deepcopy(doc)
    for p in other["programs"]:
        p["name"] += "2"
    refuses("no program in common", "--diff", a, write("other.json", other))
    isolated = copy.deepcopy(doc)
    isolated["programs"][0]["profile"]["mode"] = "isolated"
    refuses("isolated", "--diff", a, write("isolated.json", isolated))
    few = copy.deepcopy(doc)
    few["programs"][0]["profile"]["runs"] = 2
    refuses("runs", "--diff", a, write("few.json", few), "--fail-above", "5", status=2)
    broken = copy.deepcopy(doc)
    broken["programs"][0]["profile"]["nodes"][0]["seconds"] = None
    refuses("has no time", "--diff", a, write("broken.json", broken))
    broken["programs"][0]["profile"]["nodes"][0]["seconds"] = 1e308
    refuses("has no time", "--diff", a, write("endless.json", broken))
    refuses("--diff", model, "--fail-above", "5", status=2)
    refuses("do not fit", model, "--device", device, "--context", "32", "--prompt-tokens", "33")


# ---- other sources, other modes ----

GRAPH = """weft-graph 1
%1 = input "x" : f32[256, 128]
%2 = weight "large" : f16[4096, 128]
%3 = weight "small" : f16[64, 128]
%4 = matmul_nt %1, %2 : f32[256, 4096]
%5 = matmul_nt %1, %3 : f32[256, 64]
output "y" = %4
output "z" = %5
"""


def sources():
    for _ in range(5):
        text = run(write("graph.txt", GRAPH), "--device", device, "--by", "shape", "--repeat", "9").stdout
        rows = [line for line in text.splitlines() if "linear f16" in line]
        if rows[0].endswith(" 4096x128"):
            break
    check("a graph text", len(rows) == 2 and rows[0].endswith(" 4096x128"), text)
    config = json.load(open(os.path.join(model, "config.json")))
    config.update(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, vocab_size=512)
    text = run(write("config.json", config), *SHORT, "--mode", "isolated", "--by", "layer").stdout
    check("a configuration by itself", "isolated" in text and "layers.1" in text, text)
    only = run(model, "--device", device, "--prompt-tokens", "0", "--decode-tokens", "3", "--repeat", "1").stdout
    check("decoding alone", len(rows_of(only)) == 1)
    long = run(model, *SHORT[:2], "--prompt-tokens", "50", "--chunk", "20", "--decode-tokens", "0", "--repeat", "1").stdout
    check("the last run of a long prompt", "tokens 20" in long and "pages_each 1" in long, long)
    config = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 512, "hidden_size": 64,
              "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128,
              "max_position_embeddings": 512, "sliding_window": 30}
    gone = run(write("config.json", config), *SHORT[:2], "--prompt-tokens", "200", "--chunk", "60", "--decode-tokens", "0",
               "--repeat", "2").stdout
    check("the last run, again, though a window has left its beginning", "pages_30 1" in gone, gone)
    page = run(model, *SHORT, "--format", "html", "--output", path("page.html"), status=0)
    with open(path("page.html")) as f:
        check("a page", f.read(15).lower() == "<!doctype html>", page.stderr)


available = subprocess.run([weft, "devices"], capture_output=True, text=True).stdout
if device != "cpu" and device not in available:
    print("skipped: no", device)
    sys.exit(77)
if device != "cpu":  # slow ones: what depends on the device
    SHORT[2:] = ["--prompt-tokens", "4", "--decode-tokens", "3", "--repeat", "1"]
measured = document()
parts()
trace(measured)
if device == "cpu":
    tables()
    comparisons(measured)
    disturbances(measured)
    busy()
    refusals(quiet(measured))
    sources()
print(f"{checks} checks, {failures} failed")
sys.exit(1 if failures else 0)
