"""test_page.py WEFT MAKE_PAGE CONFIGS: the page in a headless browser: what it shows, what keys and clicks do, how fast
it is with the largest graph."""

import json
import os
import subprocess
import sys
import tempfile

import browser
import documents
import test_export
import test_geometry
import test_timeline
from page import Page, check, failed, same

def test_open(p):
    p.open()
    same("the title is text", "a <b>&\"title\"", p.js("document.title"))
    same("nothing is fetched", 0, p.js("performance.getEntriesByType('resource').length"))
    same(
        "starts with the decode program, planned", ["decode", "planned"], p.js("[weft.program().name, weft.view.step]")
    )
    same("a box per layer", 44, p.items("group"))
    opened = []
    for _ in range(3):
        p.open()
        opened.append(p.js("performance.getEntriesByName('weft-drawn')[0].startTime"))
    print(f"opened: first complete drawing after {', '.join(f'{t:.0f}' for t in opened)} ms")


def test_folding(p):
    p.open()
    folded = p.items("node")
    x, y = p.place("(i) => i.type == 'group' && i.group.key.endsWith('layers.3')", 60, 30)
    p.b.click(x, y, 2)
    check("a double click unfolds a layer", p.items("node") > folded + 10)
    check("the others stay folded", p.js("weft.view.open.size") == 1)
    same("the layer is selected", "gpt_neox.layers.3", p.selected())
    p.b.key("Enter")
    same("Enter folds it", folded, p.items("node"))
    p.b.key("u")
    p.b.key("w")
    everything = p.js("weft.graph().nodes.length")
    same("unfolded with weights, every node is there", everything, p.items("node"))
    check("over a thousand of them", everything > 1000, everything)
    same("one layout for all layers", 1, p.js("weft.graph().inner.size - 1"))
    p.b.key("i")
    same(
        "identical layers once", 44, p.js("weft.picture.scene.items.find((i) => i.type == 'group').run.length")
    )
    p.b.key("f")
    same("all folded", 1, p.items("group"))


def test_smooth(p):
    p.open("unfold=1&weights=1")
    check("a thousand nodes are drawn", p.js("weft.picture.drawn") > 1000)
    p.js("weft.picture.frames.length = 0")
    p.b.mouse("mousePressed", 500, 400, button="left", clickCount=1)
    for i in range(60):
        p.b.mouse("mouseMoved", 500 + 4 * (i % 20), 400 + 2 * (i % 10), button="left", buttons=1)
    p.b.mouse("mouseReleased", 500, 400, button="left", clickCount=1)
    for i in range(30):
        p.b.mouse("mouseWheel", 500, 400, deltaX=0, deltaY=-40 if i % 2 else 60)
    p.b.settle()
    frames = sorted(p.js("weft.picture.frames"))
    check("panning and zooming draw", len(frames) > 10, len(frames))
    print(
        f"{len(frames)} frames with everything unfolded: median {frames[len(frames) // 2]:.1f} ms, "
        f"longest {frames[-1]:.1f} ms"
    )


def test_search(p):
    p.open()
    p.b.key("/")
    p.b.type("layers.7. attention/avx")
    if not p.js("weft.hitList.length"):  # another instruction set than AVX
        p.js("weft.search('layers.7. attention/')")
    same("one attention in layer 7", 1, p.js("weft.hitList.length"))
    p.b.key("Enter")
    same("Enter selects it", p.js("weft.hitList[0].id"), p.selected())
    same("and unfolds its layer", ["gpt_neox.layers.7"], p.js("[...weft.view.open]"))
    same("the count", "1 of 1", p.js("document.getElementById('search-count').textContent"))
    p.js("weft.search('gather')")
    gather = p.js("weft.hitList[0].id")
    p.js(f"weft.search('node {gather} gather')")
    check("ids are found", gather in p.js("weft.hitList.map((n) => n.id)"))
    p.js("weft.search('no such thing')")
    same("what is not there", "none", p.js("document.getElementById('search-count').textContent"))
    p.js("weft.search('linear')")
    p.b.key("Enter")
    p.b.key("Enter")
    second = p.selected()
    p.b.key("Enter", modifiers=8)
    check("Shift Enter goes back", p.selected() != second and p.js("weft.hitAt") == 0)


def test_colours(p):
    p.open("unfold=1&once=1")
    for name in ("op", "time", "bytes", "flops", "device", "roof", "error"):
        p.js(f"weft.setColour('{name}')")
        wanted = p.js("weft.picture.valueOf(weft.picture.scene.items.find((i) => i.node?.op == 'attention')).colour")
        got = p.pixel(*p.place("(i) => i.node?.op == 'attention'", 8, 38))  # below the labels
        if name not in ("op", "device"):  # those tint, and have a bar of the colour at the side
            same(f"colour by {name} is drawn", [int(wanted[i : i + 2], 16) for i in (1, 3, 5)], got)
        check(f"legend of {name}", p.js("document.getElementById('legend').innerText").strip())
    p.js("weft.setColour('time')")
    attention, norm = p.js(
        """['attention', 'norm_pair'].map((op) =>
        weft.picture.valueOf(weft.picture.scene.items.find((i) => i.node?.op == op)).colour)"""
    )
    check("different values differ in colour", attention != norm)
    grey = p.js("weft.picture.valueOf(weft.picture.scene.items.find((i) => i.node?.op == 'reshape')).colour")
    p.open("colour=op")
    bars = p.js("weft.picture.scene.items.filter((i) => i.type == 'group').map((i) => i.group.shares.map((s) => s[0]))")
    same("by kind, a folded layer says what it is made of", ["product", "attention"], bars[0][:2])
    p.open("unfold=1&once=1&colour=time")
    same("what has no time is grey", p.js("weft.theme()") == "light" and "#d7dbe0", grey)
    p.b.key("c")
    same("c goes to the next", "bytes", p.js("weft.view.colour"))


def test_panel(p, document):
    program = document["programs"][1]
    nodes = {n["id"]: n for n in program["stages"][-1]["nodes"]}
    values = {v["id"]: v for v in program["stages"][-1]["values"]}
    fused = next(n for n in nodes.values() if n["op"] == "linear" and "layers.5.attention.q" in n["scope"])
    measured = next(r for r in program["profile"]["nodes"] if r["node"] == fused["id"])
    checked = next(r for r in program["check"]["nodes"] if r["node"] == fused["id"])
    p.open(f"node={fused['id']}")
    text = p.panel()
    same(
        "the node's time",
        measured["seconds"],
        p.js("Number(document.querySelector('#panel [data-seconds]').dataset.seconds)"),
    )
    same(
        "the node's FLOPs", fused["flops"], p.js("Number(document.querySelector('#panel [data-flops]').dataset.flops)")
    )
    out = values[fused["out"][0]]
    for what in (
        f"node {fused['id']}",
        fused["kernel"],
        fused["reason"],
        f"{out['offset']:,} B",
        f"%{out['id']}",
        f"f32[{', '.join(map(str, out['shape']))}]",
        f"steps {out['birth']} to {out['death']}",
        f"{checked['max_error']:.2e}",
        "In 44 identical layers",
        measured["bound"],
    ):
        check(f"the panel says {what}", what.replace("e-0", "e-") in text, text)
    for source in fused["from"]:
        check(f"made from node {source}", f" {source}" in text)
    link = p.js("document.querySelector('#panel section a[data-node]').dataset.node")
    p.js("document.querySelector('#panel section a[data-node]').click()")
    same("links select", int(link), p.selected())
    p.js(f"weft.selectInStage({fused['from'][0]})")
    same(
        "a source node is shown where it still is", ["built", fused["from"][0]], [p.js("weft.view.step"), p.selected()]
    )
    p.js("weft.setColour('error')")
    broken = next(r["node"] for r in program["check"]["nodes"] if r["failed"])
    p.open(f"node={broken}")
    check("a failed check is said", "failed" in p.panel())


def test_stages(p, document):
    program = document["programs"][1]
    p.open("stage=built")
    same("built", len(program["stages"][0]["nodes"]), p.js("weft.graph().nodes.length"))
    for change in program["passes"]:
        if not change["removed"] and not change["added"]:
            continue
        p.b.key("]")
        same(f"the step {change['name']}", change["name"], p.js("weft.view.step"))
        marks = p.js("['added', 'removed', 'rewired'].map((m) => weft.graph().nodes.filter((n) => n.mark == m).length)")
        same(f"{change['name']} is marked", [len(change["added"]), len(change["removed"])], marks[:2])
        text = p.panel()
        check(
            f"{change['name']} is counted",
            f"{len(change['added'])} added" in text and f"{len(change['removed'])} removed" in text,
            text,
        )
        check(
            "its edges are there",
            p.js("weft.graph().nodes.filter((n) => n.mark == 'added').every((n) => n.inputs.some((i) => i.from))"),
        )
    p.b.key("]")
    same("then optimised", "optimised", p.js("weft.view.step"))
    p.b.key("]")
    same("then planned", "planned", p.js("weft.view.step"))
    p.b.key("p")
    same("the other program", "prompt", p.js("weft.program().name"))


def test_keyboard(p):
    p.open("unfold=1")
    p.js("document.getElementById('canvas').focus()")
    p.b.key("ArrowDown")
    check("an arrow selects something", p.selected() is not None)
    p.js("weft.select(weft.graph().nodes.find((n) => n.op == 'norm_pair'))")
    before = p.selected()
    p.b.key("ArrowDown")
    check("down follows an edge", p.js(f"weft.view.selected.inputs.some((i) => i.from?.id == {before})"))
    p.b.key("ArrowUp")
    same("up follows it back", before, p.selected())
    check("it is announced", str(before) in p.js("document.getElementById('said').textContent"))
    p.b.key("Escape")
    same("Escape clears", None, p.selected())
    p.b.key("?")
    check(
        "? lists the shortcuts",
        p.js("document.getElementById('help').open && document.querySelectorAll('#shortcuts kbd').length > 12"),
    )
    p.b.key("Escape")
    p.js("document.activeElement.blur()")
    seen = set()
    for _ in range(40):
        p.b.key("Tab")
        seen.add(
            p.js("document.activeElement.id || document.activeElement.dataset.step || document.activeElement.tagName")
        )
    for part in ("canvas", "search", "colour", "theme", "unfold", "panel", "tab-graph"):
        check(f"Tab reaches {part}", part in seen, seen)
    p.b.key("2")
    check("2 is the table", not p.js("document.getElementById('view-table').hidden"))


def test_focus(p):
    """What is pressed keeps the focus, although what it stands in is drawn again."""
    p.open("view=table")
    p.js("document.querySelector('[data-step=fuse_norm]').focus()")
    p.b.key("Enter")
    same("a stage is shown", "fuse_norm", p.js("weft.view.step"))
    same("its button has the focus", "fuse_norm", p.js("document.activeElement.dataset.step"))
    p.open("view=table")
    p.js(
        """(() => { const s = document.getElementById('group-by'); s.focus();
        s.value = 'op'; s.dispatchEvent(new Event('change')); })()"""
    )
    same("a list that was chosen from", "group-by", p.js("document.activeElement.id"))
    p.js("weft.select(weft.graph().nodes.find((n) => n.op == 'attention'))")
    before = p.selected()
    p.js("document.querySelector('#panel a[data-node]').focus()")
    p.b.key("Enter")
    check("a link in the panel was followed", p.selected() != before, before)
    same("leads to the panel", "panel", p.js("document.activeElement.id"))
    p.open("view=timeline")
    p.js("document.querySelector('#view-timeline .buttons button:nth-child(2)').focus()")
    p.b.key("Enter")
    same("larger", "Larger (+)", p.js("weft.timeline.window && document.activeElement.title"))


def test_views(p):
    p.open("view=table")
    steps = p.js("weft.program().plan.steps.length")
    same("a row per step", steps, p.js("document.querySelectorAll('#view-table tbody tr').length"))
    times = """[...document.querySelectorAll('#view-table tbody tr')]
        .map((r) => weft.graph().byId.get(+r.querySelector('a').dataset.node).profile.seconds)"""
    same("the slowest first", True, p.js(f"{times}.every((t, i, all) => !i || all[i - 1] >= t)"))
    p.js("document.querySelector('[data-column=time]').click()")
    same("then the fastest", True, p.js(f"{times}.every((t, i, all) => !i || all[i - 1] <= t)"))
    p.js(
        """(() => { const s = document.getElementById('group-by');
        s.value = 'op'; s.dispatchEvent(new Event('change')); })()"""
    )
    check("groups by op", p.js("document.querySelectorAll('#view-table tbody tr').length") < 20)
    p.open("view=roofline")
    check("points of the roofline", p.js("document.querySelectorAll('.dot').length") > 100)
    p.js("document.querySelector('.dot').dispatchEvent(new MouseEvent('click'))")
    same("a point selects its node", p.js("+document.querySelector('.dot.chosen').dataset.node"), p.selected())
    p.open("view=memory")
    peak = p.js("weft.program().plan.memory[0].peak_step")
    same("starts at the peak", peak, p.js("weft.memory.step"))
    blocks = "[...weft.graph().values.values()].filter((v) => v.storage == 'arena' && v.root == v.id)"
    last = p.js(f"{blocks}.find((v) => v.birth < v.death).death")
    for step in (peak, last):  # at its last step a block is alive
        p.open(f"view=memory&step={step}")
        live = p.js(f"{blocks}.filter((v) => v.birth <= {step} && {step} <= v.death).length")
        check("lists what is alive", live > 0 and p.js("document.querySelectorAll('.live code').length") == live, live)
    p.open("view=memory")
    p.js("document.querySelector('[role=slider]').focus()")
    p.b.key("ArrowRight")
    same("arrows move the step", peak + 1, p.js("weft.memory.step"))


BUSY = "others kept 1.5 of 2 processors busy meanwhile"


def test_diff(p):
    p.open()
    same("a comparison starts with the table", "table", p.js("weft.view.tab"))
    text = p.js("document.getElementById('view-table').innerText")
    check("times A and B", all(t in text for t in ("time A", "time B", "change")), text[:200])
    first = p.js("document.querySelector('#view-table tbody tr').innerText")
    check("the largest change first", "attention" in first and "+50.0 %" in first, first)
    check("the verdict has the warning", "disturbed" in text, text[:200])
    check("a change beyond the noise", "within the noise" not in text, text[:200])
    check("and the panel", f"B: {BUSY}" in p.panel(), p.panel())
    p.open("view=graph&unfold=1&once=1")
    same("coloured by change", "change", p.js("weft.view.colour"))
    x, y = p.place("(i) => i.node?.op == 'attention'")
    p.b.click(x, y)
    check("the panel has both", "+50.0 %" in p.panel(), p.panel())
    change = p.js("weft.picture.scene.items.find((i) => i.node?.op == 'attention').node.change")
    check("a change is of the first profile's time", abs(change - 0.5) < 1e-6, change)
    p.js("[...document.querySelectorAll('#documents button')][1].click()")
    same("the other document", 1, p.js("weft.view.doc"))


def test_near(p):
    """Half a percent: more than the noise of 400 runs, less than that of 16, which is what many runs have at least."""
    p.open()
    text = p.js("document.getElementById('view-table').innerText")
    check("noise is that of 16 runs at most", "within the noise" in text, text[:200])


def test_media(p):
    p.b.media("dark")
    p.open()
    same("dark by the system's wish", "dark", p.js("weft.theme()"))
    check("the picture, too", sum(p.pixel(330, 95)) < 150, p.pixel(330, 95))
    p.b.key("t")
    same("t switches", "light", p.js("weft.theme()"))
    check("light", sum(p.pixel(330, 95)) > 600)
    p.b.media("light", "print")
    hidden = p.js(
        "['tabs', 'search-form', 'theme', 'fold'].map((id) => getComputedStyle(document.getElementById(id)).display)"
    )
    same("no controls on paper", ["none"] * 4, hidden)
    pdf = p.b.pdf()
    check("it prints", pdf.startswith(b"%PDF") and len(pdf) > 20000, len(pdf))
    p.b.media()
    p.js("localStorage.clear()")


def test_plain(p):
    """A page without a profile."""
    p.open()
    same("without a profile, by bytes", "bytes", p.js("weft.view.colour"))
    layers = p.js(
        "weft.picture.scene.items.filter((i) => i.type == 'group').map((i) => weft.picture.valueOf(i).colour)"
    )
    check("layers have colours", len(layers) == 12 and not {"#ffffff", "#d7dbe0"} & set(layers), layers)
    x, y = p.place("(i) => i.type == 'group'", 120, 50)
    same("which are drawn", [int(layers[0][i : i + 2], 16) for i in (1, 3, 5)], p.pixel(x, y))
    legend = p.js("document.getElementById('legend').innerText")
    check("the legend says how much", "MiB" in legend and "layers to" in legend, legend)
    check("time says what it needs", "needs a profile" in p.js("document.getElementById('colour').innerText"))
    p.open("view=timeline")
    check("so does the timeline", "weft profile" in p.js("document.getElementById('view-timeline').innerText"))
    check("which cannot be saved", p.js("document.getElementById('export').hidden"))


def other_attribute(document):
    """Layer 4 becomes what the others are but for the eps of its norms."""
    for program in document["programs"]:
        for n in program["stages"][-1]["nodes"]:
            if n["scope"].startswith("gpt_neox.layers.4") and "eps" in n.get("attrs", {}):
                n["attrs"]["eps"] *= 2
    return document


def test_identical(p):
    """Layers that differ in nothing but an attribute are not identical."""
    p.open()
    same("identical layers around another", [4, 1, 7], p.js("weft.graph().runs().map((r) => r.length)"))
    p.open("once=1")
    same("which stands by itself", 3, p.items("group"))


def main(weft, make_page, configs):
    if not browser.find():
        print("skipped: no chromium")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        one, two, near, small, other = (
            os.path.join(folder, f"{n}.html") for n in ("one", "two", "near", "small", "other")
        )
        big = os.path.join(configs, "gpt-neox-20b.json")
        a = documents.add_check(documents.add_profile(documents.dump(weft, big)), 57)
        b = documents.add_profile(documents.dump(weft, big), {"attention": 1.5}, [BUSY])
        a["generator"] = "</script><script>document.title = 'broken out'</script><!--<script>"
        try:
            documents.write_page(make_page, one, "a <b>&\"title\"", a)
        except subprocess.CalledProcessError as e:
            if e.returncode == 77:
                print("skipped: built without the page")
                return 77
            raise
        documents.write_page(make_page, two, "two", a, b)
        c = documents.dump(weft, os.path.join(configs, "pythia-160m.json"))
        d, e = (documents.add_profile(documents.dump(weft, os.path.join(configs, "pythia-160m.json"))) for _ in range(2))
        for document, factor in (d, 1), (e, 1.005):
            for program in document["programs"]:
                program["profile"]["runs"] = 400
                program["profile"]["seconds"]["median"] *= factor
        documents.write_page(make_page, near, "near", d, e)
        documents.write_page(make_page, small, "small", c)
        documents.write_page(make_page, other, "other", other_attribute(c))
        print(f"size: {os.path.getsize(one):,} bytes, of which {os.path.getsize(one + '.0.json'):,} are the document")
        with browser.Browser() as chromium:
            p = Page(chromium, one)
            for test in (test_open, test_folding, test_smooth, test_search, test_colours, test_keyboard, test_focus, test_views):
                test(p)
            test_panel(p, json.loads(json.dumps(a)))
            test_stages(p, a)
            test_media(p)
            test_diff(Page(chromium, two))
            test_near(Page(chromium, near))
            test_geometry.run(p, Page(chromium, two))
            test_timeline.run(p, a)
            test_export.run(p, folder)
            test_plain(Page(chromium, small))
            test_identical(Page(chromium, other))
    print("failed: " + ", ".join(failed) if failed else "passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
