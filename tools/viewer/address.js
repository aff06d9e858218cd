// address.js: the part of the address after `#` holds what the page shows, so that a link leads there. What it asks for
// and the page does not have is said in a line below the bars, never passed over.

const listed = (names) => (names.length ? names.join(", ") : "none");

/** The choice that was asked for, or an error that lists what there is. */
function oneOf(text, choices) {
    if (choices.includes(text)) return text;
    throw new Error(`there is none; here: ${listed(choices)}`);
}
function flag(text) {
    return oneOf(text, ["0", "1"]) === "1";
}
function numberOf(text, what, low, high) {
    const x = text.trim() === "" ? NaN : Number(text);
    if (!(x >= low && x <= high)) throw new Error(`not ${what} from ${low} to ${high}`);
    return x;
}

/**
 * In the order in which they are read: a program has stages, a stage layers and nodes.
 * read(app, text) throws what is wrong as text; write(app) gives undefined where nothing has to be said.
 */
const ADDRESS = {
    theme: { read: (app, text) => app.setTheme(oneOf(text, Object.keys(KINDS_OF_THEME)), false) },
    view: {
        read: (app, text) => (app.view.tab = oneOf(text, TABS)),
        write: (app) => app.view.tab,
    },
    doc: {
        read: (app, text) => {
            const labels = app.documents.map((d) => d.label);
            app.view.doc = labels.indexOf(oneOf(text, labels));
            app.startProgram();
        },
        write: (app) => (app.view.doc ? app.doc().label : undefined),
    },
    program: {
        read: (app, text) => {
            const names = app.doc().programs.map((p) => p.name);
            app.view.program = names.indexOf(oneOf(text, names));
            app.view.step = app.program().lastStep();
        },
        write: (app) => app.program().name,
    },
    stage: { read: readStage, write: (app) => app.view.step },
    colour: {
        read: (app, text) => (app.view.colour = oneOf(text, app.colours())),
        write: (app) => app.view.colour,
    },
    once: { read: (app, text) => (app.view.once = flag(text)), write: (app) => (app.view.once ? "1" : undefined) },
    weights: {
        read: (app, text) => (app.view.weights = flag(text)),
        write: (app) => (app.view.weights ? "1" : undefined),
    },
    panel: { read: (app, text) => (app.view.panel = flag(text)), write: (app) => (app.view.panel ? undefined : "0") },
    unfold: { read: readUnfold, write: writeUnfold },
    rows: {
        read: (app, text) => (app.table.by = oneOf(text, Object.keys(GROUPINGS))),
        write: (app) => app.table.by || undefined,
    },
    sort: {
        read: (app, text) => {
            app.table.descending = text.startsWith("-");
            app.table.sortBy = oneOf(
                text.replace("-", ""),
                COLUMNS.map((c) => c.id),
            );
        },
        write: (app) => (app.table.sortBy ? (app.table.descending ? "-" : "") + app.table.sortBy : undefined),
    },
    points: {
        read: (app, text) => (app.roofline.per = oneOf(text, ["node", "op"])),
        write: (app) => (app.roofline.per === "node" ? undefined : app.roofline.per),
    },
    step: {
        read: (app, text) => {
            const steps = app.program().plan?.steps.length || 0;
            app.memory.step = Math.floor(numberOf(text, "a step", 0, steps - 1));
        },
        write: (app) => (app.view.tab === "memory" ? (app.memory.step ?? undefined) : undefined),
    },
    from: { read: (app, text) => readWindow(app, 0, text), write: (app) => writeWindow(app, 0) },
    to: { read: (app, text) => readWindow(app, 1, text), write: (app) => writeWindow(app, 1) },
    search: { read: (app, text) => app.setQuery(text), write: (app) => app.view.query || undefined },
    node: { read: readNode, write: (app) => app.view.selected?.id },
    layer: { read: readLayer, write: (app) => app.view.selected?.group?.key && app.view.selected.id === undefined ? app.view.selected.group.key : undefined },
};

function readStage(app, text) {
    const program = app.program(),
        step = program.steps.find((s) => s.key === text);
    if (!step && program.passes.some((p) => p.name === text)) throw new Error("this pass changed nothing");
    app.view.step = oneOf(
        text,
        program.steps.map((s) => s.key),
    );
}

/** `1`: all layers; else their names, or as much of their ends as tells them apart: `unfold=layers.3,layers.7`. */
function readUnfold(app, text) {
    const keys = app.graph().groupList.map((g) => g.key),
        open = app.view.open,
        missing = [];
    open.clear();
    if (text === "0") return;
    for (const name of text === "1" ? keys : text.split(",")) {
        const found = keys.filter((k) => k === name || k.endsWith(`.${name}`));
        if (found.length === 1) open.add(found[0]);
        else missing.push(name);
    }
    if (missing.length) throw new Error(`no layer has this name: ${missing.join(", ")}`);
}
function writeUnfold(app) {
    const keys = app.graph().groupList.map((g) => g.key),
        open = keys.filter((k) => app.view.open.has(k));
    return open.length ? (open.length === keys.length ? "1" : open.join()) : undefined;
}

/** The ends of the timeline's window, in microseconds. */
function readWindow(app, end, text) {
    const length = app.program().profile ? app.timeline.spans().length : 0;
    if (!length) throw new Error("there is no timeline without a profile");
    const range = [...app.timeline.range()];
    range[end] = Math.min(length, 1e3 * numberOf(text, "a time in µs", 0, Math.ceil(length / 1e3)));
    if (range[0] >= range[1]) throw new Error("the window's end is before its begin");
    app.timeline.window = range;
}
function writeWindow(app, end) {
    const range = app.view.tab === "timeline" && app.timeline.window;
    return range ? (range[end] / 1e3).toFixed(2) : undefined;
}

function readNode(app, text) {
    const id = numberOf(text, "an id", 1, 2 ** 53);
    if (app.graph().byId.has(id)) {
        app.wanted = { node: id };
        return;
    }
    const step = app.stepWith(id);
    if (!step) throw new Error("no stage of this program has this node");
    app.wanted = { node: id };
    const asked = app.view.step;
    app.view.step = step.key;
    throw new Error(`${asked} does not have this node; ${step.key} does`);
}
function readLayer(app, text) {
    const keys = app.graph().groupList.map((g) => g.key);
    if (!keys.includes(text)) throw new Error("no layer has this name");
    app.wanted = { layer: text };
}

/** Sets the view of what the address says; what it says in vain, as lines of text. */
function readAddress(app) {
    const address = new URLSearchParams(location.hash.slice(1)),
        faults = [];
    app.wanted = {};
    for (const [name, parameter] of Object.entries(ADDRESS)) {
        if (!address.has(name)) continue;
        try {
            parameter.read(app, address.get(name));
        } catch (error) {
            faults.push(`${name}=${address.get(name)}: ${error.message}`);
        }
    }
    for (const name of new Set(address.keys()))
        if (!ADDRESS[name]) faults.push(`${name}: not known; known are ${listed(Object.keys(ADDRESS))}`);
    return faults;
}

function writeAddress(app) {
    const address = new URLSearchParams();
    for (const [name, parameter] of Object.entries(ADDRESS)) {
        const text = parameter.write?.(app);
        if (text !== undefined) address.set(name, text);
    }
    try {
        history.replaceState(null, "", `#${String(address).replaceAll("%2C", ",")}`);
    } catch {
        /* a page without an address of its own */
    }
}
