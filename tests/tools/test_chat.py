"""test_chat.py WEFT MODEL: `weft chat` through pipes and on a pseudo-terminal, with a base model and, by a template of
the test's own, with messages. On the terminal the test waits for what must come; minutes without a sign fail."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile

weft, model = sys.argv[1:3]
folder = tempfile.TemporaryDirectory()
failed = 0
cpu = ["--device", "cpu,threads=1", "--deterministic"]


def path(name):
    return os.path.join(folder.name, name)


def check(what, ok, *seen):
    global failed
    if not ok:
        failed += 1
        print(f"FAILED: {what}: {seen!r}")


def chat(said, *options, status=0):
    """What it prints, and says on stderr."""
    r = subprocess.run([weft, "chat", model, *cpu, *options], input=said if isinstance(said, bytes) else said.encode(),
                       capture_output=True)
    check(f"status of {said!r}", r.returncode == status, r.returncode, r.stderr)
    return r.stdout.decode(), r.stderr.decode()


def read_counts(err):
    return [int(n) for n in re.findall(r"^prompt: (\d+) token", err, re.M)]


def messages(name):
    with open(path(name), encoding="utf-8") as f:
        return json.load(f)["messages"]


with open(path("template"), "w", encoding="utf-8") as f:
    f.write("{%- for m in messages -%}{% if m.content == 'refuse' %}{{ raise_exception('not this') }}{% endif %}"
            "{{ m.role }}: {{ m.content }}\n{% endfor -%}{%- if add_generation_prompt -%}assistant:{%- endif -%}")
templated = ["--chat-template", path("template"), "-n", "12", "--verbose"]

# ---- a base model ----
want = subprocess.run([weft, "generate", model, *cpu, "-p", "Once upon a time", "-n", "12"], capture_output=True)
out, err = chat(f"Once upon a time\n/save {path('base')}\n and then\n/save {path('longer')}\n", "-n", "12", "--verbose")
first = want.stdout.decode()[len("Once upon a time"):]
check("a base model continues", out.startswith(first) and out.count("\n") == 2, out, first)
check("it says that it is one", "it is a base model, which continues what you type" in err, err)
with open(path("base"), encoding="utf-8") as f:
    text = json.load(f)["text"]
check("its text is kept", text == "Once upon a time" + first[:-1], text)
with open(path("longer"), encoding="utf-8") as f:
    check("and goes on", json.load(f)["text"].startswith(text + " and then"))
check("what was read is not read again", read_counts(err)[1] < 6, err)
out, err = chat(f"/load {path('base')}\n and then\n", "-n", "12", "--verbose")
with open(path("longer"), encoding="utf-8") as f:
    check("loaded, it goes on likewise", json.load(f)["text"].endswith(out[:-1]), out)
check("a loaded text is read", read_counts(err)[0] > 10, err)
chat("", "--system", "Be kind", status=1)
long = "one two three four five six seven eight nine ten " * 9
out, err = chat((long + "\n") * 6, "-n", "8")
check("a full text is cut, and that is said", "the model sees the last" in err and out.count("\n") >= 6, err)

# ---- messages ----
said = ["Hello there", "Tell me more", "And what then?"]
out, err = chat("\n".join([said[0], said[1], f"/save {path('two')}", said[2], f"/save {path('three')}", ""]), *templated,
                "--system", "Be kind")
check("roles", [m["role"] for m in messages("three")] == ["system"] + 3 * ["user", "assistant"], messages("three"))
check("what was said", [m["content"] for m in messages("three")[1::2]] == said, messages("three"))
check("answers are printed alone", out == "".join(m["content"] + "\n" for m in messages("three")[2::2]), out)
counts = read_counts(err)
again, err = chat(f"/load {path('two')}\n{said[2]}\n", *templated)
check("a loaded conversation goes on likewise", again[:-1] == messages("three")[-1]["content"], again, messages("three"))
check("only what is new is read", counts[2] < read_counts(err)[0] / 2, counts, err)
chat(f"Hello there\n/reset\nOther\n/save {path('reset')}\n", *templated, "--system", "Be kind")
check("/reset", [m["content"] for m in messages("reset")[:2]] == ["Be kind", "Other"], messages("reset"))
chat(f'one\\\ntwo\n"""\na\n\nb\n"""\n//slash\n/save {path("lines")}', *templated)
check("several lines", [m["content"] for m in messages("lines")[::2]] == ["one\ntwo", "a\n\nb", "/slash"], messages("lines"))
out, err = chat(f"{long}\n" * 7 + f"/save {path('full')}\n", *templated, "--system", "Be kind")
check("the oldest is left out, and that is said", "the oldest of what was said is left out" in err, err)
check("the system's prompt stays", messages("full")[0]["content"] == "Be kind" and messages("full")[1]["role"] == "user"
      and 3 <= len(messages("full")) < 15, messages("full"))

# ---- commands and faults ----
out, err = chat("/set temperature 0.5\n/set top_k=7\n/set seed 3\n/set temperature\n/set\nHello\n", *templated)
sampled = subprocess.run([weft, "chat", model, *cpu, *templated, "--temperature", "0.5", "--top-k", "7", "--seed", "3"],
                         input=b"Hello\n", capture_output=True).stdout.decode()
check("/set is as the options are", out == sampled, out, sampled)
check("/set says it", re.search(r"^  temperature +0\.5 ", err, re.M) and re.search(r"^  top-k +7 ", err, re.M), err)
check("/help", "/reset" in chat("/help\n", *templated)[1])
check("/quit", chat("/quit\nHello\n", *templated)[0] == "")
for line, why, status in [("/set tempera 3", "there is no 'tempera'", 1), ("/set temperature hot", "expected a number", 2),
                          ("/rest", "no such command (did you mean", 1), ("/load", "expected a file", 1),
                          (f"/load {path('none')}", "No such file", 1), (f"/load {path('template')}", "line 1", 1),
                          (f"/load {path('base')}", "`messages`", 1), (f"/save {path('no/where')}", "No such file", 1),
                          ("refuse", "not this", 1), (long * 9, "more than the context", 1)]:
    out, err = chat(f"{line}\nHello\n", *templated, status=status)
    check(f"{line[:40]}: {why}", why in err and out == "", out, err)
_, err = chat(b"\xff\xfe\n", *templated, status=1)
check("no UTF-8", "not UTF-8" in err, err)


# ---- on a terminal ----
class Terminal:
    def __init__(self, *options):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.environ["LC_ALL"] = "C.UTF-8"
            os.execv(weft, [weft, "chat", model, *cpu, *options])
        self.shown = b""
        self.at = 0

    def more(self):
        """What is shown next is added to `shown`; False at the end."""
        if not select.select([self.fd], [], [], 300)[0]:
            check("it shows something, or ends", False, self.shown[self.at:])
            os.kill(self.pid, signal.SIGKILL)
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.shown += data
        return bool(data)

    def wait(self, pattern):
        """Until this is shown, after what was waited for before; the end of everything is a failure."""
        while not (found := re.search(pattern, self.shown[self.at:])):
            if not self.more():
                check(f"shown: {pattern}", False, self.shown[self.at:])
                return b""
        before = self.shown[self.at:self.at + found.end()]
        self.at += found.end()
        return before

    def press(self, keys):
        os.write(self.fd, keys)

    def interrupt(self, keys, name):
        """Ctrl-C; then the conversation is saved. With that key a terminal drops what was written and not read yet, the
        next prompt perhaps, so what is waited for is asked for afterwards."""
        self.press(keys)
        self.press(f"/save {path(name)}\n/rest\n".encode())
        self.wait(rb"no such command")
        self.wait(rb"> $")

    def end(self):
        while self.more():
            continue
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


editing = "without libedit" not in subprocess.run([weft, "chat", "--help"], capture_output=True).stdout.decode()
t = Terminal(*templated)
t.wait(rb"> $")
t.press("Hello thexe\x7f\x7fre, Zo\u00eb\n".encode())
t.wait(rb"tokens/s\r\n")
t.wait(rb"> $")
if editing:
    t.press(b"\x1b[A\n")  # the line before
    t.wait(rb"tokens/s\r\n")
    t.wait(rb"> $")
t.interrupt(b"never said\x03", "typed")
t.press(b"\x04")
check("Ctrl-D ends it", t.end() == 0, t.shown)
typed = [m["content"] for m in messages("typed")[::2]]
check("lines are edited and remembered", typed == ["Hello there, Zo\u00eb"] * (1 + editing), typed)

t = Terminal(*templated)
t.press(b"Hello\n")
t.wait(rb"Hello\r\n")
t.press(b"\x04")  # beside the answer
check("Ctrl-D that is typed ahead ends it", t.end() == 0 and b"tokens/s" in t.shown, t.shown)

t = Terminal("--chat-template", path("template"))
t.wait(rb"> $")
whole = chat("Tell me everything\n", "--chat-template", path("template"))[0][:-1]
for _ in range(100):  # on a busy machine an answer may be over before the key is pressed
    t.press(b"Tell me everything\n")
    t.wait(rb"everything\r\n[^\r]* \w+ \w+")
    t.interrupt(b"\x03", "stopped")
    partial = [m["content"] for m in messages("stopped")]
    if partial[1] != whole:
        break
    t.press(b"/reset\n")
    t.wait(rb"> $")
check("what was said stays", len(partial) == 2 and partial[1] and whole.startswith(partial[1]), partial, whole)
os.kill(t.pid, signal.SIGTERM)
check("SIGTERM ends it", t.end() == 128 + signal.SIGTERM, t.shown)

# through a pipe Ctrl-C ends all of it
p = subprocess.Popen([weft, "chat", model, *cpu, "--chat-template", path("template")], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
p.stdin.write(b"Tell me everything\nAnd more\n")
p.stdin.flush()
p.stdout.read(8)
p.send_signal(signal.SIGINT)
p.communicate()
check("Ctrl-C in a pipe", p.returncode == 130, p.returncode)

folder.cleanup()
print(f"{failed} failed")
sys.exit(failed != 0)
