// draw.js: the picture of the graph on a canvas: camera, culling, levels of detail. It knows a scene (layout.js), what
// is selected and how nodes are coloured; it changes nothing of the page but its canvas.

class Picture {
    constructor(canvas) {
        this.canvas = canvas;
        this.context = canvas.getContext("2d", { alpha: false });
        this.camera = { x: 0, y: 0, k: 1 };
        this.scene = null;
        this.selected = null; // a node, or a group's item
        this.hovered = null;
        this.hits = new Set();
        this.widths = new Map();
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
            "edge",
            "layer",
            "accent",
            "hit",
            "added",
            "removed",
            "rewired",
        ]) {
            this.colours[name] = style.getPropertyValue(`--${name}`).trim();
        }
        this.font = style.getPropertyValue("--font").trim();
        this.widths.clear();
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

    aspect() {
        return this.width && this.height ? this.width / this.height : 1.6;
    }

    fit() {
        const s = this.scene,
            margin = 24;
        if (!s || !this.width) return;
        const k = Math.min((this.width - 2 * margin) / s.width, (this.height - 2 * margin) / s.height, 1.25);
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
        for (const i of items) if (i.type === "group" && i.open) this.drawLayerName(i);
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

    /** Names of layers keep a readable size while there is room for them. */
    drawLayerName(i) {
        const g = this.context,
            k = this.camera.k,
            size = clamp(13, 10.5 / k, i.h / 4);
        if (i.w * k < 46) return;
        const times = i.run.length > 1 ? `  ×${i.run.length}` : "";
        g.font = `600 ${size}px ${this.font}`;
        g.fillStyle = this.colours["ink-soft"];
        g.textBaseline = "middle";
        let text = `${i.group.key}${times}`;
        if (this.widthOf(text, size) > i.w - 28) text = `${i.group.key.split(".").pop()}${times}`;
        const header = Math.max(HEADER, size * 1.6);
        if (size > 14) {
            // zoomed out: above the nodes, on a plate
            const w = this.widthOf(text, size) + size;
            g.fillStyle = this.colours.layer;
            g.globalAlpha = 0.9;
            g.fillRect(i.x + 2, i.y + 2, Math.min(w, i.w - 4), header - 2);
            g.globalAlpha = 1;
            g.fillStyle = this.colours["ink-soft"];
            g.fillText(text, i.x + size * 0.45, i.y + header / 2);
        } else {
            this.triangle(i.x + 17, i.y + 16, true);
            g.fillText(this.clip(text, i.w - 48, g.font), i.x + 28, i.y + 16);
        }
    }

    triangle(x, y, open) {
        const g = this.context;
        g.beginPath();
        if (open) {
            g.moveTo(x - 5, y - 3);
            g.lineTo(x + 5, y - 3);
            g.lineTo(x, y + 4);
        } else {
            g.moveTo(x - 3, y - 5);
            g.lineTo(x - 3, y + 5);
            g.lineTo(x + 4, y);
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
        const font = `11px ${this.font}`;
        g.font = font;
        g.fillStyle = this.colours["ink-soft"];
        g.textBaseline = "middle";
        g.textAlign = "center";
        g.fillText(this.clip(i.node.name || i.node.op, i.w - 12, font), i.x + i.w / 2, i.y + i.h / 2 + 0.5);
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
        if (!small) this.drawLabels(i, of, k, kinds ? this.colours.ink : inkOn(of.colour), kinds);
        g.globalAlpha = 1;
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
        const bold = `600 ${group ? 15 : 13}px ${this.font}`,
            plain = `${group ? 13 : 11.5}px ${this.font}`;
        const missing = !kinds && (of.value === undefined || of.value === null);
        if (missing) ink = this.colours.ink;
        g.fillStyle = ink;
        g.textBaseline = "alphabetic";
        let room = i.w - 22,
            x = i.x + 12;
        const value = metric.text && !missing ? metric.text(of.value) : "";
        if (value) {
            g.font = `${group ? 14 : 12}px ${this.font}`;
            g.textAlign = "right";
            g.fillText(value, i.x + i.w - 10, i.y + (group ? 22 : 17));
            g.textAlign = "left";
            room -= g.measureText(value).width + 8;
        }
        if (group) {
            this.triangle(i.x + 15, i.y + 17, false);
            x += 14;
            room -= 14;
        }
        g.font = bold;
        let top = group ? i.group.key : i.node.op;
        if (group && g.measureText(top).width > room) top = top.split(".").slice(-2).join(".");
        g.fillText(this.clip(top, room, bold), x, i.y + (group ? 22 : 17));
        if (k < 0.4) return;
        const alike = group ? i.run.length : 1;
        const below = group
            ? `${alike > 1 ? `×${alike} identical, ` : ""}${i.group.nodes.length} nodes${alike > 1 ? " each" : ""}`
            : [i.node.label, i.node.shape].filter(Boolean).join("  ");
        g.globalAlpha *= 0.86;
        g.font = plain;
        g.fillText(this.clip(below, i.w - (group ? 36 : 22), plain), x, i.y + (group ? 42 : 34));
        g.globalAlpha = i.node && i.node.mark === "removed" ? 0.55 : 1;
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

    /** The width of bold text of a size that changes with every zoom: measured once, at another size. */
    widthOf(text, size) {
        const key = `width|${text}`;
        if (!this.widths.has(key)) {
            const g = this.context,
                font = g.font;
            g.font = `600 100px ${this.font}`;
            this.widths.set(key, g.measureText(text).width / 100);
            g.font = font;
        }
        return this.widths.get(key) * size;
    }

    /** Text cut to a width, with an ellipsis; remembered, for measuring is slow. */
    clip(text, width, font) {
        const key = `${font}|${Math.round(width)}|${text}`;
        let cut = this.widths.get(key);
        if (cut !== undefined) return cut;
        const g = this.context;
        g.font = font;
        cut = text;
        if (g.measureText(text).width > width) {
            let low = 0,
                high = text.length;
            while (low < high) {
                const mid = (low + high + 1) >> 1;
                if (g.measureText(`${text.slice(0, mid)}…`).width <= width) low = mid;
                else high = mid - 1;
            }
            cut = low ? `${text.slice(0, low).trimEnd()}…` : "";
        }
        this.widths.set(key, cut);
        return cut;
    }
}
