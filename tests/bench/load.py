#!/usr/bin/env python3
"""How long is it from the start of weft to the first token, and how much memory does it take?

    tests/bench/load.py WEFT MODEL... [--runs N] [--again PROGRAM] [-- WEFT OPTIONS...]

MODEL is a file or folder with weights (`weft init CONFIG.json OUT.gguf --weights TYPE` makes one). Everything is read
once before, so that the system has it in its page cache. Then, by turns and N times: its files are read into fresh
memory by read(2), with one thread and with two, in pieces of 1 MiB; and `weft generate` makes one token of a prompt of
one, from the start of its process to the token. --again: the same with another build. Each line has the medians in
milliseconds, of the ratios to reading with one thread and with two, the most memory that the process had (its resident
set, which counts mapped files, too), and the most of it beyond the total of `weft memory`, which is told before loading.
Meant for an otherwise idle machine.
"""
import argparse
import json
import mmap
import os
import statistics
import subprocess
import sys
import threading
import time

PIECE = 1 << 20
MIB = 1 << 20


def files_of(model):
    if os.path.isfile(model):
        return [model]
    return sorted(os.path.join(model, f) for f in os.listdir(model) if f.endswith((".safetensors", ".gguf")))


def read_part(fd, view, begin, end):
    while begin < end:
        got = os.preadv(fd, [view[begin:min(begin + PIECE, end)]], begin)
        if got <= 0:
            sys.exit("a file ended early")
        begin += got


def read_file(path, n):
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        with memoryview(memory) as view:
            parts = [threading.Thread(target=read_part, args=(fd, view, size * i // n, size * (i + 1) // n))
                     for i in range(1, n)]
            for p in parts:
                p.start()
            read_part(fd, view, 0, size // n)
            for p in parts:
                p.join()
    os.close(fd)


def in_child(work):
    """What work() returns, run in a process of its own: a process begins with the most memory of the one it is of."""
    back, to = os.pipe()
    child = os.fork()
    if not child:
        os.write(to, json.dumps(work()).encode())
        os._exit(0)
    os.close(to)
    with os.fdopen(back) as f:
        text = f.read()
    if os.waitpid(child, 0)[1] or not text:
        sys.exit("a measurement failed")
    return json.loads(text)


def read_seconds(model, n):
    """Files one after the other; what is read lies in memory that was not touched before."""
    def work():
        start = time.perf_counter()
        for path in files_of(model):
            read_file(path, n)
        return time.perf_counter() - start
    return in_child(work)


def first_token(weft, model, options):
    """Seconds, and the most bytes that were resident."""
    start = time.perf_counter()
    p = subprocess.Popen([weft, "generate", model, "--tokens", "1", "--max-tokens", "1", *options],
                         stdout=subprocess.PIPE)
    p.stdout.read(1)
    seconds = time.perf_counter() - start
    p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"{weft} generate {model}: exit code {p.returncode}")
    return seconds, usage.ru_maxrss * 1024


def planned(weft, model, options):
    out = subprocess.run([weft, "memory", model, *options], check=True, stdout=subprocess.PIPE, text=True).stdout
    return sum(float(line.split()[1]) * MIB for line in out.splitlines() if line.split()[:1] == ["total"])


def measure(programs, model, runs, options):
    times = {p: [] for p in programs}
    reads = {1: [], 2: []}
    most = dict.fromkeys(programs, 0)
    for n in reads:
        read_seconds(model, n)
    for i in range(runs):
        for p in programs if i % 2 == 0 else programs[::-1]:
            seconds, memory = first_token(p, model, options)
            times[p].append(seconds)
            most[p] = max(most[p], memory)
        for n in reads:
            reads[n].append(read_seconds(model, n))
    for p in programs:
        ratios = [statistics.median([t / r for t, r in zip(times[p], reads[n])]) for n in reads]
        plan = planned(p, model, options)
        print(f"| {os.path.basename(model.rstrip('/'))} | {p} | {1e3 * statistics.median(times[p]):.0f} "
              f"| {1e3 * statistics.median(reads[1]):.0f} | {1e3 * statistics.median(reads[2]):.0f} "
              f"| {ratios[0]:.2f} | {ratios[1]:.2f} | {most[p] / MIB:.0f} | {(most[p] - plan) / MIB:+.0f} |", flush=True)


def main():
    argv = sys.argv[1:]
    cut = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weft")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--again", action="append", default=[])
    args, options = parser.parse_args(argv[:cut]), argv[cut + 1:] or ["--device", "cpu", "--context", "512"]
    print("| model | program | first token, ms | read, ms | by two threads | ratio | to two | most MiB | beyond the plan |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model in args.models:
        measure([args.weft, *args.again], model, args.runs, options)


main()
