"""Every Python listing of the pages runs, as it stands there."""

import contextlib
import doctest
import io
import re
import unittest

import weft

from common import ROOT, TINY


class Pages(unittest.TestCase):
    def test_the_python_page(self) -> None:
        text = (ROOT / "docs/python.md").read_text()
        listings = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
        self.assertGreater(len(listings), 6)
        test = doctest.DocTestParser().get_doctest("".join(listings), {"TINY": TINY}, "docs/python.md", None, 0)
        printed: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        self.assertEqual(runner.run(test, out=printed.append).failed, 0, "".join(printed))

    def test_the_tours(self) -> None:
        for page in ("README.md", "python/README.md"):
            listings = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
            self.assertEqual(len(listings), 1, page)
            source = re.sub(r'"pythia-410m"|"models/bundled/tiny-stories-neox"', repr(str(TINY)), listings[0])
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, page, "exec"), {"weft": weft})
            self.assertRegex(printed.getvalue(), "^, there was a little girl named Lily")


if __name__ == "__main__":
    unittest.main()
