// svg.js: a drawing context that makes SVG of what the views draw on their canvases: as much of CanvasRenderingContext2D
// as they use. Shapes stay shapes and text stays text, of the width that it has on the page whatever font it meets.

const xmlText = (text) => String(text).replace(/[<>&"]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" })[c]);
const short = (x) => String(Math.round(x * 100) / 100);
const tag = (name, attributes, content) => {
    const text = Object.entries(attributes)
        .filter(([, v]) => v !== undefined && v !== null)
        .map(([k, v]) => ` ${k}="${typeof v === "number" ? short(v) : xmlText(v)}"`)
        .join("");
    return content === undefined ? `<${name}${text}/>` : `<${name}${text}>${content}</${name}>`;
};

class SvgContext {
    constructor(width, height) {
        Object.assign(this, { width, height, parts: [], k: 1, dx: 0, dy: 0, d: "", dash: [] });
        Object.assign(this, { fillStyle: "#000000", strokeStyle: "#000000", lineWidth: 1, globalAlpha: 1 });
        Object.assign(this, { font: "", textAlign: "left", textBaseline: "alphabetic" });
    }

    /** Pictures are scaled alike in both directions, and never turned. */
    setTransform(k, b, c, k2, dx, dy) {
        Object.assign(this, { k, dx, dy });
    }
    at(x, y) {
        return `${short(x * this.k + this.dx)} ${short(y * this.k + this.dy)}`;
    }
    setLineDash(dash) {
        this.dash = dash;
    }

    /* ---- paths ---- */

    beginPath() {
        this.d = "";
        this.here = null;
    }
    moveTo(x, y) {
        this.d += `M${this.at(x, y)}`;
        this.here = [x, y];
    }
    lineTo(x, y) {
        this.d += `${this.d ? "L" : "M"}${this.at(x, y)}`;
        this.here = [x, y];
    }
    /** A corner at x1, y1 on the way to x2, y2, rounded as far as both sides reach. */
    arcTo(x1, y1, x2, y2, r) {
        const [x0, y0] = this.here,
            a = Math.hypot(x0 - x1, y0 - y1),
            b = Math.hypot(x2 - x1, y2 - y1);
        const cos = a && b ? ((x0 - x1) * (x2 - x1) + (y0 - y1) * (y2 - y1)) / (a * b) : -1;
        if (cos < -0.9999 || cos > 0.9999) return this.lineTo(x1, y1);
        const t = r / Math.tan(Math.acos(cos) / 2),
            end = [x1 + ((x2 - x1) * t) / b, y1 + ((y2 - y1) * t) / b];
        this.lineTo(x1 + ((x0 - x1) * t) / a, y1 + ((y0 - y1) * t) / a);
        this.d += `Q${this.at(x1, y1)} ${this.at(...end)}`;
        this.here = end;
    }
    rect(x, y, w, h) {
        this.d += `M${this.at(x, y)}H${short((x + w) * this.k + this.dx)}V${short((y + h) * this.k + this.dy)}`;
        this.d += `H${short(x * this.k + this.dx)}Z`;
    }
    roundRect(x, y, w, h, r) {
        r = Math.max(0, Math.min(r, w / 2, h / 2));
        const arc = (px, py) => `A${short(r * this.k)} ${short(r * this.k)} 0 0 1 ${this.at(px, py)}`;
        this.d += `M${this.at(x + r, y)}L${this.at(x + w - r, y)}${arc(x + w, y + r)}L${this.at(x + w, y + h - r)}`;
        this.d += `${arc(x + w - r, y + h)}L${this.at(x + r, y + h)}${arc(x, y + h - r)}L${this.at(x, y + r)}${arc(x + r, y)}Z`;
    }
    opacity() {
        return this.globalAlpha < 1 ? this.globalAlpha : undefined;
    }
    fill() {
        if (this.d) this.parts.push(tag("path", { d: this.d, fill: this.fillStyle, "fill-opacity": this.opacity() }));
    }
    stroke() {
        if (!this.d) return;
        this.parts.push(
            tag("path", {
                d: this.d,
                fill: "none",
                stroke: this.strokeStyle,
                "stroke-width": this.lineWidth * this.k,
                "stroke-dasharray": this.dash.length ? this.dash.map((x) => short(x * this.k)).join(" ") : undefined,
                "stroke-opacity": this.opacity(),
            }),
        );
    }
    fillRect(x, y, w, h) {
        this.parts.push(
            tag("rect", {
                x: x * this.k + this.dx,
                y: y * this.k + this.dy,
                width: w * this.k,
                height: h * this.k,
                fill: this.fillStyle,
                "fill-opacity": this.opacity(),
            }),
        );
    }

    fillText(text, x, y) {
        if (!text) return;
        const [, bold, size] = /^(600 )?([\d.]+)px/.exec(this.font),
            middle = this.textBaseline === "middle" ? 0.35 * size : 0;
        this.parts.push(
            tag(
                "text",
                {
                    x: x * this.k + this.dx,
                    y: (y + middle) * this.k + this.dy,
                    fill: this.fillStyle,
                    "fill-opacity": this.opacity(),
                    "font-size": size * this.k,
                    "font-weight": bold ? 600 : undefined,
                    "text-anchor": { right: "end", center: "middle" }[this.textAlign],
                    textLength: textWidth(text, size, bold) * this.k,
                    lengthAdjust: "spacingAndGlyphs",
                },
                xmlText(text),
            ),
        );
    }

    /** The whole as a file that needs nothing else. */
    document(title) {
        const { width, height } = this;
        return tag(
            "svg",
            {
                xmlns: "http://www.w3.org/2000/svg",
                width,
                height,
                viewBox: `0 0 ${short(width)} ${short(height)}`,
                "font-family": fontOf(1).replace(/^1px /, ""),
            },
            `<title>${xmlText(title)}</title>\n${this.parts.join("\n")}\n`,
        );
    }
}

const DRAWN_STYLES = "fill fill-opacity stroke stroke-width stroke-opacity font-size font-weight".split(" ");
/** A chart of the page as SVG text, with what the style sheet says of it written into its elements. */
function chartAsSvg(chart, y) {
    const copy = (element) => {
        if (element.nodeType === 3) return xmlText(element.data);
        const style = getComputedStyle(element),
            attributes = Object.fromEntries(DRAWN_STYLES.map((name) => [name, style.getPropertyValue(name)]));
        for (const a of element.attributes) if (!/^(class|style|tabindex|role|aria-|data-)/.test(a.name)) attributes[a.name] = a.value;
        if (element.tagName === "title") return tag("title", {}, xmlText(element.textContent));
        if (element.tagName === "text") {
            attributes.textLength = element.getComputedTextLength();
            attributes.lengthAdjust = "spacingAndGlyphs";
        }
        for (const [name, value] of Object.entries(attributes)) {
            const rgb = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(value); // as every program reads it
            if (rgb) attributes[name] = `#${rgb.slice(1).map((c) => (+c).toString(16).padStart(2, "0")).join("")}`;
        }
        return tag(element.tagName, attributes, [...element.childNodes].map(copy).join(""));
    };
    return tag("g", { transform: `translate(0 ${short(y)})` }, [...chart.childNodes].map(copy).join("\n"));
}
