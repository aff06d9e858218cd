"""documents.py: documents for the page. The graph and the plan are those of the program; what a run would have measured
is invented, so that a test knows every number and needs neither weights nor time."""

import json
import subprocess

BYTES_PER_SECOND, OPS_PER_SECOND, LAUNCH_SECONDS = 20e9, 180e9, 1e-6
EFFICIENCY = {"linear": 0.8, "attention": 0.45, "norm_pair": 0.3, "store": 0.35, "rope_store": 0.35}


def dump(weft, model, *options):
    run = subprocess.run(
        [weft, "graph", model, "--stage", "planned", "--format", "json", "--device", "cpu", *options],
        check=True,
        capture_output=True,
    )
    return json.loads(run.stdout)


def add_profile(document, slower=None, warnings=()):
    """Times from the roof and an efficiency per op; `slower`: {op: factor}."""
    for device in document["devices"]:
        device["roof"] = {
            "bytes_per_second": BYTES_PER_SECOND,
            "f32_ops_per_second": OPS_PER_SECOND,
            "int8_ops_per_second": 2.5 * OPS_PER_SECOND,
            "f16_matrix_ops_per_second": None,
            "launch_seconds": LAUNCH_SECONDS,
        }
    for program in document["programs"]:
        nodes = {n["id"]: n for n in program["stages"][-1]["nodes"]}
        records = [record(nodes[s["node"]], s["step"], slower or {}) for s in program["plan"]["steps"]]
        busy = sum(r["seconds"] for r in records)
        run = busy / 0.96
        program["profile"] = {
            "conditions": {"processors": 2, "others": 0.1, "turns": 2, "roofs": [], "warnings": list(warnings)},
            "mode": "scheduled",
            "runs": 16,
            "calibrated": True,
            "seconds": {"median": run, "min": 0.99 * run, "max": 1.03 * run, "mad": 0.004 * run},
            "parts": {
                "nodes": busy,
                "submit": 0.01 * run,
                "wait": 0.005 * run,
                "host": 0.015 * run,
                "gaps": 0.01 * run,
            },
            "nodes": records,
            "tracks": TRACKS,
            "spans": spans(program["plan"]["steps"], records, run),
        }
    return document


TRACKS = [{"id": i, "device": 0, "name": name} for i, name in enumerate(("host", "thread 0", "thread 1", "queue"))]
LATE, SMALL = 3, 5  # the step that begins late, and the one of which thread 0 does a tenth


def spans(steps, records, run):
    """Nanoseconds: the host submits and waits, two threads share each step, and a queue's launches overlap."""
    at, out = 5000, [[0, "write", 0, 0, 0, 2000], [0, "submit", 0, len(steps), 3000, 4000]]
    for step, r in zip(steps, records):
        ns = int(r["seconds"] * 1e9) + 40
        at += 7000 if step["step"] == LATE else 0
        first = ns // 10 if step["step"] == SMALL else ns
        out += [[1, "step", step["step"], 1, at, at + first], [2, "step", step["step"], 1, at, at + ns]]
        out += [[3, "step", step["step"], 1, at, at + ns + 20]] if step["step"] < 4 else []
        at += ns
    return out + [[0, "wait", 0, len(steps), 4000, at + 9000]]


def record(node, step, slower):
    flops, moved = node["flops"], node["bytes_read"] + node["bytes_written"]
    limits = {"memory": moved / BYTES_PER_SECOND, "compute": flops / OPS_PER_SECOND, "launch": LAUNCH_SECONDS}
    bound = max(limits, key=limits.get)
    wobble = 1 + 0.1 * ((step * 37) % 19 - 9) / 9  # no two layers take the same time
    seconds = limits[bound] / EFFICIENCY.get(node["op"], 0.5) * wobble * slower.get(node["op"], 1)
    return {
        "node": node["id"],
        "step": step,
        "seconds": seconds,
        "min": 0.98 * seconds,
        "max": 1.1 * seconds,
        "mad": 0.01 * seconds,
        "elapsed": seconds,
        "flops": flops,
        "bytes": moved,
        "bytes_per_second": moved / seconds,
        "ops_per_second": flops / seconds,
        "roof": limits[bound] / seconds,
        "bound": bound,
        "shared": False,
    }


def add_check(document, failing_step):
    for program in document["programs"]:
        program["check"] = {
            "nodes": [
                {
                    "node": s["node"],
                    "output": 0,
                    "max_error": 1e-6 * (1 + s["step"] % 50),
                    "mean_error": 1e-7,
                    "rms": 2e-7,
                    "tolerance": 1e-3,
                    "nan": 0,
                    "inf": 0,
                    "failed": s["step"] == failing_step,
                }
                for s in program["plan"]["steps"]
            ]
        }
    return document


def write_page(make_page, output, title, *documents):
    paths = []
    for i, document in enumerate(documents):
        paths.append(f"{output}.{i}.json")
        with open(paths[-1], "w", encoding="utf-8") as f:
            json.dump(document, f)
    subprocess.run([make_page, title, output, *paths], check=True)
