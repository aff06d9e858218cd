// timeline.js: queues, threads and the host over time, on a canvas: what ran when, and the gaps between. It zooms and pans
// like the picture of the graph; a click selects the node.

const LANE = { gutter: 132, axis: 26, head: 26, gap: 5, most: 46, least: 15, arena: 78, right: 14 };

class Timeline {
    constructor(app, root) {
        this.app = app;
        this.root = root;
        this.window = null; // [from, to] in nanoseconds, null: all of the run
        this.chosen = null; // a span or a gap
        this.hovered = null;
        this.models = new Map();
    }

    spans() {
        const program = this.app.program();
        if (!this.models.has(program)) this.models.set(program, new Spans(program));
        return this.models.get(program);
    }

    draw() {
        const program = this.app.program();
        if (!program.profile || !program.plan || !this.spans().list.length) {
            this.canvas = null;
            this.root.replaceChildren(
                h("p", { class: "empty" }, "The timeline needs a profile: weft profile MODEL --format html."),
            );
            return;
        }
        if (this.shown !== program) Object.assign(this, { shown: program, chosen: null, hovered: null });
        if (!this.canvas) this.build();
        this.follow();
        this.drawBar();
        this.resize();
        this.request();
    }

    build() {
        this.canvas = h("canvas", {
            id: "timeline",
            tabindex: 0,
            role: "application",
            "aria-roledescription": "timeline",
            "aria-describedby": "said",
            "aria-label": "Timeline. Left and right go along a lane, up and down to the others, Enter zooms in.",
        });
        this.scroll = h("div", { class: "timeline-scroll" }, this.canvas);
        const button = (text, label, act) =>
            h("button", { type: "button", class: "button square", "aria-label": label, title: label, onclick: act }, text);
        this.keys = h("span", { class: "keys" });
        this.size = h("span", { class: "soft", id: "timeline-window", title: "of the run nearest to the median" });
        this.bar = h(
            "div",
            { class: "bar-row" },
            this.keys,
            this.size,
            h(
                "span",
                { class: "buttons" },
                button("−", "Smaller (-)", () => this.zoom(0.8)),
                button("+", "Larger (+)", () => this.zoom(1.25)),
                h("button", { type: "button", class: "button", title: "Whole run (0)", onclick: () => this.fit() }, "Fit"),
            ),
        );
        this.tip = h("div", { class: "tip", hidden: true });
        this.root.replaceChildren(this.bar, this.scroll, this.tip);
        bindTimeline(this);
    }

    /** What is selected elsewhere is chosen here, too. */
    follow() {
        const node = this.app.view.selected,
            spans = this.spans();
        if (this.chosen && (this.chosen.nodes.includes(node) || (!node && !this.chosen.nodes.length))) return;
        const mine = node?.id !== undefined && spans.nodes.get(node.id);
        this.chosen = (mine && spans.ofNode(mine)[0]) || null;
        if (this.chosen) this.reveal(this.chosen);
    }

    /** What colours mean: kinds of op on queues and threads, what the host does, gaps. */
    legend() {
        const { list } = this.spans(),
            kinds = new Set(list.flatMap((s) => s.nodes.map((n) => n.kind))),
            host = Object.keys(HOST_KINDS).filter((k) => list.some((s) => s.kind === k));
        return [
            ...[...kinds].map((k) => ({ colour: KIND_COLOURS[k], text: KIND_LABELS[k] })),
            ...host.map((k) => ({ colour: this.app.picture.colours[HOST_KINDS[k].colour], text: HOST_KINDS[k].label })),
            { colour: this.app.picture.colours.gap, text: "gap" },
        ];
    }

    drawBar() {
        const [from, to] = this.range(),
            whole = format.time(this.spans().length * 1e-9);
        this.keys.replaceChildren(
            ...this.legend().map(({ colour, text }) =>
                h("span", { class: "key" }, h("i", { style: `background:${colour}` }), text),
            ),
        );
        this.size.textContent = this.window ? `${format.time((to - from) * 1e-9)} of ${whole}` : whole;
    }

    resize() {
        const ratio = window.devicePixelRatio || 1,
            width = this.scroll.clientWidth;
        this.width = width;
        this.height = Math.max(this.rows(this.scroll.clientHeight).height, this.scroll.clientHeight);
        this.canvas.style.height = `${this.height}px`;
        this.canvas.width = Math.round(width * ratio);
        this.canvas.height = Math.round(this.height * ratio);
        this.ratio = ratio;
    }

    /** Where lanes stand, below each other: by device, the host first; lanes share the height that there is. */
    rows(height) {
        const spans = this.spans(),
            devices = [...new Set(spans.tracks.map((t) => t.device))],
            n = sum(spans.tracks.map((t) => t.lanes.length));
        const fixed = LANE.axis + devices.length * (LANE.head + LANE.arena + 3 * LANE.gap) + 8;
        const lane = clamp((height - fixed) / Math.max(1, n) - LANE.gap, LANE.least, LANE.most),
            rows = [];
        let y = LANE.axis;
        for (const device of devices) {
            rows.push({ type: "head", y, h: LANE.head, device });
            y += LANE.head;
            for (const track of spans.tracks.filter((t) => t.device === device)) {
                track.lanes.forEach((list, i) => {
                    rows.push({ type: "lane", y, h: lane, track, lane: i, spans: list, gaps: i ? [] : track.gaps });
                    y += lane + LANE.gap;
                });
            }
            const points = spans.arena(device);
            if (points.length > 1) {
                rows.push({ type: "arena", y: y + LANE.gap, h: LANE.arena - LANE.gap, points });
                y += LANE.arena + LANE.gap;
            }
        }
        return { rows, height: y + 8 };
    }

    /* ---- time and pixels ---- */

    range() {
        return this.window || [0, this.spans().length];
    }
    /** Pixels of a time in a picture of a width, and back. */
    scale(width, [from, to] = this.range()) {
        const w = width - LANE.gutter - LANE.right;
        return {
            x: (t) => LANE.gutter + ((t - from) / (to - from)) * w,
            t: (x) => from + ((x - LANE.gutter) / w) * (to - from),
        };
    }

    setWindow(from, to) {
        const length = this.spans().length,
            size = clamp(to - from, Math.min(200, length), length);
        from = clamp((from + to - size) / 2, 0, length - size);
        this.window = size >= length * 0.9999 ? null : [from, from + size];
        this.drawBar();
        this.request();
        clearTimeout(this.later); // browsers stop pages that write their address at every turn of a wheel
        this.later = setTimeout(() => writeAddress(this.app), 150);
    }
    zoom(factor, x = LANE.gutter + (this.width - LANE.gutter) / 2) {
        const [from, to] = this.range(),
            at = clamp(this.scale(this.width).t(x), from, to);
        this.zoomTo(at - (at - from) / factor, at + (to - at) / factor);
    }
    /** The window, without moving its centre when it meets an end of the run. */
    zoomTo(from, to) {
        const length = this.spans().length;
        if (from < 0) [from, to] = [0, Math.min(length, to - from)];
        if (to > length) [from, to] = [Math.max(0, from - (to - length)), length];
        this.setWindow(from, to);
    }
    pan(dx) {
        const [from, to] = this.range(),
            dt = (dx / (this.width - LANE.gutter - LANE.right)) * (to - from);
        this.zoomTo(from - dt, to - dt);
    }
    fit() {
        this.window = null;
        this.setWindow(0, this.spans().length);
    }
    /** Brings a span's time into the window, and its lane into the part of it that is seen. */
    reveal(span) {
        const row = this.rows(this.scroll.clientHeight).rows.find((r) => r.track?.id === span.track && r.lane === span.lane),
            { scrollTop, clientHeight } = this.scroll;
        if (row.y < scrollTop || row.y + row.h > scrollTop + clientHeight) this.scroll.scrollTop = row.y - clientHeight / 2;
        const [from, to] = this.range();
        if (span.end < from || span.begin > to) this.setWindow(span.begin - (to - from) / 2, span.begin + (to - from) / 2);
    }

    /* ---- choosing ---- */

    at(x, y) {
        const { rows } = this.rows(this.scroll.clientHeight),
            row = rows.find((r) => r.type === "lane" && y >= r.y && y <= r.y + r.h);
        if (!row || x < LANE.gutter) return null;
        const scale = this.scale(this.width),
            near = scale.t(x + 1.5) - scale.t(x);
        const all = [...row.spans, ...row.gaps],
            inside = all.find((s) => scale.t(x) >= s.begin && scale.t(x) < s.end);
        const beside = row.spans.find((s) => scale.t(x) >= s.begin - near && scale.t(x) <= s.end + near);
        return inside && inside.kind !== "gap" ? inside : beside || inside || null;
    }

    choose(span) {
        this.chosen = span;
        this.app.view.selected = null;
        if (span) this.reveal(span);
        if (span && span.nodes.length) this.app.select(span.nodes[0], true);
        else this.app.refresh();
        this.app.say(span ? describeSpan(span, this.spans()).join(", ") : "");
    }

    /** Goes near to a span: it fills a third of the window. */
    close(span) {
        if (span) this.setWindow(2 * span.begin - span.end, 2 * span.end - span.begin);
    }

    /** Arrow keys: along the lane, or to what is at that time in the lane above or below. */
    step(key) {
        const lanes = this.rows(this.scroll.clientHeight).rows.filter((r) => r.type === "lane"),
            c = this.chosen,
            here = c ? lanes.findIndex((l) => l.track.id === c.track && l.lane === c.lane) : -1;
        if (here < 0) {
            const lane = lanes.find((l) => l.track.name !== "host") || lanes[0];
            this.choose(lane.spans.find((s) => s.end >= this.range()[0]) || lane.spans[0]);
            return;
        }
        const along = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (along) {
            const all = [...lanes[here].spans, ...lanes[here].gaps].sort((a, b) => a.begin - b.begin);
            const next = all[all.indexOf(c) + along];
            if (next) this.choose(next);
            return;
        }
        const lane = lanes[here + (key === "ArrowDown" ? 1 : -1)];
        if (!lane) return;
        const from = (s) => Math.max(s.begin - c.begin, c.begin - s.end, 0);
        this.choose(lane.spans.reduce((a, b) => (from(b) < from(a) ? b : a)));
    }

    request() {
        if (this.pending || !this.canvas) return;
        this.pending = requestAnimationFrame(() => {
            this.pending = 0;
            if (this.canvas) paintTimeline(this, this.canvas.getContext("2d"), this.width, this.height, this.ratio);
        });
    }
}

function bindTimeline(timeline) {
    const { canvas, scroll, tip } = timeline;
    bindPointer(canvas, {
        drag: (dx, dy) => {
            tip.hidden = true;
            scroll.scrollTop -= dy;
            timeline.pan(dx);
        },
        hover: (e) => {
            timeline.hovered = timeline.at(e.offsetX, e.offsetY);
            canvas.classList.toggle("over", !!timeline.hovered);
            showTip(timeline, e);
            timeline.request();
        },
        click: (e) => timeline.choose(timeline.at(e.offsetX, e.offsetY)),
    });
    canvas.addEventListener("pointerleave", () => {
        timeline.hovered = null;
        tip.hidden = true;
        timeline.request();
    });
    canvas.addEventListener("dblclick", (e) => timeline.close(timeline.at(e.offsetX, e.offsetY)));
    canvas.addEventListener(
        "wheel",
        (e) => {
            const unit = e.deltaMode === 1 ? 16 : 1;
            if (e.offsetX < LANE.gutter) return; // scrolls the lanes
            e.preventDefault();
            if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) timeline.pan(-(e.deltaX || e.deltaY) * unit);
            else timeline.zoom(Math.exp(-e.deltaY * unit * 0.0016), e.offsetX);
        },
        { passive: false },
    );
    canvas.addEventListener("keydown", (e) => {
        const page = { PageUp: 0.8, PageDown: -0.8, Home: 1e9, End: -1e9 }[e.key];
        if (e.key.startsWith("Arrow")) timeline.step(e.key);
        else if (e.key === "Enter") timeline.close(timeline.chosen);
        else if (page) timeline.pan(page * timeline.width);
        else return;
        e.preventDefault();
        e.stopPropagation();
    });
}

function showTip(timeline, e) {
    const { tip, hovered, root } = timeline;
    tip.hidden = !hovered;
    if (!hovered) return;
    const lines = describeSpan(hovered, timeline.spans());
    tip.replaceChildren(...lines.map((line, i) => h(i ? "div" : "b", {}, line)));
    const box = root.getBoundingClientRect(),
        own = tip.getBoundingClientRect(),
        x = e.clientX - box.left + 14,
        y = e.clientY - box.top + 16;
    tip.style.left = `${clamp(x, 4, Math.max(4, box.width - own.width - 6))}px`;
    tip.style.top = `${y + own.height > box.height - 4 ? Math.max(4, y - own.height - 28) : y}px`;
}
