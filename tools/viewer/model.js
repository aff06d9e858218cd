// model.js: joins what a document says of a node: graph, plan, profile, check. A Document has Programs; a Program has
// steps (built, each pass, optimised, planned), each of which is a Graph made when it is first asked for.

class Document {
    constructor(json, label) {
        if (json.format !== "weft-dump") throw new Error("this is not a weft-dump document");
        if (json.version !== 1) throw new Error(`version ${json.version} of weft-dump is not known to this page`);
        this.json = json;
        this.label = label;
        this.title = json.title || "graph";
        this.devices = json.devices || [];
        this.programs = (json.programs || []).map((p) => new Program(this, p));
    }
    deviceName(index) {
        const device = this.devices.find((d) => d.index === index);
        return device ? device.name : known(index) ? `device ${index}` : NONE;
    }
}

class Program {
    constructor(doc, json) {
        this.doc = doc;
        this.json = json;
        this.name = json.name;
        this.plan = json.plan || null;
        this.profile = json.profile || null;
        this.stages = new Map((json.stages || []).map((s) => [s.name, s]));
        this.passes = (json.passes || []).map((p) => ({ removed: [], added: [], rewired: [], ...p }));
        this.steps = this.listSteps();
        this.graphs = new Map();
        this.stepOf = new Map(((this.plan && this.plan.steps) || []).map((s) => [s.node, s]));
        this.profileOf = new Map(((this.profile && this.profile.nodes) || []).map((n) => [n.node, n]));
        this.checksOf = new Map();
        for (const c of (json.check && json.check.nodes) || [])
            this.checksOf.set(c.node, [...(this.checksOf.get(c.node) || []), c]);
    }

    /** Built, then the passes that did something, then optimised and planned. */
    listSteps() {
        const steps = [];
        if (this.stages.has("built")) steps.push({ key: "built", label: "built", stage: "built" });
        if (this.stages.has("built")) {
            const times = new Map();
            this.passes.forEach((pass, index) => {
                const n = (times.get(pass.name) || 0) + 1;
                times.set(pass.name, n);
                if (pass.removed.length + pass.added.length + pass.rewired.length === 0) return;
                steps.push({ key: n > 1 ? `${pass.name}.${n}` : pass.name, label: pass.name, pass, index });
            });
        }
        for (const stage of ["optimised", "planned"])
            if (this.stages.has(stage)) steps.push({ key: stage, label: stage, stage });
        return steps;
    }

    lastStep() {
        return this.steps[this.steps.length - 1].key;
    }

    graph(key) {
        const step = this.steps.find((s) => s.key === key) || this.steps[this.steps.length - 1];
        if (!this.graphs.has(step.key))
            this.graphs.set(step.key, step.pass ? graphOfPass(this, step) : graphOfStage(this, step));
        return this.graphs.get(step.key);
    }

    /** The node that an id meant at some stage, the latest first. */
    record(id) {
        if (!this.records) {
            this.records = new Map();
            for (const p of this.passes) for (const n of p.added) this.records.set(n.id, n);
            for (const name of ["built", "optimised", "planned"]) {
                for (const n of this.stages.get(name)?.nodes || []) this.records.set(n.id, n);
            }
        }
        return this.records.get(id);
    }
}

/** What a pass has drawn into a product: its activation, residuals that are added. */
function fusedInto(attrs = {}) {
    const parts = attrs.act && attrs.act !== "none" ? [attrs.act] : [];
    if (attrs.n_residual > 0) parts.push(attrs.n_residual > 1 ? `${attrs.n_residual} residuals` : "residual");
    return parts;
}

const LAYER = /^(?:.*?\.)?\d+(?=\.|$)/;

class Graph {
    /** records: node objects of the document; inputs(record): [{ value, producer id or undefined }]. */
    constructor(program, step, records, inputs, values) {
        this.program = program;
        this.step = step;
        this.values = values;
        this.nodes = records.map((r, order) => this.node(r, order));
        this.byId = new Map(this.nodes.map((n) => [n.id, n]));
        for (const node of this.nodes) {
            for (const input of inputs(node.json)) {
                const from = this.byId.get(input.producer);
                node.inputs.push({ value: input.value, from });
                if (from && !from.users.includes(node)) from.users.push(node);
            }
        }
        this.groupNodes();
    }

    node(json, order) {
        const program = this.program,
            planned = this.step.stage === "planned";
        const profile = program.profileOf.get(json.id),
            checks = program.checksOf.get(json.id) || [];
        const node = {
            id: json.id,
            op: json.op,
            scope: json.scope || "",
            name: json.name || "",
            kind: kindOf(json.op),
            json,
            order,
            inputs: [],
            users: [],
            group: null,
            mark: null,
            profile,
            checks,
            step: planned ? program.stepOf.get(json.id) : undefined,
        };
        node.title = [json.op, ...fusedInto(json.attrs)].join(" + ");
        const out = json.out && this.values.get(json.out[0]);
        node.shape = out ? format.shape(out) : "";
        node.label = node.name
            ? node.name.split(".").slice(-2).join(".")
            : node.scope.replace(LAYER, "").replace(/^\./, "");
        node.bytes =
            known(json.bytes_read) || known(json.bytes_written)
                ? (json.bytes_read || 0) + (json.bytes_written || 0)
                : undefined;
        node.error = checks.length
            ? Math.max(...checks.map((c) => (known(c.max_error) ? c.max_error : Infinity)))
            : undefined;
        node.failed = checks.some((c) => c.failed || c.nan > 0 || c.inf > 0);
        const ids = [`node ${json.id}`, ...(json.out || []).map((v) => `%${v}`)];
        node.text = [...ids, node.title, node.name, node.scope, json.kernel || "", json.reason || ""]
            .join(" ")
            .toLowerCase();
        return node;
    }

    /** Layers: nodes whose scope has a number, by the scope up to it. Long graphs without any are cut into parts. */
    groupNodes() {
        this.groups = new Map();
        for (const node of this.nodes) {
            const match = LAYER.exec(node.scope);
            if (match) this.join(node, match[0]);
        }
        const rest = this.nodes.filter((n) => !n.group);
        const PART = 60;
        if (rest.length > 5 * PART) rest.forEach((n, i) => this.join(n, `part ${Math.floor(i / PART)}`));
        this.groupList = [...this.groups.values()];
        for (const node of this.nodes) {
            const groups = new Set(node.users.map((u) => u.group).filter((g) => g && g !== node.group));
            node.wide = groups.size >= 4; // read everywhere: drawn as a name where it is read, not as an edge
        }
        for (const group of this.groupList) this.sign(group);
    }

    join(node, key) {
        if (!this.groups.has(key)) this.groups.set(key, { key, nodes: [], signature: "" });
        node.group = this.groups.get(key);
        node.group.nodes.push(node);
    }

    /** What two layers must have in common to be drawn alike and counted as identical. */
    sign(group) {
        const index = new Map(group.nodes.map((n, i) => [n, i])),
            outside = new Map();
        const text = group.nodes.map((n) => {
            const inputs = n.inputs.map(({ from }) => {
                if (!from) return "?";
                if (index.has(from)) return index.get(from);
                if (from.wide) return `w${from.id}`;
                if (!outside.has(from)) outside.set(from, outside.size);
                return `e${outside.get(from)}`;
            });
            const leaves = n.users.some((u) => u.group !== group);
            const scope = n.scope.slice(group.key.length),
                json = n.json;
            return [
                n.op,
                scope,
                JSON.stringify(json.attrs || {}),
                n.shape,
                inputs.join(),
                leaves,
                json.kernel || "",
                json.device ?? "",
                n.mark || "",
            ].join("|");
        });
        group.index = index;
        group.outside = [...outside.keys()];
        group.signature = text.join(";");
    }

    /** Runs of identical consecutive layers: [[group, group, ...], ...]. */
    runs() {
        const runs = [];
        for (const group of this.groupList) {
            const last = runs[runs.length - 1];
            if (last && last[0].signature === group.signature) last.push(group);
            else runs.push([group]);
        }
        return runs;
    }
}

function graphOfStage(program, step) {
    const stage = program.stages.get(step.stage);
    const values = new Map((stage.values || []).map((v) => [v.id, v])),
        producer = new Map();
    for (const n of stage.nodes) for (const v of n.out || []) producer.set(v, n.id);
    const graph = new Graph(
        program,
        step,
        stage.nodes,
        (n) => (n.in || []).map((v) => ({ value: v, producer: producer.get(v) })),
        values,
    );
    if (program.other) joinOther(graph, program.other);
    return graph;
}

/** The graph in the middle of a pass: what it removed is still there, what it added is there already. */
function graphOfPass(program, step) {
    const built = program.stages.get("built"),
        late = program.stages.get("optimised") || program.stages.get("planned");
    const alive = new Map(built.nodes.map((n) => [n.id, n])),
        replaced = new Map();
    const final = new Map(((late && late.nodes) || []).map((n) => [n.id, n]));
    const add = (pass) =>
        pass.added.forEach((n) => {
            alive.set(n.id, { ...n, ...final.get(n.id) });
            (n.from || []).forEach((id) => {
                if (!replaced.has(id)) replaced.set(id, n.id);
            });
        });
    for (const pass of program.passes.slice(0, step.index)) {
        add(pass);
        pass.removed.forEach((id) => alive.delete(id));
    }
    const before = new Set(alive.keys());
    add(step.pass);
    const producer = new Map(),
        values = new Map([...(built.values || []), ...((late && late.values) || [])].map((v) => [v.id, v]));
    for (const n of [...built.nodes, ...final.values(), ...alive.values()])
        for (const v of n.out || []) producer.set(v, n.id);
    const removed = new Set(step.pass.removed),
        added = new Set(step.pass.added.map((n) => n.id));
    const resolve = (id, old) => {
        for (let hops = 0; hops < 64 && replaced.has(id); hops++) {
            if (alive.has(id) && (old || !removed.has(id))) break;
            id = replaced.get(id);
        }
        return id;
    };
    const inputsOf = (n, old, hops) => {
        let list = n.in;
        if (!list)
            list = hops > 8 ? [] : (n.from || []).flatMap((id) => inputsOf(program.record(id) || {}, old, hops + 1));
        return list;
    };
    const graph = new Graph(
        program,
        step,
        inTopologicalPlace(built.nodes, alive),
        (n) => {
            const old = before.has(n.id) && removed.has(n.id),
                seen = new Set();
            return inputsOf(n, old, 0)
                .map((v) => ({ value: v, producer: resolve(producer.get(v), old) }))
                .filter(
                    (x) =>
                        x.producer !== n.id &&
                        !(n.from || []).includes(x.producer) &&
                        !seen.has(x.producer) &&
                        seen.add(x.producer),
                );
        },
        values,
    );
    const rewired = new Set(step.pass.rewired);
    for (const n of graph.nodes) {
        n.mark = added.has(n.id) ? "added" : removed.has(n.id) ? "removed" : rewired.has(n.id) ? "rewired" : null;
        if (n.mark) n.group && (n.group.changed = (n.group.changed || 0) + 1);
    }
    for (const group of graph.groupList) graph.sign(group);
    return graph;
}

/** Nodes that passes made stand where the first of their sources stood, so that layers keep their order. */
function inTopologicalPlace(built, alive) {
    const place = new Map(built.map((n, i) => [n.id, i]));
    const placeOf = (n, hops = 0) => {
        if (place.has(n.id)) return place.get(n.id);
        const sources = (n.from || []).map((id) =>
            place.has(id) ? place.get(id) : hops > 8 || !alive.has(id) ? Infinity : placeOf(alive.get(id), hops + 1),
        );
        return Math.min(built.length, ...sources) + 0.5;
    };
    return [...alive.values()]
        .map((n) => [placeOf(n), n])
        .sort((a, b) => a[0] - b[0])
        .map((x) => x[1]);
}

/* ---- two documents: nodes of the same scope and op, by their order ---- */

function joinKeys(nodes) {
    const counts = new Map();
    return nodes.map((n) => {
        const key = `${n.scope || ""}|${n.op}|${n.name || ""}`,
            i = counts.get(key) || 0;
        counts.set(key, i + 1);
        return [`${key}|${i}`, n];
    });
}
function joinOther(graph, other) {
    const stage = other.stages.get(graph.step.stage) || other.stages.get("planned");
    if (!stage) return;
    const theirs = new Map(joinKeys(stage.nodes));
    for (const [key, node] of joinKeys(graph.nodes)) {
        const match = theirs.get(key);
        if (!match) continue;
        node.other = { id: match.id, kernel: match.kernel, profile: other.profileOf.get(match.id) };
        if (node.profile && node.other.profile && node.profile.seconds > 0) {
            node.change = node.other.profile.seconds / node.profile.seconds - 1;
            node.delta = node.other.profile.seconds - node.profile.seconds;
        }
    }
}

/* ---- what nodes can be coloured by. all: how the values of identical nodes become one ---- */

const sum = (list) => list.reduce((a, b) => a + b, 0);
/** The fraction of the roof of several nodes: that of each, weighted by its time. */
function weightedRoof(nodes) {
    const timed = nodes.filter((n) => n.profile && known(n.profile.roof)),
        whole = sum(timed.map((n) => n.profile.seconds));
    return whole ? sum(timed.map((n) => n.profile.roof * n.profile.seconds)) / whole : undefined;
}
/** Sources and views do nothing when a program runs: they have no cost, rather than one of 0. */
const costOf = (n, cost) => (n.kind === "source" || n.kind === "view" ? undefined : cost);
function changeOf(nodes) {
    const both = nodes.filter((n) => n.profile && n.other?.profile),
        a = sum(both.map((n) => n.profile.seconds));
    return a ? sum(both.map((n) => n.other.profile.seconds)) / a - 1 : undefined;
}
const METRICS = {
    op: { label: "kind of op", scale: "kind", get: (n) => n.kind, all: (l) => l[0] },
    time: {
        label: "time",
        scale: "magnitude",
        get: (n) => n.profile?.seconds,
        text: format.time,
        all: sum,
        needs: "a profile",
    },
    bytes: {
        label: "bytes moved",
        scale: "magnitude",
        get: (n) => costOf(n, n.bytes),
        text: format.bytes,
        all: sum,
        needs: "costs",
    },
    flops: {
        label: "FLOPs",
        scale: "magnitude",
        get: (n) => costOf(n, n.json.flops),
        text: format.flops,
        all: sum,
        needs: "costs",
    },
    device: {
        label: "device",
        scale: "device",
        get: (n) => (n.json.kernel ? n.json.device : undefined),
        all: (l) => l[0],
        needs: "a plan",
    },
    roof: {
        label: "fraction of the roof",
        scale: "fraction",
        get: (n) => n.profile?.roof,
        text: format.percent,
        join: weightedRoof,
        needs: "a profile",
    },
    error: {
        label: "error",
        scale: "error",
        get: (n) => n.error,
        text: format.error,
        all: (l) => Math.max(...l),
        needs: "a --check run",
    },
    change: {
        label: "change of time",
        scale: "change",
        get: (n) => n.change,
        text: format.change,
        join: changeOf,
        needs: "two profiles",
    },
};

/** Colours of a metric over a graph. of(nodes) -> { value, colour, text }; value undefined: missing. */
function colourScale(graph, name, theme) {
    const metric = METRICS[name],
        ramps = RAMPS[theme];
    const values = graph.nodes.map(metric.get).filter((v) => v !== undefined && v !== null && v !== Infinity);
    const numbers = values.filter(known),
        scale = { metric, name, present: values.length > 0, values };
    scale.max = numbers.length ? numbers.reduce((a, b) => Math.max(a, b)) : 1;
    const positive = numbers.filter((v) => v > 0);
    scale.min = positive.length ? positive.reduce((a, b) => Math.min(a, b)) : 1e-9;
    if (scale.max <= scale.min) scale.min = scale.max / 10 || 1e-9;
    scale.place = (v) => {
        if (metric.scale === "magnitude") return Math.sqrt(v / scale.max);
        if (metric.scale === "fraction") return v;
        if (metric.scale === "change") return 0.5 + v / (2 * scale.bound);
        return v === Infinity ? 1 : v <= 0 ? 0 : Math.log(v / scale.min) / Math.log(scale.max / scale.min);
    };
    /** The value at a place from 0 to 1 of the scale: what its legend shows. */
    scale.valueAt = (t) =>
        metric.scale === "magnitude"
            ? t * t * scale.max
            : metric.scale === "error"
              ? scale.min * (scale.max / scale.min) ** t
              : metric.scale === "change"
                ? (2 * t - 1) * scale.bound
                : t;
    scale.bound = clamp(percentile(numbers.map(Math.abs), 0.98), 0.05, 1); // twice the time is as bad as it gets
    scale.colour = (v) => {
        if (v === undefined || v === null) return ramps.missing;
        if (metric.scale === "kind") return KIND_COLOURS[v];
        if (metric.scale === "device") return DEVICE_COLOURS[v % DEVICE_COLOURS.length];
        return ramp(ramps[metric.scale], scale.place(v));
    };
    const join = (nodes) => {
        if (metric.join) return metric.join(nodes);
        const list = nodes.map(metric.get).filter((v) => v !== undefined && v !== null);
        return list.length ? metric.all(list) : undefined;
    };
    // Sums over layers would all be beyond the nodes' scale: they have their own, which ends before the darkest.
    if (metric.scale === "magnitude") scale.maxGroup = Math.max(0, ...graph.groupList.map((g) => join(g.nodes) || 0));
    scale.of = (nodes, layers) => {
        const value = join(nodes);
        if (value !== undefined && metric.scale === "magnitude") {
            const place = layers ? (0.62 * value) / (layers * scale.maxGroup) : scale.place(value / nodes.length);
            return { value, colour: ramp(ramps.magnitude, place) };
        }
        return { value, colour: scale.colour(value) };
    };
    return scale;
}

/** [[kind of op, its share of the bytes that a layer moves], ...], the largest first. */
function sharesOf(group) {
    if (!group.shares) {
        const of = new Map(),
            get = METRICS.bytes.get;
        for (const n of group.nodes) of.set(n.kind, (of.get(n.kind) || 0) + (get(n) || 0));
        const whole = sum([...of.values()]) || 1;
        group.shares = [...of]
            .filter(([, bytes]) => bytes > 0)
            .map(([kind, bytes]) => [kind, bytes / whole])
            .sort((a, b) => b[1] - a[1]);
    }
    return group.shares;
}

function percentile(list, p) {
    if (!list.length) return 0;
    const sorted = [...list].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
}

/** Sums over nodes: what a layer, a group of a table or a whole graph amounts to. */
function totals(nodes) {
    const t = { time: 0, bytes: 0, flops: 0, n: nodes.length, timed: 0, other: 0 };
    for (const n of nodes) {
        t.bytes += n.bytes || 0;
        t.flops += n.json.flops || 0;
        if (n.profile && known(n.profile.seconds)) {
            t.time += n.profile.seconds;
            t.timed++;
        }
        if (n.other?.profile && known(n.other.profile.seconds)) t.other += n.other.profile.seconds;
    }
    return t;
}
