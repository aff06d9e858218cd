"""`weft report`: its document by the schema, within its time, with nothing of who ran it.

usage: test_report.py WEFT SCHEMA FOLDER. Skipped (77) where python3-jsonschema is missing."""
import getpass
import json
import os
import re
import socket
import subprocess
import sys
import unittest

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)

WEFT, SCHEMA, FOLDER = sys.argv[1:4]
HOME = os.path.join(os.path.abspath(FOLDER), "somebody-xq7")


def run(*arguments, drivers="none.json"):
    env = dict(os.environ, HOME=HOME, XDG_CACHE_HOME=HOME, USER="somebody-xq7", LOGNAME="somebody-xq7",
               VK_ICD_FILENAMES=drivers, VK_DRIVER_FILES=drivers)
    return subprocess.run([WEFT, *arguments], env=env, capture_output=True, text=True, timeout=280)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(SCHEMA, encoding="utf-8") as f:
            cls.schema = json.load(f)
        cls.done = run("report", "--device", "cpu", "--budget", "6")
        cls.doc = json.loads(cls.done.stdout)

    def check(self, doc):
        jsonschema.Draft202012Validator(self.schema).validate(doc)

    def test_is_a_report(self):
        self.assertEqual((self.done.returncode, self.done.stderr), (0, ""))
        self.check(self.doc)
        self.assertEqual(self.doc["device"]["backend"], "cpu")
        self.assertTrue("left_out" in self.doc["roof"] or self.doc["roof"]["gb_per_second"] > 0)

    def test_has_every_kernel_and_length(self):
        """What there was no time for is there by its name, with the reason."""
        asked = {(k["type"], k["tokens"]) for k in self.doc["kernels"]}
        self.assertEqual(asked, {(t, n) for t in ("f16", "q8_0", "q4_0", "q4_K", "q6_K") for n in (1, 8, 512)})
        self.assertEqual([m["weights"] for m in self.doc["models"]], ["q4_0", "f16"])
        for model in self.doc["models"]:
            if "lengths" in model:
                self.assertEqual([row["tokens"] for row in model["lengths"]], [1024, 16384, 65536])

    def test_tells_nothing_of_who_ran_it(self):
        text = self.done.stdout
        for secret in (HOME, "somebody-xq7", socket.gethostname(), os.getcwd(), os.path.abspath(WEFT)):
            self.assertNotIn(secret, text)
        if len(getpass.getuser()) > 4:
            self.assertNotIn(getpass.getuser(), text)
        self.assertIsNone(re.search(r'[" =]/[a-z]', text), "a path")

    def test_schema_refuses(self):
        for change in ({"device": dict(self.doc["device"], host="x")}, {"roof": {"gb_per_second": -1}}, {"errors": None},
                       {"kernels": [{"type": "f16", "rows": 1, "columns": 1, "tokens": 1}]}):
            with self.assertRaises(jsonschema.ValidationError):
                self.check(dict(self.doc, **change))

    def test_failures_are_in_it(self):
        done = run("report", "--device", "null", "--budget", "5")
        doc = json.loads(done.stdout)
        self.check(doc)
        parts = [e["part"] for e in doc["errors"]]
        self.assertIn("roof", parts)
        self.assertLessEqual(set(parts), {"roof", "models"})  # what there was no time for is no error
        self.assertIn("left_out", doc["roof"])

    def test_usage(self):
        for arguments, text in ((("--budget", "0"), "--budget 0"), (("--device", "cpu,null"), "one device")):
            done = run("report", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(text, done.stderr)

    def test_tune_refuses(self):
        """What can be tuned is a GPU's; what is measured must be kept somewhere."""
        for arguments, status, text in ((("--device", "cpu"), 1, "nothing to tune"), (("--no-cache",), 2, "not be kept"),
                                        (("--export", "A B"), 2, "--export A B"), (("--budget", "0"), 2, "--budget 0")):
            done = run("tune", *arguments)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(text, done.stderr)

    def test_on_a_gpu_refuses(self):
        """Without a device nothing is begun."""
        script = os.path.join(os.path.dirname(os.path.dirname(SCHEMA)), "tools", "on-a-gpu")
        env = dict(os.environ, WEFT=os.path.abspath(WEFT), VK_ICD_FILENAMES="none.json", VK_DRIVER_FILES="none.json")
        for arguments, status, text in (((HOME, "vulkan:0"), 1, "no such device"), ((HOME, "--fast"), 2, "no such option"),
                                        ((), 2, "usage")):
            done = subprocess.run(["bash", script, *arguments], env=env, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn(text, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(HOME, "summary.md")))


os.makedirs(HOME, exist_ok=True)
unittest.main(argv=sys.argv[:1], verbosity=0)
