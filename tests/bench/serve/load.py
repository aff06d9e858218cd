"""load.py URL [--streams 1,4,16] [--tokens N] [--words N] [--seed N] [--arrivals]: how fast a server with OpenAI's
interface streams, and how evenly. One process with one loop reads all streams, so that the client takes little of the machine.

For each number of streams all begin at once with other prompts, and N tokens are made for each (the end of the text is
ignored, temperature 0). What is told: tokens a second over all streams from the first request to the last event, the time
to the first token, and between two events of a stream the median (p50) and the 99th percentile (p99). With --arrivals
prompts of 8 times as many words come all the while, one after the other, for one token each: what they do to the streams.
"""

import argparse
import json
import selectors
import socket
import time
import urllib.parse

WORDS = """the a little girl boy named Lily Tom saw big red ball park went to play with her his mom said happy sad day one
time once upon there was dog cat tree house sun bird fish found box toy friend home night water flower garden""".split()


def prompt(seed, n):
    x, words = seed * 7919 + 1, []
    for _ in range(n):
        x = (x * 1103515245 + 12345) % (1 << 31)
        words.append(WORDS[(x >> 16) % len(WORDS)])
    return " ".join(words)


class Stream:
    def __init__(self, url, text, tokens, model):
        body = {"prompt": text, "max_tokens": tokens, "temperature": 0, "stream": True, "ignore_eos": True}
        body = json.dumps(body | ({"model": model} if model else {})).encode()
        self.socket = socket.create_connection((url.hostname, url.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = time.perf_counter()
        self.socket.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
                            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        self.times, self.rest, self.done = [], b"", False

    def read(self):
        data = self.socket.recv(65536)
        now = time.perf_counter()
        if not data:
            self.done = True
            return
        data = self.rest + data
        self.times += [now] * data.count(b'data: {')
        if b"HTTP/1.1 " in data[:9] and b"HTTP/1.1 200" not in data[:12]:
            raise SystemExit(data.decode(errors="replace"))
        self.rest = data[-6:] if not data.endswith(b"\n") else b""
        if b"data: [DONE]" in data:
            self.done = True


def run(url, n, tokens, words, arrivals, model, base):
    poll = selectors.DefaultSelector()
    streams = [Stream(url, prompt(base + i, words), tokens, model) for i in range(n)]
    for s in streams:
        poll.register(s.socket, selectors.EVENT_READ, s)
    extra = n_extra = 0
    while not all(s.done for s in streams):
        if arrivals and not extra:
            extra = Stream(url, prompt(base + 1000 + n_extra, 8 * words), 1, model)
            poll.register(extra.socket, selectors.EVENT_READ, extra)
            n_extra += 1
        for key, _ in poll.select():
            key.data.read()
            if key.data.done:
                poll.unregister(key.data.socket)
                key.data.socket.close()
                extra = 0 if key.data is extra else extra
    end = max(s.times[-1] for s in streams)
    gaps = sorted(b - a for s in streams for a, b in zip(s.times, s.times[1:]))
    first = sorted(s.times[0] - s.begun for s in streams)
    return {"streams": n, "tokens_per_s": n * tokens / (end - min(s.begun for s in streams)), "first_ms": 1e3 * first[n // 2],
            "p50_ms": 1e3 * gaps[len(gaps) // 2], "p99_ms": 1e3 * gaps[int(len(gaps) * 0.99)], "others": n_extra}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("url")
    p.add_argument("--streams", default="1,4,16")
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--words", type=int, default=24)
    p.add_argument("--seed", type=int, default=0, help="another one: other prompts, which no server has kept")
    p.add_argument("--arrivals", action="store_true")
    p.add_argument("--model")
    p.add_argument("--repeat", type=int, default=1)
    a = p.parse_args()
    url = urllib.parse.urlsplit(a.url)
    for k in range(a.repeat):
        for n in map(int, a.streams.split(",")):
            r = run(url, n, a.tokens, a.words, a.arrivals, a.model, 1000000 * a.seed + 100000 * k + 1000 * n)
            print("{streams:3d} streams {tokens_per_s:8.1f} tokens/s  first {first_ms:7.1f} ms  p50 {p50_ms:6.2f} ms  "
                  "p99 {p99_ms:6.2f} ms  {others} others".format(**r), flush=True)


main()
