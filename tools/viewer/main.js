// main.js: the page's state and what changes it. Each change ends in refresh().

class App {
    constructor(documents) {
        this.documents = documents;
        this.view = {
            tab: "graph",
            doc: 0,
            program: 0,
            step: "",
            colour: "",
            once: false,
            weights: false,
            open: new Set(),
            query: "",
            selected: null,
        };
        this.found = new Set();
        this.hitList = [];
        this.picture = new Picture(byId("canvas"));
        this.table = new Table(this, byId("view-table"));
        this.roofline = new Roofline(this, byId("view-roofline"));
        this.memory = new Memory(this, byId("view-memory"));
        if (documents.length > 1) pairDocuments(documents);
    }

    doc() {
        return this.documents[this.view.doc];
    }
    program() {
        return this.doc().programs[this.view.program];
    }
    graph() {
        return this.program().graph(this.view.step);
    }
    hits() {
        return this.found;
    }
    theme() {
        return document.documentElement.dataset.theme;
    }

    start() {
        const address = new URLSearchParams(location.hash.slice(1)),
            v = this.view;
        this.setTheme(
            address.get("theme") ||
                stored("weft-theme") ||
                (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
            false,
        );
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (e) => {
            if (!stored("weft-theme")) this.setTheme(e.matches ? "dark" : "light", false);
        });
        const programs = this.doc().programs,
            named = programs.findIndex((p) => p.name === address.get("program"));
        v.program =
            named >= 0
                ? named
                : Math.max(
                      0,
                      programs.findIndex((p) => p.name === "decode"),
                  );
        const steps = this.program().steps,
            asked = address.get("stage");
        v.step = steps.some((s) => s.key === asked) ? asked : steps[steps.length - 1].key;
        v.tab = ["graph", "table", "roofline", "memory"].includes(address.get("view"))
            ? address.get("view")
            : this.documents.length > 1
              ? "table"
              : "graph";
        v.once = address.get("once") === "1";
        v.weights = address.get("weights") === "1";
        if (address.get("unfold") === "1") for (const g of this.graph().groupList) v.open.add(g.key);
        v.colour = METRICS[address.get("colour")]
            ? address.get("colour")
            : this.documents.length > 1 && this.program().profile
              ? "change"
              : this.program().profile
                ? "time"
                : "op";
        bindEvents(this);
        this.picture.resize();
        this.refresh({ layout: true, fit: true });
        const node = this.graph().byId.get(Number(address.get("node")));
        if (address.has("node") && node) this.select(node);
        if (address.get("search")) this.search(address.get("search"), false);
    }

    /** layout: places may have changed; fit: show the whole; keep: an item whose place on the screen should stay. */
    refresh({ layout = false, fit = false, keep = null } = {}) {
        const v = this.view,
            picture = this.picture;
        drawBars(this);
        for (const tab of ["graph", "table", "roofline", "memory"]) byId(`view-${tab}`).hidden = v.tab !== tab;
        if (layout || !picture.scene) this.stale = true;
        if (v.tab === "graph") {
            if (!picture.width) {
                picture.resize();
                fit = true;
            }
            if (this.stale) {
                const key = (i) => i.type === "group" && i.group.key,
                    before = keep && picture.scene && picture.scene.items.find((i) => key(i) === keep);
                picture.scene = buildScene(this.graph(), v, picture.aspect());
                const after = keep && picture.scene.items.find((i) => key(i) === keep);
                if (before && after) {
                    picture.camera.x += after.x - before.x;
                    picture.camera.y += after.y - before.y;
                }
                this.stale = false;
            }
            picture.scale = colourScale(this.graph(), v.colour, this.theme());
            picture.hits = this.found;
            picture.selected = v.selected;
            if (fit) picture.fit();
            picture.request();
        } else {
            this[v.tab].draw();
        }
        this.drawPanel();
        this.writeAddress();
    }

    drawPanel() {
        const s = this.view.selected,
            panel = byId("panel");
        panel.replaceChildren(
            ...(s ? (s.type === "group" ? groupPanel(this, s) : nodePanel(this, s)) : overviewPanel(this))
                .flat()
                .filter(Boolean),
        );
        if (s !== this.panelOf) panel.scrollTop = 0;
        this.panelOf = s;
    }

    writeAddress() {
        const v = this.view,
            a = new URLSearchParams({ view: v.tab, program: this.program().name, stage: v.step, colour: v.colour });
        if (v.once) a.set("once", "1");
        if (v.weights) a.set("weights", "1");
        if (v.selected && v.selected.id !== undefined) a.set("node", v.selected.id);
        try {
            history.replaceState(null, "", `#${a}`);
        } catch {
            /* a page without an address of its own */
        }
    }

    /* ---- selecting ---- */

    select(node, stay) {
        const here = this.graph().byId.get(node.id);
        if (!here) {
            this.selectInStage(node.id);
            return;
        }
        this.view.selected = here;
        if (
            here.kind === "source" &&
            (here.op === "weight" || here.op === "constant") &&
            !this.view.weights &&
            this.view.tab === "graph"
        )
            this.view.weights = this.stale = true;
        this.reveal(here, stay);
        this.say(
            `${here.op} ${here.id}${here.scope ? ` in ${here.scope}` : ""}` +
                (here.profile ? `, ${format.time(here.profile.seconds)}` : "") +
                `, ${here.inputs.length} inputs, ${here.users.length} readers`,
        );
    }

    /** A node that only another stage has: goes there. */
    selectInStage(id) {
        const has = (s) => this.program().graph(s.key).byId.has(id),
            step = this.program().steps.find((s) => s.stage && has(s)) || this.program().steps.find(has);
        if (!step) return;
        this.setStep(step.key);
        this.select(this.graph().byId.get(id));
    }

    /** Unfolds what hides a node and brings it into the window. */
    reveal(node, stay) {
        const picture = this.picture,
            v = this.view;
        if (v.tab !== "graph" || stay) {
            this.refresh();
            return;
        }
        if (this.stale || !picture.scene) this.refresh({ layout: true });
        let item = picture.scene.itemOf.get(node),
            keep = null;
        if (item && item.type === "group" && !item.open) {
            keep = item.group.key;
            v.open.add(keep);
        }
        this.refresh({ layout: !!keep, keep });
        item = picture.scene.itemOf.get(node);
        if (item) picture.show(item, true);
    }

    /** stay: what was clicked is in sight, and the picture does not move under the pointer. */
    selectItem(item, stay) {
        if (item && item.type !== "group") {
            this.view.selected = item.node;
            this.refresh();
            this.select(item.node, true);
            return;
        }
        this.view.selected = item;
        if (item)
            this.say(
                `${item.group.key}, ${item.run.length > 1 ? `${item.run.length} identical layers, ` : ""}` +
                    `${item.open ? "unfolded" : "folded"}, ${item.group.nodes.length} nodes`,
            );
        this.refresh();
        if (item && !stay) this.picture.show(item.open ? { ...item, h: 40 } : item);
    }

    selectGroup(key) {
        const item = this.picture.scene.items.find((i) => i.type === "group" && i.run.some((g) => g.key === key));
        if (item) this.selectItem(item);
    }

    say(text) {
        byId("said").textContent = text;
    }

    /* ---- what the toolbar and the keys do ---- */

    toggle(key) {
        const open = this.view.open;
        if (!open.delete(key)) open.add(key);
        const chosen = this.view.selected;
        this.refresh({ layout: true, keep: key });
        if (chosen && chosen.type === "group" && chosen.group.key === key) this.selectGroup(key);
        else if (chosen && !open.has(key) && chosen.group && chosen.group.key === key) this.selectGroup(key);
    }
    foldAll() {
        this.view.open.clear();
        this.dropGroup();
        this.refresh({ layout: true, fit: true });
    }
    unfoldAll() {
        for (const g of this.graph().groupList) this.view.open.add(g.key);
        this.dropGroup();
        this.refresh({ layout: true, fit: true });
    }
    dropGroup() {
        if (this.view.selected && this.view.selected.type === "group") this.view.selected = null;
    }
    setOnce(on) {
        this.view.once = on;
        this.dropGroup();
        this.refresh({ layout: true, fit: true });
    }
    setWeights(on) {
        this.view.weights = on;
        this.refresh({ layout: true, fit: true });
    }
    setTab(tab) {
        this.view.tab = tab;
        if (tab === "graph") this.picture.width = 0;
        this.refresh();
    }
    setColour(name) {
        this.view.colour = name;
        this.refresh();
    }
    setTheme(theme, keep) {
        document.documentElement.dataset.theme = theme;
        Object.assign(KIND_COLOURS, KINDS_OF_THEME[theme]);
        byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
        this.picture.readTheme();
        if (keep) {
            store("weft-theme", theme);
            this.refresh();
        } else if (this.picture.scene) this.refresh();
    }
    setStep(key) {
        const chosen = this.view.selected;
        this.view.step = key;
        this.view.selected = chosen && chosen.id !== undefined ? this.graph().byId.get(chosen.id) || null : null;
        this.findHits();
        this.refresh({ layout: true, fit: true });
    }
    moveStep(by) {
        const steps = this.program().steps,
            i = steps.findIndex((s) => s.key === this.view.step) + by;
        if (steps[i]) this.setStep(steps[i].key);
    }
    setProgram(index, doc = this.view.doc) {
        const name = this.documents[doc].programs[index] ? index : 0;
        Object.assign(this.view, { doc, program: name, selected: null });
        const steps = this.program().steps;
        if (!steps.some((s) => s.key === this.view.step)) this.view.step = steps[steps.length - 1].key;
        this.memory.step = null;
        this.findHits();
        this.refresh({ layout: true, fit: true });
    }

    /* ---- search ---- */

    findHits() {
        const words = this.view.query.toLowerCase().split(/\s+/).filter(Boolean);
        this.hitList = words.length ? this.graph().nodes.filter((n) => words.every((w) => n.text.includes(w))) : [];
        this.found = new Set(this.hitList);
        this.hitAt = -1;
    }
    search(text, focus = true) {
        this.view.query = text;
        byId("search").value = text;
        this.findHits();
        this.refresh();
        if (focus) byId("search").focus();
    }
    nextHit(by) {
        if (!this.hitList.length) return;
        this.hitAt = (this.hitAt + by + this.hitList.length) % this.hitList.length;
        this.select(this.hitList[this.hitAt]);
    }

    /* ---- arrow keys: along edges, or to the neighbour at the side ---- */

    move(key) {
        const scene = this.picture.scene,
            s = this.view.selected;
        if (!s) {
            this.selectItem(scene.items.find((i) => i.type !== "stub"));
            return;
        }
        const at =
            s.type === "group"
                ? scene.items.find((i) => i.type === "group" && i.group.key === s.group.key)
                : scene.itemOf.get(s);
        if (!at) return;
        const next =
            key === "ArrowDown" || key === "ArrowUp"
                ? this.alongEdge(at, s, key === "ArrowDown")
                : besides(scene, at, key === "ArrowRight" ? 1 : -1);
        if (!next) return;
        if (next.type === "group") this.selectItem(next);
        else this.select(next.node);
    }
    alongEdge(at, chosen, down) {
        const scene = this.picture.scene,
            nodes = chosen.type === "group" ? at.nodes : [chosen];
        const far = nodes
            .flatMap((n) => (down ? n.users : n.inputs.map((i) => i.from)))
            .filter((n) => n && !(chosen.type === "group" && at.nodes.includes(n)));
        const items = far.map((n) => scene.itemOf.get(n)).filter((i) => i && i !== at);
        const distance = (i) =>
            Math.hypot(i.x + i.w / 2 - at.x - at.w / 2, i.y - at.y) + (i.node && i.node.wide ? 1e6 : 0);
        return items.sort((a, b) => distance(a) - distance(b))[0];
    }
}

function besides(scene, at, side) {
    const x = at.x + at.w / 2,
        y = at.y + at.h / 2,
        group = at.type === "group";
    const score = (i) => {
        const dx = (i.x + i.w / 2 - x) * side,
            dy = Math.abs(i.y + i.h / 2 - y);
        return dx > 4 ? dx + 4 * dy : Infinity;
    };
    return scene.items
        .filter((i) => i.type !== "stub" && i !== at && (group || !(i.type === "group" && i.open)))
        .map((i) => [score(i), i])
        .filter((c) => c[0] < Infinity)
        .sort((a, b) => a[0] - b[0])
        .map((c) => c[1])[0];
}

function pairDocuments([a, b]) {
    for (const [mine, theirs] of [
        [a, b],
        [b, a],
    ])
        for (const p of mine.programs) p.pair = theirs.programs.find((q) => q.name === p.name) || null;
    for (const p of a.programs) p.other = p.pair;
}

function stored(key) {
    try {
        return localStorage.getItem(key);
    } catch {
        return null;
    }
}
function store(key, value) {
    try {
        localStorage.setItem(key, value);
    } catch {
        /* pages from files may have no storage */
    }
}

/* ---- begin ---- */

function read(id, label) {
    const element = byId(id);
    return element ? new Document(JSON.parse(element.textContent), label) : null;
}
try {
    performance.mark("weft-begin");
    const documents = [read("weft-a", "A"), read("weft-b", "B")].filter(Boolean);
    const app = new App(documents);
    window.weft = app; // for the console, and for tests
    app.picture.onDrawn = () => {
        performance.mark("weft-drawn");
        app.picture.onDrawn = null;
    };
    app.start();
} catch (error) {
    document.body.replaceChildren(h("p", { class: "empty" }, `This page cannot show its document: ${error.message}`));
    throw error;
}
