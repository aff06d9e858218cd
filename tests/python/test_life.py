"""Lifetimes, threads, forks, callbacks: nothing crashes, leaks, or is lost."""

import gc
import itertools
import os
import resource
import threading
import unittest

import numpy as np
import weft

from common import CONFIG, STORY, TINY, python

ROUNDS = int(os.environ.get("WEFT_TEST_ROUNDS", "10000"))


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Order(unittest.TestCase):
    def test_any_order_of_closing(self):
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

    def test_what_is_made_of_it_goes_on(self):
        with weft.Device("cpu,threads=1") as device, weft.Model(TINY) as model:
            tokenizer, session, checkpoint = model.tokenizer, model.session(device), model.checkpoint
            program = session.program(4)
        row = session.logits(STORY)
        self.assertEqual(tokenizer.decode([int(row.argmax())]), ",")
        self.assertGreater(len(checkpoint), 10)
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

    def test_cycles_and_the_end_of_the_interpreter(self):
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

    def test_failures_leave_nothing(self):
        device = weft.Device("cpu,threads=1")
        model = weft.Model(TINY)
        for _ in range(3):
            with self.assertRaises(weft.WeftError):
                model.session(device, outputs="scores")
        with self.assertRaises(weft.WeftError):
            weft.Model(TINY / "nothing here")
        counts = device._handle._count, model._handle._count
        self.assertEqual(counts, (1, 1))


class Rounds(unittest.TestCase):
    def flat(self, make, rounds):
        """No trend: what the second half of many rounds adds is next to nothing."""
        for _ in range(rounds // 2):
            make()
        gc.collect()
        half = resident()
        for _ in range(rounds // 2):
            make()
        gc.collect()
        self.assertLess(resident() - half, 1 << 20)

    def test_small_objects(self):
        tokenizer, model = weft.Tokenizer(TINY), weft.Model(TINY)

        def make():
            stream = tokenizer.stream(stop=["x"])
            stream.push(424)
            weft.Sampler(weft.Sampling(temperature=1.0), 8).pick(np.ones(8, np.float32))
            g = weft.Graph()
            g.output(g.input("f32", (3, 4), "x").gelu() + 1, "y")
            g.seal()
            tokenizer.decode(tokenizer.encode("Once upon"))
            model.checkpoint["embed_out.weight"].data

        self.flat(make, ROUNDS)

    def test_models_and_sessions(self):
        device = weft.Device("cpu,threads=1")

        def bigram(g, config, inputs):
            g.output(g.weight("f32", (4, 4), "w").gather(inputs.tokens).gather(inputs.rows), "logits")

        def make():
            model = weft.Model(None, graph=bigram, weights={"w": np.eye(4, dtype=np.float32)}, context=16)
            session = model.session(device)
            session.logits([1, 2])
            with self.assertRaises(weft.InvalidError):
                session.logits([9])

        self.flat(make, ROUNDS // 10)

    def test_devices(self):
        self.flat(lambda: weft.Device("cpu,threads=2").info, ROUNDS // 10)


class Threads(unittest.TestCase):
    def test_one_device_is_used_in_turn(self):
        device, model = weft.Device("cpu,threads=2"), weft.Model(TINY)
        sessions = [model.session(device, context=64) for _ in range(2)]
        wanted = model.session("cpu,threads=2").generate(STORY, max_tokens=12).run().tokens
        found = []

        def work(i):
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

    def test_the_interpreter_is_free_during_runs(self):
        """Another thread goes on while a session works: inside one call of the library many steps of it are made."""
        session = weft.Model(TINY).session("cpu,threads=1")
        steps, stop = [0], threading.Event()

        def count():
            while not stop.is_set():
                steps[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = steps[0]
        session.logits(STORY * 100)
        during = steps[0] - before
        stop.set()
        thread.join()
        self.assertGreater(during, 100)

    def test_tokenizers_are_shared(self):
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

    def test_closed_while_in_use(self):
        session = weft.Model(TINY).session("cpu,threads=1")
        failures = []

        def work():
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
    def child(self, function):
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

    def test_forks(self):
        model = weft.Model(TINY)
        session = model.session("cpu,threads=2")
        wanted = session.logits(STORY)
        self.assertIn("before the fork", self.child(lambda: session.logits(STORY)))
        self.assertEqual(self.child(lambda: session.close() or "closed"), "closed")
        self.assertEqual(self.child(lambda: model.tokenizer.decode(STORY)), "Once upon a time")

        def anew():
            return (model.session("cpu,threads=2").logits(STORY) == wanted).all()

        self.assertEqual(self.child(anew), "True")
        session.truncate(0)
        self.assertEqual(session.logits(STORY).tobytes(), wanted.tobytes())


class Callbacks(unittest.TestCase):
    def test_progress(self):
        class Mine(Exception):
            pass

        def raises(p):
            raise Mine(p.what)

        model = weft.Model(TINY)
        with self.assertRaises(Mine) as caught:
            model.session(progress=raises)
        self.assertEqual(caught.exception.args, ("loading weights",))
        with self.assertRaises(weft.CancelledError):
            model.session(progress=lambda p: False)
        told = []
        session = model.session(progress=told.append)
        session.logits(STORY)
        self.assertEqual({p.what for p in told}, {"loading weights"})
        self.assertTrue(all(p.done <= p.total for p in told))

    def test_interrupts(self):
        def interrupted(p):
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            weft.Model(TINY).session(progress=interrupted)

    def test_no_way_back_in(self):
        model = weft.Model(TINY)
        device = weft.Device("cpu,threads=1")

        def enters(p):
            device.info

        with self.assertRaisesRegex(weft.InvalidError, "callback"):
            model.session(device, progress=enters)
        self.assertEqual(model.session(device).logits(STORY).shape, (4096,))


class Refused(unittest.TestCase):
    def test_configurations_alone(self):
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
