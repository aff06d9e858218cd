// memory.js: live bytes of the arena per step, and where each tensor lies, as SVG. A click or an arrow key picks a step.

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
            replaceIn(
            root,
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
        replaceIn(
            root,
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
                    .filter(([name, v]) => v || (v === 0 && name === "available"))
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
        return clamp((chartSize(this.root).h - 30) / 2, 220, 560);
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
        return chart(
            w,
            height,
            {
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
        return chart(
            w,
            height,
            {
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

    /** The kinds of op whose results lie in the arena. */
    kinds() {
        const made = this.maker.get(this.app.program().graph("planned"));
        return [...new Set(this.tensors.map((v) => made.get(v.id)?.kind || "source"))];
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
