// draw.js: the picture of the graph on a canvas: camera, culling, levels of detail. It knows a scene (layout.js), what
// is selected and how nodes are coloured; it changes nothing of the page but its canvas.

const TITLE_MOST = 24; // pixels

class Picture {
    constructor(canvas) {
        this.canvas = canvas;
        this.context = canvas.getContext("2d", { alpha: false });
        this.camera = { x: 0, y: 0, k: 1 };
        this.scene = null;
        this.selected = null; // a node, or a group's item
        this.hovered = null;
        this.hits = new Set();
        this.frames = [];
        this.colours = {};
    }

    /** Reads the colours of the theme from the style sheet. */
    readTheme() {
        const style = getComputedStyle(document.documentElement);
        for (const name of [
            "canvas",
            "surface",
            "ink",
            "ink-soft",
            "ink-faint",
            "line",
            "line-soft",
            "edge",
            "layer",
            "accent",
            "hit",
            "gap",
            "waiting",
            "added",
            "removed",
            "rewired",
        ]) {
            this.colours[name] = style.getPropertyValue(`--${name}`).trim();
        }
    }

    resize() {
        const box = this.canvas.getBoundingClientRect(),
            ratio = window.devicePixelRatio || 1;
        this.width = box.width;
        this.height = box.height;
        this.ratio = ratio;
        this.canvas.width = Math.round(box.width * ratio);
        this.canvas.height = Math.round(box.height * ratio);
    }

    room() {
        return this.width && this.height ? { w: this.width, h: this.height } : { w: 1280, h: 800 };
    }

    fit() {
        const s = this.scene;
        if (!s || !this.width) return;
        const k = fitScale(s, this.room());
        this.camera = {
            k,
            x: s.left + s.width / 2 - this.width / 2 / k,
            y: s.top + s.height / 2 - this.height / 2 / k,
        };
        this.request();
    }

    zoom(factor, px = this.width / 2, py = this.height / 2) {
        const c = this.camera,
            k = clamp(c.k * factor, 0.01, 4);
        c.x += px / c.k - px / k;
        c.y += py / c.k - py / k;
        c.k = k;
        this.request();
    }

    pan(dx, dy) {
        this.camera.x -= dx / this.camera.k;
        this.camera.y -= dy / this.camera.k;
        this.request();
    }

    /** Brings an item into the window, and near enough to be read. */
    show(item, near) {
        const c = this.camera,
            margin = 40;
        if (near && c.k < 0.6) c.k = 0.8;
        const w = this.width / c.k,
            m = margin / c.k,
            hgt = this.height / c.k;
        if (item.w > w - 2 * m || item.x < c.x + m || item.x + item.w > c.x + w - m) c.x = item.x + item.w / 2 - w / 2;
        if (item.h > hgt - 2 * m) c.y = item.y - m;
        else if (item.y < c.y + m || item.y + item.h > c.y + hgt - m) c.y = item.y + item.h / 2 - hgt / 2;
        this.request();
    }

    at(px, py) {
        const x = px / this.camera.k + this.camera.x,
            y = py / this.camera.k + this.camera.y;
        let found = null;
        for (const i of this.scene ? this.scene.items : []) {
            if (x < i.x || x > i.x + i.w || y < i.y || y > i.y + i.h) continue;
            if (!found || i.type !== "group") found = i;
        }
        return found;
    }

    request() {
        if (this.pending) return;
        this.pending = requestAnimationFrame(() => {
            this.pending = 0;
            const begin = performance.now();
            this.draw();
            this.frames.push(performance.now() - begin);
            if (this.frames.length > 240) this.frames.shift();
            if (this.onDrawn) this.onDrawn();
        });
    }

    draw() {
        const { context: g, camera: c, scene } = this;
        g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
        g.fillStyle = this.colours.canvas;
        g.fillRect(0, 0, this.width, this.height);
        this.drawn = 0;
        if (!scene) return;
        g.setTransform(this.ratio * c.k, 0, 0, this.ratio * c.k, -c.x * c.k * this.ratio, -c.y * c.k * this.ratio);
        const right = c.x + this.width / c.k,
            bottom = c.y + this.height / c.k;
        const seen = (i) => i.x < right && i.y < bottom && i.x + i.w > c.x && i.y + i.h > c.y;
        const items = scene.items.filter(seen);
        this.drawn = items.length;
        for (const i of items) if (i.type === "group" && i.open) this.drawLayer(i);
        this.drawEdges(
            scene.edges.filter((e) => e.box[0] < right && e.box[1] < bottom && e.box[2] > c.x && e.box[3] > c.y),
        );
        this.drawBoxes(items.filter((i) => !(i.type === "group" && i.open)));
        for (const i of items) if (i.type === "group" && i.open) this.drawTitle(i);
        this.drawRings(items);
    }

    drawLayer(i) {
        const g = this.context;
        g.fillStyle = this.colours.layer;
        g.strokeStyle = this.colours.line;
        g.lineWidth = Math.max(1, 1 / this.camera.k) * 0.9;
        this.box(i, 6);
        g.fill();
        g.stroke();
    }

    /** The title of an open layer, where the layout found room for it; too small to be read, it is left out. */
    drawTitle(i) {
        const g = this.context,
            text = i.title.text,
            { size, x, y } = this.titleAt(i);
        if (size * this.camera.k < 5) return;
        g.font = fontOf(size, true);
        g.fillStyle = this.colours["ink-soft"];
        g.textBaseline = "middle";
        this.triangle(x - size, y, true, size / 13);
        g.fillText(text, x, y);
    }
    /** Its place in the scene. Near by, titles do not grow beyond what is comfortable to read. */
    titleAt({ x, y, title }) {
        const size = Math.min(title.size, TITLE_MOST / this.camera.k);
        return { size, x: x + title.from + 1.7 * size, y: y + Math.min(title.y, 1.2 * size) };
    }

    triangle(x, y, open, k = 1) {
        const g = this.context;
        g.beginPath();
        if (open) {
            g.moveTo(x - 5 * k, y - 3 * k);
            g.lineTo(x + 5 * k, y - 3 * k);
            g.lineTo(x, y + 4 * k);
        } else {
            g.moveTo(x - 3 * k, y - 5 * k);
            g.lineTo(x - 3 * k, y + 5 * k);
            g.lineTo(x + 4 * k, y);
        }
        g.fill();
    }

    box(i, r) {
        const g = this.context;
        g.beginPath();
        if (this.camera.k * r < 1.2) g.rect(i.x, i.y, i.w, i.h);
        else g.roundRect(i.x, i.y, i.w, i.h, r);
    }

    path(points) {
        const g = this.context,
            n = points.length;
        g.moveTo(points[0][0], points[0][1]);
        if (this.camera.k < 0.3) {
            for (let i = 1; i < n; i++) g.lineTo(points[i][0], points[i][1]);
            return;
        }
        for (let i = 1; i < n - 1; i++) g.arcTo(points[i][0], points[i][1], points[i + 1][0], points[i + 1][1], 14);
        g.lineTo(points[n - 1][0], points[n - 1][1]);
    }

    drawEdges(edges) {
        const g = this.context,
            k = this.camera.k,
            chosen = this.selected,
            strong = [];
        const touches = (e) =>
            chosen &&
            (e.from === chosen ||
                e.to === chosen ||
                (chosen.nodes && (chosen.nodes.includes(e.from) || chosen.nodes.includes(e.to))));
        g.strokeStyle = this.colours.edge;
        g.lineWidth = clamp(0.7 / k, 1.1, 6);
        g.beginPath();
        for (const e of edges) {
            if (touches(e)) strong.push(e);
            else this.path(e.points);
        }
        g.stroke();
        if (k > 0.4) {
            g.fillStyle = this.colours.edge;
            for (const e of edges) if (!e.leaves) this.arrow(e.points);
        }
        if (!strong.length) return;
        g.strokeStyle = g.fillStyle = this.colours.accent;
        g.lineWidth = clamp(1.4 / k, 2, 9);
        g.beginPath();
        for (const e of strong) this.path(e.points);
        g.stroke();
        if (k > 0.4) for (const e of strong) if (!e.leaves) this.arrow(e.points);
    }

    arrow(points) {
        const n = points.length,
            [x, y] = points[n - 1],
            [px, py] = points[n - 2],
            g = this.context;
        const length = Math.hypot(x - px, y - py) || 1,
            dx = (x - px) / length,
            dy = (y - py) / length;
        g.beginPath();
        g.moveTo(x, y);
        g.lineTo(x - 7 * dx - 3.5 * dy, y - 7 * dy + 3.5 * dx);
        g.lineTo(x - 7 * dx + 3.5 * dy, y - 7 * dy - 3.5 * dx);
        g.fill();
    }

    drawBoxes(items) {
        const k = this.camera.k;
        for (const i of items) {
            if (i.type === "stub") this.drawStub(i, k);
            else this.drawNode(i, k);
        }
    }

    drawStub(i, k) {
        const g = this.context;
        g.fillStyle = this.colours.surface;
        g.strokeStyle = this.colours.edge;
        g.lineWidth = 1;
        this.box(i, 9);
        g.fill();
        g.stroke();
        if (k < 0.45) return;
        g.font = fontOf(11);
        g.fillStyle = this.colours["ink-soft"];
        g.textBaseline = "middle";
        g.textAlign = "center";
        g.fillText(clipText(i.node.name || i.node.op, i.w - 12, 11), i.x + i.w / 2, i.y + i.h / 2 + 0.5);
        g.textAlign = "left";
    }

    drawNode(i, k) {
        const g = this.context,
            scale = this.scale,
            of = this.valueOf(i),
            kinds = scale.name === "op" || scale.name === "device";
        const group = i.type === "group",
            plain = kinds && group && scale.name === "op";
        const small = k < 0.3;
        g.fillStyle = plain
            ? this.colours.surface
            : kinds && !small
              ? mix(this.colours.surface, of.colour, 0.2)
              : of.colour;
        g.strokeStyle = this.colours.line;
        g.lineWidth = 1;
        if (i.node && i.node.mark === "removed") g.globalAlpha = 0.55;
        this.box(i, 4);
        g.fill();
        if (!small) g.stroke();
        if (kinds && !plain && !small) {
            g.fillStyle = of.colour;
            g.fillRect(i.x, i.y + 3, 4, i.h - 6);
        }
        if (plain) this.drawShares(i);
        if (!small) this.drawLabels(i, of, k, kinds ? this.colours.ink : inkOn(of.colour), kinds);
        g.globalAlpha = 1;
    }

    /** What a layer is made of: the bytes that each kind of op moves, as parts of a bar. */
    drawShares(i) {
        const g = this.context,
            w = i.w - 8;
        let x = i.x + 4;
        for (const [kind, share] of sharesOf(i.group)) {
            g.fillStyle = KIND_COLOURS[kind];
            g.fillRect(x, i.y + i.h - 8, w * share, 5);
            x += w * share;
        }
    }

    valueOf(i) {
        if (i.painted !== this.scale) {
            i.painted = this.scale;
            i.of = this.scale.of(i.nodes, i.type === "group" ? i.run.length : 0);
        }
        return i.of;
    }

    drawLabels(i, of, k, ink, kinds) {
        const g = this.context,
            group = i.type === "group",
            metric = this.scale.metric;
        const missing = !kinds && (of.value === undefined || of.value === null);
        const value = metric.text && !missing ? metric.text(of.value) : "";
        g.fillStyle = missing ? this.colours.ink : ink;
        g.textBaseline = "alphabetic";
        if (value) this.textRight(value, i.x + i.w - 10, i.y + (group ? 23 : 17), group ? 14 : 12);
        if (group) this.labelGroup(i, k);
        else this.labelNode(i, k, value ? textWidth(value, 12) + 8 : 0);
        g.globalAlpha = 1;
    }

    textRight(text, x, y, size) {
        const g = this.context;
        g.font = fontOf(size);
        g.textAlign = "right";
        g.fillText(text, x, y);
        g.textAlign = "left";
    }

    labelGroup(i, k) {
        const g = this.context,
            alike = i.run.length;
        this.triangle(i.x + 15, i.y + i.title.y, false);
        g.font = fontOf(i.title.size, true);
        g.fillText(i.title.text, i.x + i.title.x, i.y + i.title.y + 5);
        if (k < 0.35) return;
        g.globalAlpha *= 0.86;
        g.font = fontOf(13);
        const nodes = `${i.group.nodes.length} nodes${alike > 1 ? " each" : ""}`;
        g.fillText(alike > 1 ? `${alike} identical, ${nodes}` : nodes, i.x + i.title.x, i.y + 43);
    }

    labelNode(i, k, value) {
        const g = this.context,
            { title, left, right } = textsOf(i.node),
            room = i.w - 22;
        g.font = fontOf(13, true);
        g.fillText(clipText(title, room - value, 13, true), i.x + 12, i.y + 17);
        if (k < 0.4) return;
        g.globalAlpha *= 0.86;
        const shape = clipText(right, room, 11.5),
            w = textWidth(shape, 11.5);
        g.font = fontOf(11.5);
        g.fillText(clipText(left, room - (w ? w + 8 : 0), 11.5), i.x + 12, i.y + 34);
        if (left) this.textRight(shape, i.x + i.w - 10, i.y + 34, 11.5);
        else g.fillText(shape, i.x + 12, i.y + 34);
    }

    drawRings(items) {
        const g = this.context,
            k = this.camera.k,
            chosen = this.selected;
        const ring = (i, colour, width, gap, dash) => {
            const w = Math.max(width, (width / k) * 0.8);
            g.strokeStyle = colour;
            g.lineWidth = w;
            g.setLineDash(dash || []);
            this.box({ x: i.x - gap, y: i.y - gap, w: i.w + 2 * gap, h: i.h + 2 * gap }, 5);
            g.stroke();
            g.setLineDash([]);
        };
        for (const i of items) {
            if (i.type === "stub") {
                if (i.node === chosen) ring(i, this.colours.accent, 2, 1);
                continue;
            }
            const mark = i.type === "node" ? i.node.mark : null;
            if (mark)
                ring(i, this.colours[mark], 2, 1, mark === "removed" ? [5, 4] : mark === "rewired" ? [2, 3] : null);
            if (i.type === "group" && !i.open && i.group.changed) ring(i, this.colours.added, 2, 1);
            if (i.type === "node" && i.node.failed) ring(i, this.colours.removed, 2.5, 1);
            if (this.hits.size && i.nodes.some((n) => this.hits.has(n)) && !(i.type === "group" && i.open))
                ring(i, this.colours.hit, 2.5, 2);
            if (i === this.hovered) ring(i, this.colours.accent, 1, 0);
            if (
                chosen &&
                (i === chosen ||
                    i.node === chosen ||
                    (i.type === "node" && i.nodes.includes(chosen)) ||
                    (i.type === "group" && chosen.type === "group" && chosen.group === i.group))
            ) {
                ring(i, this.colours.accent, 3, 2.5);
            }
        }
    }
}
