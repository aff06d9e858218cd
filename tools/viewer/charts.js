// charts.js: the roofline and the memory timeline, as SVG. Both select what is clicked; arrow keys move along.

const CHART = { left: 92, right: 28, top: 28, bottom: 52 };
const decades = (low, high) => {
    const list = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); e++) list.push(e);
    return list;
};
function chartSize(root) {
    const box = root.getBoundingClientRect();
    return { w: Math.max(480, box.width - 8), h: Math.max(300, Math.min(box.height - 60, 820)) };
}

class Roofline {
    constructor(app, root) {
        this.app = app;
        this.root = root;
        this.per = "node";
    }

    points() {
        const nodes = this.app
            .graph()
            .nodes.filter((n) => n.profile && n.profile.seconds > 0 && n.profile.bytes > 0 && n.profile.flops > 0);
        if (this.per === "node")
            return nodes.map((n) => ({
                node: n,
                nodes: [n],
                name: `${n.op} ${n.id}`,
                kind: n.kind,
                device: n.profile.device ?? n.json.device,
                ...rates([n]),
            }));
        const ops = new Map();
        for (const n of nodes) ops.set(`${n.op} ${n.label}`, [...(ops.get(`${n.op} ${n.label}`) || []), n]);
        return [...ops].map(([name, list]) => ({
            node: list[0],
            nodes: list,
            name: `${name} (×${list.length})`,
            kind: list[0].kind,
            device: list[0].json.device,
            ...rates(list),
        }));
    }

    draw() {
        const { app, root } = this,
            devices = app.doc().devices.filter((d) => d.roof),
            points = this.points().sort((a, b) => b.time - a.time);
        if (!devices.length || !points.length) {
            root.replaceChildren(
                h(
                    "p",
                    { class: "empty" },
                    "The roofline needs a profile of a planned graph: weft profile MODEL --format html.",
                ),
            );
            return;
        }
        this.device = devices.find((d) => d.index === this.device?.index) || devices[0];
        const here = points.filter((p) => devices.length === 1 || p.device === this.device.index);
        const choose = (id, label, options, value, act) =>
            h(
                "label",
                {},
                `${label}: `,
                h(
                    "select",
                    {
                        id,
                        onchange: (e) => {
                            act(e.target.value);
                            this.draw();
                        },
                    },
                    options.map(([v, t]) => h("option", { value: v, selected: String(v) === String(value) }, t)),
                ),
            );
        const kinds = [...new Set(here.map((p) => p.kind))];
        root.replaceChildren(
            h(
                "div",
                { class: "bar-row" },
                choose(
                    "roof-per",
                    "points",
                    [
                        ["node", "each node"],
                        ["op", "op and place in its layer"],
                    ],
                    this.per,
                    (v) => {
                        this.per = v;
                    },
                ),
                devices.length > 1
                    ? choose(
                          "roof-device",
                          "device",
                          devices.map((d) => [d.index, d.name]),
                          this.device.index,
                          (v) => {
                              this.device = devices.find((d) => d.index === +v);
                          },
                      )
                    : null,
                h(
                    "span",
                    { class: "keys" },
                    kinds.map((k) =>
                        h("span", { class: "key" }, h("i", { style: `background:${KIND_COLOURS[k]}` }), KIND_LABELS[k]),
                    ),
                ),
                h("span", { class: "soft" }, "area: time"),
            ),
            this.svg(here),
        );
    }

    svg(points) {
        const { w, h: height } = chartSize(this.root),
            roof = this.device.roof,
            log = Math.log10;
        const peaks = [
            ["f32", roof.f32_ops_per_second],
            ["int8", roof.int8_ops_per_second],
            ["f16 matrix", roof.f16_matrix_ops_per_second],
        ].filter((p) => p[1] > 0);
        const xs = points.map((p) => log(p.x)),
            ys = points.map((p) => log(p.y)),
            top = Math.max(...peaks.map((p) => log(p[1])), ...ys);
        const ridge = log(Math.max(...peaks.map((p) => p[1])) / roof.bytes_per_second);
        const x0 = Math.min(...xs, -1) - 0.3,
            x1 = Math.max(...xs, ridge) + 0.7,
            y0 = Math.min(...ys) - 0.4,
            y1 = top + 0.4;
        const X = (v) => CHART.left + ((v - x0) / (x1 - x0)) * (w - CHART.left - CHART.right),
            Y = (v) => height - CHART.bottom - ((v - y0) / (y1 - y0)) * (height - CHART.top - CHART.bottom);
        const parts = [],
            text = (x, y, t, more) => parts.push(h("svg:text", { x, y, ...more }, t)),
            line = (a, b, c, d, cls) => parts.push(h("svg:line", { x1: a, y1: b, x2: c, y2: d, class: cls }));
        for (const e of decades(x0, x1))
            if (e >= x0 && e <= x1) {
                line(X(e), CHART.top, X(e), height - CHART.bottom, "grid-line");
                text(X(e), height - CHART.bottom + 18, powers(e), { class: "tick", "text-anchor": "middle" });
            }
        for (const e of decades(y0, y1))
            if (e >= y0 && e <= y1) {
                line(CHART.left, Y(e), w - CHART.right, Y(e), "grid-line");
                text(CHART.left - 8, Y(e) + 4, format.rate(10 ** e), { class: "tick", "text-anchor": "end" });
            }
        text((CHART.left + w - CHART.right) / 2, height - 10, "arithmetic intensity, FLOP per byte", {
            class: "axis",
            "text-anchor": "middle",
        });
        text(CHART.left, 16, "rate", { class: "axis", "text-anchor": "start" });
        const slope = log(roof.bytes_per_second),
            from = Math.max(x0, y0 - slope),
            to = Math.min(x1, Math.max(...peaks.map((p) => log(p[1]))) - slope);
        line(X(from), Y(from + slope), X(to), Y(to + slope), "roof-line");
        const angle = (Math.atan2(Y(to + slope) - Y(from + slope), X(to) - X(from)) * 180) / Math.PI,
            lx = X(from + (to - from) * 0.45),
            ly = Y(from + (to - from) * 0.45 + slope) - 8;
        text(lx, ly, format.bandwidth(roof.bytes_per_second), {
            class: "roof-name",
            transform: `rotate(${angle} ${lx} ${ly})`,
        });
        for (const [name, peak] of peaks) {
            line(X(log(peak) - slope), Y(log(peak)), w - CHART.right, Y(log(peak)), "roof-line");
            text(w - CHART.right - 4, Y(log(peak)) - 7, `${name}  ${format.rate(peak)}`, {
                class: "roof-name",
                "text-anchor": "end",
            });
        }
        const most = Math.max(...points.map((p) => p.time)),
            dots = points.map((p, i) => this.dot(p, i, X(log(p.x)), Y(log(p.y)), most));
        return h(
            "svg:svg",
            {
                class: "chart",
                width: w,
                height,
                viewBox: `0 0 ${w} ${height}`,
                role: "group",
                "aria-label": `Roofline of ${this.device.name}: ${points.length} points, the slowest first`,
            },
            parts,
            dots,
        );
    }

    dot(p, i, x, y, most) {
        const chosen = p.nodes.includes(this.app.view.selected),
            speed = `${format.time(p.time)}, ${format.rate(p.y)}, ${format.bandwidth(p.y / p.x)}`,
            tip = `${p.name}\n${p.node.scope}\n${speed}\n${format.percent(p.roof)} of the roof`;
        return h(
            "svg:circle",
            {
                cx: x,
                cy: y,
                r: 3.5 + 13 * Math.sqrt(p.time / most),
                fill: KIND_COLOURS[p.kind],
                class: chosen ? "dot chosen" : "dot",
                tabindex: chosen || i === 0 ? 0 : -1,
                role: "button",
                "aria-label": tip.replaceAll("\n", ", "),
                "data-node": p.node.id,
                onclick: () => this.app.select(p.node, true),
                onkeydown: (e) => roveAmong(e, ".dot", () => this.app.select(p.node, true)),
            },
            h("svg:title", {}, tip),
        );
    }
}

function rates(nodes) {
    const time = sum(nodes.map((n) => n.profile.seconds)),
        flops = sum(nodes.map((n) => n.profile.flops)),
        bytes = sum(nodes.map((n) => n.profile.bytes));
    return { time, x: flops / bytes, y: flops / time, roof: weightedRoof(nodes) };
}
const powers = (e) => (e >= 0 && e <= 4 ? String(10 ** e) : e < 0 && e >= -3 ? (10 ** e).toFixed(-e) : `1e${e}`);

/** Arrow keys among elements that follow each other in the document; Enter and Space act. */
function roveAmong(event, selector, act) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        event.stopPropagation();
        act();
        return;
    }
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...event.target.ownerSVGElement.querySelectorAll(selector)],
        next = all[all.indexOf(event.target) + step];
    if (!next) return;
    event.target.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
}

class Memory {
    constructor(app, root) {
        this.app = app;
        this.root = root;
        this.device = 0;
        this.step = null;
    }

    draw() {
        const { app, root } = this,
            plan = app.program().plan,
            list = plan?.memory || [];
        if (!list.length) {
            root.replaceChildren(
                h(
                    "p",
                    { class: "empty" },
                    "The memory timeline needs a plan: weft graph MODEL --stage planned --format html.",
                ),
            );
            return;
        }
        this.memory = list.find((m) => m.device === this.device) || list[0];
        this.device = this.memory.device;
        const m = this.memory,
            live = m.live || [];
        if (this.step === null || this.step >= live.length) this.step = m.peak_step || 0;
        this.tensors = this.arenaValues();
        root.replaceChildren(
            h(
                "div",
                { class: "bar-row" },
                list.length > 1
                    ? h(
                          "label",
                          {},
                          "device: ",
                          h(
                              "select",
                              {
                                  id: "memory-device",
                                  onchange: (e) => {
                                      this.device = +e.target.value;
                                      this.step = null;
                                      this.draw();
                                  },
                              },
                              list.map((x) =>
                                  h(
                                      "option",
                                      { value: x.device, selected: x.device === this.device },
                                      app.doc().deviceName(x.device),
                                  ),
                              ),
                          ),
                      )
                    : null,
                [
                    ["weights", m.weights],
                    ["states", m.states],
                    ["constants", m.constants],
                    ["arena", m.arena],
                    ["arena without sharing", m.arena_unshared],
                    ["available", m.available],
                ]
                    .filter((x) => x[1])
                    .map(([name, v]) =>
                        h(
                            "span",
                            { class: "stat" },
                            h("span", { class: "soft" }, name),
                            " ",
                            h("b", {}, format.bytes(v)),
                        ),
                    ),
            ),
            h(
                "div",
                { class: "memory-body" },
                h("div", { class: "memory-charts" }, this.timeline(), this.tensors.length ? this.map() : null),
                this.list(),
            ),
        );
    }

    /** Values that lie in the arena of the device, with their times: drawn as rectangles of bytes by steps. */
    arenaValues() {
        const graph = this.app.program().graph("planned");
        const here = [...graph.values.values()].filter(
            (v) =>
                v.storage === "arena" &&
                known(v.birth) &&
                known(v.offset) &&
                (v.device ?? 0) === this.device &&
                (v.root ?? v.id) === v.id,
        );
        return here.map((v) => ({ ...v, bytes: v.allocated ?? v.bytes })); // what is set aside, for the most tokens
    }

    scales(height, high) {
        const w = this.width(),
            n = Math.max(1, (this.memory.live || []).length);
        return {
            w,
            X: (s) => CHART.left + (s / n) * (w - CHART.left - CHART.right),
            Y: (b) => height - 36 - (b / high) * (height - 36 - 24),
            n,
        };
    }
    height() {
        return clamp((chartSize(this.root).h - 30) / 2, 220, 360);
    }
    width() {
        const { w } = chartSize(this.root);
        return w > 900 ? w - 330 : w;
    }

    frame(height, high, title, X, Y, w, n) {
        const parts = [h("svg:text", { x: CHART.left, y: 14, class: "axis" }, title)];
        for (const b of niceBytes(high))
            parts.push(
                h("svg:line", { x1: CHART.left, x2: w - CHART.right, y1: Y(b), y2: Y(b), class: "grid-line" }),
                h("svg:text", { x: CHART.left - 8, y: Y(b) + 4, class: "tick", "text-anchor": "end" }, format.bytes(b)),
            );
        const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((e) => n / e <= 12) || 2000;
        for (let s = 0; s < n; s += every)
            parts.push(h("svg:text", { x: X(s + 0.5), y: height - 18, class: "tick", "text-anchor": "middle" }, s));
        parts.push(
            h("svg:text", { x: (CHART.left + w) / 2, y: height - 2, class: "axis", "text-anchor": "middle" }, "step"),
        );
        return parts;
    }

    cursor(X, height) {
        return h("svg:rect", {
            class: "cursor",
            x: X(this.step),
            y: 22,
            width: Math.max(1.5, X(1) - X(0)),
            height: height - 58,
        });
    }

    timeline() {
        const live = this.memory.live || [],
            height = this.height(),
            high = Math.max(...live, 1) * 1.08,
            { w, X, Y, n } = this.scales(height, high),
            peak = this.memory.peak_step;
        let d = `M${X(0)},${Y(0)}`;
        live.forEach((b, s) => {
            d += `V${Y(b).toFixed(1)}H${X(s + 1).toFixed(1)}`;
        });
        const label = `step ${peak}: ${format.bytes(live[peak])}`,
            right = X(peak) > w * 0.7;
        return h(
            "svg:svg",
            {
                class: "chart",
                width: w,
                height,
                viewBox: `0 0 ${w} ${height}`,
                tabindex: 0,
                role: "slider",
                "aria-label": "Step of the memory timeline",
                "aria-valuemin": 0,
                "aria-valuemax": n - 1,
                "aria-valuenow": this.step,
                "aria-valuetext": `step ${this.step}, ${format.bytes(live[this.step])}`,
                onclick: (e) => this.go(this.stepAt(e, w, n)),
                onkeydown: (e) => this.key(e, n),
            },
            this.frame(height, high, "live bytes in the arena", X, Y, w, n),
            h("svg:path", { d: `${d}V${Y(0)}Z`, class: "area" }),
            this.cursor(X, height),
            h("svg:circle", { class: "peak", cx: X(peak + 0.5), cy: Y(live[peak]), r: 4 }),
            h(
                "svg:text",
                {
                    class: "peak-name",
                    x: X(peak + 0.5) + (right ? -9 : 9),
                    y: Y(live[peak]) - 5,
                    "text-anchor": right ? "end" : "start",
                },
                `peak, ${label}`,
            ),
        );
    }

    map() {
        const height = this.height(),
            high = Math.max(...this.tensors.map((v) => v.offset + v.bytes), this.memory.arena || 1),
            { w, X, Y, n } = this.scales(height, high),
            program = this.app.program(),
            graph = program.graph("planned");
        const maker = this.maker || (this.maker = new Map()),
            key = graph;
        if (!maker.has(key))
            maker.set(key, new Map(graph.nodes.flatMap((node) => (node.json.out || []).map((v) => [v, node]))));
        const made = maker.get(key),
            scratch = program.plan.steps.filter((s) => s.scratch_bytes && s.device === this.device);
        return h(
            "svg:svg",
            {
                class: "chart",
                width: w,
                height,
                viewBox: `0 0 ${w} ${height}`,
                role: "img",
                "aria-label": "Where each tensor lies in the arena",
                onclick: (e) => this.go(this.stepAt(e, w, n)),
            },
            this.frame(height, high, "where they lie: offset by step", X, Y, w, n),
            scratch.map((s) =>
                h("svg:rect", {
                    class: "scratch",
                    x: X(s.step),
                    width: X(1) - X(0),
                    y: Y(s.scratch_offset + s.scratch_bytes),
                    height: Math.max(0.5, Y(s.scratch_offset) - Y(s.scratch_offset + s.scratch_bytes)),
                }),
            ),
            this.tensors.map((v) =>
                h(
                    "svg:rect",
                    {
                        class: "tensor",
                        x: X(v.birth),
                        width: X(v.death + 1) - X(v.birth),
                        y: Y(v.offset + v.bytes),
                        height: Math.max(0.5, Y(v.offset) - Y(v.offset + v.bytes)),
                        fill: KIND_COLOURS[made.get(v.id)?.kind || "source"],
                    },
                    h(
                        "svg:title",
                        {},
                        `%${v.id} ${format.shape(v)} ${format.bytes(v.bytes)}\n` +
                            `${made.get(v.id)?.op || ""}, steps ${v.birth} to ${v.death}`,
                    ),
                ),
            ),
            this.cursor(X, height),
        );
    }

    list() {
        const s = this.step,
            graph = this.app.graph(),
            planned = this.app.program().graph("planned"),
            step =
                (this.app.program().plan.steps || []).find((x) => x.step === s && x.device === this.device) ||
                (this.app.program().plan.steps || [])[s];
        const node = step && planned.byId.get(step.node),
            producer = new Map(planned.nodes.flatMap((n) => (n.json.out || []).map((v) => [v, n])));
        const live = this.tensors.filter((v) => v.birth <= s && s <= v.death).sort((a, b) => b.bytes - a.bytes);
        const link = (n) => nodeLink(this.app, graph.byId.get(n.id) || n);
        return h(
            "div",
            { class: "live", "aria-live": "polite" },
            h("h3", {}, `Step ${s}: ${format.bytes((this.memory.live || [])[s])} live`),
            node ? h("p", {}, link(node), " ", path(node.scope, "soft")) : null,
            h(
                "ol",
                { class: "plain" },
                live.map((v) =>
                    h(
                        "li",
                        {},
                        h("code", {}, `%${v.id}`),
                        " ",
                        producer.get(v.id) ? link(producer.get(v.id)) : "",
                        h("span", { class: "right" }, format.bytes(v.bytes)),
                        h("div", { class: "soft" }, `${format.shape(v)}, steps ${v.birth} to ${v.death}`),
                    ),
                ),
                step && step.scratch_bytes
                    ? h(
                          "li",
                          {},
                          "scratch of the step",
                          h("span", { class: "right" }, format.bytes(step.scratch_bytes)),
                      )
                    : null,
            ),
        );
    }

    stepAt(event, w, n) {
        const box = event.currentTarget.getBoundingClientRect();
        return clamp(
            Math.floor(((event.clientX - box.left - CHART.left) / (w - CHART.left - CHART.right)) * n),
            0,
            n - 1,
        );
    }
    go(step) {
        this.step = step;
        this.draw();
    }
    key(event, n) {
        const to = {
            ArrowRight: this.step + 1,
            ArrowLeft: this.step - 1,
            PageDown: this.step + 10,
            PageUp: this.step - 10,
            Home: 0,
            End: n - 1,
        }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        this.go(clamp(to, 0, n - 1));
        this.root.querySelector("[role=slider]").focus();
    }
}

function niceBytes(high) {
    const unit = 2 ** Math.floor(Math.log2(high / 4)),
        list = [];
    for (let b = 0; b <= high; b += unit) list.push(b);
    return list;
}
