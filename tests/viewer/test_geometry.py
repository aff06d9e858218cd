"""test_geometry.py: nothing on the page covers or cuts anything else, units are right, the address holds the view."""

from page import check, same

# Open layers of the scene: [title, cut or not, pixels of its size, what its rectangle touches].
TITLES = """(() => {
    const p = weft.picture, scene = p.scene, out = [];
    const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
    const crosses = (r, [x0, y0], [x1, y1]) => {  // a segment against a rectangle, by clipping
        let t0 = 0, t1 = 1;
        for (const [d, q] of [[x0 - x1, x0 - r[0]], [x1 - x0, r[2] - x0], [y0 - y1, y0 - r[1]], [y1 - y0, r[3] - y0]]) {
            if (d === 0) { if (q < 0) return false; }
            else if (d < 0) t0 = Math.max(t0, q / d);
            else t1 = Math.min(t1, q / d);
        }
        return t0 < t1;
    };
    for (const i of scene.items.filter((i) => i.type === 'group' && i.open)) {
        const { size, x, y } = p.titleAt(i), text = i.title.text;
        const r = [x - 1.5 * size, y - size / 2, x + weft.textWidth(text, size, true), y + size / 2];
        const boxes = scene.items.filter((o) => o !== i && meets(r, [o.x, o.y, o.x + o.w, o.y + o.h]));
        const lines = scene.edges.filter((e) => e.points.some((q, n) => n && crosses(r, e.points[n - 1], q)));
        const outside = r[0] < i.x || r[1] < i.y || r[2] > i.x + i.w || r[3] > i.y + scene.header;
        out.push([text, text.includes('…'), size * p.camera.k, boxes.length + lines.length + outside]);
    }
    return out;
})()"""

# The whole graph as it is exported: texts that reach out of their box, that lie on each other, that are cut.
TEXTS = """(() => {
    const host = document.createElement('div');
    host.innerHTML = weft.pictureOf(weft, true).svg;
    document.body.append(host);
    const texts = [...host.querySelectorAll('text')].map((t) => [t.textContent, t.getBoundingClientRect()]);
    const boxes = [...host.querySelectorAll('path')].filter((b) => b.getAttribute('fill') !== 'none'
        && b.getAttribute('d').includes('A')).map((b) => b.getBoundingClientRect());
    const inside = (t, b) => t.left >= b.left - 1 && t.right <= b.right + 1 && t.top >= b.top - 1 && t.bottom <= b.bottom + 1;
    const centre = (t, b) => b.left < (t.left + t.right) / 2 && (t.left + t.right) / 2 < b.right
        && b.top < (t.top + t.bottom) / 2 && (t.top + t.bottom) / 2 < b.bottom;
    const out = texts.filter(([, t]) => boxes.some((b) => centre(t, b) && !inside(t, b))).map(([s]) => s);
    const over = [];
    texts.forEach(([s, a], i) => texts.slice(i + 1).forEach(([t, b]) => {
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) over.push([s, t]);
    }));
    host.remove();
    return [texts.map(([s]) => s), out, over];
})()"""

# What of the table lies behind the panel or is cut.
TABLE = """(() => {
    const panel = document.getElementById('panel').getBoundingClientRect();
    const cells = [...document.querySelectorAll('#view-table thead th, #view-table tbody td')];
    const shape = [...document.querySelectorAll('#view-table thead th')].findIndex((h) => h.innerText.startsWith('result'));
    const shapes = [...document.querySelectorAll(`#view-table tbody tr > :nth-child(${shape + 1})`)];
    return [document.querySelectorAll('#view-table thead th').length,
        cells.filter((c) => c.getBoundingClientRect().right > panel.left + 0.5).length,
        shape < 0 ? 0 : shapes.filter((c) => c.scrollWidth > c.clientWidth).length];
})()"""

# The contrast of every ink on what it stands on, the least first.
CONTRAST = """(() => {
    const c = weft.picture.colours, of = (a, b) => {
        const [x, y] = [weft.luminance(a), weft.luminance(b)].sort((m, n) => n - m);
        return (x + 0.05) / (y + 0.05);
    };
    const pairs = ['ink', 'ink-soft', 'ink-faint', 'accent', 'added', 'removed', 'rewired']
        .flatMap((ink) => ['canvas', 'surface', 'layer'].map((on) => [of(c[ink], c[on]), ink, on]));
    for (const [k, on] of Object.entries(weft.KIND_COLOURS)) pairs.push([of(weft.inkOn(on), on), 'ink on', k]);
    return pairs.sort((a, b) => a[0] - b[0]);
})()"""


def test_titles(p, size):
    p.b.resize(*size)
    p.open("unfold=1")
    titles = p.js(TITLES)
    same(f"{size}: a title per layer", 44, len(titles))
    same(f"{size}: of full names", [f"layers.{i}" for i in range(44)], [t[0].removeprefix("gpt_neox.") for t in titles])
    same(f"{size}: that cover nothing and stay in their header", [], [t for t in titles if t[3]])
    check(f"{size}: that can be read", min(t[2] for t in titles) > 9, titles[0])
    for _ in range(12):  # near by they do not fill the window
        p.b.mouse("mouseWheel", 400, 300, deltaX=0, deltaY=-200)
    p.b.settle()
    near = p.js(TITLES)
    same(f"{size}: nothing is covered near by", [], [t for t in near if t[3]])
    check(f"{size}: a title near by", max(t[2] for t in near) < 30, near[0])


def test_texts(p):
    p.open("unfold=1&once=1&colour=time")
    texts, out, over = p.js(TEXTS)
    same("no text is cut", [], [t for t in texts if "…" in t])
    same("no text leaves its box", [], out)
    same("no text lies on another", [], over)
    for wanted in ("linear + gelu_tanh", "linear + 2 residuals", "attention.query_key_value", "f32[1, 24576]"):
        check(f"{wanted} is on a box", wanted in texts, sorted(set(texts)))
    same(
        "edges between columns do not turn back",
        0,
        p.js(
            """weft.picture.scene.edges.filter((e) => e.points.some((q, i) => i > 1 && q[1] === e.points[i - 1][1]
            && q[1] === e.points[i - 2][1] && (q[0] - e.points[i - 1][0]) * (e.points[i - 1][0] - e.points[i - 2][0]) < 0))
            .length"""
        ),
    )


def test_table(p, two):
    for size, cut in (((1600, 900), 0), ((1280, 800), 0), ((2560, 1440), 0)):
        p.b.resize(*size)
        p.open("view=table")
        columns, behind, shapes = p.js(TABLE)
        same(f"{size}: all columns", 13, columns)
        same(f"{size}: none behind the panel", 0, behind)
        same(f"{size}: no shape is cut", cut, shapes)
    p.b.resize(1600, 900)
    two.open("view=table&rows=node")
    same("nor in a comparison", 0, two.js(TABLE)[1])
    p.b.resize(1280, 800)
    p.open("view=table")
    p.b.key("d")
    check("d gives the table the panel's room", p.js("document.getElementById('panel').hidden"))
    check("and the address has it", "panel=0" in p.js("location.hash"))
    p.b.key("d")
    check("d again", not p.js("document.getElementById('panel').hidden"))


def test_units(p):
    p.open("view=roofline")
    names = p.js("[...document.querySelectorAll('.roof-name')].map((t) => t.textContent)")
    check("int8 does no FLOPs", any(n.startswith("int8") and "GOP/s" in n for n in names), names)
    check("f32 does", any(n.startswith("f32") and "GFLOP/s" in n for n in names), names)
    axis = p.js("[...document.querySelectorAll('#view-roofline .tick, #view-roofline .axis')].map((t) => t.textContent)")
    check("the axis is for both", not any("FLOP/s" in t for t in axis) and "operations per second" in axis, axis)
    check("the panel says GOP/s", "450 GOP/s" in p.panel(), p.panel())


def test_address(p):
    p.open("unfold=1")
    check("the address holds what is unfolded", "unfold=1" in p.js("location.hash"))
    p.b.key("f")
    check("and that nothing is", "unfold" not in p.js("location.hash"))
    p.js("weft.toggle('gpt_neox.layers.3'); weft.toggle('gpt_neox.layers.7')")
    check("or some layers", "unfold=gpt_neox.layers.3,gpt_neox.layers.7" in p.js("location.hash"), p.js("location.hash"))
    p.open("unfold=layers.3,layers.7&view=graph")
    same("which it unfolds", ["gpt_neox.layers.3", "gpt_neox.layers.7"], p.js("[...weft.view.open]"))
    p.open("stage=fuse_linear")
    same("passes have names", "fuse_linear", p.js("weft.view.step"))
    check("in the address, too", "stage=fuse_linear" in p.js("location.hash"))
    check("nothing to complain of", p.js("document.getElementById('notice').hidden"))
    p.open("stage=pass1&colour=taste&program=prompt&nonsense=7&unfold=layers.99&node=zwei&rows=op&sort=-bytes&view=table")
    said = p.js("document.getElementById('notice').innerText")
    for wrong in ("stage=pass1", "colour=taste", "nonsense", "layers.99", "node=zwei", "fuse_norm"):
        check(f"what is unknown is said: {wrong}", wrong in said, said)
    same("the rest is done", ["prompt", "table"], p.js("[weft.program().name, weft.view.tab]"))
    check("rows and order", "rows=op" in p.js("location.hash") and "sort=-bytes" in p.js("location.hash"))
    p.open("stage=eval")
    check("a pass that did nothing", "changed nothing" in p.js("document.getElementById('notice').innerText"))
    p.js("location.hash = '#view=memory&step=9'")
    same("an address typed into the open page", ["memory", 9], p.js("[weft.view.tab, weft.memory.step]"))
    check("takes the old complaint away", p.js("document.getElementById('notice').hidden"))
    p.open("layer=gpt_neox.layers.5&search=norm")
    same("a layer and a search", ["gpt_neox.layers.5", "norm"], p.js("[weft.view.selected.group.key, weft.view.query]"))


def test_contrast(p):
    for theme in ("light", "dark"):
        p.open(f"theme={theme}")
        worst = p.js(CONTRAST)
        check(f"{theme}: text can be read", worst[0][0] >= 4.5, worst[:4])


def run(p, two):
    for size in ((1280, 800), (2560, 1440)):
        test_titles(p, size)
    p.b.resize(1280, 800)
    test_texts(p)
    test_table(p, two)
    test_units(p)
    test_address(p)
    test_contrast(p)
