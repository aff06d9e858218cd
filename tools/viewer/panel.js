// panel.js: everything known about what is selected, as text with links. `app` is main.js's: program(), graph(),
// select(node), selectGroup(key), toggle(key), show(view).

/** Rows of [term, description]; those without a description are left out. */
function facts(rows) {
    const list = rows.filter((r) => r && r[1] !== undefined && r[1] !== null && r[1] !== "" && r[1] !== NONE);
    return list.length
        ? h(
              "dl",
              { class: "facts" },
              list.map(([term, text]) => [h("dt", {}, term), h("dd", {}, typeof text === "string" ? unbroken(text) : text)]),
          )
        : null;
}
/** Numbers stay with their units, and bounds with their signs. */
const unbroken = (text) => text.replace(/(?<=[\d±≤−]) (?=[\d≤]|[A-Za-zµ%/]{1,7}(?![a-z]))|(?<=\w) (?=≤)/g, "\u00a0");
function section(title, ...content) {
    const filled = content.flat(Infinity).filter(Boolean);
    return filled.length ? h("section", {}, h("h3", {}, title), filled) : null;
}
function nodeLink(app, node, text) {
    if (!node) return h("span", { class: "soft" }, text || NONE);
    return h(
        "a",
        {
            href: `#node=${node.id}`,
            "data-node": node.id,
            onclick: (e) => {
                e.preventDefault();
                app.select(node);
            },
        },
        text || `${node.op} ${node.id}`,
    );
}
/** An id of another stage: a link to it there. */
function stageLink(app, id) {
    const record = app.program().record(id),
        text = record ? `${record.op} ${id}` : `node ${id}`;
    const here = app.graph().byId.get(id);
    if (here) return nodeLink(app, here);
    if (!record) return text;
    return h(
        "a",
        {
            href: `#node=${id}`,
            title: "shows the stage that has it",
            onclick: (e) => {
                e.preventDefault();
                app.selectInStage(id);
            },
        },
        text,
    );
}
/** A scope or a name, which may break after its dots. */
const path = (text, more) =>
    h(
        "span",
        { class: `path ${more || ""}` },
        text.split(/(?<=[._/])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part])),
    );
const commas = (list) => list.flatMap((x, i) => (i ? [", ", x] : [x]));

function valueFacts(app, graph, id, extra) {
    const v = graph.values.get(id);
    if (!v) return h("div", { class: "value" }, h("code", {}, `%${id}`), extra);
    const sets = (app.program().plan?.alias_sets || []).filter((s) => s.includes(id));
    const names = (v.dims || []).some((d) => typeof d === "string") ? `[${v.dims.join(", ")}]` : "";
    return h(
        "div",
        { class: "value" },
        h("div", {}, h("code", {}, `%${id}`), " ", h("b", {}, format.shape(v)), " ", extra),
        facts([
            ["extents", names],
            ["size", format.bytes(v.bytes)],
            ["storage", v.storage === "none" ? "" : v.storage],
            ["device", known(v.device) && app.doc().devices.length > 1 ? app.doc().deviceName(v.device) : ""],
            ["strides", v.strides ? `[${v.strides.join(", ")}]` : ""],
            [
                "offset",
                known(v.offset)
                    ? `${format.count(v.offset)} B${v.first ? `, first element ${format.count(v.first)}` : ""}`
                    : "",
            ],
            ["lives", known(v.birth) ? `steps ${v.birth} to ${v.death}` : ""],
            ["memory of", known(v.root) && v.root !== id ? h("code", {}, `%${v.root}`) : ""],
            ["aliases", sets.length ? commas(sets[0].filter((x) => x !== id).map((x) => h("code", {}, `%${x}`))) : ""],
        ]),
    );
}

function profileFacts(app, node) {
    const p = node.profile,
        run = app.program().profile?.seconds?.median,
        o = node.other?.profile;
    if (!p && !o) return null;
    const shared = p?.shared
        ? h("p", { class: "note" }, "Other nodes ran at the same time; the time is this node's share.")
        : null;
    return section(
        "Profile",
        p && o
            ? pairTable([
                  ["time", p.seconds, o.seconds, format.time],
                  ["bandwidth", p.bytes_per_second, o.bytes_per_second, format.bandwidth],
                  ["rate", p.ops_per_second, o.ops_per_second, format.rate],
                  ["of the roof", p.roof, o.roof, format.percent],
              ])
            : null,
        p
            ? facts([
                  ["time", h("b", { "data-seconds": p.seconds }, format.time(p.seconds))],
                  ["of the run", run ? format.percent(p.seconds / run) : ""],
                  ["least, most", known(p.min) ? `${format.time(p.min)}, ${format.time(p.max)}` : ""],
                  ["spread", known(p.mad) ? `± ${format.time(p.mad)}` : ""],
                  ["elapsed", known(p.elapsed) && p.elapsed !== p.seconds ? format.time(p.elapsed) : ""],
                  ["bandwidth", format.bandwidth(p.bytes_per_second)],
                  ["rate", format.rate(p.ops_per_second)],
                  ["of the roof", format.percent(p.roof)],
                  ["bound by", p.bound],
              ])
            : null,
        shared,
    );
}

function identicalFacts(app, node) {
    if (!node.group || !node.profile) return null;
    const place = node.group.index.get(node);
    const alike = app
        .graph()
        .groupList.filter((g) => g.signature === node.group.signature)
        .map((g) => g.nodes[place])
        .filter((n) => n.profile);
    if (alike.length < 2) return null;
    const times = alike.map((n) => n.profile.seconds).sort((a, b) => a - b),
        slowest = alike.reduce((a, b) => (a.profile.seconds > b.profile.seconds ? a : b));
    return section(
        `In ${alike.length} identical layers`,
        facts([
            ["together", format.time(sum(times))],
            ["median", format.time(percentile(times, 0.5))],
            ["least, most", `${format.time(times[0])}, ${format.time(times[times.length - 1])}`],
            ["slowest", nodeLink(app, slowest, slowest.group.key)],
        ]),
    );
}

function nodePanel(app, node) {
    const graph = node && app.graph(),
        j = node.json,
        step = node.step,
        doc = app.doc();
    const attributes = Object.entries(j.attrs || {}).map(([k, v]) => [
        k,
        typeof v === "object" ? JSON.stringify(v) : String(v),
    ]);
    const madeInto = app
        .program()
        .passes.flatMap((p) => p.added)
        .filter((n) => (n.from || []).includes(node.id));
    return [
        h(
            "header",
            {},
            h("h2", {}, node.op),
            h("p", { class: "soft" }, `node ${node.id}`, node.scope ? [" in ", path(node.scope)] : ""),
        ),
        node.mark
            ? h(
                  "p",
                  { class: `mark ${node.mark}` },
                  { added: "Added", removed: "Removed", rewired: "Rewired" }[node.mark],
                  ` by the pass ${graph.step.label}`,
              )
            : null,
        section(
            "Node",
            facts([
                ["name", node.name ? path(node.name) : ""],
                ["made from", j.from ? commas(j.from.map((id) => stageLink(app, id))) : ""],
                ["became", madeInto.length ? commas(madeInto.map((n) => stageLink(app, n.id))) : ""],
                ...attributes,
            ]),
        ),
        section(
            "Placement",
            facts([
                ["device", j.kernel ? doc.deviceName(j.device) : ""],
                ["kernel", j.kernel ? h("code", {}, j.kernel) : ""],
                ["reason", j.kernel ? j.reason : ""],
                ["layout", j.layout],
                ["step", step ? `${step.step} of ${app.program().plan.steps.length}` : ""],
                ["barrier", step ? (step.barrier ? "waits for the steps before" : "none") : ""],
                ["launch", step ? `${step.launch}${step.joined ? ", shared with the step before" : ""}` : ""],
                [
                    "scratch",
                    step && step.scratch_bytes
                        ? `${format.bytes(step.scratch_bytes)} at ${format.count(step.scratch_offset)}`
                        : "",
                ],
            ]),
        ),
        profileFacts(app, node),
        identicalFacts(app, node),
        section(
            "Cost",
            j.flops || node.bytes
                ? facts([
                      [
                          "FLOPs",
                          h("span", { "data-flops": j.flops, title: format.count(j.flops) }, format.flops(j.flops)),
                      ],
                      ["reads", h("span", { title: `${format.count(j.bytes_read)} B` }, format.bytes(j.bytes_read))],
                      [
                          "writes",
                          h("span", { title: `${format.count(j.bytes_written)} B` }, format.bytes(j.bytes_written)),
                      ],
                      ["intensity", node.bytes ? `${format.ratio(j.flops / node.bytes)} FLOP/B` : ""],
                  ])
                : null,
        ),
        node.checks.map((c) =>
            section(
                node.checks.length > 1 ? `Check of output ${c.output}` : "Check",
                facts([
                    ["result", h("b", { class: c.failed ? "bad" : "" }, c.failed ? "failed" : "passed")],
                    ["largest error", format.error(c.max_error)],
                    ["mean error", format.error(c.mean_error)],
                    ["rms", format.error(c.rms)],
                    ["tolerance", format.error(c.tolerance)],
                    ["NaN, infinite", c.nan || c.inf ? `${c.nan}, ${c.inf}` : "none"],
                ]),
            ),
        ),
        section(
            "Inputs",
            node.inputs.map(({ value, from }) =>
                valueFacts(app, graph, value, from ? ["from ", nodeLink(app, from, from.name || undefined)] : ""),
            ),
        ),
        section(
            "Outputs",
            (j.out || []).map((id) => {
                const users = node.users.filter((u) => u.inputs.some((i) => i.value === id));
                const named = (app.program().stages.get(graph.step.stage)?.outputs || [])
                    .filter((o) => o.value === id)
                    .map((o) => `output “${o.name}”`);
                const many = users.length > 8 ? [`, and ${users.length - 8} more`] : [];
                return valueFacts(app, graph, id, [
                    named.join(),
                    users.length ? [" to ", commas(users.slice(0, 8).map((u) => nodeLink(app, u))), many] : "",
                ]);
            }),
        ),
    ];
}

/** Bars of what a set of nodes is made of, the largest first. */
function shareBars(rows, text, act) {
    const top = rows[0] ? rows[0].value : 1,
        whole = sum(rows.map((r) => r.value)) || 1;
    const parts = (r) => [
        h("span", { class: "bar", style: `width:${(100 * r.value) / top}%;background:${r.colour}` }),
        h("span", { class: "bar-name" }, r.name),
        h("span", { class: "bar-value" }, `${text(r.value)}  ${format.percent(r.value / whole)}`),
    ];
    const row = (r) => (act ? h("button", { type: "button", onclick: () => act(r) }, parts(r)) : h("div", {}, parts(r)));
    return h(
        "ol",
        { class: "bars" },
        rows.map((r) => h("li", {}, row(r))),
    );
}
function groupedBars(app, nodes, limit) {
    const timed = nodes.some((n) => n.profile),
        get = timed ? METRICS.time.get : METRICS.bytes.get,
        ops = new Map();
    for (const n of nodes) {
        const v = get(n);
        if (!v) continue;
        const row = ops.get(n.op) || { name: n.op, value: 0, colour: KIND_COLOURS[n.kind] };
        row.value += v;
        ops.set(n.op, row);
    }
    const rows = [...ops.values()].sort((a, b) => b.value - a.value).slice(0, limit);
    return rows.length
        ? section(
              timed ? "Time by op" : "Bytes moved by op",
              shareBars(rows, timed ? format.time : format.bytes, (r) => app.search(r.name)),
          )
        : null;
}

function groupPanel(app, item) {
    const t = totals(item.nodes),
        times = item.run.length;
    const slow = [...item.nodes]
        .filter((n) => n.profile)
        .sort((a, b) => b.profile.seconds - a.profile.seconds)
        .slice(0, 6);
    return [
        h(
            "header",
            {},
            h("h2", {}, item.group.key),
            h("p", { class: "soft" }, times > 1 ? `and ${times - 1} layers identical to it` : "a layer"),
        ),
        h(
            "p",
            {},
            h(
                "button",
                { type: "button", class: "button", onclick: () => app.toggle(item.group.key) },
                item.open ? "Fold" : "Unfold",
            ),
        ),
        section(
            times > 1 ? `All ${times} layers` : "Layer",
            facts([
                ["nodes", format.count(t.n)],
                ["time", t.timed ? format.time(t.time) : ""],
                ["bytes moved", t.bytes ? format.bytes(t.bytes) : ""],
                ["FLOPs", t.flops ? format.flops(t.flops) : ""],
            ]),
        ),
        groupedBars(app, item.nodes, 6),
        slow.length
            ? section(
                  "Slowest nodes",
                  h(
                      "ol",
                      { class: "plain" },
                      slow.map((n) =>
                          h(
                              "li",
                              {},
                              nodeLink(app, n),
                              " ",
                              h("span", { class: "soft" }, n.label),
                              h("span", { class: "right" }, format.time(n.profile.seconds)),
                          ),
                      ),
                  ),
              )
            : null,
    ];
}

/** What makes a profile's times hard to compare: others computed, the roof moved. */
const warnings = (profile, label) =>
    (profile?.conditions?.warnings || []).map((text) =>
        h("p", { class: "warning" }, label ? h("b", {}, `${label}: `) : null, text),
    );

/** What the panel says while nothing is selected. */
function overviewPanel(app) {
    const doc = app.doc(),
        program = app.program(),
        graph = app.graph(),
        plan = program.plan,
        profile = program.profile;
    const t = totals(graph.nodes),
        s = profile?.seconds,
        sources = graph.nodes.filter((n) => n.kind === "source").length;
    const parts = profile?.parts
        ? Object.entries(profile.parts)
              .filter((p) => known(p[1]))
              .map(([name, value]) => ({ name, value, colour: "var(--accent)" }))
        : [];
    return [
        h("header", {}, h("h2", {}, doc.title), h("p", { class: "soft" }, `${program.name}, ${graph.step.label}`)),
        graph.step.pass ? passSection(app, graph.step.pass) : null,
        section(
            "Graph",
            facts([
                ["nodes", `${format.count(graph.nodes.length)}, of which ${format.count(sources)} are sources`],
                [
                    "layers",
                    graph.groupList.length
                        ? `${graph.groupList.length}, ${new Set(graph.groupList.map((g) => g.signature)).size} distinct`
                        : "",
                ],
                [
                    "idle passes",
                    program.passes
                        .filter((p) => !p.removed.length && !p.added.length && !p.rewired.length)
                        .map((p) => p.name)
                        .join(", "),
                ],
                ["extents", (program.json.extents || []).map((e) => `${e.name} ≤ ${format.count(e.bound)}`).join(", ")],
                ["FLOPs", t.flops && !graph.step.pass ? format.flops(t.flops) : ""],
                ["bytes moved", t.bytes && !graph.step.pass ? format.bytes(t.bytes) : ""],
            ]),
        ),
        plan && !graph.step.pass
            ? section(
                  "Plan",
                  facts([
                      ["steps", format.count(plan.steps.length)],
                      ["launches", format.count(plan.launches)],
                      ["barriers", format.count(plan.barriers)],
                  ]),
              )
            : null,
        program.other && s ? pairSection(program) : null,
        s && !graph.step.pass && !program.other
            ? section(
                  "Run",
                  facts([
                      ["time", h("b", {}, format.time(s.median))],
                      [
                          "spread",
                          known(s.mad) ? `± ${format.time(s.mad)}, ${format.time(s.min)} to ${format.time(s.max)}` : "",
                      ],
                      ["mode", `${profile.mode}, ${profile.runs} ${profile.runs === 1 ? "run" : "runs"}`],
                  ]),
                  warnings(profile),
                  parts.length
                      ? shareBars(
                            parts.sort((a, b) => b.value - a.value),
                            format.time,
                        )
                      : null,
              )
            : null,
        graph.step.pass ? null : groupedBars(app, graph.nodes, 8),
        section(
            doc.devices.length > 1 ? "Devices" : "Device",
            doc.devices.map((d) =>
                facts([
                    ["name", d.name],
                    ["model", d.description || d.model],
                    ["driver", d.driver],
                    ["threads", d.threads],
                    ["bandwidth", d.roof ? format.bandwidth(d.roof.bytes_per_second) : ""],
                    ...peaksOf(d.roof || {}).map(([name, peak, text]) => [`${name} peak`, peak > 0 ? text(peak) : ""]),
                ]),
            ),
        ),
        h("p", { class: "note" }, doc.json.generator || ""),
    ];
}

/** Rows of [name, A, B, format] with their change. */
function pairTable(rows) {
    return h(
        "table",
        { class: "pair" },
        h(
            "thead",
            {},
            h(
                "tr",
                {},
                ["", "A", "B", "change"].map((t) => h("th", { scope: "col" }, t)),
            ),
        ),
        h(
            "tbody",
            {},
            rows
                .filter(([, a, b]) => known(a) || known(b))
                .map(([name, a, b, text]) =>
                    h(
                        "tr",
                        {},
                        h("th", { scope: "row" }, name),
                        h("td", {}, text(a)),
                        h("td", {}, text(b)),
                        h("td", {}, known(a) && known(b) && a ? format.change(b / a - 1) : NONE),
                    ),
                ),
        ),
    );
}
function pairSection(program) {
    const a = program.profile,
        b = program.other.profile || {};
    const parts = Object.keys(a.parts || {}).map((k) => [k, a.parts[k], b.parts?.[k], format.time]);
    return section(
        "Run",
        pairTable([
            ["median", a.seconds.median, b.seconds?.median, format.time],
            ["spread", a.seconds.mad, b.seconds?.mad, format.time],
            ...parts,
        ]),
        warnings(a, "A"),
        warnings(b, "B"),
    );
}

function passSection(app, pass) {
    const LIMIT = 60;
    const list = (ids, mark) =>
        ids.length
            ? h(
                  "details",
                  {},
                  h("summary", { class: `mark ${mark}` }, `${format.count(ids.length)} ${mark}`),
                  h(
                      "ul",
                      { class: "plain" },
                      ids.slice(0, LIMIT).map((x) => h("li", {}, x)),
                      ids.length > LIMIT ? h("li", { class: "soft" }, `and ${ids.length - LIMIT} more`) : null,
                  ),
              )
            : null;
    return section(
        `Pass ${pass.name}`,
        list(
            pass.added.map((n) => [
                stageLink(app, n.id),
                (n.from || []).length ? [" from ", commas(n.from.map((id) => stageLink(app, id)))] : "",
                h("div", {}, path(n.scope || "", "soft")),
            ]),
            "added",
        ),
        list(
            pass.removed.map((id) => stageLink(app, id)),
            "removed",
        ),
        list(
            pass.rewired.map((id) => stageLink(app, id)),
            "rewired",
        ),
    );
}
