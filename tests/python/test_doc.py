"""Every docstring's examples run."""

import doctest
import importlib
import importlib.util
import pkgutil
import unittest

import numpy
import weft

from common import TINY


def load_tests(loader: object, tests: unittest.TestSuite, pattern: object) -> unittest.TestSuite:
    names = {"weft": weft, "np": numpy, "TINY": TINY}
    modules = [m.name for m in pkgutil.iter_modules(weft.__path__)]
    if not importlib.util.find_spec("lm_eval"):
        modules.remove("lm_eval")
    for module in [weft, *(importlib.import_module(f"weft.{name}") for name in modules)]:
        tests.addTests(doctest.DocTestSuite(module, extraglobs=names))
    return tests


class Written(unittest.TestCase):
    def test_there_are_some(self) -> None:
        finder = doctest.DocTestFinder()
        found = [
            t
            for name in ("session", "graph", "program", "tokenizer", "auto", "weights", "generation")
            for t in finder.find(importlib.import_module(f"weft.{name}"))
            if t.examples
        ]
        self.assertGreaterEqual(len(found), 8)


if __name__ == "__main__":
    unittest.main()
