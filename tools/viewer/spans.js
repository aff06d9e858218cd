// spans.js: a profile's run as lanes of spans, and the gaps between them with what they were spent on. Times are
// nanoseconds from the run's begin. The same spans are what `weft profile --format perfetto` writes.

/** What the host does: its colours are among those of the theme, apart from those of ops. */
const HOST_KINDS = {
    submit: { label: "submit", colour: "rewired" },
    wait: { label: "wait", colour: "waiting" },
    write: { label: "write", colour: "ink-faint" },
    read: { label: "read", colour: "ink-soft" },
    transfer: { label: "transfer", colour: "hit" },
};

class Spans {
    constructor(program) {
        this.program = program;
        this.steps = program.plan?.steps || [];
        this.nodes = program.graph("planned").byId;
        const profile = program.profile || {};
        this.list = (profile.spans || []).map((s) => this.span(s)).filter((s) => s.end >= s.begin);
        this.length = this.list.reduce((most, s) => Math.max(most, s.end), 0);
        this.tracks = (profile.tracks || []).map((t) => this.track(t));
        this.ofStep = this.group();
        for (const track of this.tracks) track.gaps = track.name === "host" ? [] : this.gaps(track);
    }

    span([track, kind, step, n, begin, end]) {
        const launch = kind === "step" ? this.steps.slice(step, step + n) : [];
        const nodes = launch.map((s) => this.nodes.get(s.node)).filter(Boolean);
        const title = nodes.length ? nodes.map((node) => node.title).join(", ") : kind;
        return { track, kind, step, n, begin, end, nodes, title };
    }

    /** Spans of a track that overlap, as launches of a GPU do, stand in lanes: each in the first that is free. */
    track(json) {
        const spans = this.list.filter((s) => s.track === json.id).sort((a, b) => a.begin - b.begin || b.end - a.end),
            lanes = [];
        for (const span of spans) {
            let lane = lanes.findIndex((l) => l[l.length - 1].end <= span.begin);
            if (lane < 0) lane = lanes.push([]) - 1;
            lanes[lane].push(span);
            span.lane = lane;
        }
        const busy = sum(coveredBy(spans).map(([begin, end]) => end - begin));
        return { ...json, spans, lanes, busy };
    }

    /** Per step its spans on all tracks: the pieces that threads did of it. */
    group() {
        const map = new Map();
        for (const s of this.list)
            if (s.kind === "step") map.set(s.step, [...(map.get(s.step) || []), s]);
        return map;
    }

    /** Where a queue or a thread did nothing, from the submit to the end of the wait. */
    gaps(track) {
        const host = this.list.filter((s) => s.kind === "submit" || s.kind === "wait"),
            spans = track.spans.filter((s) => s.kind === "step");
        if (!spans.length) return [];
        const first = host.length ? Math.min(...host.map((s) => s.begin)) : spans[0].begin,
            last = host.length ? Math.max(...host.map((s) => s.end)) : this.length,
            gaps = [];
        let end = first,
            before = null;
        for (const next of [...spans, null]) {
            const begin = next ? next.begin : last;
            if (begin > end) gaps.push(this.gap(track, before, next, end, begin));
            if (!next || next.end < end) continue;
            end = next.end;
            before = next;
        }
        return gaps;
    }

    /** What a gap is: its name, and why nothing ran as far as the spans tell. */
    gap(track, before, after, begin, end) {
        const others = before ? this.ofStep.get(before.step).filter((s) => s.track !== track.id) : [],
            busy = Math.min(end, Math.max(begin, ...others.map((s) => s.end))) - begin;
        const gap = { track: track.id, kind: "gap", begin, end, before, after, lane: 0, nodes: [] };
        if (!before) gap.title = "until the first step begins";
        else if (busy * 2 > end - begin) gap.title = `other threads are in ${before.title}`;
        else if (!after) gap.title = "until the host sees the end";
        else if (this.steps[after.step]?.barrier) gap.title = `barrier before ${after.title}`;
        else gap.title = `between ${before.title} and ${after.title}`;
        return gap;
    }

    /** Bytes of a device's arena in use from the moment at which a step begins: [[at, bytes], ...]. */
    arena(device) {
        const memory = (this.program.plan?.memory || []).find((m) => m.device === device),
            points = [];
        (memory?.live || []).forEach((bytes, step) => {
            const spans = this.launchOf(step);
            if (spans.length) points.push([Math.min(...spans.map((s) => s.begin)), bytes]);
        });
        return points.sort((a, b) => a[0] - b[0]);
    }
    launchOf(step) {
        for (let s = step; s >= 0 && step - s < 64; s--) {
            const spans = (this.ofStep.get(s) || []).filter((x) => s + x.n > step);
            if (spans.length) return spans;
        }
        return [];
    }

    /** The spans in which a node ran, the first of each track. */
    ofNode(node) {
        return this.list.filter((s) => s.nodes.includes(node));
    }
}

/** Intervals without overlaps that cover what the sorted spans cover. */
function coveredBy(spans) {
    const out = [];
    for (const s of spans) {
        const last = out[out.length - 1];
        if (last && s.begin <= last[1]) last[1] = Math.max(last[1], s.end);
        else out.push([s.begin, s.end]);
    }
    return out;
}

/** What a pointer on a span or a gap is told: [title, line, line, ...]. */
function describeSpan(s, spans) {
    const track = spans.tracks.find((t) => t.id === s.track);
    const lines = [
        s.kind === "gap" ? "gap" : s.title,
        `${format.time((s.end - s.begin) * 1e-9)} from ${format.time(s.begin * 1e-9)}, ${track ? track.name : ""}`,
    ];
    if (s.kind === "gap") {
        const names = [s.before && `after ${nodeNames(s.before)}`, s.after && `before ${nodeNames(s.after)}`];
        return [...lines, s.title, names.filter(Boolean).join(", ")];
    }
    for (const node of s.nodes) lines.push(`node ${node.id}${node.scope ? ` in ${node.scope}` : ""}`);
    const steps = spans.steps.slice(s.step, s.step + s.n);
    if (s.kind === "step") {
        lines.push(`step ${s.step}${s.n > 1 ? ` to ${s.step + s.n - 1}, one launch` : ""}${steps[0]?.barrier ? ", after a barrier" : ""}`);
        const t = totals(s.nodes),
            rate = [t.bytes && format.bytes(t.bytes), t.flops && format.flops(t.flops)].filter(Boolean);
        lines.push([s.nodes[0]?.json.kernel, ...rate].filter(Boolean).join(", "));
    } else if (s.n) lines.push(`steps ${s.step} to ${s.step + s.n - 1}`);
    return lines.filter(Boolean);
}
const nodeNames = (s) => s.nodes.map((n) => `${n.title} ${n.id}`).join(", ");
