"""page.py: the page in the browser, in the words of the tests, and what they found wrong."""

failed = []


def check(name, truth, detail=""):
    if not truth:
        failed.append(name)
        print(f"FAILED: {name} {detail}")


def same(name, expected, got):
    check(name, expected == got, f"\n  expected: {expected!r}\n  got:      {got!r}")


class Page:
    """The page in the browser, in the words of the tests."""

    def __init__(self, b, path):
        self.b, self.path = b, path

    def open(self, fragment=""):
        self.b.log.clear()
        self.b.open(f"file://{self.path}#{fragment}")
        same(f"no errors in the console of #{fragment}", [], self.b.log)

    def js(self, expression):
        value = self.b.evaluate(expression)
        self.b.settle()
        return value

    def selected(self):
        return self.js("weft.view.selected && (weft.view.selected.id ?? weft.view.selected.group.key)")

    def panel(self):
        return self.js("document.getElementById('panel').innerText").replace("\xa0", " ")

    def items(self, kind):
        return self.js(f"weft.picture.scene.items.filter((i) => i.type == '{kind}').length")

    def place(self, item, dx=24, dy=8):
        """Where a point of an item is on the screen; item: a predicate in JavaScript; dx, dy: from its corner."""
        return self.js(f"""(() => {{ const p = weft.picture, c = p.camera, i = p.scene.items.find({item});
            const box = p.canvas.getBoundingClientRect();
            return [box.x + (i.x + {dx} - c.x) * c.k, box.y + (i.y + {dy} - c.y) * c.k]; }})()""")

    def pixel(self, x, y):
        return self.js(f"""(() => {{ const p = weft.picture, b = p.canvas.getBoundingClientRect();
            return [...p.context.getImageData({x} - b.x, {y} - b.y, 1, 1).data].slice(0, 3); }})()""")
