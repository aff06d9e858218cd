// events.js: what the bars above the picture show, and what keys and the mouse do: all of it calls the App of main.js.

/* ---- the two bars ---- */

function press(label, on, act, more) {
    return h("button", { type: "button", "aria-pressed": String(on), onclick: act, ...more }, label);
}

function drawBars(app) {
    const v = app.view,
        program = app.program(),
        diff = app.documents.length > 1;
    byId("title").textContent = diff ? `${app.documents[0].title}: A and B` : app.doc().title;
    byId("title").title = byId("title").textContent;
    document.querySelectorAll(".graph-only").forEach((e) => {
        e.hidden = v.tab !== "graph";
    });
    for (const tab of byId("tabs").children) {
        const on = tab.id === `tab-${v.tab}`;
        tab.setAttribute("aria-selected", on);
        tab.tabIndex = on ? 0 : -1;
    }
    const programs = app.doc().programs;
    byId("programs").replaceChildren(
        ...(programs.length > 1
            ? programs.map((p, i) => press(p.name, i === v.program, () => app.setProgram(i), { title: "Program (p)" }))
            : []),
    );
    byId("documents").replaceChildren(
        ...(diff
            ? app.documents.map((d, i) =>
                  press(
                      d.label,
                      i === v.doc,
                      () =>
                          app.setProgram(
                              Math.max(
                                  0,
                                  d.programs.findIndex((p) => p.name === program.name),
                              ),
                              i,
                          ),
                      { title: `Document ${d.label}` },
                  ),
              )
            : []),
    );
    const count = byId("search-count"),
        n = app.hitList.length;
    count.textContent = v.query
        ? n
            ? `${app.hitAt >= 0 ? `${app.hitAt + 1} of ` : ""}${format.count(n)}`
            : "none"
        : "";
    byId("stages").replaceChildren(
        ...program.steps.flatMap((s, i) => {
            const pass = s.pass,
                counts = pass
                    ? [
                          pass.removed.length ? h("small", { class: "minus" }, `−${pass.removed.length}`) : null,
                          pass.added.length ? h("small", { class: "plus" }, `+${pass.added.length}`) : null,
                      ]
                    : [];
            const button = press([s.label, ...counts].filter(Boolean), s.key === v.step, () => app.setStep(s.key), {
                "data-step": s.key,
                title: pass
                    ? `${pass.removed.length} removed, ${pass.added.length} added, ${pass.rewired.length} rewired`
                    : "Stage ([ and ])",
            });
            return i ? [h("span", { class: "then", "aria-hidden": "true" }, "›"), button] : [button];
        }),
    );
    drawColour(app);
    byId("once").setAttribute("aria-pressed", v.once);
    byId("weights").setAttribute("aria-pressed", v.weights);
}

function drawColour(app) {
    const v = app.view,
        scale = colourScale(app.graph(), v.colour, app.theme()),
        metric = scale.metric;
    byId("colour").replaceChildren(
        ...Object.entries(METRICS)
            .filter(([k]) => k !== "change" || app.documents.length > 1)
            .map(([k, m]) => {
                const has =
                    k === v.colour ||
                    app.graph().nodes.some((n) => {
                        const x = m.get(n);
                        return x !== undefined && x !== null;
                    });
                return h(
                    "option",
                    { value: k, selected: k === v.colour, disabled: !has },
                    has ? m.label : `${m.label} (needs ${m.needs})`,
                );
            }),
    );
    const parts = [],
        swatch = (colour, text) => h("span", { class: "key" }, h("i", { style: `background:${colour}` }), text);
    if (app.graph().step.pass) {
        const c = (name) => `var(--${name})`;
        byId("legend").replaceChildren(
            swatch(c("removed"), "removed"),
            swatch(c("added"), "added"),
            swatch(c("rewired"), "rewired"),
        );
        return;
    }
    if (metric.scale === "kind")
        for (const k of new Set(scale.values))
            parts.push(k === "source" || k === "view" ? null : swatch(KIND_COLOURS[k], KIND_LABELS[k]));
    else if (metric.scale === "device")
        for (const d of [...new Set(scale.values)].sort()) parts.push(swatch(scale.colour(d), app.doc().deviceName(d)));
    else if (scale.present) {
        const ends = {
            magnitude: [0, scale.max],
            fraction: [0, 1],
            error: [scale.min, scale.max],
            change: [-scale.bound, scale.bound],
        }[metric.scale];
        const at = (t) =>
            metric.scale === "magnitude"
                ? t * t * scale.max
                : metric.scale === "error"
                  ? scale.min * (scale.max / scale.min) ** t
                  : ends[0] + t * (ends[1] - ends[0]);
        parts.push(
            metric.text(ends[0]),
            h(
                "span",
                { class: "steps", "aria-hidden": "true" },
                [...Array(11).keys()].map((i) => h("i", { style: `background:${scale.colour(at(i / 10))}` })),
            ),
            metric.text(ends[1]),
        );
        if (scale.maxGroup > scale.max) parts.push(`layers to ${metric.text(scale.maxGroup)}`);
    }
    if (metric.scale !== "kind") parts.push(swatch(RAMPS[app.theme()].missing, "none"));
    if (app.graph().nodes.some((n) => n.failed))
        parts.push(h("span", { class: "key" }, h("i", { class: "failed" }), "check failed"));
    byId("legend").replaceChildren(...parts.filter(Boolean).map((p) => (typeof p === "string" ? h("span", {}, p) : p)));
}

/* ---- events ---- */

const KEYS = [
    [
        "/",
        "search; Enter goes to the next hit, Shift Enter back",
        (a) => byId("search").select() || byId("search").focus(),
    ],
    ["1 2 3 4", "graph, table, roofline, memory", null],
    ["[ ]", "the stage before, after", null],
    ["↑ ↓ ← →", "along edges; to the neighbours at the sides", null],
    ["Enter", "folds or unfolds the layer", null],
    ["f", "folds all layers", (a) => a.foldAll()],
    ["u", "unfolds all layers", (a) => a.unfoldAll()],
    ["i", "shows identical layers once", (a) => a.setOnce(!a.view.once)],
    ["w", "shows weights and constants", (a) => a.setWeights(!a.view.weights)],
    ["c", "colours by the next quantity", (a) => a.setColour(nextColour(a))],
    ["p", "switches the program", (a) => a.setProgram((a.view.program + 1) % a.doc().programs.length)],
    ["+ −", "larger, smaller", null],
    ["0", "shows the whole graph", (a) => a.picture.fit()],
    ["t", "light or dark", (a) => a.setTheme(a.theme() === "dark" ? "light" : "dark", true)],
    ["Esc", "clears the selection, then the search", null],
    ["?", "this list", () => byId("help").showModal()],
];
function nextColour(app) {
    const enabled = [...byId("colour").options].filter((o) => !o.disabled).map((o) => o.value);
    return enabled[(enabled.indexOf(app.view.colour) + 1) % enabled.length];
}

function onKey(app, e) {
    const typing = e.target.closest("input, select, textarea"),
        v = app.view;
    if (e.ctrlKey || e.metaKey || e.altKey || byId("help").open) return;
    if (e.key === "Escape") {
        if (v.selected) v.selected = null;
        else app.search("", false);
        app.refresh();
        byId("canvas").focus();
        return;
    }
    if (typing) return;
    const canvas = e.target === byId("canvas") || e.target === document.body,
        tab = ["graph", "table", "roofline", "memory"]["1234".indexOf(e.key)];
    const row = KEYS.find((k) => k[0] === e.key && k[2]);
    if (e.key.length === 1 && tab) app.setTab(tab);
    else if (e.key === "[" || e.key === "]") app.moveStep(e.key === "]" ? 1 : -1);
    else if (v.tab === "graph" && (e.key === "+" || e.key === "=")) app.picture.zoom(1.25);
    else if (v.tab === "graph" && e.key === "-") app.picture.zoom(0.8);
    else if (v.tab === "graph" && canvas && e.key.startsWith("Arrow")) app.move(e.key);
    else if (v.tab === "graph" && canvas && (e.key === "Enter" || e.key === " ")) {
        if (v.selected && v.selected.group) app.toggle(openKey(app));
    } else if (row) row[2](app);
    else return;
    e.preventDefault();
}
/** In "identical once" the layer that stands for the selected one. */
function openKey(app) {
    const s = app.view.selected;
    if (s.type === "group" || !app.view.once) return s.group.key;
    return app
        .graph()
        .runs()
        .find((run) => run.includes(s.group))[0].key;
}

function onTabKey(app, e) {
    const tabs = [...byId("tabs").children],
        step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    const next = tabs[(tabs.indexOf(e.target) + step + tabs.length) % tabs.length];
    app.setTab(next.id.slice(4));
    next.focus();
}

function bindEvents(app) {
    const on = (id, event, f) => byId(id).addEventListener(event, f),
        click = (id, f) => on(id, "click", f);
    for (const tab of byId("tabs").children) tab.addEventListener("click", () => app.setTab(tab.id.slice(4)));
    on("tabs", "keydown", (e) => onTabKey(app, e));
    click("fold", () => app.foldAll());
    click("unfold", () => app.unfoldAll());
    click("once", () => app.setOnce(!app.view.once));
    click("weights", () => app.setWeights(!app.view.weights));
    click("zoom-in", () => app.picture.zoom(1.25));
    click("zoom-out", () => app.picture.zoom(0.8));
    click("fit", () => app.picture.fit());
    click("theme", () => app.setTheme(app.theme() === "dark" ? "light" : "dark", true));
    click("help-button", () => byId("help").showModal());
    on("colour", "change", (e) => app.setColour(e.target.value));
    on("search", "input", (e) => app.search(e.target.value));
    on("search-form", "submit", (e) => e.preventDefault());
    on("search", "keydown", (e) => {
        if (e.key === "Enter") {
            e.preventDefault();
            app.nextHit(e.shiftKey ? -1 : 1);
        }
    });
    byId("shortcuts").append(
        ...KEYS.flatMap(([keys, text]) => [
            h(
                "dt",
                {},
                keys.split(" ").map((k) => h("kbd", {}, k)),
            ),
            h("dd", {}, text),
        ]),
    );
    document.addEventListener("keydown", (e) => onKey(app, e));
    window.addEventListener("resize", () => {
        app.picture.width = 0;
        app.refresh(app.view.tab === "graph" ? { layout: true } : {});
    });
    window.addEventListener("beforeprint", () => printing(app, true));
    window.addEventListener("afterprint", () => printing(app, false));
    bindMouse(app, byId("canvas"));
}

function bindMouse(app, canvas) {
    const picture = app.picture,
        at = (e) => picture.at(e.offsetX, e.offsetY);
    let drag = null;
    canvas.addEventListener("pointerdown", (e) => {
        drag = { x: e.clientX, y: e.clientY, moved: false };
        canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener("pointermove", (e) => {
        if (drag) {
            const dx = e.clientX - drag.x,
                dy = e.clientY - drag.y;
            if (!drag.moved && Math.hypot(dx, dy) < 4) return;
            canvas.classList.add("dragging");
            picture.pan(dx, dy);
            drag = { x: e.clientX, y: e.clientY, moved: true };
            return;
        }
        const item = at(e),
            over = item && !(item.type === "group" && item.open) ? item : null;
        if (over === picture.hovered) return;
        picture.hovered = over;
        canvas.classList.toggle("over", !!over);
        canvas.title = over
            ? over.type === "group"
                ? `${over.group.key}, Enter or double click unfolds`
                : `${over.node.op} ${over.node.id}  ${over.node.scope}`
            : "";
        picture.request();
    });
    canvas.addEventListener("pointerup", (e) => {
        canvas.classList.remove("dragging");
        if (drag && !drag.moved) {
            const item = at(e),
                head = item && item.type === "group" && item.open;
            const triangle =
                item &&
                item.type === "group" &&
                e.offsetX / picture.camera.k + picture.camera.x < item.x + 28 &&
                e.offsetY / picture.camera.k + picture.camera.y < item.y + 28;
            if (triangle) app.toggle(item.group.key);
            else if (head && e.offsetY / picture.camera.k + picture.camera.y > item.y + HEADER) app.selectItem(null);
            else app.selectItem(item, true);
        }
        drag = null;
    });
    canvas.addEventListener("dblclick", (e) => {
        const item = at(e);
        if (item && item.type === "group") app.toggle(item.group.key);
    });
    canvas.addEventListener(
        "wheel",
        (e) => {
            e.preventDefault();
            const unit = e.deltaMode === 1 ? 16 : 1;
            if (e.shiftKey) picture.pan(-e.deltaY * unit, 0);
            else picture.zoom(Math.exp(-e.deltaY * unit * 0.0016), e.offsetX, e.offsetY);
        },
        { passive: false },
    );
}

/** On paper: light, and the whole graph at the resolution of a printer. */
function printing(app, begins) {
    const picture = app.picture;
    if (begins) {
        app.beforePrint = { theme: app.theme(), camera: { ...picture.camera } };
        app.setTheme("light", false);
        if (app.view.tab !== "graph" || !picture.scene) return;
        const s = picture.scene,
            w = 1400,
            hgt = clamp((w * s.height) / s.width, 300, 1800);
        Object.assign(picture, { width: w, height: hgt, ratio: 2 });
        picture.canvas.width = w * 2;
        picture.canvas.height = hgt * 2;
        picture.fit();
        picture.draw();
    } else {
        picture.resize();
        app.setTheme(app.beforePrint.theme, false);
        picture.camera = app.beforePrint.camera;
        app.refresh();
    }
}
