// table.js: the same nodes as a table that sorts and groups: the accessible twin of the picture.

const GROUPINGS = {
    node: { label: "nodes", key: (n) => n.id },
    op: { label: "op", key: (n) => n.op },
    layer: { label: "layer", key: (n) => (n.group ? n.group.key : n.scope || "(top level)") },
    shape: {
        label: "op and shape",
        key: (n) =>
            `${n.op} ${
                n.inputs
                    .slice(0, 2)
                    .map((i) => n.values?.get(i.value))
                    .filter(Boolean)
                    .map(format.shape)
                    .join(" × ") || ""
            } → ${n.shape}`,
    },
    part: { label: "op and place in its layer", key: (n) => `${n.label} ${n.op}`.trim() },
    kernel: { label: "kernel", key: (n) => n.json.kernel || "(none)" },
};

const rate = (a, b) => (a && b ? a / b : undefined);
const COLUMNS = [
    { id: "name", label: "node", text: (r) => r.name, sort: (r) => r.order, left: true, single: true, least: 98 },
    {
        id: "group",
        label: "group",
        text: (r) => r.name,
        sort: (r) => r.name,
        left: true,
        grouped: true,
        least: 160,
    },
    {
        id: "count",
        label: "nodes",
        text: (r) => format.count(r.nodes.length),
        sort: (r) => r.nodes.length,
        grouped: true,
    },
    {
        id: "scope",
        label: "scope",
        text: (r) => r.node.scope,
        sort: (r) => r.node.scope,
        left: true,
        single: true,
        least: 78,
        cutFront: true, // the end says most
    },
    {
        id: "shape",
        label: "result",
        text: (r) => r.node.shape,
        sort: (r) => r.node.shape,
        left: true,
        single: true,
    },
    {
        id: "kernel",
        label: "kernel",
        text: (r) => r.node.json.kernel || "",
        sort: (r) => r.node.json.kernel || "",
        left: true,
        single: true,
        least: 66,
        needs: (p) => p.stages.has("planned"),
    },
    {
        id: "time",
        label: "time",
        text: (r) => format.time(r.time),
        sort: (r) => r.time,
        needs: (p) => p.profile,
        not: (p) => p.other,
    },
    { id: "a", label: "time A", text: (r) => format.time(r.time), sort: (r) => r.time, needs: (p) => p.other },
    { id: "b", label: "time B", text: (r) => format.time(r.other), sort: (r) => r.other, needs: (p) => p.other },
    {
        id: "delta",
        label: "B − A",
        text: (r) =>
            known(r.delta) ? (r.delta > 0 ? "+" : r.delta < 0 ? "−" : "") + format.time(Math.abs(r.delta)) : NONE,
        sort: (r) => r.delta,
        needs: (p) => p.other,
    },
    {
        id: "change",
        label: "change",
        text: (r) => format.change(r.change),
        sort: (r) => r.change,
        needs: (p) => p.other,
        change: true,
    },
    {
        id: "share",
        label: "share",
        text: (r) => format.percent(r.share),
        sort: (r) => r.share,
        needs: (p) => p.profile,
        bar: true,
    },
    {
        id: "bytes",
        label: "bytes",
        text: (r) => format.bytes(r.bytes || undefined),
        sort: (r) => r.bytes,
        not: (p) => p.other,
    },
    {
        id: "flops",
        label: "FLOPs",
        text: (r) => format.flops(r.flops || undefined),
        sort: (r) => r.flops,
        not: (p) => p.other,
    },
    {
        id: "bandwidth",
        label: "bandwidth",
        text: (r) => format.bandwidth(rate(r.bytes, r.time)),
        sort: (r) => rate(r.bytes, r.time),
        needs: (p) => p.profile,
        not: (p) => p.other,
    },
    {
        id: "rate",
        label: "rate",
        text: (r) => format.rate(rate(r.flops, r.time)),
        sort: (r) => rate(r.flops, r.time),
        needs: (p) => p.profile,
        not: (p) => p.other,
    },
    { id: "roof", label: "of roof", text: (r) => format.percent(r.roof), sort: (r) => r.roof, needs: (p) => p.profile },
    {
        id: "bound",
        label: "bound",
        text: (r) => r.bound || "",
        sort: (r) => r.bound || "",
        left: true,
        needs: (p) => p.profile,
    },
    {
        id: "error",
        label: "error",
        text: (r) => format.error(r.error),
        sort: (r) => r.error,
        needs: (p) => p.checksOf.size,
    },
];

const widest = (column) => (column.least ? `max-width: var(--most-${column.id})` : null);

class Table {
    constructor(app, root) {
        this.app = app;
        this.root = root;
        this.by = null; // until somebody chooses
        this.sortBy = null;
        this.descending = true;
    }

    rows(nodes, by) {
        const groups = new Map(),
            key = GROUPINGS[by].key,
            whole = totals(nodes).time;
        for (const n of nodes) {
            const k = key(n);
            if (!groups.has(k)) groups.set(k, []);
            groups.get(k).push(n);
        }
        return [...groups].map(([name, list]) => {
            const t = totals(list),
                node = list[0],
                timed = list.filter((n) => n.profile),
                bounds = new Set(timed.map((n) => n.profile.bound));
            const both = list.filter((n) => n.profile && n.other?.profile),
                b = sum(both.map((n) => n.other.profile.seconds)),
                a = totals(both).time;
            const errors = list.map((n) => n.error).filter((e) => e !== undefined);
            return {
                name: by === "node" ? [`${node.op} ${node.id}`, ...fusedInto(node.json.attrs)].join(" + ") : name,
                node,
                nodes: list,
                order: node.step ? node.step.step : node.order,
                bytes: t.bytes,
                flops: t.flops,
                time: t.timed ? t.time : undefined,
                other: both.length ? b : undefined,
                delta: both.length ? b - a : undefined,
                change: changeOf(list),
                share: t.timed && whole ? t.time / whole : undefined,
                bound: bounds.size === 1 ? [...bounds][0] : bounds.size ? "mixed" : "",
                roof: weightedRoof(list),
                error: errors.length ? Math.max(...errors) : undefined,
            };
        });
    }

    draw() {
        const { app, root } = this,
            program = app.program(),
            by = this.by || (program.other ? "part" : "node");
        const columns = COLUMNS.filter(
            (c) =>
                (by === "node" ? !c.grouped : !c.single) &&
                (!c.needs || c.needs(program)) &&
                !(c.not && c.not(program)),
        );
        const first = program.other ? "delta" : program.profile ? "time" : "name";
        let column = columns.find((c) => c.id === this.sortBy) || columns.find((c) => c.id === first) || columns[0];
        const descending = this.sortBy ? this.descending : column.id !== "name" && column.id !== "group";
        const hits = app.hits(),
            all = app
                .graph()
                .nodes.filter(
                    (n) => (app.view.weights || n.kind !== "source") && (app.view.weights || n.kind !== "view"),
                );
        const nodes = app.view.query ? all.filter((n) => hits.has(n)) : all;
        for (const n of nodes) n.values = app.graph().values;
        const rows = this.rows(nodes, by),
            place = (r) => {
                const v = column.sort(r);
                return v === undefined || v === null ? null : column.id === "delta" && !this.sortBy ? Math.abs(v) : v;
            };
        rows.sort((x, y) => {
            const a = place(x),
                b = place(y);
            if (a === null || b === null) return (a === null) - (b === null);
            const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
            return descending ? -order : order;
        });
        this.shownRows = rows.length;
        this.mostShare = Math.max(1e-9, ...rows.map((r) => r.share || 0));
        replaceIn(
            root,
            this.bar(by, rows.length, nodes.length),
            h(
                "div",
                { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Table of nodes" },
                h(
                    "table",
                    { class: "grid" },
                    h("caption", { class: "hidden" }, `Nodes by ${GROUPINGS[by].label}`),
                    this.head(columns, column, descending),
                    h(
                        "tbody",
                        {},
                        rows.map((r) => this.row(r, columns, by)),
                    ),
                ),
            ),
        );
        this.makeFit(columns);
    }

    /**
     * Columns of text give way, each in proportion to what it has above its least width, until the last column is in
     * sight; where that is not enough the table scrolls sideways under its first column.
     */
    makeFit(columns) {
        const scroll = this.root.querySelector(".table-scroll"),
            table = scroll.firstElementChild,
            heads = [...table.querySelectorAll("thead th")];
        const over = () => table.getBoundingClientRect().width - scroll.clientWidth;
        if (over() > 0.5) table.classList.add("dense");
        let excess = over();
        if (excess <= 0.5) return;
        const soft = columns
            .map((c, i) => ({ ...c, i, has: heads[i].getBoundingClientRect().width }))
            .filter((c) => c.least && c.has > c.least);
        const slack = sum(soft.map((c) => c.has - c.least));
        excess = Math.min(excess, slack);
        for (const c of soft)
            table.style.setProperty(`--most-${c.id}`, `${Math.floor(c.has - (excess * (c.has - c.least)) / slack)}px`);
    }

    bar(by, shown, nodes) {
        const choose = h(
            "select",
            {
                id: "group-by",
                onchange: (e) => {
                    this.by = e.target.value;
                    this.sortBy = null;
                    this.draw();
                },
            },
            Object.entries(GROUPINGS).map(([k, g]) => h("option", { value: k, selected: k === by }, g.label)),
        );
        const p = this.app.program(),
            a = p.profile?.seconds,
            b = p.other?.profile?.seconds;
        const disturbed = [p.profile, p.other?.profile]
            .flatMap((x) => x?.conditions?.warnings || [])
            .join("\n");
        const beyond = a && b && Math.abs(b.median - a.median) > noiseOf(p.profile, p.other.profile);
        return h(
            "div",
            { class: "bar-row" },
            h("label", {}, "rows: ", choose),
            h(
                "span",
                { class: "soft" },
                by === "node"
                    ? `${format.count(shown)} nodes`
                    : `${format.count(shown)} groups of ${format.count(nodes)} nodes`,
            ),
            a && b
                ? h(
                      "span",
                      { class: "verdict" },
                      "run: A ",
                      h("b", {}, format.time(a.median)),
                      ", B ",
                      h("b", {}, format.time(b.median)),
                      ", ",
                      h(
                          "b",
                          { class: beyond ? (b.median > a.median ? "worse" : "better") : "" },
                          format.change(b.median / a.median - 1),
                      ),
                      beyond ? "" : " (within the noise)",
                      disturbed ? h("b", { class: "disturbed", title: disturbed }, " disturbed") : null,
                  )
                : null,
        );
    }

    head(columns, sorted, descending) {
        return h(
            "thead",
            {},
            h(
                "tr",
                {},
                columns.map((c) =>
                    h(
                        "th",
                        {
                            scope: "col",
                            class: c.left ? "left" : "",
                            style: widest(c),
                            "aria-sort": c === sorted ? (descending ? "descending" : "ascending") : "none",
                        },
                        h(
                            "button",
                            {
                                type: "button",
                                "data-column": c.id,
                                onclick: () => {
                                    this.descending = c === sorted ? !descending : !c.left;
                                    this.sortBy = c.id;
                                    this.draw();
                                    this.root.querySelector(`[data-column="${c.id}"]`).focus();
                                },
                            },
                            c.label,
                            h(
                                "span",
                                { class: "sort", "aria-hidden": "true" },
                                c === sorted ? (descending ? " ▾" : " ▴") : "",
                            ),
                        ),
                    ),
                ),
            ),
        );
    }

    row(r, columns, by) {
        const chosen = by === "node" && r.node === this.app.view.selected;
        return h(
            "tr",
            { class: chosen ? "chosen" : "" },
            columns.map((c) => {
                const text = c.text(r);
                if (c.id === "name")
                    return h(
                        "th",
                        { scope: "row", class: "left", style: widest(c), title: text },
                        nodeLink(this.app, r.node, text),
                    );
                if (c.id === "group")
                    return h(
                        "th",
                        { scope: "row", class: "left", style: widest(c), title: text },
                        by === "op" || by === "kernel"
                            ? h(
                                  "a",
                                  {
                                      href: "#",
                                      onclick: (e) => {
                                          e.preventDefault();
                                          this.app.search(r.name);
                                      },
                                  },
                                  text,
                              )
                            : text,
                    );
                const change =
                    c.change && known(r.change) && Math.abs(r.change) > 0.02
                        ? r.change > 0
                            ? " worse"
                            : " better"
                        : "";
                return h(
                    "td",
                    { class: (c.left ? "left" : "number") + (c.cutFront ? " front" : "") + change, style: widest(c), title: c.left ? text : null },
                    c.cutFront ? h("bdi", {}, text) : text,
                    c.bar && known(r.share)
                        ? h("span", { class: "meter", style: `width:${(100 * r.share) / this.mostShare}%` })
                        : null,
                );
            }),
        );
    }
}
