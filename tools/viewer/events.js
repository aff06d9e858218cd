// events.js: what the bars above the picture show, and what keys and the mouse do: all of it calls the App of main.js.

/* ---- the two bars ---- */

function press(label, on, act, more) {
    return h("button", { type: "button", "aria-pressed": String(on), onclick: act, ...more }, label);
}

function drawBars(app) {
    const v = app.view,
        program = app.program(),
        diff = app.documents.length > 1;
    byId("title").textContent = app.doc().title + (diff ? ": A, B" : "");
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
    replaceIn(
        byId("programs"),
        ...(programs.length > 1
            ? programs.map((p, i) => press(p.name, i === v.program, () => app.setProgram(i), { title: "Program (p)" }))
            : []),
    );
    replaceIn(
        byId("documents"),
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
    replaceIn(
        byId("stages"),
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
    byId("panel-button").setAttribute("aria-expanded", v.panel);
    byId("once").setAttribute("aria-pressed", v.once);
    byId("weights").setAttribute("aria-pressed", v.weights);
}

function drawColour(app) {
    const v = app.view,
        possible = app.colours();
    byId("colour").replaceChildren(
        ...Object.entries(METRICS)
            .filter(([k]) => k !== "change" || app.documents.length > 1)
            .map(([k, m]) => {
                const has = k === v.colour || possible.includes(k);
                return h(
                    "option",
                    { value: k, selected: k === v.colour, disabled: !has },
                    has ? m.label : `${m.label} (needs ${m.needs})`,
                );
            }),
    );
    const show = ({ text, colour, frame, steps }) => [
        colour || frame
            ? h("span", { class: "key" }, h("i", { style: frame ? `border:2px solid ${frame}` : `background:${colour}` }), text)
            : null,
        steps
            ? h("span", { class: "steps", "aria-hidden": "true" }, steps.map((c) => h("i", { style: `background:${c}` })))
            : null,
        text && !colour && !frame ? h("span", {}, text) : null,
    ];
    byId("legend").replaceChildren(...legendOf(app).flatMap(show).filter(Boolean));
}

/* ---- events ---- */

const KEYS = [
    [
        "/",
        "search; Enter goes to the next hit, Shift Enter back",
        (a) => byId("search").select() || byId("search").focus(),
    ],
    ["1 2 3 4 5", "graph, table, roofline, memory, timeline", null],
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
    ["0", "shows the whole graph, the whole run", (a) => (a.view.tab === "timeline" ? a.timeline.canvas && a.timeline.fit() : a.picture.fit())],
    ["d", "hides or shows the details at the side", (a) => a.setPanel(!a.view.panel)],
    ["e", "saves the picture: SVG or PNG", () => openExport()],
    ["t", "light or dark", (a) => a.setTheme(a.theme() === "dark" ? "light" : "dark", true)],
    ["Esc", "clears the selection, then the search", null],
    ["?", "this list", () => byId("help").showModal()],
];
function openExport() {
    const menu = byId("export");
    if (menu.hidden) return;
    menu.open = true;
    menu.querySelector("button").focus();
}
function nextColour(app) {
    const enabled = [...byId("colour").options].filter((o) => !o.disabled).map((o) => o.value);
    return enabled[(enabled.indexOf(app.view.colour) + 1) % enabled.length];
}

function onKey(app, e) {
    const typing = e.target.closest("input, select, textarea"),
        v = app.view;
    if (e.ctrlKey || e.metaKey || e.altKey || byId("help").open) return;
    if (e.key === "Escape") {
        if (byId("export").open) {
            byId("export").open = false;
            byId("export").firstElementChild.focus();
            return;
        }
        if (v.selected) v.selected = null;
        else app.search("", false);
        app.refresh();
        if (v.tab === "graph") byId("canvas").focus();
        return;
    }
    if (typing) return;
    const canvas = e.target === byId("canvas") || e.target === document.body,
        tab = TABS[Number(e.key) - 1],
        zoomed = { graph: app.picture, timeline: app.timeline.canvas && app.timeline }[v.tab];
    const row = KEYS.find((k) => k[0] === e.key && k[2]);
    if (e.key.length === 1 && tab) app.setTab(tab);
    else if (e.key === "[" || e.key === "]") app.moveStep(e.key === "]" ? 1 : -1);
    else if (zoomed && (e.key === "+" || e.key === "=")) zoomed.zoom(1.25);
    else if (zoomed && e.key === "-") zoomed.zoom(0.8);
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
    click("notice-close", () => {
        app.notice(null);
        app.picture.width = 0;
        app.refresh();
    });
    click("panel-button", () => app.setPanel(!app.view.panel));
    document.addEventListener("pointerdown", (e) => {
        if (!byId("export").contains(e.target)) byId("export").open = false;
    });
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

function hoverItem(picture, canvas, item) {
    const over = item && !(item.type === "group" && item.open) ? item : null;
    if (over === picture.hovered) return;
    picture.hovered = over;
    canvas.classList.toggle("over", !!over);
    canvas.title = over
        ? over.type === "group"
            ? `${over.group.key}, Enter or double click unfolds`
            : `${over.node.op} ${over.node.id}  ${over.node.scope}`
        : "";
    picture.request();
}

/** A layer's triangle folds and unfolds it, its title selects it, and what it holds is another item. */
function clickItem(app, item, e) {
    const picture = app.picture,
        head = item && item.type === "group" && item.open;
    const x = e.offsetX / picture.camera.k + picture.camera.x - (item?.x || 0),
        y = e.offsetY / picture.camera.k + picture.camera.y - (item?.y || 0);
    const bar = item && item.type === "group" && y < (head ? picture.scene.header : 30),
        triangle = bar && (head ? x < picture.titleAt(item).x - item.x && x > item.title.from : x < item.title.x);
    if (triangle) app.toggle(item.group.key);
    else if (head && !bar) app.selectItem(null);
    else app.selectItem(item, true);
}

function bindMouse(app, canvas) {
    const picture = app.picture,
        at = (e) => picture.at(e.offsetX, e.offsetY);
    bindPointer(canvas, {
        drag: (dx, dy) => picture.pan(dx, dy),
        hover: (e) => hoverItem(picture, canvas, at(e)),
        click: (e) => clickItem(app, at(e), e),
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
