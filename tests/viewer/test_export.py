"""test_export.py: pictures saved as SVG and PNG: downloaded, parsed, drawn again and compared with the page."""

import base64
import json
import os
import time
import xml.etree.ElementTree

from page import check, same

SVG = "{http://www.w3.org/2000/svg}"

# The mean difference of the colours of an SVG, drawn by the browser, from the canvas that it was made of.
DIFFERENCE = """(async (svg, canvas) => {
    const image = new Image(), again = document.createElement('canvas');
    image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svg);
    await image.decode();
    [again.width, again.height] = [canvas.width, canvas.height];
    again.getContext('2d').drawImage(image, 0, 0);
    const size = [0, 0, canvas.width, Math.min(canvas.height, image.height - 34)];
    const a = again.getContext('2d').getImageData(...size).data, b = canvas.getContext('2d').getImageData(...size).data;
    let sum = 0, ink = 0;
    for (let i = 0; i < a.length; i++) {
        sum += Math.abs(a[i] - b[i]);
        ink += Math.abs(b[i] - b[i % 4]);
    }
    return [sum / a.length, ink / a.length];
})"""

# [width, height, number of colours] of a PNG.
PICTURE = """(async (data) => {
    const image = new Image(), canvas = document.createElement('canvas'), colours = new Set();
    image.src = 'data:image/png;base64,' + data;
    await image.decode();
    [canvas.width, canvas.height] = [image.width, image.height];
    const g = canvas.getContext('2d');
    g.drawImage(image, 0, 0);
    const pixels = new Uint32Array(g.getImageData(0, 0, image.width, image.height).data.buffer);
    for (let i = 0; i < pixels.length; i += 7) colours.add(pixels[i]);
    return [image.width, image.height, colours.size];
})"""


def save(p, folder, kind):
    """Clicks on an entry of the menu; the file's bytes."""
    before = set(os.listdir(folder))
    p.js("document.querySelector('#export summary').click()")
    p.js(f"document.querySelector('[data-export={kind}]').click()")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        new = [n for n in os.listdir(folder) if n not in before and not n.endswith((".crdownload", ".tmp"))]
        if new:
            path = os.path.join(folder, new[0])
            with open(path, "rb") as f:
                data = f.read()
            os.remove(path)
            return data
        time.sleep(0.02)
    raise RuntimeError(f"{kind} was not saved")


def parsed(name, data):
    root = xml.etree.ElementTree.fromstring(data)
    same(f"{name}: an SVG", f"{SVG}svg", root.tag)
    check(f"{name}: has a font", "sans-serif" in root.get("font-family", ""))
    outside = [e.tag for e in root.iter() if any(k.endswith("href") or k in ("class", "style") for k in e.attrib)]
    same(f"{name}: needs nothing else", [], outside + list(root.iter(f"{SVG}image")) + list(root.iter(f"{SVG}script")))
    return root, [t.text for t in root.iter(f"{SVG}text")]


def test_graph(p, folder):
    p.open("view=graph&colour=time")
    data = save(p, folder, "svg")
    root, texts = parsed("graph", data)
    for text in [f"layers.{i}" for i in range(44)] + ["gpt-neox-20b, decode, planned, by time"]:
        check(f"graph: {text} is there", text in texts, texts[:8])
    check("graph: what colours mean", any("layers to" in t for t in texts))
    svg = json.dumps(data.decode())
    difference, ink = p.js(f"{DIFFERENCE}({svg}, weft.picture.canvas)")
    check("graph: looks like the page", difference < ink / 8 and ink > 3, (difference, ink))
    p.open("view=graph&unfold=1")
    p.js("weft.picture.zoom(8)")
    seen, _ = parsed("a part", save(p, folder, "svg"))
    whole, texts = parsed("whole graph", save(p, folder, "svg-whole"))
    check("the whole is more than what is seen", len(list(whole.iter())) > 3 * len(list(seen.iter())))
    ops = [t.text for t in whole.iter(f"{SVG}text") if t.get("font-weight")]
    same("every attention is in it", 44, ops.count("attention"))
    same("every layer", 44, len([t for t in texts if "layers." in t and t.split(".")[-1].isdigit()]))


def test_png(p, folder):
    p.open("view=graph&colour=time")
    data = save(p, folder, "png")
    width, height, colours = p.js(f"{PICTURE}('{base64.b64encode(data).decode()}')")
    same("PNG: twice the window's width", 2 * p.js("Math.round(weft.picture.width)"), width)
    check("PNG: something is drawn", height > 800 and colours > 30, (width, height, colours))


def test_others(p, folder):
    p.open("view=timeline&from=0&to=300")
    data = save(p, folder, "svg")
    _, texts = parsed("timeline", data)
    check("timeline: its lanes", {"host", "thread 0", "thread 1", "queue", "overlapping", "arena in use"} <= set(texts), texts)
    difference, ink = p.js(f"{DIFFERENCE}({json.dumps(data.decode())}, weft.timeline.canvas)")
    check("timeline: looks like the page", difference < ink / 8 and ink > 3, (difference, ink))
    part = len(texts)
    _, texts = parsed("the whole run", save(p, folder, "svg-whole"))
    check("the whole run", len(texts) != part)
    p.open("view=roofline")
    root, texts = parsed("roofline", save(p, folder, "svg"))
    check("roofline: its roofs and axes", {"operations per second", "int8  450 GOP/s"} <= set(texts), texts)
    same("roofline: its points", p.js("document.querySelectorAll('.dot').length"), len(list(root.iter(f"{SVG}circle"))))
    check("roofline: in colour", {c.get("fill") for c in root.iter(f"{SVG}circle")} >= {"#0072b2", "#d55e00"})
    p.open("view=memory&theme=dark")
    root, texts = parsed("memory", save(p, folder, "svg"))
    check("memory: both charts", {"live bytes in the arena", "where they lie: offset by step"} <= set(texts), texts)
    data = save(p, folder, "png")
    check("memory: as PNG", p.js(f"{PICTURE}('{base64.b64encode(data).decode()}')")[2] > 15)
    p.open("view=table")
    check("a table is no picture", p.js("document.getElementById('export').hidden"))
    p.open()
    p.b.key("e")
    check("e opens the menu", p.js("document.getElementById('export').open && document.activeElement.dataset.export") == "svg")
    p.b.key("Escape")
    check("Escape closes it", not p.js("document.getElementById('export').open"))


def run(p, folder):
    folder = os.path.join(folder, "saved")
    os.mkdir(folder)
    p.b.downloads(folder)
    test_graph(p, folder)
    test_png(p, folder)
    test_others(p, folder)
