"""serving.py: `weft serve` as tests run it: a process on a free port, requests over plain sockets, checks that count."""

import array
import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

PATIENCE = 120  # seconds until a test that waits has failed; nothing here is timed


class Checks:
    def __init__(self):
        self.n = self.failed = 0

    def __call__(self, what, ok, seen=None):
        self.n += 1
        if not ok:
            self.failed += 1
            print(f"FAILED: {what}: {seen!r}", flush=True)
        return ok

    def equal(self, what, seen, expected):
        return self(f"{what} is {expected!r}", seen == expected, seen)

    def end(self):
        print(f"{self.n} checks, {self.failed} failed")
        sys.exit(self.failed > 0)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return json.loads(self.body)["error"]

    @property
    def events(self):
        """The data of a stream's events; JSON where it is some."""
        data = [e[6:] for e in self.body.decode().split("\n\n") if e.startswith("data: ")]
        return [d if d == "[DONE]" else json.loads(d) for d in data]


    @property
    def named_events(self):
        """The names of a stream's events, and their data."""
        pairs = [e.split("\n") for e in self.body.decode().split("\n\n")[:-1]]
        return [(name, json.loads(data[6:])) for name, data in pairs]


started = []  # a test that ends in an exception must leave none that holds its pipes


@atexit.register
def end_all():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


class Server:
    def __init__(self, weft, model, *options):
        self.process = subprocess.Popen([weft, "serve", model, "--port", "0", "--device", "cpu,threads=1", *options],
                                        stderr=subprocess.PIPE, text=True)
        started.append(self.process)
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line.strip())
            found = re.search(r"at http://\S+:(\d+)$", line)
            if found:
                break
        else:
            raise RuntimeError(f"the server did not start: {self.lines}")
        self.port = int(found[1])
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.strip())

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def raw(self, data):
        """Sends bytes, reads to the end of the connection."""
        with self.connect() as s:
            s.sendall(data)
            return read_all(s)

    def ask(self, method, path, body=None, headers=()):
        """One request on a connection of its own."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return parse(self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")))

    def post(self, path, body, headers=()):
        return self.ask("POST", path, body, headers)

    def get(self, path, headers=()):
        return self.ask("GET", path, None, headers)

    def complete(self, prompt, **fields):
        return self.post("/v1/completions", {"prompt": prompt, "temperature": 0, **fields})

    def text(self, prompt, **fields):
        return self.complete(prompt, **fields).json["choices"][0]["text"]

    def metric(self, name):
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\d+)$", self.get("/metrics").body.decode(), re.M)
        return int(found[1]) if found else None

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status


def read_all(s):
    """To the end of the connection."""
    out = b""
    try:
        while block := s.recv(65536):
            out += block
    except ConnectionResetError:
        pass
    return out


def parse(data):
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/"):
        return Reply(0, {}, data)
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = dechunk(body)
    return Reply(int(lines[0].split()[1]), headers, body)


def dechunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size or b"0", 16)
        if not n:
            break
        out += data[:n]
        data = data[n + 2:]
    return out


def together(jobs):
    """Runs functions at the same time, each in a thread; their results in order."""
    results = [None] * len(jobs)

    def run(i):
        results[i] = jobs[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    return results


def wait_until(holds):
    """Whether it comes to hold, in as long as a test waits."""
    for _ in range(PATIENCE * 20):
        if holds():
            return True
        time.sleep(0.05)
    return False


def adapter_in(folder, name, seed, layers=6, width=256, rank=4):
    """A folder with a LoRA adapter of random numbers for the bundled model, in PEFT's layout."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    x, header, data = seed, {}, b""
    for layer in range(layers):
        for which, shape in (("A", (rank, width)), ("B", (3 * width, rank))):
            numbers = array.array("f")
            for _ in range(shape[0] * shape[1]):
                x = (x * 1103515245 + 12345) % (1 << 31)
                numbers.append((x / (1 << 30) - 1) * 0.4)
            key = f"base_model.model.gpt_neox.layers.{layer}.attention.query_key_value.lora_{which}.weight"
            header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(numbers)]}
            data += numbers.tobytes()
    head = json.dumps(header).encode()
    with open(os.path.join(path, "adapter_model.safetensors"), "wb") as f:
        f.write(len(head).to_bytes(8, "little") + head + data)
    with open(os.path.join(path, "adapter_config.json"), "w") as f:
        json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["query_key_value"]}, f)
    return path


TEMPLATE = """{# <tool_call></tool_call> #}{% for m in messages %}{% if m.role == 'refuse' %}{{ raise_exception('no such role') }}{% endif %}\
{{ m.role }}: {{ m.content }}
{% endfor %}{% if tools %}{{ tools | length }} tools
{% endif %}{% if add_generation_prompt %}{{ greeting or 'Once upon a time' }}{% endif %}"""


def template_in(folder):
    path = os.path.join(folder, "template.jinja")
    with open(path, "w") as f:
        f.write(TEMPLATE)
    return path
