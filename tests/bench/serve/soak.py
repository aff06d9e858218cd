"""soak.py WEFT MODEL [--seconds N] [--clients N] [--seed N] [-- OPTIONS]: a server under random clients for long.

Starts `weft serve` with two models (MODEL twice; the second is given back after two idle seconds, so that it comes and
goes) and the OPTIONS, and lets clients ask at random: texts and conversations, streamed or whole, of one or several choices, with grammars,
log-probabilities, stops and guessed tokens, tokens of a text, lists, faulty requests; every eighth stream is left in the
middle. A request fails if its answer is another than it has to be: the status, the end of a stream, JSON that matches its
schema. 429 is an answer, after which the client waits.

Every five seconds the server's resident memory, threads and open files are noted, and at the end the trend of memory is
told: a straight line through all samples after the first quarter, with the error of its slope. Exit status 1: a request
failed, files or threads became more, or memory grew by more than three errors and 4 MiB an hour.
"""

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time

WORDS = "once upon a time there was little girl boy named Lily Tom who liked to play in the park with big red ball".split()
SCHEMA = {"type": "object", "properties": {"name": {"enum": ["Lily", "Tom"]}, "age": {"type": "integer", "maximum": 99}},
          "required": ["name", "age"], "additionalProperties": False}


class Client(threading.Thread):
    def __init__(self, port, seed, end, tally):
        super().__init__(daemon=True)
        self.port, self.end, self.tally = port, end, tally
        self.random = random.Random(seed)

    def text(self):
        return " ".join(self.random.choices(WORDS, k=self.random.choice([1, 4, 16, 64])))

    def body(self):
        """A request and what its answer has to be: path, body, status, whether it is JSON of the schema."""
        r = self.random
        body = {"model": r.choice(["one", "one", "one", "two"]), "max_tokens": r.choice([1, 8, 32, 64]),
                "temperature": r.choice([0, 0.7, 1.2]), "stream": r.random() < 0.5}
        kind = r.choice(["text", "text", "text", "long", "choices", "schema", "guess", "tokens", "list", "fault"])
        if kind in ("tokens", "list"):
            return (("/tokenize", {"content": self.text()}) if kind == "tokens" else ("/v1/models", None)) + (200, False)
        body["prompt"] = self.text()
        if kind == "long":
            body["prompt"] = " ".join(r.choices(WORDS, k=200))
        if kind == "choices":
            body |= {"n": 3, "logprobs": 2, "seed": r.randrange(1000), "stop": ["\n", "Tom"]}
        if kind == "schema":
            body |= {"json_schema": SCHEMA, "max_tokens": 64}
        if kind == "guess":
            body["prediction"] = {"type": "content", "content": self.text()}
        if kind == "fault":
            body |= r.choice([{"temperature": -1}, {"n": 0}, {"prompt": 7}, {"nothing": 1}, {"grammar": "root ::= ("}])
            return "/v1/completions", body, 400, False
        return "/v1/completions", body, 200, kind == "schema"

    def ask(self):
        path, body, status, matches = self.body()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None,
                           {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if body and body.get("stream") and reply.status == 200 and self.random.random() < 0.125:
            reply.read(200)
            connection.close()
            self.tally["left"] += 1
            return
        data = reply.read()
        connection.close()
        if reply.status == 429:
            self.tally["429"] += 1
            time.sleep(self.random.random())
            return
        wrong = reply.status != status and f"status {reply.status}, not {status}"
        if not wrong and status == 200 and body and body.get("stream") and not data.rstrip().endswith(b"[DONE]"):
            wrong = "a stream without an end"
        if not wrong and matches and not body["stream"]:
            choice = json.loads(data)["choices"][0]
            value = json.loads(choice["text"]) if choice["finish_reason"] == "stop" else {"name": "Tom", "age": 1}
            if value["name"] not in ("Lily", "Tom") or not isinstance(value["age"], int):
                wrong = "JSON that is not of the schema"
        self.tally["failed" if wrong else "answered"] += 1
        if wrong:
            print(f"FAILED: {wrong}: {path} {json.dumps(body)}: {data[-300:]!r}", flush=True)

    def run(self):
        while time.monotonic() < self.end:
            try:
                self.ask()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as e:
                self.tally["failed"] += 1
                print(f"FAILED: {e!r}", flush=True)


def sample(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", f.read(), re.M))
    return int(status["VmRSS"]) / 1024, int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


def trend(points):
    """Slope of a straight line, and its standard error."""
    x, y = zip(*points)
    mean = statistics.fmean(x)
    spread = sum((a - mean) ** 2 for a in x)
    slope, begin = statistics.linear_regression(x, y)
    rest = sum((b - begin - slope * a) ** 2 for a, b in points)
    return slope, (rest / max(len(points) - 2, 1) / spread) ** 0.5


def main():
    p = argparse.ArgumentParser()
    p.add_argument("weft")
    p.add_argument("model")
    p.add_argument("--seconds", type=int, default=1800)
    p.add_argument("--clients", type=int, default=12)
    p.add_argument("--seed", type=int, default=1)
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    a = p.parse_args(sys.argv[1:at])
    command = [a.weft, "serve", f"one={a.model}", f"two={a.model},keep-alive=2", "--port", "0", *sys.argv[at + 1:]]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    port = next(int(m[1]) for line in server.stderr if (m := re.search(r"http://127\.0\.0\.1:(\d+)", line)))
    threading.Thread(target=server.stderr.read, daemon=True).start()
    begin = time.monotonic()
    tally = {"answered": 0, "left": 0, "429": 0, "failed": 0}
    clients = [Client(port, 1000 * a.seed + i, begin + a.seconds, tally) for i in range(a.clients)]
    for c in clients:
        c.start()
    points, others = [], []
    while any(c.is_alive() for c in clients):
        time.sleep(5)
        resident, threads, files = sample(server.pid)
        if time.monotonic() - begin > a.seconds / 4:
            points.append(((time.monotonic() - begin) / 3600, resident))
        others.append((threads, files))
        if len(others) % 12 == 1:
            print(f"{time.monotonic() - begin:6.0f} s  {resident:7.1f} MiB  {threads} threads  {files} files  {tally}", flush=True)
    time.sleep(5)
    resident, threads, files = sample(server.pid)
    server.terminate()
    status = server.wait(120)
    slope, error = trend(points)
    print(f"{tally}; the server ended with {status}")
    print(f"resident memory: {slope:+.2f} MiB an hour, error {error:.2f}, over {len(points)} samples; at the end {resident:.1f} MiB, "
          f"{threads} threads (at the first sample {others[0][0]}), {files} files")
    grew = slope > 3 * error and slope > 4
    sys.exit(1 if tally["failed"] or status or grew or threads > others[0][0] + 2 else 0)


if __name__ == "__main__":
    main()
