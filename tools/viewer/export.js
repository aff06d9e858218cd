// export.js: what a view shows as a file: SVG, and PNG made of it. A line below says what it is and what colours mean.

const SIDE_MOST = 16000,
    AREA_MOST = 64e6; // what browsers give a canvas

/** What colours mean: [{ text }, { colour, text }, { frame: colour, text }, { steps: [colour, ...] }]. */
function legendOf(app) {
    const scale = colourScale(app.graph(), app.view.colour, app.theme()),
        { metric, present } = scale,
        parts = [];
    if (app.graph().step.pass)
        for (const name of ["removed", "added", "rewired"])
            parts.push({ frame: app.picture.colours[name], text: name });
    if (metric.scale === "kind") {
        for (const k of new Set(scale.values))
            if (k !== "source" && k !== "view") parts.push({ colour: KIND_COLOURS[k], text: KIND_LABELS[k] });
    } else if (metric.scale === "device") {
        for (const d of [...new Set(scale.values)].sort())
            parts.push({ colour: scale.colour(d), text: app.doc().deviceName(d) });
    } else if (present) {
        const at = scale.valueAt;
        parts.push({ text: metric.text(at(0)) }, { steps: [...Array(11).keys()].map((i) => scale.colour(at(i / 10))) });
        parts.push({ text: metric.text(at(1)) });
        if (scale.maxGroup > 0) parts.push({ text: `layers to ${metric.text(scale.maxGroup)}` });
    }
    if (metric.scale !== "kind") parts.push({ colour: RAMPS[app.theme()].missing, text: "none" });
    if (app.graph().nodes.some((n) => n.failed))
        parts.push({ frame: app.picture.colours.removed, text: "check failed" });
    return parts;
}

/** The parts of the line below an exported picture with their places, as many lines as the width asks for. */
function stripOf(title, legend, width) {
    const parts = [];
    let x = 14,
        line = 0;
    const put = (part, w) => {
        if (x > 14 && x + w > width - 8) [x, line] = [14, line + 1];
        parts.push({ ...part, x, line });
        x += w + 12;
    };
    put({ text: title, bold: true, swatches: [] }, textWidth(title, 12, true) + 10);
    for (const { text, colour, frame, steps } of legend) {
        const swatches = steps || (colour || frame ? [colour || frame] : []),
            w = swatches.length * 11 + (text ? textWidth(text, 12) + (swatches.length ? 5 : 0) : 0);
        put({ text, swatches }, w);
    }
    return { parts, height: 12 + 22 * (line + 1) };
}

function paintStrip(app, g, y, width, strip) {
    const { colours } = app.picture;
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.fillStyle = colours.surface;
    g.fillRect(0, y, width, strip.height);
    g.textAlign = "left";
    g.textBaseline = "alphabetic";
    for (const { text, bold, swatches, x, line } of strip.parts) {
        const top = y + 6 + 22 * line;
        swatches.forEach((colour, i) => {
            g.fillStyle = colour;
            g.fillRect(x + 11 * i, top + 5, 11, 11);
        });
        g.font = fontOf(12, bold);
        g.fillStyle = bold ? colours.ink : colours["ink-soft"];
        if (text) g.fillText(text, x + swatches.length * 11 + (swatches.length ? 5 : 0), top + 15);
    }
}

const kindsLegend = (kinds) => kinds.map((k) => ({ colour: KIND_COLOURS[k], text: KIND_LABELS[k] }));

/** What draws the view that is on: { width, height, legend, title, paint(context) }. */
const DRAWINGS = {
    graph(app, whole) {
        const shown = Object.assign(Object.create(app.picture), { ratio: 1, hovered: null }),
            title = 22; // of layers: the picture is not to be read as a whole
        if (whole) {
            const scene = placeScene(app.graph(), app.view, shown.width / shown.height, title);
            shown.scene = scene;
            shown.camera = { k: 1, x: scene.left - MARGIN, y: scene.top - MARGIN };
            shown.width = scene.width + 2 * MARGIN;
            shown.height = scene.height + 2 * MARGIN;
        }
        const { width, height } = shown,
            paint = (g) => {
                shown.context = g;
                shown.draw();
            };
        return { width, height, paint, title: `, by ${METRICS[app.view.colour].label}`, legend: legendOf(app) };
    },
    timeline(app, whole) {
        const t = app.timeline,
            width = whole ? Math.max(t.width, 2400) : t.width,
            height = t.rows(t.scroll.clientHeight).height,
            range = whole ? [0, t.spans().length] : t.range();
        return { width, height, paint: (g) => paintTimeline(t, g, width, height, 1, range), legend: t.legend() };
    },
    roofline: (app) => drawingOfCharts(app, "view-roofline", app.roofline.kinds()),
    memory: (app) => drawingOfCharts(app, "view-memory", app.memory.kinds()),
};
function drawingOfCharts(app, view, kinds) {
    const charts = [...byId(view).querySelectorAll("svg.chart")],
        width = Math.max(...charts.map((c) => c.clientWidth)),
        height = sum(charts.map((c) => c.clientHeight));
    const paint = (g) => {
        g.fillStyle = app.picture.colours.canvas;
        g.fillRect(0, 0, width, height);
        let y = 0;
        for (const chart of charts) {
            g.parts.push(chartAsSvg(chart, y));
            y += chart.clientHeight;
        }
    };
    return { width, height, paint, legend: kindsLegend(kinds) };
}

/** { svg, width, height }. whole: the whole graph or run, not what is in the window. */
function pictureOf(app, whole) {
    const drawing = DRAWINGS[app.view.tab](app, whole),
        title = [app.doc().title, app.program().name, app.graph().step.label].join(", ") + (drawing.title || "");
    const strip = stripOf(title, drawing.legend, drawing.width),
        g = new SvgContext(drawing.width, drawing.height + strip.height);
    drawing.paint(g);
    paintStrip(app, g, drawing.height, drawing.width, strip);
    return { svg: g.document(title), width: g.width, height: g.height };
}

/** The same as a bitmap: twice the size, unless that would be more than a canvas can be. */
async function pngOf({ svg, width, height }) {
    const image = new Image(),
        scale = Math.min(2, SIDE_MOST / width, SIDE_MOST / height, Math.sqrt(AREA_MOST / (width * height)));
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    await image.decode();
    const canvas = h("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error("the browser makes no picture of this size; SVG has no limit");
    return blob;
}

/** Offers the picture as a file, named after what it shows. */
async function exportPicture(app, type, whole) {
    try {
        const picture = pictureOf(app, whole),
            blob = type === "png" ? await pngOf(picture) : new Blob([picture.svg], { type: "image/svg+xml" });
        const name = [app.doc().title, app.program().name, app.view.tab].join("-").replace(/[^\w.-]+/g, "_"),
            link = h("a", { href: URL.createObjectURL(blob), download: `${name}.${type}` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
        app.say(`saved as ${link.download}`);
    } catch (error) {
        app.notice([`The picture was not made: ${error.message}`]);
    }
}

/** What the menu offers depends on the view: a table is no picture, a chart is always whole. */
function drawExport(app) {
    const tab = app.view.tab,
        menu = byId("export"),
        part = tab === "graph" || tab === "timeline",
        what = tab === "graph" ? "whole graph" : "whole run";
    menu.hidden = tab === "table" || (tab !== "graph" && !byId(`view-${tab}`).querySelector("svg.chart, canvas"));
    const rows = [["svg", false], ["png", false], ...(part ? [["svg", true], ["png", true]] : [])];
    menu.lastElementChild.replaceChildren(
        ...rows.map(([type, whole]) =>
            h(
                "button",
                {
                    type: "button",
                    "data-export": `${type}${whole ? "-whole" : ""}`,
                    onclick: () => {
                        menu.open = false;
                        menu.firstElementChild.focus();
                        exportPicture(app, type, whole);
                    },
                },
                `${type.toUpperCase()}${part ? `, ${whole ? what : "as seen"}` : ""}`,
            ),
        ),
    );
}
