// main.js: the page's state and what changes it. Each change ends in refresh().

const TABS = ["graph", "table", "roofline", "memory", "timeline"];

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
            panel: true,
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
        this.timeline = new Timeline(this, byId("view-timeline"));
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
        const system = matchMedia("(prefers-color-scheme: dark)");
        this.setTheme(stored("weft-theme") || (system.matches ? "dark" : "light"), false);
        system.addEventListener("change", (e) => {
            if (!stored("weft-theme")) this.setTheme(e.matches ? "dark" : "light", false);
        });
        bindEvents(this);
        this.picture.resize();
        this.goToAddress();
        window.addEventListener("hashchange", () => this.goToAddress());
    }

    /** The view as it begins, and then what the address asks for. */
    goToAddress() {
        Object.assign(this.view, {
            tab: this.documents.length > 1 ? "table" : "graph",
            doc: 0,
            once: false,
            weights: false,
            panel: true,
            open: new Set(),
            selected: null,
        });
        Object.assign(this.table, { by: null, sortBy: null });
        this.roofline.per = "node";
        this.memory.step = this.timeline.window = null;
        this.setQuery("");
        this.startProgram();
        this.view.colour = this.firstColour();
        const faults = readAddress(this);
        this.notice(faults.length ? ["The address asks for what is not here. ", ...faults.map((f) => h("span", {}, f))] : null);
        byId("panel").hidden = !this.view.panel;
        this.picture.width = 0; // both take room from it
        this.refresh({ layout: true, fit: true });
        const { node, layer } = this.wanted;
        if (node) this.select(this.graph().byId.get(node));
        if (layer) this.selectGroup(layer);
    }
    startProgram() {
        const decode = this.doc().programs.findIndex((p) => p.name === "decode");
        this.view.program = Math.max(0, decode);
        this.view.step = this.program().lastStep();
    }
    /** What says most about where the work is, of what the document has. */
    firstColour() {
        const has = this.colours();
        return ["change", "time", "bytes", "flops"].find((name) => has.includes(name)) || "op";
    }
    /** The quantities by which something in the graph can be coloured. */
    colours() {
        const nodes = this.graph().nodes;
        return Object.keys(METRICS).filter((k) => nodes.some((n) => known(METRICS[k].get(n)) || METRICS[k].get(n)));
    }
    notice(content) {
        const bar = byId("notice");
        bar.hidden = !content;
        bar.firstElementChild.replaceChildren(...(content || []));
    }

    /** layout: places may have changed; fit: show the whole; keep: an item whose place on the screen should stay. */
    refresh({ layout = false, fit = false, keep = null } = {}) {
        const v = this.view,
            picture = this.picture;
        drawBars(this);
        for (const tab of TABS) byId(`view-${tab}`).hidden = v.tab !== tab;
        if (layout || !picture.scene) this.stale = true;
        if (v.tab === "graph") {
            if (!picture.width) {
                picture.resize();
                fit = true;
            }
            if (this.stale) {
                const key = (i) => i.type === "group" && i.group.key,
                    before = keep && picture.scene && picture.scene.items.find((i) => key(i) === keep);
                picture.scene = buildScene(this.graph(), v, picture.room());
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
        drawExport(this);
        this.drawPanel();
        writeAddress(this);
    }

    drawPanel() {
        const s = this.view.selected,
            panel = byId("panel"),
            within = panel.contains(document.activeElement);
        panel.replaceChildren(
            ...(s ? (s.type === "group" ? groupPanel(this, s) : nodePanel(this, s)) : overviewPanel(this))
                .flat()
                .filter(Boolean),
        );
        if (within) panel.focus(); // a link that was followed is gone
        if (s !== this.panelOf) panel.scrollTop = 0;
        this.panelOf = s;
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

    /** The step that shows a node: a stage rather than a pass. */
    stepWith(id) {
        const has = (s) => this.program().graph(s.key).byId.has(id),
            steps = this.program().steps;
        return steps.find((s) => s.stage && has(s)) || steps.find(has);
    }

    /** A node that only another stage has: goes there. */
    selectInStage(id) {
        const step = this.stepWith(id);
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
    setPanel(on) {
        this.view.panel = on;
        byId("panel").hidden = !on;
        this.picture.width = 0;
        this.refresh(this.view.tab === "graph" ? { layout: true } : {});
    }
    setTab(tab) {
        this.view.tab = tab;
        if (tab === "graph") this.picture.width = 0;
        this.refresh();
        if (tab === "graph" && this.view.selected?.id !== undefined) this.reveal(this.view.selected);
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
        if (!this.program().steps.some((s) => s.key === this.view.step)) this.view.step = this.program().lastStep();
        this.memory.step = this.timeline.window = null;
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
    setQuery(text) {
        this.view.query = text;
        byId("search").value = text;
        this.findHits();
    }
    search(text, focus = true) {
        this.setQuery(text);
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
    window.weft = Object.assign(app, { textWidth, inkOn, luminance, pictureOf, KIND_COLOURS }); // for the console, and for tests
    app.picture.onDrawn = () => {
        performance.mark("weft-drawn");
        app.picture.onDrawn = null;
    };
    app.start();
} catch (error) {
    document.body.replaceChildren(h("p", { class: "empty" }, `This page cannot show its document: ${error.message}`));
    throw error;
}
