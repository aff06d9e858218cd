// timeline_paint.js: draws a Timeline into a context, which is a canvas's or that of an exported picture.

function paintTimeline(timeline, g, width, height, ratio, range = timeline.range()) {
    const colours = timeline.app.picture.colours,
        scale = timeline.scale(width, range),
        { rows } = timeline.rows(timeline.scroll.clientHeight);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = colours.canvas;
    g.fillRect(0, 0, width, height);
    const right = width - LANE.right,
        paint = { g, colours, scale, left: LANE.gutter, right, range, timeline };
    paintAxis(paint, height);
    for (const row of rows) {
        if (row.type === "head") paintText(paint, timeline.app.doc().deviceName(row.device), 12, row.y + 16, 12.5, true, colours.ink);
        else if (row.type === "arena") paintArena(paint, row);
        else paintLane(paint, row);
    }
}

function paintText({ g }, text, x, y, size, bold, colour) {
    g.font = fontOf(size, bold);
    g.textBaseline = "alphabetic";
    g.fillStyle = colour;
    g.fillText(text, x, y);
}

/** Times at round numbers, at least 84 pixels from each other. */
function paintAxis(paint, height) {
    const { g, colours, scale, left, right, range } = paint,
        least = ((range[1] - range[0]) * 84) / (right - left),
        power = 10 ** Math.floor(Math.log10(least)),
        step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= least);
    for (let t = Math.ceil(range[0] / step) * step; t <= range[1]; t += step) {
        const x = scale.x(t);
        g.fillStyle = colours["line-soft"];
        g.fillRect(x, LANE.axis - 4, 1, height - LANE.axis);
        const text = timeAt(t, step),
            w = textWidth(text, 11);
        if (x + w / 2 < right + LANE.right) paintText(paint, text, Math.max(x - w / 2, left - w / 2), 15, 11, false, colours["ink-soft"]);
    }
}
/** A time of the axis with as many digits as tell it from its neighbours. */
function timeAt(t, step) {
    const [unit, name] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([u]) => t >= u) || [1, "ns"];
    return t === 0 ? "0" : `${(t / unit).toFixed(Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)))} ${name}`;
}

function paintLane(paint, row) {
    const { g, colours, left, right, scale, range, timeline } = paint,
        { track } = row;
    g.fillStyle = colours.surface;
    g.fillRect(left, row.y, right - left, row.h);
    const name = row.lane ? "overlapping" : track.name,
        share = track.name === "host" || row.lane ? "" : format.percent(track.busy / timeline.spans().length);
    paintText(paint, name, 22, row.y + row.h / 2 + 4, 12, false, colours["ink-soft"]);
    const w = textWidth(share, 11);
    if (share) paintText(paint, share, left - 8 - w, row.y + row.h / 2 + 4, 11, false, colours["ink-faint"]);
    let last = -Infinity;
    for (const s of [...row.gaps, ...row.spans]) {
        if (s.end < range[0] || s.begin > range[1]) continue;
        const x0 = clamp(scale.x(s.begin), left, right),
            x1 = clamp(scale.x(s.end), left, right);
        const gap = s.kind === "gap";
        if (gap ? x1 - x0 < 1.5 : x1 - last < 0.3 && x1 < right) continue; // nothing that could be seen
        if (!gap) last = x1;
        paintSpan(paint, row, s, x0, Math.max(x1 - x0, gap ? 0 : 0.6));
    }
    for (const s of [timeline.hovered, timeline.chosen])
        if (s && s.track === track.id && s.lane === row.lane) ringSpan(paint, row, s, s === timeline.chosen ? 2.5 : 1);
}

function paintSpan(paint, row, s, x, w) {
    const { g, colours, timeline } = paint,
        gap = s.kind === "gap",
        hit = s.nodes.some((n) => timeline.app.found.has(timeline.app.graph().byId.get(n.id))),
        colour = gap ? colours.gap : s.nodes.length ? KIND_COLOURS[s.nodes[0].kind] : colours[HOST_KINDS[s.kind]?.colour || "edge"];
    g.fillStyle = colour;
    g.fillRect(x, row.y + (gap ? 2 : 0), w, row.h - (gap ? 4 : 0));
    if (!gap && w > 3) {
        g.fillStyle = colours.surface; // a border between spans that touch
        g.fillRect(x + w - 0.5, row.y, 0.5, row.h);
    }
    if (hit) {
        g.fillStyle = colours.hit;
        g.fillRect(x, row.y, Math.max(w, 2), 3);
    }
    if (w < 26 || row.h < 14) return;
    const ink = gap ? colours["ink-soft"] : inkOn(colour),
        took = format.time((s.end - s.begin) * 1e-9),
        lines = row.h >= 36 ? [s.title, took] : [gap ? `${took} ${s.title}` : s.title];
    lines.forEach((line, i) => {
        const text = clipText(line, w - 8, 11.5);
        if (text.length > 2) paintText(paint, text, x + 4, row.y + row.h / 2 + (lines.length > 1 ? 16 * i - 3 : 4), 11.5, false, ink);
    });
}

function ringSpan({ g, colours, scale, left, right }, row, s, width) {
    const x0 = clamp(scale.x(s.begin), left, right),
        x1 = clamp(scale.x(s.end), left, right);
    if (x1 <= left && s.end > s.begin) return;
    g.strokeStyle = colours.accent;
    g.lineWidth = width;
    g.beginPath();
    g.rect(x0 - 1, row.y - 1, Math.max(x1 - x0, 1) + 2, row.h + 2);
    g.stroke();
}

/** Live bytes of the arena as steps over time. */
function paintArena(paint, row) {
    const { g, colours, scale, left, right } = paint,
        most = Math.max(1, ...row.points.map((p) => p[1])),
        y = (b) => row.y + row.h - (b / most) * (row.h - 2);
    paintText(paint, "arena in use", 22, row.y + row.h / 2, 12, false, colours["ink-soft"]);
    paintText(paint, `to ${format.bytes(most)}`, 22, row.y + row.h / 2 + 15, 11, false, colours["ink-faint"]);
    g.fillStyle = colours.accent;
    g.globalAlpha = 0.35;
    g.beginPath();
    g.moveTo(left, row.y + row.h);
    let last = row.y + row.h;
    for (const [at, bytes] of row.points) {
        const x = clamp(scale.x(at), left, right);
        g.lineTo(x, last);
        last = y(bytes);
        g.lineTo(x, last);
    }
    g.lineTo(right, last);
    g.lineTo(right, row.y + row.h);
    g.fill();
    g.globalAlpha = 1;
}
