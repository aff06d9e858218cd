"""Checks documents of docs/dump-format.md: by the schema, and by what their parts must say of each other.

usage: check_dump.py SCHEMA json FILE... | check_dump.py SCHEMA explorer FILE JSON | check_dump.py SCHEMA dot FILE SVG JSON
Prints what is wrong, a line each; the exit status is 1 if anything is."""
import json
import re
import sys

import jsonschema

wrong = []


def expect(condition, what):
    if not condition:
        wrong.append(what)


def check_stage(where, stage):
    values = {v["id"]: v for v in stage["values"]}
    made = set()
    expect(len(values) == len(stage["values"]), f"{where}: a value id twice")
    expect(len({n["id"] for n in stage["nodes"]}) == len(stage["nodes"]), f"{where}: a node id twice")
    for n in stage["nodes"]:
        expect(all(i == 0 or i in made for i in n["in"]), f"{where}: node {n['id']} reads what is made later or never")
        made.update(n["out"])
    expect(made == set(values), f"{where}: values and the nodes' results differ")
    expect(all(o["value"] in values for o in stage["outputs"]), f"{where}: an output is no value")


def check_passes(where, program, stages):
    nodes = {n["id"] for n in stages["built"]["nodes"]}
    for p in program["passes"]:
        if p["name"] == "schedule":
            expect(nodes == {n["id"] for n in stages["optimised"]["nodes"]}, f"{where}: passes do not give the optimised nodes")
        removed, added = set(p["removed"]), {n["id"] for n in p["added"]}
        expect(removed <= nodes and not added & nodes, f"{where}: pass {p['name']} removes or adds what it cannot")
        nodes = nodes - removed | added
        expect(set(p["rewired"]) <= nodes - added, f"{where}: pass {p['name']} rewires a node that is not there")
    last = stages.get("planned") or stages["optimised"]
    expect(nodes == {n["id"] for n in last["nodes"]}, f"{where}: passes do not give the last stage's nodes")


def check_memory(where, m, n_steps, values):
    d = m["device"]
    for storage, total in (("weight", "weights"), ("state", "states"), ("constant", "constants")):
        held = sum(v["allocated_on"][d] for v in values.values() if v["storage"] == storage and v["root"] == v["id"])
        expect(held == m[total], f"{where}: device {d}: {total} are {m[total]}, its values {held}")
    expect(len(m["live"]) == n_steps, f"{where}: device {d}: live has {len(m['live'])} of {n_steps} steps")
    if n_steps:
        expect(m["live"][m["peak_step"]] == max(m["live"]), f"{where}: device {d}: the peak is not the most")
        expect(m["arena"] >= max(m["live"]), f"{where}: device {d}: the arena is smaller than what is in use")
    mine = [v for v in values.values() if v["storage"] == "arena" and v["device"] == d]
    expect(all(v["offset"] + v["allocated"] <= m["arena"] for v in mine), f"{where}: device {d}: a value beyond the arena")
    for step in range(n_steps):
        owners = [v for v in mine if v["root"] == v["id"] and v["birth"] <= step <= v["death"]]
        expect(sum(v["allocated"] for v in owners) <= m["live"][step], f"{where}: device {d}: more lives at step {step}")


def check_plan(where, plan, stage):
    values = {v["id"]: v for v in stage["values"]}
    steps = plan["steps"]
    by_root = {}
    for v in values.values():
        by_root.setdefault(v["root"], []).append(v["id"])
    expect([s["step"] for s in steps] == list(range(len(steps))), f"{where}: steps are not numbered in order")
    expect({s["node"] for s in steps} <= {n["id"] for n in stage["nodes"]}, f"{where}: a step of no node")
    expect(plan["barriers"] == sum(s["barrier"] for s in steps), f"{where}: barriers")
    for before, s in zip(steps, steps[1:]):
        expect(not s["joined"] or s["launch"] == before["launch"], f"{where}: step {s['step']} joins nothing")
    launches = [s["launch"] for s in steps if s["launch"] is not None]
    expect(launches == sorted(launches) and (not launches or launches[-1] < plan["launches"]), f"{where}: launches")
    sets = {root: sorted(ids) for root, ids in by_root.items() if root and len(ids) > 1}
    expect(sorted(map(sorted, plan["alias_sets"])) == sorted(sets.values()), f"{where}: alias sets")
    for m in plan["memory"]:
        check_memory(where, m, len(steps), values)


def check_json(validator, path):
    doc = json.load(open(path, encoding="utf-8"))
    for e in list(validator.iter_errors(doc))[:5]:
        wrong.append(f"{path}: {'/'.join(map(str, e.path))}: {e.message[:200]}")
    if wrong:
        return
    expect(doc["programs"], f"{path}: no program")
    for p in doc["programs"]:
        where = f"{path}: {p['name']}"
        stages = {s["name"]: s for s in p["stages"]}
        for name, s in stages.items():
            check_stage(f"{where}: {name}", s)
        if "passes" in p:
            check_passes(where, p, stages)
        expect(("planned" in stages) == ("plan" in p), f"{where}: a plan without its stage, or the other way round")
        if "plan" in p:
            check_plan(where, p["plan"], stages["planned"])
            expect(len(p["plan"]["memory"]) == len(doc["devices"]), f"{where}: devices")


# The classes GraphCollection, Graph, GraphNode, IncomingEdge, MetadataItem and KeyValue of ai-edge-model-explorer 0.1.34.
PAIR = {"type": "object", "required": ["key", "value"], "additionalProperties": False,
        "properties": {"key": {"type": "string"}, "value": {"type": "string"}}}
EDGE = {"type": "object", "required": ["sourceNodeId"], "additionalProperties": False,
        "properties": {k: {"type": "string"} for k in ("sourceNodeId", "sourceNodeOutputId", "targetNodeInputId")}}
ITEM = {"type": "object", "required": ["id"], "additionalProperties": False,
        "properties": {"id": {"type": "string"}, "attrs": {"type": "array", "items": PAIR}}}
NODE = {"type": "object", "required": ["id", "label"], "additionalProperties": False,
        "properties": {"id": {"type": "string"}, "label": {"type": "string"}, "namespace": {"type": "string"},
                       "attrs": {"type": "array", "items": PAIR}, "incomingEdges": {"type": "array", "items": EDGE},
                       "outputsMetadata": {"type": "array", "items": ITEM}}}
EXPLORER = {"type": "object", "required": ["label", "graphs"], "additionalProperties": False,
            "properties": {"label": {"type": "string"}, "graphs": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["id", "nodes"], "additionalProperties": False,
                "properties": {"id": {"type": "string"}, "nodes": {"type": "array", "items": NODE}}}}}}


def check_explorer(path, document):
    doc = json.load(open(path, encoding="utf-8"))
    for e in list(jsonschema.Draft7Validator(EXPLORER).iter_errors(doc))[:5]:
        wrong.append(f"{path}: {'/'.join(map(str, e.path))}: {e.message[:200]}")
    if wrong:
        return
    stage = json.load(open(document, encoding="utf-8"))["programs"][0]["stages"][-1]
    nodes = doc["graphs"][0]["nodes"]
    ids = {n["id"] for n in nodes}
    edges = [e for n in nodes for e in n["incomingEdges"]]
    expect(len(ids) == len(nodes) == len(stage["nodes"]) + len(stage["outputs"]), f"{path}: {len(nodes)} nodes")
    expect(all(e["sourceNodeId"] in ids for e in edges), f"{path}: an edge from nowhere")
    expect(len(edges) == sum(1 for n in stage["nodes"] for i in n["in"] if i) + len(stage["outputs"]), f"{path}: edges")


def check_dot(path, svg, document):
    """Every statement of a node is drawn; `document`: and there is one for every node that computes, is a view or an input."""
    drawn = len(re.findall(r'class="node"', open(svg, encoding="utf-8").read()))
    text = open(path, encoding="utf-8").read()
    stated = re.findall(r"^  ([nor])\d+(?:_\d+)? \[", text, re.M)
    expect(drawn == len(stated), f"{path}: {len(stated)} nodes stated, {drawn} drawn")
    if document:
        stage = json.load(open(document, encoding="utf-8"))["programs"][0]["stages"][-1]
        n = sum(1 for n in stage["nodes"] if n["op"] not in ("weight", "state", "constant"))
        expect(stated.count("n") == n, f"{path}: {stated.count('n')} nodes drawn of {n}")


def main():
    schema = json.load(open(sys.argv[1], encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    if sys.argv[2] == "json":
        for path in sys.argv[3:]:
            check_json(jsonschema.Draft7Validator(schema), path)
    elif sys.argv[2] == "explorer":
        check_explorer(sys.argv[3], sys.argv[4])
    else:
        check_dot(sys.argv[3], sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else None)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
