#!/usr/bin/env python3
"""Plants faults in a copy of the tree, one at a time, and says which of them the tests catch.

usage: tests/faults/run.py [--list] [--copy DIR] [NAME ...]

The faults stand in tests/faults/*.txt; NAME is a file of them ("graph") or a part of a fault's name; without one all are
planted. A fault is

    = name | file | regular expression of the tests that should fail | arguments that make them shorter
    # what it is, and why nobody would see it by reading the output
    - lines as they stand in the file (they must be there exactly once)
    + what they become

The arguments may be left out; they follow those of the test itself (`vulkan_ops@lavapipe | --op top_k`).
The copy (default: build-faults) is a git worktree at HEAD with a build of its own; only what the named tests need is
built again. First each of these tests is run once as things are: one that fails without any fault, or is skipped, proves
nothing and is left out. A fault is `caught` if a test fails or the build refuses it by an assertion of its own, `SURVIVED`
if all tests pass, `untested` if no test is left, `stale` if its lines are no longer there. Exit status: 0 if all are
caught. Not a part of the suite: all of it takes the better part of an hour on two cores."""
import argparse
import json
import os
import re
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))


def read_faults():
    faults = []
    for name in sorted(os.listdir(here)):
        if not name.endswith(".txt"):
            continue
        for line in open(os.path.join(here, name)):
            line = line.rstrip("\n")
            if line.startswith("= "):
                title, file, tests, *more = (part.strip() for part in line[2:].split(" | "))
                faults.append({"room": name[:-4], "name": title, "file": file, "tests": tests, "old": [], "new": [],
                               "more": more[0].split() if more else []})
            elif line[:2] in ("- ", "-"):
                faults[-1]["old"].append(line[2:])
            elif line[:2] in ("+ ", "+"):
                faults[-1]["new"].append(line[2:])
            elif line and not line.startswith("# "):
                sys.exit(f"{name}: neither of '= ', '# ', '- ', '+ ': {line}")
    names = [f["name"] for f in faults]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        sys.exit(f"two faults of one name: {', '.join(sorted(twice))}")
    return faults


def run(args, cwd, seconds=900, env=None):
    """Exit status and output; a hang counts as a failure."""
    try:
        done = subprocess.run(args, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=seconds)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 1, "took too long"


def prepare(copy, options):
    """The worktree at HEAD, configured, with the drivers that the tree has."""
    if not os.path.exists(os.path.join(copy, ".git")):
        status, text = run(["git", "worktree", "add", "--detach", "-f", copy, "HEAD"], root)
        if status:
            sys.exit(text)
    head = run(["git", "rev-parse", "HEAD"], root)[1].strip()
    run(["git", "checkout", "-q", "-f", "--detach", head], copy)
    build = os.path.join(copy, "build")
    status, text = run(["cmake", "--preset", "default",
                        f"-DWEFT_SWIFTSHADER={root}/build/swiftshader/vk_swiftshader_icd.json",
                        f"-DWEFT_MESA25={root}/build/mesa25", *options], copy)
    if status == 0:  # all of it: ctest names no command that is not there
        status, text = run(["cmake", "--build", build], copy, 7200)
    if status:
        sys.exit(text[-2000:])
    return build


def programs_of(build, test):
    """Targets of the build that a test runs or names."""
    named = {os.path.relpath(word, build) for word in test["command"]
             if word.startswith(build + os.sep) and not os.path.isdir(word)}
    return named | ({"vulkan_shim"} if "vulkan" in test["name"] else set())


def tests_of(build, pattern):
    status, text = run(["ctest", "--show-only=json-v1", "-R", pattern], build)
    return json.loads(text)["tests"]


def run_test(build, test, more, seconds):
    """As ctest would run it, but with arguments of a fault behind its own: 'passed', 'skipped' or 'failed'."""
    given = {p["name"]: p["value"] for p in test["properties"]}
    env = dict(os.environ, **dict(e.split("=", 1) for e in given.get("ENVIRONMENT", [])))
    if "MESA_SHADER_CACHE_DIR" in env:  # what the tree's own tests have compiled is the same here
        env["MESA_SHADER_CACHE_DIR"] = os.path.join(root, "build", "shader-cache")
    status, _ = run(test["command"] + more, given.get("WORKING_DIRECTORY", build), seconds, env)
    return "passed" if status == 0 else "skipped" if status == given.get("SKIP_RETURN_CODE") else "failed"


def choose_tests(build, faults):
    """Gives each fault the tests that pass without it, each with the seconds after which it is taken to hang; says which
    do not pass. Nothing is planted yet."""
    for f in faults:
        f["found"] = tests_of(build, f["tests"])
    known = {}
    for f in faults:
        for t in f["found"]:
            key = (t["name"], *f["more"])
            if key not in known:
                begin = time.monotonic()
                known[key] = run_test(build, t, f["more"], 900), 60 + 5 * (time.monotonic() - begin)
                if known[key][0] != "passed":
                    print(f"{known[key][0]} without a fault: {' '.join(key)}", flush=True)
        f["usable"] = [(t, limit) for t in f["found"]
                       for verdict, limit in [known[(t["name"], *f["more"])]] if verdict == "passed"]
    return sum(verdict == "failed" for verdict, _ in known.values())


def plant(copy, fault):
    """False: the lines are not there, or not just once."""
    path = os.path.join(copy, fault["file"])
    if not os.path.exists(path):
        return False
    text = open(path).read()
    old, new = ("".join(line + "\n" for line in fault[k]) for k in ("old", "new"))
    if text.count(old) != 1 or not fault["old"]:
        return False
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    return True


def try_fault(copy, build, fault):
    if not fault["found"]:
        return "stale", f"no test matches {fault['tests']}"
    if not plant(copy, fault):
        return "stale", f"{fault['file']} no longer has these lines"
    if not fault["usable"]:
        return "untested", f"no test of {fault['tests']} passes without it"
    programs = set().union(*(programs_of(build, t) for t, _ in fault["usable"]))
    status, text = run(["cmake", "--build", build, "--target", *sorted(programs)], copy, 3600)
    if status:
        errors = re.findall(r"error: .*", text)
        asserted = any("assert" in e for e in errors)
        return ("caught", "by a static assertion") if asserted else ("stale", (errors or ["does not build"])[0])
    for t, limit in fault["usable"]:
        if run_test(build, t, fault["more"], limit) == "failed":
            return "caught", t["name"]
    return "SURVIVED", " ".join(t["name"] for t, _ in fault["usable"])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--copy", default=os.path.join(root, "build-faults"))
    parser.add_argument("-D", action="append", default=[], dest="options")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    faults = [f for f in read_faults() if not args.names or any(n == f["room"] or n in f["name"] for n in args.names)]
    if args.list:
        for f in faults:
            print(f"{f['room']:12} {f['name']:40} {f['file']}")
        return 0
    build = prepare(args.copy, ["-D" + o for o in args.options])
    failing = choose_tests(build, faults)
    counts = {"caught": 0, "SURVIVED": 0, "untested": 0, "stale": 0}
    for f in faults:
        verdict, why = try_fault(args.copy, build, f)
        run(["git", "checkout", "-q", "-f", "HEAD", "--", f["file"]], args.copy)
        counts[verdict] += 1
        print(f"{verdict:9} {f['room']:10} {f['name']:40} {why}", flush=True)
    print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return 0 if counts["caught"] == len(faults) and not failing else 1


if __name__ == "__main__":
    sys.exit(main())
