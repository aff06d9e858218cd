// layout.js: places for everything drawn. dagre lays out the inside of each distinct layer once, then the top level
// with layers as boxes. The long chain of layers is then cut into columns that fill the window.
//
// A scene: items [{ type: "node" | "group" | "stub", x, y, w, h (top left corner), ... }] and
// edges [{ points: [[x, y], ...], from: node, to: node }]. An open layer has a header that nothing but its title and
// edges from above stand in; the title stands between those.

const NODE_H = 42,
    GROUP_W = 240,
    GROUP_H = 58,
    STUB_H = 18,
    TITLE = 13,
    READABLE = 10.5, // pixels: the size that titles have at least when the whole scene is in the window
    PAD = 16,
    MARGIN = 24,
    COLUMN_GAP = 64;
const VALUE_W = 66; // room for what a node is coloured by
const headerOf = (title) => Math.max(30, 1.5 * title);

/** The text below a box's title: at the left what it is, at the right what comes out. */
const textsOf = (node) => ({ title: node.title, left: node.label, right: node.shape });
/** A box in which all of its text has room, unless that would be wider than anything beside it. */
function nodeSize(node) {
    if (!node.size) {
        const { title, left, right } = textsOf(node);
        const above = textWidth(title, 13, true) + VALUE_W,
            below = textWidth(left, 11.5) + (left && right ? 14 : 0) + textWidth(right, 11.5);
        node.size = { w: Math.ceil(clamp(Math.max(above, below) + 24, 130, 340)), h: NODE_H };
    }
    return node.size;
}
/** The scale at which a scene fills a window. */
const fitScale = (scene, room) =>
    Math.min((room.w - 2 * MARGIN) / scene.width, (room.h - 2 * MARGIN) / scene.height, 1.25);

function dagreRun(nodes, edges, options) {
    const g = new dagre.graphlib.Graph({ multigraph: true });
    g.setGraph({ rankdir: "TB", nodesep: 16, ranksep: 26, edgesep: 10, marginx: 0, marginy: 0, ...options });
    g.setDefaultEdgeLabel(() => ({}));
    for (const [id, size] of nodes) g.setNode(id, { width: size.w, height: size.h });
    edges.forEach((e, i) => g.setEdge(e.from, e.to, { weight: e.weight || 1, minlen: e.minlen || 1 }, String(i)));
    dagre.layout(g);
    return g;
}

const stubWidth = (node) => clamp(textWidth(node.name || node.op, 11) + 20, 48, 200);

/** The inside of a layer, by places in group.nodes. Ports: x of edges that come from above or leave below. */
function innerLayout(group, shown) {
    const nodes = new Map(),
        edges = [],
        ports = new Map(),
        stubs = new Map(),
        leaving = new Set();
    nodes.set("top", { w: 1, h: 1 });
    nodes.set("bottom", { w: 1, h: 1 });
    group.nodes.forEach((n, i) => {
        if (shown(n)) nodes.set(`n${i}`, nodeSize(n));
    });
    group.nodes.forEach((n, i) => {
        if (!shown(n)) return;
        const seen = new Set();
        for (const { from } of n.inputs) {
            if (!from || !shown(from) || seen.has(from)) continue;
            seen.add(from);
            if (group.index.has(from)) edges.push({ from: `n${group.index.get(from)}`, to: `n${i}` });
            else {
                const kind = from.wide ? "s" : "e",
                    outside = group.outside.indexOf(from),
                    id = kind === "s" ? `s${from.id}.${i}` : `e${outside}`;
                if (!nodes.has(id)) {
                    nodes.set(id, kind === "s" ? { w: stubWidth(from), h: STUB_H } : { w: 1, h: 1 });
                    if (kind === "s") stubs.set(id, from);
                    else {
                        ports.set(id, outside);
                        edges.push({ from: "top", to: id, weight: 24, hidden: true });
                    }
                }
                edges.push({ from: id, to: `n${i}`, weight: kind === "s" ? 2 : 1 });
            }
        }
        if (n.users.some((u) => u.group !== group && shown(u)) && !n.wide) leaving.add(i);
    });
    for (const i of leaving) {
        nodes.set(`o${i}`, { w: 1, h: 1 });
        edges.push({ from: `n${i}`, to: `o${i}` }, { from: `o${i}`, to: "bottom", weight: 24, hidden: true });
    }
    return readInner(dagreRun(nodes, edges), group, edges, ports, stubs, leaving, shown);
}

function readInner(g, group, edges, ports, stubs, leaving, shown) {
    const boxes = [],
        lines = [];
    let left = Infinity,
        top = Infinity,
        right = -Infinity,
        bottom = -Infinity;
    const see = (x0, y0, x1, y1) => {
        left = Math.min(left, x0);
        top = Math.min(top, y0);
        right = Math.max(right, x1);
        bottom = Math.max(bottom, y1);
    };
    const place = (id, extra) => {
        const n = g.node(id),
            box = { ...extra, x: n.x - n.width / 2, y: n.y - n.height / 2, w: n.width, h: n.height };
        see(box.x, box.y, box.x + box.w, box.y + box.h);
        boxes.push(box);
    };
    group.nodes.forEach((n, i) => {
        if (shown(n)) place(`n${i}`, { type: "node", local: i });
    });
    for (const [id, node] of stubs) place(id, { type: "stub", outer: node });
    const local = (id) => (id[0] === "n" ? +id.slice(1) : -1);
    edges.forEach((e, i) => {
        if (e.hidden) return;
        const points = g.edge(e.from, e.to, String(i)).points.map((p) => [p.x, p.y]);
        const line = {
            points,
            a: local(e.from),
            b: local(e.to),
            outside: ports.has(e.from) ? ports.get(e.from) : -1,
            leaves: e.to[0] === "o",
            stub: stubs.get(e.from),
        };
        for (const [x, y] of points) see(x, y, x, y);
        lines.push(line);
    });
    const dx = PAD - left,
        dy = PAD - top; // below the header, whose height is the scene's
    const width = right - left + 2 * PAD,
        height = bottom - top + 2 * PAD;
    for (const b of boxes) {
        b.x += dx;
        b.y += dy;
    }
    for (const l of lines) {
        l.points = l.points.map(([x, y]) => [x + dx, y + dy]);
        if (l.leaves) l.points[l.points.length - 1][1] = height;
    }
    const inPort = new Map([...ports].map(([id, outside]) => [outside, g.node(id).x + dx]));
    const outPort = new Map([...leaving].map((i) => [i, g.node(`o${i}`).x + dx]));
    return { boxes, lines, width, height, inPort, outPort };
}

/** The boxes of the top level: runs of layers (one box each when identical layers are shown once), nodes, stubs. */
function outerUnits(graph, view, shown, header) {
    const units = [],
        unitOf = new Map();
    const runs = view.once ? graph.runs() : graph.groupList.map((g) => [g]);
    for (const run of runs) {
        const key = run[0].key,
            open = view.open.has(key);
        if (!run[0].nodes.some(shown)) continue;
        const unit = { id: `g${key}`, run, group: run[0], open, order: run[0].nodes[0].order };
        if (open) {
            const cache = graph.inner || (graph.inner = new Map()),
                name = `${view.weights}|${run[0].signature}`;
            if (!cache.has(name)) cache.set(name, innerLayout(run[0], shown));
            unit.inner = cache.get(name);
        }
        unit.w = open ? unit.inner.width : GROUP_W;
        unit.h = open ? unit.inner.height + header : GROUP_H;
        for (const group of run) for (const n of group.nodes) unitOf.set(n, unit);
        units.push(unit);
    }
    for (const n of graph.nodes) {
        if (n.group || !shown(n)) continue;
        const unit = { id: `n${n.id}`, node: n, ...nodeSize(n), order: n.order };
        unitOf.set(n, unit);
        units.push(unit);
    }
    units.sort((a, b) => a.order - b.order);
    return { units, unitOf };
}

function outerEdges(graph, units, unitOf, shown) {
    const edges = new Map(),
        stubs = new Map();
    for (const n of graph.nodes) {
        const to = unitOf.get(n);
        if (!to || !shown(n)) continue;
        for (const { from } of n.inputs) {
            const source = from && unitOf.get(from);
            if (!source || source === to || !shown(from)) continue;
            if (from.wide) {
                if (to.node) stubs.set(`s${from.id}.${n.id}`, { node: from, to });
                continue;
            }
            const key = `${source.open ? from.id : source.id}>${to.open ? `${to.id}:${from.id}` : to.id}`;
            if (!edges.has(key)) edges.set(key, { from: source.id, to: to.id, source, target: to, a: from, b: n });
        }
    }
    return { edges: [...edges.values()], stubs };
}

/** room: the window's { w, h }. Titles of layers grow until they can be read when the whole scene is in it. */
function buildScene(graph, view, room) {
    let title = TITLE,
        scene = null;
    for (let tries = 0; tries < 3; tries++) {
        scene = placeScene(graph, view, room.w / room.h, title);
        const size = title * fitScale(scene, room);
        if (size > 0.95 * READABLE || !scene.items.some((i) => i.open)) break;
        title *= (1.04 * READABLE) / size;
    }
    return scene;
}

function placeScene(graph, view, aspect, title) {
    const shown = (n) => view.weights || (n.op !== "weight" && n.op !== "constant"),
        header = headerOf(title);
    const { units, unitOf } = outerUnits(graph, view, shown, header);
    const { edges, stubs } = outerEdges(graph, units, unitOf, shown);
    const nodes = new Map(units.map((u) => [u.id, u])),
        list = [...edges];
    for (const [id, s] of stubs) {
        nodes.set(id, { w: stubWidth(s.node), h: STUB_H });
        list.push({ from: id, to: s.to.id, weight: 2, stub: s.node, b: s.to.node });
    }
    // Sources that are only read by name stand below each other: a wide first row would make all columns smaller.
    const drawn = new Set(edges.flatMap((e) => [e.from, e.to])),
        alone = units.filter((u) => u.node && !drawn.has(u.id));
    const chain = alone.slice(1).map((u, i) => ({ from: alone[i].id, to: u.id, hidden: true }));
    // The top level is a chain: its ranks need no simplex, which takes most of the time on long ones.
    const g = dagreRun(nodes, [...list, ...chain], {
        nodesep: 28,
        ranksep: view.open.size ? 36 : 24,
        ranker: "tight-tree",
    });
    const scene = { graph, items: [], edges: [], itemOf: new Map(), unitOf, title, header };
    scene.titleLevel = titleLevel(units, title);
    const columns = cutColumns(g, nodes, aspect);
    for (const unit of units) placeUnit(scene, unit, columns.move(g.node(unit.id)));
    for (const [id, s] of stubs) {
        const at = columns.move(g.node(id)),
            n = nodes.get(id);
        scene.items.push({ type: "stub", node: s.node, x: at.x - n.w / 2, y: at.y - n.h / 2, w: n.w, h: n.h });
    }
    list.forEach((e, i) => {
        const points = g.edge(e.from, e.to, String(i)).points.map((p) => [p.x, p.y]);
        snapToPorts(points, e, g);
        scene.edges.push({ points: columns.route(points), from: e.a || e.stub, to: e.b, stub: !!e.stub });
    });
    finish(scene);
    return scene;
}

/** Edges of open layers begin and end where the line inside goes on. */
function snapToPorts(points, e, g) {
    const { source, target } = e;
    if (source && source.open) {
        const at = g.node(source.id),
            x = source.inner.outPort.get(representative(source, e.a));
        if (x !== undefined) {
            points[0] = [at.x - source.w / 2 + x, at.y + source.h / 2];
            points.splice(1, points.length === 3 && target.open ? 1 : 0, [points[0][0], points[1][1]]);
        }
    }
    if (target && target.open) {
        const at = g.node(target.id),
            x = target.inner.inPort.get(target.group.outside.indexOf(e.a));
        if (x !== undefined) {
            const last = points.length - 1;
            points[last] = [at.x - target.w / 2 + x, at.y - target.h / 2];
            points.splice(last, 0, [points[last][0], points[last - 1][1]]);
        }
    }
}
const representative = (unit, node) => node.group.index.get(node);

/** Ranks, in order, dealt to as many columns as make the picture largest in a window of this width / height. */
function cutColumns(g, nodes, aspect) {
    const ranks = new Map();
    for (const id of nodes.keys()) {
        const n = g.node(id),
            key = Math.round(n.y);
        const r = ranks.get(key) || { y: key, top: Infinity, bottom: -Infinity, left: Infinity, right: -Infinity };
        r.top = Math.min(r.top, n.y - n.height / 2);
        r.bottom = Math.max(r.bottom, n.y + n.height / 2);
        r.left = Math.min(r.left, n.x - n.width / 2);
        r.right = Math.max(r.right, n.x + n.width / 2);
        ranks.set(key, r);
    }
    const rows = [...ranks.values()].sort((a, b) => a.y - b.y);
    const total = rows.length ? rows[rows.length - 1].bottom - rows[0].top : 0;
    let best = null;
    for (let n = 1; n <= Math.min(24, rows.length); n++) {
        const columns = deal(rows, total / n),
            width = sum(columns.map((c) => c.right - c.left + COLUMN_GAP)),
            height = Math.max(...columns.map((c) => c.bottom - c.top));
        const size = Math.max(width, height * aspect);
        if (!best || size < best.size * 0.98) best = { size, columns };
    }
    const columns = best ? best.columns : [];
    let x = 0;
    for (const c of columns) {
        c.dx = x - c.left;
        c.dy = -c.top;
        x += c.right - c.left + COLUMN_GAP;
    }
    const columnAt = (y) => columns.find((c) => y <= c.end) || columns[columns.length - 1];
    return {
        move: (n) => {
            const c = columnAt(n.y);
            return { x: n.x + c.dx, y: n.y + c.dy };
        },
        route: (points) => routeThrough(points, columns, columnAt),
    };
}

function deal(rows, target) {
    const columns = [];
    let c = null;
    rows.forEach((r, i) => {
        if (!c || (r.bottom - c.top > target * 1.04 && r.top > c.top)) {
            if (c) c.end = (rows[i - 1].bottom + r.top) / 2;
            c = { top: r.top, bottom: r.bottom, left: r.left, right: r.right, end: Infinity };
            columns.push(c);
        }
        c.bottom = Math.max(c.bottom, r.bottom);
        c.left = Math.min(c.left, r.left);
        c.right = Math.max(c.right, r.right);
    });
    return columns;
}

function routeThrough(points, columns, columnAt) {
    const out = [];
    let last = null;
    points.forEach(([x, y], i) => {
        // The last point is on its target's upper edge, the first on its source's lower edge: in their columns.
        const c = columnAt(i === 0 ? y - 2 : i === points.length - 1 ? y + 2 : y);
        const at = [x + c.dx, y + c.dy];
        if (last && last !== c) {
            const gap = c.left + c.dx - COLUMN_GAP / 2,
                below = last.bottom + last.dy + 18;
            while (out.length > 1 && out[out.length - 1][1] >= last.bottom + last.dy) out.pop(); // no way back
            out.push([out[out.length - 1][0], below], [gap, below], [gap, -18], [at[0], -18]);
        }
        out.push(at);
        last = c;
    });
    return out;
}

function placeUnit(scene, unit, centre) {
    const x = centre.x - unit.w / 2,
        y = centre.y - unit.h / 2;
    if (unit.node) {
        const item = { type: "node", node: unit.node, nodes: [unit.node], x, y, w: unit.w, h: unit.h };
        scene.items.push(item);
        scene.itemOf.set(unit.node, item);
        return;
    }
    const all = unit.run.flatMap((group) => group.nodes);
    const box = {
        type: "group",
        group: unit.group,
        run: unit.run,
        nodes: all,
        open: unit.open,
        x,
        y,
        w: unit.w,
        h: unit.h,
    };
    scene.items.push(box);
    box.title = unit.open ? openTitle(scene, unit) : foldedTitle(unit);
    if (!unit.open) {
        for (const n of all) scene.itemOf.set(n, box);
        return;
    }
    for (const b of unit.inner.boxes) {
        if (b.type === "stub") {
            scene.items.push({ ...b, node: b.outer, x: x + b.x, y: y + b.y + scene.header });
            continue;
        }
        const nodes = unit.run.map((group) => group.nodes[b.local]);
        const item = { type: "node", node: nodes[0], nodes, x: x + b.x, y: y + b.y + scene.header, w: b.w, h: b.h };
        scene.items.push(item);
        for (const n of nodes) scene.itemOf.set(n, item);
    }
    for (const l of unit.inner.lines) {
        const at = (i) => unit.group.nodes[i];
        const points = l.points.map(([px, py]) => [px + x, py + y + scene.header]);
        if (l.outside >= 0) points.unshift([points[0][0], y]);
        scene.edges.push({
            points,
            from: l.a >= 0 ? at(l.a) : l.stub || unit.group.outside[l.outside],
            to: l.b >= 0 ? at(l.b) : null,
            stub: !!l.stub,
            leaves: l.leaves,
        });
    }
}

/** The name of a layer, and its last two parts, for where the whole has no room. */
function layerNames(unit) {
    const times = unit.run.length > 1 ? `  ×${unit.run.length}` : "",
        key = unit.group.key;
    return [key, key.split(".").slice(-2).join("."), key.split(".").pop()].map((name) => name + times);
}

/** Where the title of an open layer stands, in its box's coordinates: between the edges that cross the header. */
function titleRooms(unit, size) {
    const ports = [...unit.inner.inPort.values()].sort((a, b) => a - b),
        beside = 2.1 * size; // the triangle, and what is left at both sides
    return [0, ...ports].map((from, i) => ({ from, w: (ports[i] ?? unit.w) - from - beside }));
}
/** Which of a layer's names (0: the longest) all open layers have room for: they are told apart by the same part. */
function titleLevel(units, size) {
    const fits = (unit, level) =>
        titleRooms(unit, size).some((room) => room.w >= textWidth(layerNames(unit)[level], size, true));
    const open = units.filter((u) => u.open);
    return [0, 1].find((level) => open.every((u) => fits(u, level))) ?? 2;
}
function openTitle(scene, unit) {
    const size = scene.title,
        name = layerNames(unit)[scene.titleLevel],
        rooms = titleRooms(unit, size),
        widest = rooms.reduce((a, b) => (b.w > a.w ? b : a));
    const room = rooms.find((r) => r.w >= textWidth(name, size, true)) || widest,
        text = clipText(name, room.w, size, true);
    return { text, size, from: room.from, y: scene.header / 2 };
}
function foldedTitle(unit) {
    const size = 16,
        room = GROUP_W - 40 - VALUE_W,
        names = layerNames(unit);
    const text = names.find((t) => textWidth(t, size, true) <= room) || clipText(names[1], room, size, true);
    return { text, size, x: 28, y: 18 };
}

function finish(scene) {
    let left = Infinity,
        top = Infinity,
        right = -Infinity,
        bottom = -Infinity;
    const see = (x, y) => {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
    };
    for (const i of scene.items) {
        see(i.x, i.y);
        see(i.x + i.w, i.y + i.h);
    }
    for (const e of scene.edges) {
        e.box = [Infinity, Infinity, -Infinity, -Infinity];
        for (const [x, y] of e.points) {
            e.box = [Math.min(e.box[0], x), Math.min(e.box[1], y), Math.max(e.box[2], x), Math.max(e.box[3], y)];
            see(x, y);
        }
    }
    if (!scene.items.length) {
        left = top = 0;
        right = bottom = 100;
    }
    Object.assign(scene, { left, top, width: right - left, height: bottom - top });
}
