"""test_serve_threads.py WEFT MODEL: the threads of `weft serve` beside each other, with few tokens: streams, clients that go,
requests that are read meanwhile, a model that is loaded and given back beside them, an end while texts are written. For builds in which everything is slow (ThreadSanitizer)."""

import signal
import sys

import serving
from serving import Checks, Server, together

serving.PATIENCE = 400
weft, model = sys.argv[1:3]
check = Checks()
C = "/v1/completions"
server = Server(weft, f"one={model}", f"two={model},keep-alive=0", "--deterministic", "--slots", "3", "--context", "64")


def stream(prompt):
    events = server.complete(prompt, max_tokens=6, stream=True).events
    return "".join(e["choices"][0]["text"] for e in events[:-1])


def leave():
    body = b'{"prompt": "The", "max_tokens": 40, "stream": true, "ignore_eos": true}'
    with server.connect() as s:
        s.sendall(f"POST {C} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        s.recv(20)
    return True


def ended(request):
    """Its status; 0: the server had closed already. A request that hangs has none."""
    try:
        return request()
    except ConnectionError:
        return 0


prompts = ["Once upon a time", "One day, Tom", "The sun"]
alone = [server.text(p, max_tokens=6) for p in prompts]
seen = together([lambda p=p: stream(p) for p in prompts] + [leave, lambda: server.get("/metrics").status,
                lambda: server.post("/tokenize", {"content": "a b"}).status, lambda: server.post(C, b"{").status,
                lambda: server.text(prompts[0], max_tokens=6), lambda: server.text(prompts[0], max_tokens=6, model="two"),
                lambda: server.get("/props").status, lambda: server.get("/profile").status in (200, 501, 503)])  # 503: no room in the cache
check.equal("all at once", seen, [*alone, True, 200, 200, 400, alone[0], alone[0], 200, True])
late = together([lambda p=p: ended(lambda: server.complete(p, max_tokens=40, ignore_eos=True).status) for p in prompts] +
                [lambda: ended(lambda: server.complete(prompts[0], model="two").status), lambda: server.process.send_signal(signal.SIGTERM)])
check("an end meanwhile", all(s in (200, 503, 0) for s in late[:4]), late)
check.equal("then the server ends with", server.wait(), 0)
check.end()
