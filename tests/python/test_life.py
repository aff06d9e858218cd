"""Lifetimes, threads, forks, callbacks: nothing crashes, leaks, or is lost."""

import ctypes
import itertools
import os
import sys
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np
import weft
from weft import _lib, _life, batch

from common import CONFIG, STORY, TINY, python, raised


class Order(unittest.TestCase):
    def test_any_order_of_closing(self) -> None:
        for order in itertools.permutations(range(4)):
            device = weft.Device("cpu,threads=1")
            model = weft.Model(TINY)
            weights = weft.Weights(model)
            session = model.session(device, weights=weights)
            session.logits(STORY)
            objects = [device, model, weights, session]
            for i in order:
                objects[i].close()
                objects[i].close()
            self.assertTrue(all(o.closed for o in objects))

    def test_what_is_made_of_it_goes_on(self) -> None:
        with weft.Device("cpu,threads=1") as device, weft.Model(TINY) as model:
            tokenizer, session, checkpoint = model.tokenizer, model.session(device), model.checkpoint
            program = session.program(4)
        row = session.logits(STORY)
        self.assertEqual(tokenizer.decode([int(row.argmax())]), ",")
        self.assertGreater(len(checkpoint or ()), 10)
        session.close()
        self.assertIn("cpu", str(program))
        for closed in (
            lambda: session.logits(STORY),
            lambda: model.n_layer,
            lambda: model.session(),
            lambda: device.info,
        ):
            with self.assertRaisesRegex(weft.InvalidError, "closed"):
                closed()

    def test_nothing_is_made_of_what_has_ended(self) -> None:
        model, device = weft.Model(TINY), weft.Device()
        session, weights, g = model.session(device), weft.Weights({}), weft.Graph()
        g.output(g.input("f32", (1,), "x"), "y")
        g.seal()
        for ended in (session, model, device, weights):
            ended.close()
        uses: list[Callable[[], object]] = [
            session.cancel,
            session.length,
            lambda: model.session(),
            lambda: weft.Weights(model),
            lambda: weft.Program(g, weights=weights),
            lambda: weft.Model(TINY).session(device),
        ]
        for closed in uses:
            with self.assertRaisesRegex(weft.InvalidError, "closed"):
                closed()

    def test_cycles_and_the_end_of_the_interpreter(self) -> None:
        source = f"""
import weft, gc
model = weft.Model({str(TINY)!r})
session = model.session("cpu,threads=2")
model.me, session.me, session.other = session, session, model
story = session.generate("Once upon a time", max_tokens=50)
next(story)
class Last:
    def __del__(self): session.logits([1]); print("last")
keep = Last()
array = model.checkpoint["gpt_neox.final_layer_norm.weight"].numpy()
program = session.program(1)
"""
        for end in ("", "del model, session; gc.collect()", "session.close()", "raise SystemExit(0)"):
            status, printed = python(source + end)
            self.assertEqual(status, 0, printed)
            self.assertNotIn("Fatal", printed)

    def test_failures_leave_nothing(self) -> None:
        device = weft.Device("cpu,threads=1")
        model = weft.Model(TINY)
        for _ in range(3):
            with self.assertRaises(weft.WeftError):
                model.session(device, outputs="scores")
        with self.assertRaises(weft.WeftError):
            weft.Model(TINY / "nothing here")
        counts = device._handle._count, model._handle._count
        self.assertEqual(counts, (1, 1))


class Threads(unittest.TestCase):
    def test_one_device_is_used_in_turn(self) -> None:
        device, model = weft.Device("cpu,threads=2"), weft.Model(TINY)
        sessions = [model.session(device, context=64) for _ in range(2)]
        wanted = model.session("cpu,threads=2").generate(STORY, max_tokens=12).run().tokens
        found = []

        def work(i: int) -> None:
            for _ in range(3):
                session = (
                    sessions[i % 2] if i < 2 else model.session(device, context=64)
                )  # others come and go meanwhile
                session.truncate(0, 0)
                rows = session.logits(STORY)
                found.append(int(rows.argmax()) == wanted[0])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [True] * 12)

    def test_the_interpreter_is_free_during_runs(self) -> None:
        """Another thread takes steps inside one call of the library; through a door that keeps the lock it takes none.

        Python takes the lock from no thread meanwhile: what runs has it until it gives it away.
        """
        steps, stop = [0], threading.Event()

        def walk() -> None:
            while not stop.is_set():
                steps[0] += 1
                time.sleep(0)  # gives the lock away

        def steps_inside(function: Callable[..., object], *arguments: object) -> int:
            before = steps[0]
            status = function(*arguments)
            taken = steps[0] - before
            self.assertEqual(status, 0)
            session.truncate(0)
            return taken

        session, tokens = weft.Model(TINY).session("cpu,threads=1"), batch.batch_of(STORY * 50, 0, 0)
        with open("/proc/self/maps") as maps:
            path = next(line.split()[-1] for line in maps if "/libweft.so" in line)
        held = ctypes.PyDLL(path).weft_session_eval
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e5)
        thread = threading.Thread(target=walk)
        thread.start()
        try:
            time.sleep(0.01)
            pointer = session._handle.pointer
            address = ctypes.c_void_p(int(_lib.ffi.cast("uintptr_t", pointer)))
            data, n = ctypes.c_void_p(tokens.ctypes.data), ctypes.c_size_t(tokens.size)
            self.assertEqual(steps_inside(held, address, data, n, None, None), 0)
            c_tokens, null = _lib.ffi.from_buffer("weft_batch_token[]", tokens), _lib.ffi.NULL
            free = (_lib.lib.weft_session_eval, pointer, c_tokens, tokens.size, null, null)
            self.assertTrue(any(steps_inside(*free) for _ in range(50)))
        finally:
            stop.set()
            sys.setswitchinterval(interval)
            thread.join()

    def test_tokenizers_are_shared(self) -> None:
        tokenizer = weft.Tokenizer(TINY)
        text = "Once upon a time there was a dog. " * 50
        wanted, found = tokenizer.encode(text).tolist(), []
        threads = [threading.Thread(target=lambda: found.append(tokenizer.encode(text).tolist())) for _ in range(8)]
        for thread in threads:
            thread.start()
        tokenizer.close()
        for thread in threads:
            thread.join()
        self.assertTrue(all(ids == wanted for ids in found))

    def test_nothing_ends_under_its_user(self) -> None:
        """A handle whose owner closes it while threads come and go: it ends once, and when nobody is inside."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        self.addCleanup(sys.setswitchinterval, interval)
        for shared in (True, False):
            for _ in range(60):
                ended: list[Any] = []
                met: list[Any] = []
                guard = None if shared else _life.Guard()
                handle = _life.Handle("thing", "pointer", ended.append, guard=guard)

                def work() -> None:
                    try:
                        while True:
                            with handle as pointer:
                                met.append(pointer == "pointer" and not ended)
                    except weft.InvalidError as error:
                        met.append("closed" in str(error))

                threads = [threading.Thread(target=work) for _ in range(3)]
                for thread in threads:
                    thread.start()
                handle.close()
                for thread in threads:
                    thread.join()
                self.assertEqual((ended, all(met)), (["pointer"], True))

    def test_graphs_are_built_in_turn(self) -> None:
        g = weft.Graph()
        x = g.input("f32", (4,), "x")
        threads = [
            threading.Thread(target=build)
            for build in (x.relu, lambda: x.split(0, 2), lambda: g.extent("n", 2), lambda: g.output(x, "y"), g.seal)
        ]
        with g._handle:  # this thread is inside
            for thread in threads:
                thread.start()
                thread.join(0.02)
            self.assertTrue(all(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()

    def test_closed_while_in_use(self) -> None:
        session = weft.Model(TINY).session("cpu,threads=1")
        failures = []

        def work() -> None:
            try:
                while True:
                    session.logits(STORY, out=np.empty(4096, np.float32))
                    session.truncate(0)
            except weft.InvalidError as error:
                failures.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        session.close()
        for thread in threads:
            thread.join()
        self.assertEqual(len(failures), 3)


class Forks(unittest.TestCase):
    def child(self, function: Callable[[], object]) -> str:
        """What a child process of fork finds out: True, or the exception's text."""
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                text = str(function())
            except BaseException as error:
                text = f"{type(error).__name__}: {error}"
            os.write(write, text.encode()[:4000])
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as file:
            text = file.read()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        return text

    def test_forks(self) -> None:
        model = weft.Model(TINY)
        session = model.session("cpu,threads=2")
        wanted = session.logits(STORY)
        self.assertIn("before the fork", self.child(lambda: session.logits(STORY)))
        self.assertEqual(self.child(lambda: session.close() or "closed"), "closed")  # type: ignore[func-returns-value]
        self.assertEqual(self.child(lambda: model.tokenizer.decode(STORY)), "Once upon a time")

        def anew() -> object:
            return (model.session("cpu,threads=2").logits(STORY) == wanted).all()

        self.assertEqual(self.child(anew), "True")

        def graph() -> object:
            g.output(x + 1, "y")
            g.seal()
            return weft.Program(g).run(x=[1, 2])["y"].tolist()

        g = weft.Graph()
        x = g.input("f32", (2,), "x")
        self.assertEqual(self.child(graph), "[2.0, 3.0]")
        g.output(x + 2, "y")  # here it is as it was
        g.seal()
        session.truncate(0)
        self.assertEqual(session.logits(STORY).tobytes(), wanted.tobytes())

    def test_while_another_thread_is_inside(self) -> None:
        model, device, inside, done = weft.Model(TINY), weft.Device(), threading.Event(), threading.Event()

        def wait(p: weft.Progress) -> None:
            inside.set()
            done.wait()

        thread = threading.Thread(target=model.session, args=(device,), kwargs={"progress": wait})
        thread.start()
        inside.wait()
        self.assertIn("another thread was using this", self.child(lambda: model.session()))
        self.assertIn("before the fork", self.child(lambda: device.info))
        self.assertEqual(self.child(lambda: weft.Model(TINY).session().logits(STORY).shape), "(4096,)")
        done.set()
        thread.join()
        self.assertEqual(model.session(device).logits(STORY).shape, (4096,))


class Callbacks(unittest.TestCase):
    def test_progress(self) -> None:
        class Mine(Exception):
            pass

        def raises(p: weft.Progress) -> None:
            raise Mine(p.what)

        model = weft.Model(TINY)
        error, names = raised(Mine, lambda: model.session(progress=raises))
        self.assertEqual((error.args, names[-1]), (("loading weights",), "raises"))
        self.assertIn("session", names)
        with self.assertRaises(weft.CancelledError):
            model.session(progress=lambda p: False)
        told: list[Any] = []
        session = model.session(progress=told.append)
        session.logits(STORY)
        self.assertEqual({p.what for p in told}, {"loading weights"})
        self.assertTrue(all(p.done <= p.total for p in told))

    def test_interrupts(self) -> None:
        def interrupted(p: weft.Progress) -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            weft.Model(TINY).session(progress=interrupted)

    def test_no_way_back_in(self) -> None:
        model = weft.Model(TINY)
        device = weft.Device("cpu,threads=1")

        def enters(p: weft.Progress) -> None:
            device.info

        with self.assertRaisesRegex(weft.InvalidError, "callback"):
            model.session(device, progress=enters)
        self.assertEqual(model.session(device).logits(STORY).shape, (4096,))


class Refused(unittest.TestCase):
    def test_configurations_alone(self) -> None:
        import pathlib
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "config.json"
            path.write_text(CONFIG)
            model = weft.Model(path)
            self.assertEqual((model.n_layer, model.has_weights, model.checkpoint), (2, False, None))
            self.assertGreater(weft.SessionPlan(model).bytes(), 0)
            self.assertIn("hidden_size", {s.key for s in model.settings})
            with self.assertRaises(weft.NotFoundError):
                model.session()
            with self.assertRaises(weft.NotFoundError):
                model.tokenizer
            path.write_text("{")
            with self.assertRaisesRegex(weft.FormatError, "config.json"):
                weft.Model(path)
        with self.assertRaisesRegex(weft.InvalidError, "NUL"):
            weft.Model("a\0b")


if __name__ == "__main__":
    unittest.main()
