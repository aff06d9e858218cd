"""test_terminal.py WEFT MODEL: long work on a pseudo-terminal: a line says how far it is, Ctrl-C ends it with one
message and status 130, SIGTERM and SIGHUP likewise, --quiet shows no line. The work is longer than anybody waits for,
and nothing here has a time limit of its own: the test waits for the line, then presses Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys

weft, model = sys.argv[1:3]
failed = 0


def check(what, ok, seen):
    global failed
    if not ok:
        failed += 1
        print(f"FAILED: {what}: {seen!r}")


def run(args, until=None, end_by=None):
    """Runs on a terminal; once the output matches `until` presses Ctrl-C, or sends `end_by`. What was shown, and the
    exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which the tests may run, ignores it
        os.execv(weft, [weft, *args])
    shown, pressed = b"", False
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        shown += data
        if until and not pressed and re.search(until, shown):
            if end_by:
                os.kill(pid, end_by)
            else:
                os.write(terminal, b"\x03")
            pressed = True
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


cpu = ["--device", "cpu,threads=1"]
shown, status = run(["bench", model, "--repeat", "1000", *cpu], rb"\rmeasuring (prompts|decoding): [^\r]*%[^\r]*/s")
check("the line is erased before the message", re.search(rb"\r\x1b\[Kweft: cancelled while measuring", shown), shown)
check("status of Ctrl-C", status == 130, status)
check("one message", shown.count(b"weft: ") == 1, shown)

for by in signal.SIGTERM, signal.SIGHUP:
    shown, status = run(["bench", model, "--repeat", "1000", *cpu], rb"\rmeasuring prompts: [^\r]*/s", by)
    check(f"{by.name} ends it as Ctrl-C does", b"weft: cancelled while measuring" in shown, shown)
    check(f"status of {by.name}", status == 128 + by, status)

shown, status = run(["generate", model, "-p", "Once upon a time", "-n", "8", *cpu])
check("the story", b"Once upon a time, there was a little girl" in shown, shown)
check("its speed comes last", re.search(rb"decode: 7 tokens in [0-9.]+ s, [0-9.]+ tokens/s\r\n$", shown), shown)
check("status", status == 0, status)

shown, status = run(["generate", model, "-p", "Once upon a time", "-n", "8", "--quiet", *cpu])
check("--quiet: the story alone", shown == b"Once upon a time, there was a little girl named Lily\r\n", shown)

r = subprocess.run([weft, "bench", model, "--repeat", "2", "--prompt-tokens", "16", *cpu], capture_output=True)
check("no terminal: nothing on standard error", r.stderr == b"" and r.returncode == 0, r.stderr)
sys.exit(failed > 0)
