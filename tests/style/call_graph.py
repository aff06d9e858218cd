#!/usr/bin/env python3
"""Who calls whom between the files of graph/, backends/ and models/: no circles, and in backends/ hardly an arrow up.

An arrow leads from a file to another that defines a function or an object it names (nm over the object files; what is
defined in headers is of no file), and from a file that calls through a member, `x->run(...)`, to the files whose
functions were put into a member of that name. A circle is a set of files of which each leads to each other. An arrow of
backends/ leads up if its end stands in a later line of LEVELS than its start.

usage: call_graph.py NM TREE BUILD [--print]
"""
import collections
import os
import re
import subprocess
import sys

ROOMS = ("graph", "backends", "models")

# backends/, the lowest first.
LEVELS = (
    "names noise views weight_rows process_memory kept",
    "gpu/",
    "cpu/ vulkan/ null",
    "backend",
    "schedule schedule_legalise schedule_memory schedule_place schedule_split "
    "schedule_unfuse",
    "kept_key weights states spans program program_io program_print program_run",
    "check check_int8 selftest program_create",
    "launch roof conditions",
    "tune tune_programs tune_search",
    "profile profile_json profile_share profile_table profile_trace",
    "dump dump_plan",
)
MAX_CIRCLES = 0
MAX_UP = 0


def sources(tree):
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(tree, room)):
            for name in names:
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(folder, name), tree)


def objects(tree, build):
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(build, room)):
            for name in names:
                path = os.path.join(folder, name)
                source = re.sub(r"CMakeFiles/[^/]*\.dir/", "", os.path.relpath(path, build))[:-2]
                if name.endswith(".c.o") and os.path.exists(os.path.join(tree, source)):  # else of a file that is gone
                    yield source, path


def symbols(nm, tree, build):
    """name -> the file that defines it, and file -> the names that it lacks."""
    defined, lacks = {}, {}
    for source, path in objects(tree, build):
        lacks[source] = set()
        for line in subprocess.run([nm, path], check=True, capture_output=True, text=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind == "U":
                lacks[source].add(name)
            elif kind.isupper() and kind not in "WV":
                defined[name] = source
    return defined, lacks


def arrows_by_name(defined, lacks):
    found = collections.defaultdict(set)
    for source, names in lacks.items():
        for name in names:
            to = defined.get(name)
            if to and to != source:
                found[source, to].add(name)
    return found


def read(tree):
    for path in sources(tree):
        with open(os.path.join(tree, path), encoding="utf-8") as f:
            yield path, re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", " ", f.read(), flags=re.S)


def arrows_by_member(tree, defined):
    """Members that are called, and the functions that are put into them by name."""
    function = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\([^;{}]*\)\s*\{", re.M)
    texts = dict(read(tree))
    own = {path: set(function.findall(text)) for path, text in texts.items()}
    setters, callers = collections.defaultdict(set), collections.defaultdict(set)
    for path, text in texts.items():
        for member, name in re.findall(r"(?:\.|->)(\w+)\s*=\s*&?(\w+)\s*[,;}]", text):
            if name in own[path]:
                setters[member].add(path)
            elif name in defined and any(name in names for names in own.values()):
                setters[member].add(defined[name])
        for member in re.findall(r"(?:\.|->)(\w+)\(", text):
            callers[member].add(path)
    found = collections.defaultdict(set)
    for member, paths in callers.items():
        for path in paths:
            for to in setters[member]:
                # cpu/ has members of the same names as gpu/ and vulkan/, but they see none of each other's structures
                folders = {path.split("/")[1], to.split("/")[1]}
                strangers = "cpu" in folders and folders & {"gpu", "vulkan"}
                if to != path and path.endswith(".c") and to.endswith(".c") and not strangers:
                    found[path, to].add("." + member)
    return found


def circles(arrows):
    """Tarjan's strongly connected components with more than one file."""
    leads = collections.defaultdict(list)
    for a, b in sorted(arrows):
        leads[a].append(b)
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in leads[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = []
            while True:
                w = stack.pop()
                on.discard(w)
                part.append(w)
                if w == v:
                    break
            if len(part) > 1:
                found.append(sorted(part))

    sys.setrecursionlimit(10000)
    for v in sorted({a for a, _ in arrows}):
        if v not in index:
            visit(v)
    return found


def level(path):
    """The line of LEVELS that a file of backends/ stands in."""
    name = path[len("backends/"):-len(".c")]
    name = name[:name.index("/") + 1] if "/" in name else name
    for i, names in enumerate(LEVELS):
        if name in names.split():
            return i
    sys.exit("%s stands in no line of LEVELS" % path)


def main():
    nm, tree, build = sys.argv[1:4]
    defined, lacks = symbols(nm, tree, build)
    arrows = arrows_by_name(defined, lacks)
    for key, names in arrows_by_member(tree, defined).items():
        arrows[key] |= names
    inside = [(a, b) for a, b in sorted(arrows) if a.startswith("backends/") and b.startswith("backends/")]
    up = [(a, b) for a, b in inside if level(a) < level(b)]
    found = circles(arrows)
    if "--print" in sys.argv:
        for (a, b), names in sorted(arrows.items()):
            print("%s -> %s: %s" % (a, b, " ".join(sorted(names))))
    for part in found:
        print("circle of %d: %s" % (len(part), " ".join(part)))
        for a, b in sorted(arrows):
            if a in part and b in part:
                print("    %s -> %s: %s" % (a, b, " ".join(sorted(arrows[a, b]))))
    for a, b in up:
        print("up: %s -> %s: %s" % (a, b, " ".join(sorted(arrows[a, b]))))
    print("%d files, %d arrows, %d circles, %d arrows up" % (len(lacks), len(arrows), len(found), len(up)))
    sys.exit(len(found) > MAX_CIRCLES or len(up) > MAX_UP or not arrows)


main()
