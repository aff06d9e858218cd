"""test_timeline.py: spans and gaps of the timeline, and what the mouse and the keys do there."""

import documents
from page import check, same

WHERE = """((track, step) => {
    const t = weft.timeline, s = t.spans().list.find((s) => s.track === track && s.step === step && s.kind === 'step');
    const row = t.rows(t.scroll.clientHeight).rows.find((r) => r.type === 'lane' && r.track.id === track && r.lane === s.lane);
    const box = t.canvas.getBoundingClientRect(), x = t.scale(t.width).x;
    return [box.x + (x(s.begin) + x(s.end)) / 2, box.y + row.y + row.h / 2];
})"""


def gap(p, track, after):
    """Title and nanoseconds of the gap that follows a step's span on a track; after: None is the first gap."""
    wanted = "!g.before" if after is None else f"g.before?.step === {after}"
    return p.js(
        f"""(() => {{ const g = weft.timeline.spans().tracks[{track}].gaps.find((g) => {wanted});
        return g && [g.title, g.end - g.begin]; }})()"""
    )


def test_lanes(p, program):
    p.open("view=timeline")
    lanes = p.js(
        "weft.timeline.rows(700).rows.map((r) => r.type === 'lane' ? `${r.track.name} ${r.lane} ${r.spans.length}` : r.type)"
    )
    n = len(program["plan"]["steps"])
    wanted = ["head", "host 0 3", f"thread 0 0 {n}", f"thread 1 0 {n}", "queue 0 3", "queue 1 1", "arena"]
    same("a lane per track, and per launch that overlaps", wanted, lanes)
    first, small, late = gap(p, 1, None), gap(p, 1, documents.SMALL), gap(p, 2, documents.LATE - 1)
    same("a gap before the first step", ["until the first step begins", 2000], first)
    check("a thread that waits for another", small and small[0].startswith("other threads are in"), small)
    check("a step that begins late", late and late[1] == 7000 and ("barrier" in late[0] or "between" in late[0]), late)
    same("a gap at the end", "until the host sees the end", gap(p, 1, n - 1)[0])
    same("no other gaps on thread 1", 3, p.js("weft.timeline.spans().tracks[2].gaps.length"))


def test_mouse(p, program):
    steps = program["plan"]["steps"]
    p.open("view=timeline")
    step = next(i for i, s in enumerate(steps) if p.js(f"weft.graph().byId.get({s['node']}).op") == "attention")
    p.js(f"weft.timeline.close(weft.timeline.spans().ofStep.get({step})[0])")
    x, y = p.js(f"{WHERE}(1, {step})")
    ink = p.js(
        f"""(() => {{ const c = weft.timeline.canvas, b = c.getBoundingClientRect();
        return [...c.getContext('2d').getImageData({x} - b.x, {y} - b.y + 17, 1, 1).data].slice(0, 3); }})()"""
    )
    same("drawn in the colour of its kind", [0xD5, 0x5E, 0], ink)
    p.b.mouse("mouseMoved", x, y)
    p.b.settle()
    tip = p.js("document.querySelector('.tip').innerText")
    check("the pointer is told the node", f"node {steps[step]['node']}" in tip and "attention" in tip, tip)
    p.b.click(x, y)
    same("a click selects the node", steps[step]["node"], p.selected())
    check("and the panel shows it", f"node {steps[step]['node']}" in p.panel())
    window = p.js("weft.timeline.range()")
    p.b.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    p.b.settle()
    near = p.js("weft.timeline.range()")
    check("the wheel zooms in", near[1] - near[0] < window[1] - window[0], [window, near])
    p.b.mouse("mousePressed", x, y, button="left", clickCount=1)
    p.b.mouse("mouseMoved", x + 90, y, button="left", buttons=1)
    p.b.mouse("mouseReleased", x + 90, y, button="left", clickCount=1)
    p.b.settle()
    moved = p.js("weft.timeline.range()")
    check("dragging pans", moved[0] < near[0] and abs((moved[1] - moved[0]) - (near[1] - near[0])) < 1, [near, moved])
    same("and selects nothing else", steps[step]["node"], p.selected())
    hash = p.js("new Promise((done) => setTimeout(() => done(location.hash), 400))")  # it is not written at every turn
    wanted = [f"{name}={at / 1e3:.2f}" for name, at in zip(("from", "to"), moved)]
    check("the address has the window, in microseconds", all(w in hash for w in wanted), [hash, wanted])
    p.b.key("1")
    check(
        "the graph shows the node",
        p.js(
            """(() => { const p = weft.picture, i = p.scene.itemOf.get(weft.view.selected), c = p.camera;
            return i.type == 'node' && i.x > c.x && i.x + i.w < c.x + p.width / c.k; })()"""
        ),
    )
    p.open("view=timeline&from=100&to=300")
    same("an address with a window", [100e3, 300e3], p.js("weft.timeline.range()"))


def test_many(p):
    """More threads than lanes that are seen."""
    p.open("view=timeline")
    p.b.resize(1280, 230)
    p.js("weft.timeline.choose(weft.timeline.spans().tracks[3].spans[0])")
    check(
        "a lane out of sight comes into it",
        p.js(
            """(() => { const t = weft.timeline, r = t.rows(t.scroll.clientHeight).rows.find((r) => r.track?.id === 3);
            return t.scroll.scrollTop > 0 && r.y + r.h <= t.scroll.scrollTop + t.scroll.clientHeight; })()"""
        ),
    )
    p.b.resize(1280, 800)


def test_keys(p):
    p.open("view=timeline")
    p.js("document.getElementById('timeline').focus()")
    p.b.key("ArrowRight")
    first = p.js("weft.timeline.chosen.step")
    p.b.key("ArrowRight")
    same("right goes along the lane", first + 1, p.js("weft.timeline.chosen.step"))
    track = p.js("weft.timeline.chosen.track")
    p.b.key("ArrowDown")
    same("down to the next lane", track + 1, p.js("weft.timeline.chosen.track"))
    check("it is announced", "thread 1" in p.js("document.getElementById('said').textContent"))
    p.js("document.getElementById('timeline').focus()")
    p.b.key("Enter")
    check("Enter goes near", p.js("weft.timeline.window[1] - weft.timeline.window[0] < weft.timeline.spans().length / 2"))
    size = p.js("weft.timeline.range()[1] - weft.timeline.range()[0]")
    p.b.key("-")
    check("- goes away", p.js("weft.timeline.range()[1] - weft.timeline.range()[0]") > size)
    p.b.key("0")
    same("0 shows the run", None, p.js("weft.timeline.window"))
    p.js("document.getElementById('timeline').focus()")
    p.b.key("Tab")
    check("Tab leaves it", p.js("document.activeElement.id") != "timeline", p.js("document.activeElement.id"))


def run(p, document):
    program = document["programs"][1]
    test_lanes(p, program)
    test_mouse(p, program)
    test_keys(p)
    test_many(p)
