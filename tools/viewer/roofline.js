// roofline.js: rate over arithmetic intensity as SVG, and what the charts share. A click selects; arrow keys move along.

const CHART = { left: 92, right: 28, top: 28, bottom: 52 };
const decades = (low, high) => {
    const list = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); e++) list.push(e);
    return list;
};
function chartSize(root) {
    const box = root.getBoundingClientRect();
    return { w: Math.max(480, box.width - 8), h: Math.max(300, Math.min(box.height - 60, 1240)) };
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
            replaceIn(
            root,
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
        this.here = here;
        const kinds = this.kinds();
        replaceIn(
            root,
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

    kinds() {
        return [...new Set(this.here.map((p) => p.kind))];
    }

    svg(points) {
        const { w, h: height } = chartSize(this.root),
            roof = this.device.roof,
            log = Math.log10;
        const peaks = peaksOf(roof).filter((p) => p[1] > 0);
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
                text(CHART.left - 8, Y(e) + 4, decade(e), { class: "tick", "text-anchor": "end" });
            }
        text((CHART.left + w - CHART.right) / 2, height - 10, "arithmetic intensity, FLOP per byte", {
            class: "axis",
            "text-anchor": "middle",
        });
        text(CHART.left, 16, "operations per second", { class: "axis", "text-anchor": "start" });
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
        for (const [name, peak, unit] of peaks) {
            line(X(log(peak) - slope), Y(log(peak)), w - CHART.right, Y(log(peak)), "roof-line");
            text(w - CHART.right - 4, Y(log(peak)) - 7, `${name}  ${unit(peak)}`, {
                class: "roof-name",
                "text-anchor": "end",
            });
        }
        const most = Math.max(...points.map((p) => p.time)),
            lead = Math.max(0, points.findIndex((p) => p.nodes.includes(this.app.view.selected))),
            dots = points.map((p, i) => this.dot(p, i === lead, X(log(p.x)), Y(log(p.y)), most));
        return chart(
            w,
            height,
            {
                role: "group",
                "aria-label": `Roofline of ${this.device.name}: ${points.length} points, the slowest first`,
            },
            parts,
            dots,
        );
    }

    /** lead: the one of them that Tab reaches; arrow keys go on from it. */
    dot(p, lead, x, y, most) {
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
                tabindex: lead ? 0 : -1,
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
/** The peaks that were measured: [arithmetic, operations per second, as text]. What int8 does is no floating point. */
const peaksOf = (roof) => [
    ["f32", roof.f32_ops_per_second, format.rate],
    ["int8", roof.int8_ops_per_second, format.operations],
    ["f16 matrix", roof.f16_matrix_ops_per_second, format.rate],
];
const decade = (e) => (e < 0 ? `1e${e}` : `${10 ** (e % 3)}${[" ", " k", " M", " G", " T", " P"][Math.floor(e / 3)] ?? `e${e}`}`).trim();
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
