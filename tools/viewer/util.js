// util.js: numbers as people read them, what pages are made of beyond dom.js, colours. Everything here is without state.

/** Replaces what an element holds; what had the focus in it has it again, where something like it is at its place. */
function replaceIn(root, ...children) {
    const stops = () => [...root.querySelectorAll("button, select, summary, a[href], [tabindex='0']")],
        held = document.activeElement,
        at = root.contains(held) ? stops().indexOf(held) : -1;
    root.replaceChildren(...children);
    const next = at < 0 ? null : stops()[at];
    if (next && next.tagName === held.tagName) next.focus();
}

/** An SVG element that holds a chart. */
const chart = (width, height, attributes, ...children) =>
    h(
        "svg:svg",
        { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, ...attributes },
        ...children,
    );

/** What the pointer does on a canvas: it drags (by so much, more than a hand that trembles), hovers or clicks. */
function bindPointer(canvas, { drag, hover, click }) {
    let from = null;
    canvas.addEventListener("pointerdown", (e) => {
        from = { x: e.clientX, y: e.clientY, moved: false };
        canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener("pointermove", (e) => {
        if (!from) return hover(e);
        const dx = e.clientX - from.x,
            dy = e.clientY - from.y;
        if (!from.moved && Math.hypot(dx, dy) < 4) return;
        canvas.classList.add("dragging");
        drag(dx, dy);
        from = { x: e.clientX, y: e.clientY, moved: true };
    });
    canvas.addEventListener("pointerup", (e) => {
        canvas.classList.remove("dragging");
        if (from && !from.moved) click(e);
        from = null;
    });
}

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const known = (x) => typeof x === "number" && Number.isFinite(x);
const NONE = "–";

/** Three significant digits, without an exponent for what is in range. */
function digits(x) {
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size >= 1e6 || size < 1e-3) return x.toExponential(2);
    return size >= 100 ? x.toFixed(0) : size >= 10 ? x.toFixed(1) : size >= 1 ? x.toFixed(2) : x.toPrecision(3);
}

function scaled(x, units, base, suffix) {
    if (!known(x)) return NONE;
    let i = 0;
    for (let size = Math.abs(x); size >= base && i < units.length - 1; size /= base) i++;
    const value = x / base ** i;
    return `${i === 0 && Number.isInteger(x) ? x : digits(value)} ${units[i]}${suffix}`;
}

/**
 * What two profiles' medians may differ by without meaning anything, as `weft profile --diff` has it (docs/profiling.md:
 * three standard errors of a median, of at most 16 runs). Fewer than 3 runs say nothing: everything is noise.
 */
function noiseOf(a, b) {
    if (Math.min(a.runs, b.runs) < 3) return Infinity;
    const error = (p) => (1.2533 * 1.4826 * p.seconds.mad) / Math.sqrt(Math.min(p.runs, 16));
    return 3 * Math.hypot(error(a), error(b));
}

const format = {
    count: (x) => (known(x) ? x.toLocaleString("en-GB") : NONE),
    bytes: (x) => scaled(x, ["B", "KiB", "MiB", "GiB", "TiB"], 1024, ""),
    flops: (x) => scaled(x, ["", "k", "M", "G", "T", "P"], 1000, "FLOP"),
    bandwidth: (x) => scaled(x, ["", "k", "M", "G", "T"], 1000, "B/s"),
    rate: (x) => scaled(x, ["", "k", "M", "G", "T", "P"], 1000, "FLOP/s"),
    operations: (x) => scaled(x, ["", "k", "M", "G", "T", "P"], 1000, "OP/s"), // of integers
    percent: (x) => (known(x) ? (x > 0 && x < 1e-4 ? "< 0.01 %" : `${digits(x * 100)} %`) : NONE),
    change: (x) => (known(x) ? `${x > 0 ? "+" : x < 0 ? "−" : ""}${digits(Math.abs(x) * 100)} %` : NONE),
    error: (x) => (known(x) ? x.toExponential(2) : NONE),
    ratio: (x) => (known(x) ? digits(x) : NONE),
    time(x) {
        if (!known(x)) return NONE;
        if (x === 0) return "0";
        const size = Math.abs(x);
        if (size >= 1) return `${digits(x)} s`;
        if (size >= 1e-3) return `${digits(x * 1e3)} ms`;
        if (size >= 1e-6) return `${digits(x * 1e6)} µs`;
        return `${digits(x * 1e9)} ns`;
    },
    shape: (value) => `${value.dtype}[${value.shape.join(", ")}]`,
};

/* ---- widths of text, for whoever places it: measuring is slow, so they are remembered ---- */

const measuring = document.createElement("canvas").getContext("2d");
const widthOfText = new Map();
/** The page's font at a size in pixels; bold as titles are. */
function fontOf(size, bold) {
    fontOf.family ||= getComputedStyle(document.documentElement).getPropertyValue("--font").trim();
    return `${bold ? "600 " : ""}${size}px ${fontOf.family}`;
}
function textWidth(text, size, bold) {
    const key = `${bold ? "b" : "n"}${text}`;
    if (!widthOfText.has(key)) {
        measuring.font = fontOf(100, bold);
        widthOfText.set(key, measuring.measureText(text).width / 100);
    }
    return widthOfText.get(key) * size;
}
/** Text cut to a width, with an ellipsis. */
function clipText(text, width, size, bold) {
    if (textWidth(text, size, bold) <= width) return text;
    let low = 0,
        high = text.length;
    while (low < high) {
        const mid = (low + high + 1) >> 1;
        if (textWidth(`${text.slice(0, mid)}…`, size, bold) <= width) low = mid;
        else high = mid - 1;
    }
    return low ? `${text.slice(0, low).trimEnd()}…` : "";
}

/* ---- colours: Okabe and Ito's eight for kinds; ramps of one hue, or two hues that differ in blindness too ---- */

const KINDS_OF_THEME = {
    light: {
        product: "#0072b2",
        attention: "#d55e00",
        norm: "#009e73",
        map: "#cc79a7",
        position: "#e69f00",
        memory: "#56b4e9",
        view: "#9aa0a6",
        source: "#b9b09f",
    },
    dark: {
        product: "#3f9fe0",
        attention: "#ef8440",
        norm: "#2fbf94",
        map: "#e09ac4",
        position: "#f2b632",
        memory: "#8ed3f7",
        view: "#6b737c",
        source: "#8a8374",
    },
};
const KIND_COLOURS = { ...KINDS_OF_THEME.light }; // of the theme that is on
const KIND_LABELS = {
    product: "products",
    attention: "attention",
    norm: "norms, reductions",
    map: "element-wise",
    position: "positions",
    memory: "copies, stores",
    view: "views",
    source: "sources",
};
const DEVICE_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00", "#7a7a7a"];

const KINDS = {
    product: "linear matmul matmul_nt",
    attention: "attention",
    position: "rope rope_table",
    norm: "layer_norm rms_norm norm_pair softmax reduce_sum reduce_mean reduce_max argmax top_k",
    memory: "gather store rope_store copy cast concat transfer",
    view: "reshape permute slice select broadcast",
    source: "input weight state constant",
};
const KIND_OF = new Map(Object.entries(KINDS).flatMap(([kind, ops]) => ops.split(" ").map((op) => [op, kind])));
const kindOf = (op) => KIND_OF.get(op) || "map";

function parseColour(text) {
    const n = parseInt(text.slice(1), 16);
    return [n >> 16, (n >> 8) & 255, n & 255];
}
function mix(a, b, t) {
    const x = parseColour(a),
        y = parseColour(b);
    const parts = x.map((c, i) =>
        Math.round(c + (y[i] - c) * t)
            .toString(16)
            .padStart(2, "0"),
    );
    return `#${parts.join("")}`;
}
/** A colour of a ramp given by its stops, t in 0 .. 1. */
function ramp(stops, t) {
    const place = clamp(t, 0, 1) * (stops.length - 1),
        i = Math.min(stops.length - 2, Math.floor(place));
    return mix(stops[i], stops[i + 1], place - i);
}
/** Relative luminance, for choosing black or white text. */
function luminance(colour) {
    const [r, g, b] = parseColour(colour).map((c) => {
        const s = c / 255;
        return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const inkOn = (colour) => (luminance(colour) > 0.19 ? "#14181d" : "#ffffff");

const RAMPS = {
    light: {
        magnitude: ["#dbe8f5", "#a9cbe8", "#4f95cc", "#125a9c", "#08306b"],
        fraction: ["#d55e00", "#f3c48f", "#e9eef2", "#86bde0", "#0072b2"],
        error: ["#fdf3e7", "#f6c692", "#e8853d", "#b34700", "#6e2600"],
        change: ["#0072b2", "#9fcbe6", "#eef1f4", "#f2b98a", "#d55e00"],
        missing: "#d7dbe0",
    },
    dark: {
        magnitude: ["#22384d", "#1f4e79", "#2f7fbd", "#6db4e8", "#d3ebff"],
        fraction: ["#e8833a", "#8f5a33", "#3a4149", "#2f6690", "#5bb0ea"],
        error: ["#2e251d", "#6b3f1c", "#b3621f", "#ea9748", "#ffd9a8"],
        change: ["#5bb0ea", "#2f6690", "#353c44", "#8f5a33", "#e8833a"],
        missing: "#2b3036",
    },
};
