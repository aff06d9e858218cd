"""Graphs and programs: every builder is there, errors are the library's, results are right, arrays are not copied."""

import os
import re
import subprocess
import sys
import unittest
from typing import Any

import numpy as np
import weft
from weft import _lib
from weft.errors import BY_STATUS

from common import ROOT, STORY, TINY, address, built, python, raised

sys.path.insert(0, str(ROOT / "python/examples"))
import own_model  # noqa: E402


def one(dims=(2, 3), dtype="f32"):
    g = weft.Graph()
    return g, g.input(dtype, dims, "x")


def maps_of(name):
    with open("/proc/self/maps") as file:
        return [line for line in file if name in line]


class Builders(unittest.TestCase):
    def test_all_of_the_headers_are_there(self) -> None:
        rows = "".join((ROOT / "graph" / f).read_text() for f in ("map.def", "act.def"))
        names = set(re.findall(r"^WEFT_MAP\(\d+, *(\w+)", rows, re.M))
        names |= set(re.findall(r"^WEFT_ACT\(\d+, *\w+, *(\w+)", rows, re.M))
        headers = "".join((ROOT / h).read_text() for h in ("graph/build.h", "models/inputs.h"))
        names |= set(re.findall(r"WEFT_API (?:weft_\w+|void) weft_(\w+)\((?:weft_graph \*g|weft_dim a)", headers))
        self.assertGreater(len(names), 60)
        ours = {name for kind in (weft.Graph, weft.Value) for name in dir(kind)}
        elsewhere = {  # of these names there is another form
            "add": "__add__",
            "sub": "__sub__",
            "mul": "__mul__",
            "div": "__truediv__",
            "neg": "__neg__",
            "dim_mul": "__mul__",
            "scope_begin": "scope",
            "scope_end": "scope",
            "graph_fail": "seal",
            "attention_with": "attention",
            "cached_attention": "cached_attention",
            "cached_attention_with": "cached_attention",
            "alibi_slopes": "alibi_slopes",
            "window_cache": "cache",
            "cache_store": "store",
            "cache_attention": "attention",
        }
        ours |= set(dir(weft.ModelInputs)) | set(dir(weft.definition.Cache))
        self.assertEqual({n for n in names if elsewhere.get(n, n) not in ours}, set())

    def test_every_function_of_the_headers_is_in_the_library(self) -> None:
        names = [name for name in dir(_lib.lib) if name.startswith("weft_")]
        self.assertGreater(len(names), 250)
        for name in names:
            getattr(_lib.lib, name)

    def test_what_they_compute(self) -> None:
        x = np.array([[-1.5, 0.5, 2.0], [3.0, -0.25, 1.0]], np.float32)
        wanted = {
            "relu": lambda v: np.maximum(v, 0),
            "exp": np.exp,
            "tanh": np.tanh,
            "abs": np.abs,
            "sin": np.sin,
            "cos": np.cos,
            "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
            "silu": lambda v: v / (1 + np.exp(-v)),
            "softplus": lambda v: np.log1p(np.exp(v)),
            "relu2": lambda v: np.maximum(v, 0) ** 2,
            "softmax": lambda v: np.exp(v) / np.exp(v).sum(-1, keepdims=True),
            "cumsum": lambda v: v.cumsum(-1),
            "reduce_sum": lambda v: v.sum(-1),
            "reduce_mean": lambda v: v.mean(-1),
            "reduce_max": lambda v: v.max(-1),
            "argmax": lambda v: v.argmax(-1),
            "rms_norm": lambda v: v / np.sqrt((v**2).mean(-1, keepdims=True) + 1e-6),
            "l2_norm": lambda v: v / np.sqrt((v**2).sum(-1, keepdims=True) + 1e-6),
        }
        g, v = one()
        for name in wanted:
            g.output(getattr(v, name)(), name)
        for name, made in {
            "sum": v + 1,
            "swapped": 1 - v,
            "scaled": 2 * v,
            "quotient": v / v,
            "negative": -v,
            "view": v.transpose(0, 1).reshape((6,)),
            "half": v.split(0, 2)[1],
            "part": v.slice(1, 1, 2),
            "chosen": v.less(1.0).where(v, g.number(7.0)),
            "best": v.top_k(2)[1],
            "both": g.concat([v, v.clamp(-1, 1)], 0),
            "product": v @ v.permute((1, 0)),
            "constant": v + g.constant(np.arange(3.0)),
        }.items():
            g.output(made, name)
        g.seal()
        found = weft.Program(g, "cpu,threads=1").run(x=x)
        for name, function in wanted.items():
            assert callable(function)
            np.testing.assert_allclose(found[name], function(x), rtol=2e-5, atol=1e-6, err_msg=name)
        same = {
            "sum": x + 1,
            "swapped": 1 - x,
            "scaled": 2 * x,
            "quotient": x / x,
            "negative": -x,
            "view": x.T.reshape(6),
            "half": x[1:],
            "part": x[:, 1:],
            "chosen": np.where(x < 1, x, 7),
            "best": [[2, 1], [0, 2]],
            "both": np.concatenate([x, x.clip(-1, 1)]),
            "constant": x + np.arange(3, dtype=np.float32),
        }
        for name, value in same.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        np.testing.assert_allclose(found["product"], x @ x.T, rtol=1e-6)

    def test_errors_come_at_once_and_whole(self) -> None:
        g, x = one()
        with self.assertRaisesRegex(weft.ShapeError, "matmul"):
            x @ x
        with self.assertRaisesRegex(weft.ShapeError, "matmul"):  # the first error stays the graph's
            g.seal()
        for wrong in (
            lambda x: x.reshape((7,)),
            lambda x: x.select(5, 0),
            lambda x: x + x.graph.input("i32", (2, 3), "i"),
            lambda x: x.graph.input("f32", (2, 3), "y").graph.extent("n", 0),
            lambda x: x.norm("layer", group=2),
        ):
            with self.assertRaises(weft.WeftError):
                wrong(one()[1])
        other, y = one()
        for mixed in (
            lambda: x + y,
            lambda: x.layer_norm(y),
            lambda: x.norm("rms", y),
            lambda: g.concat([x, y], 0),
            lambda: g.output(y, "y"),
            lambda: g.activation(y, "gelu"),
            lambda: g.input("f32", (other.extent("n", 4),), "n"),
        ):
            g, x = one()
            with self.assertRaisesRegex(weft.InvalidError, "belongs to another graph"):
                mixed()
            g.output(x.relu(), "z")  # nothing has happened to it
            g.seal()
        g, x = one()
        g.output(x, "y")
        g.seal()
        with self.assertRaisesRegex(weft.InvalidError, "seal"):
            x.relu()
        with self.assertRaises(weft.FormatError) as caught:
            weft.Graph.parse("nonsense", "here")
        self.assertRegex(str(caught.exception), "here:1")
        with self.assertRaises(weft.InvalidError):
            g.input("f32", (1,) * 7, "z")

    def test_every_status_has_its_exception(self) -> None:
        names = [_lib.string(_lib.lib.weft_status_name(i)) for i in range(1, _lib.lib.WEFT_STATUS_COUNT)]
        self.assertEqual(sorted(names), sorted(BY_STATUS))

    def test_text_dumps_and_changes(self) -> None:
        g, x = one()
        g.output((x + 0.0).relu(), "y")
        g.output(x.exp(), "z")
        g.seal()
        self.assertEqual(str(weft.Graph.parse(str(g))), str(g))
        self.assertIn("digraph", g.dump("dot"))
        self.assertEqual([n.op for n in g.nodes][:2], ["input", "constant"])
        copy = g.clone()
        copy.keep_outputs(["z"])
        copy.optimise()
        copy.verify()
        self.assertEqual((list(copy.outputs), copy.find("z").dtype), (["z"], "f32"))
        self.assertLess(len(copy), len(g))
        with self.assertRaises(weft.NotFoundError):
            copy.find("y")


class Programs(unittest.TestCase):
    def graph(self):
        g = weft.Graph()
        n = g.extent("n", 8)
        x = g.input("f32", (n, 5, n), "x")
        g.output(x.scale(2.0), "y")
        g.output(x.exp(), "z")
        g.seal()
        return g

    def test_shapes_of_runs(self) -> None:
        program = weft.Program(self.graph(), "cpu,threads=1")
        for n in (1, 3, 8, 2):
            x = np.random.default_rng(n).standard_normal((n, 5, n)).astype(np.float32)
            np.testing.assert_array_equal(program.run(x=x, outputs=["y"])["y"], 2 * x)
        with self.assertRaises(weft.InvalidError):
            program.run(x=np.zeros((3, 5, 2)))
        with self.assertRaises(weft.WeftError):
            program.run(x=np.zeros((9, 5, 9)))
        with self.assertRaises(weft.NotFoundError):
            program.run(nothing=np.zeros(3))
        self.assertIn("arena", str(program))
        self.assertEqual(program.memory().weights, 0)

    def test_reads_into_the_callers_array(self) -> None:
        program = weft.Program(self.graph(), "cpu,threads=1")
        program.run(x=np.ones((8, 5, 8)))
        out = np.zeros((8, 5, 8), np.float32)
        self.assertEqual(address(program.read("y", out)), address(out))
        self.assertTrue((out == 2).all())

    def test_weights_stay_where_they_are(self) -> None:
        class Told(dict[str, Any]):
            asked = 0

            def __missing__(self, name):
                self.asked += 1
                raise KeyError(name)

        g, x = one((1, 4))
        g.output(x * g.weight("f32", (4,), "w"), "y")
        g.seal()
        w = np.arange(4, dtype=np.float32)
        source = weft.weights.Source({"w": w})
        out = _lib.ffi.new("weft_weight_data *")
        name = _lib.ffi.new("char[]", b"w")
        self.assertEqual(source.source.find(_lib.ffi.NULL, name, out, _lib.ffi.NULL), 0)
        self.assertEqual(int(_lib.ffi.cast("uintptr_t", out.data)), address(w))
        program = weft.Program(g, "cpu,threads=1", weights={"w": w})
        self.assertEqual(program.run(x=np.ones((1, 4)))["y"].tolist(), [[0, 1, 2, 3]])
        self.assertEqual(program.check(), [])
        missing = Told()
        with self.assertRaisesRegex(weft.NotFoundError, "w"):
            weft.Program(g, weights=missing).load()
        self.assertEqual(missing.asked, 1)
        with self.assertRaises(weft.InvalidError):
            weft.Program(g, weights={"w": w.astype(np.float64)}).load()
        with self.assertRaises(weft.WeftError):
            weft.Program(g, weights={"w": w[:3]}).load()

        class Broken(dict[str, Any]):
            def __getitem__(self, name):
                raise ZeroDivisionError(name)

        error, names = raised(ZeroDivisionError, lambda: weft.Program(g, weights=Broken()).load())
        self.assertEqual((error.args, names[-1]), (("w",), "__getitem__"))
        self.assertIn("load", names)

    def test_files_are_not_copied(self) -> None:
        before = maps_of("model.safetensors")
        checkpoint = weft.Checkpoint(TINY)
        tensor = checkpoint["gpt_neox.final_layer_norm.weight"]
        array = tensor.numpy()
        self.assertFalse(array.flags.writeable)
        maps = [line.split() for line in maps_of("model.safetensors")]
        inside = [int(a, 16) <= address(array) < int(b, 16) for a, b in (m[0].split("-") for m in maps)]
        self.assertTrue(any(inside))
        self.assertEqual(address(array), address(tensor.numpy()))
        checkpoint.close()
        self.assertTrue(np.isfinite(array.astype(np.float32)).all())
        with self.assertRaises(weft.InvalidError):
            tensor.numpy()
        self.assertNotEqual(maps_of("model.safetensors"), before)
        del array
        self.assertEqual(maps_of("model.safetensors"), before)

    def test_profiles(self) -> None:
        program = weft.Program(self.graph(), "cpu,threads=1")
        x = np.ones((8, 5, 8), np.float32)
        for mode in ("scheduled", "isolated"):
            profile = program.profile(lambda: program.run(x=x), 3, mode=mode)
            self.assertEqual((profile.runs, {n.op for n in profile.nodes}), (3, {"scale", "exp"}))
            self.assertIn("scale", profile.table("node"))
        self.assertIn("traceEvents", profile.trace())
        with self.assertRaises(ZeroDivisionError):
            program.profile(lambda: 1 / 0)
        np.testing.assert_array_equal(program.run(x=x)["y"], 2 * x)


class Definitions(unittest.TestCase):
    def test_in_python_as_in_c_to_the_bit(self) -> None:
        source = (ROOT / "python/examples/own_model.py").read_text()
        self.assertLessEqual(source.count("\n"), 40)
        session = weft.Model(TINY, graph=own_model.build, context=own_model.CONTEXT).session()
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        c = subprocess.run(
            [built("WEFT_OWN_MODEL"), str(TINY)], check=True, stdout=subprocess.PIPE, env=environment
        )
        self.assertEqual(session.logits(STORY, all=True).tobytes(), c.stdout)

    def test_the_example_runs(self) -> None:
        path = ROOT / "python/examples/own_model.py"
        status, printed = python(
            f"import runpy, sys; sys.argv = ['own_model', {str(TINY)!r}]; "
            f"runpy.run_path({str(path)!r}, run_name='__main__')"
        )
        self.assertEqual((status, printed[:40]), (0, "Once upon a time, there was a little gir"))

    def test_exceptions_arrive_whole(self) -> None:
        class Mine(Exception):
            pass

        def build(g, config, inputs):
            raise Mine("of mine", 7)

        error, names = raised(Mine, lambda: weft.Model(TINY, graph=build))
        self.assertEqual((error.args, names[-1]), (("of mine", 7), "build"))
        self.assertEqual(names.count("build"), 2)  # this one, and the package's that calls it

        def wrong(g, config, inputs):
            g.weight(None, (5, config.integer("hidden_size")), "gpt_neox.embed_in.weight").gather(
                inputs.tokens
            ) @ inputs.pos

        with self.assertRaisesRegex(weft.WeftError, "matmul"):
            weft.Model(TINY, graph=wrong)

        def asks(g, config, inputs):
            config.integer("no such key")
            g.output(g.weight("f32", (40, 8), "w").gather(inputs.rows), "logits")

        with self.assertRaisesRegex(weft.WeftError, "no such key"):
            weft.Model(TINY, graph=asks)

    def test_a_graph_is_a_model(self) -> None:
        def bigram(g, config, inputs):
            rows = g.weight("f32", (4, 4), "follows").gather(inputs.tokens)
            g.output(rows.gather(inputs.rows), "logits")

        follows = np.eye(4, dtype=np.float32)[[1, 2, 3, 0]]
        model = weft.Model(None, graph=bigram, weights={"follows": follows}, context=64, eos=[3])
        self.assertEqual((model.eos_tokens, model.n_vocab), ([3], 4))
        story = model.session().generate([0], max_tokens=9).run()
        self.assertEqual((story.tokens, story.stop_reason), ([1, 2, 3], "eos"))

    def test_texts(self) -> None:
        text = weft.Model(TINY).text()
        model = weft.Model(TINY, text=text)
        self.assertEqual(model.session().logits(STORY).tobytes(), weft.Model(TINY).session().logits(STORY).tobytes())
        with self.assertRaisesRegex(weft.WeftError, "no such"):
            weft.Model(TINY, text=text, params={"no such": 1})


if __name__ == "__main__":
    unittest.main()
