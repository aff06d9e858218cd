/* dump_dot.c: a graph for Graphviz.
 *
 * A node is a box that says what it does and lists the weights, states and constants it reads, which get no node of
 * their own. Layers are clusters; those that are alike are drawn once. What is made outside of the layers and read in
 * several (positions, a table of angles) is named again in each instead of being joined by edges across the drawing. */
#include "graph/dump.h"
#include "graph/layers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct drawing {
    const weft__drawing *d;
    const weft_graph *g;
    const weft_writer *w;
    bool ok;
    weft__layers layers;
    weft__folds folds;
    bool *listed;     /* by node id: a source that has no node */
    uint32_t *reader; /* by value id: 1 + the layer that reads it, of those made outside; UINT32_MAX: several do */
} drawing;

#define PUT(p, ...) ((p)->ok = (p)->ok && weft_writef((p)->w, __VA_ARGS__))

/* Text inside an HTML-like label or a quoted string; what is no UTF-8, which Graphviz refuses, as '?'. */
static void put_escaped_n(drawing *p, const char *s, size_t n)
{
    for (const char *end = s + n; s < end && p->ok; s++) {
        size_t bytes = weft__utf8_sequence(s);
        if (*s == '&') PUT(p, "&amp;");
        else if (*s == '<') PUT(p, "&lt;");
        else if (*s == '>') PUT(p, "&gt;");
        else if (*s == '"') PUT(p, "&quot;");
        else if (*s == '\\') PUT(p, "&#92;");
        else if (!bytes) PUT(p, "?");
        else if ((unsigned char)*s >= 0x20) PUT(p, "%.*s", (int)bytes, s);
        s += bytes ? bytes - 1 : 0;
    }
}

static void put_escaped(drawing *p, const char *s)
{
    put_escaped_n(p, s, strlen(s));
}

static const weft_node *maker(const drawing *p, weft_ref r)
{
    return r.id ? weft_graph_node_by_id(p->g, weft_graph_value(p->g, r)->node) : NULL;
}

/* The node that is drawn for n. */
static uint32_t drawn(const drawing *p, const weft_node *n)
{
    return p->folds.node[n->id];
}

/* ---- what is drawn how ---- */

static const char *fill_of(const weft_node *n)
{
    static const char *const fills[][2] = {
        { "matmul", "#cfe2f3" }, { "attention", "#fce5cd" }, { "norm", "#d9ead3" },  { "softmax", "#d9ead3" },
        { "reduce", "#d9ead3" }, { "top_k", "#d9ead3" },     { "rope", "#ead1dc" },  { "store", "#ead1dc" },
        { "unary", "#fff2cc" },  { "binary", "#fff2cc" },    { "gather", "#e6e6e6" }, { "concat", "#e6e6e6" },
        { "copy", "#e6e6e6" },
    };
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
        if (!strcmp(fills[i][0], weft_op_get(n->op)->stem)) return fills[i][1];
    return "#ffffff";
}

/* Sources but inputs are lines in the labels of their readers, unless something else must point at them. */
static void find_listed(drawing *p)
{
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(p->g, &n_outputs);
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        p->listed[n->id] = (weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) && n->op != WEFT_OP_input;
    }
    for (uint32_t i = 0; i < n_outputs; i++) p->listed[maker(p, outputs[i].ref)->id] = false;
}

static void find_readers(drawing *p)
{
    for (uint32_t i = 0; i < weft_graph_node_count(p->g); i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        uint32_t layer = p->layers.of[n->id];
        if (!layer || drawn(p, n) != n->id) continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const weft_node *from = maker(p, n->in[k]);
            if (!from || p->listed[from->id] || p->layers.of[from->id]) continue;
            uint32_t *reader = &p->reader[n->in[k].id];
            *reader = *reader && *reader != layer ? UINT32_MAX : layer;
        }
    }
}

/* A value that is named again in the layer of its reader. */
static bool is_named(const drawing *p, const weft_node *reader, weft_ref r)
{
    return p->layers.of[reader->id] && p->reader[r.id] == UINT32_MAX;
}

static bool in_full(void *ctx, uint32_t layer)
{
    const weft_dump_desc *desc = ((drawing *)ctx)->d->desc;
    return desc->unfold || (layer >= desc->first_layer && layer - desc->first_layer < desc->n_layers);
}

/* ---- nodes ---- */

/* The part of a name that its surroundings do not say already. */
static const char *short_name(const char *name, const char *scope)
{
    size_t n = strlen(scope), key = weft__layer_key(scope);
    if (n && !strncmp(name, scope, n) && name[n] == '.') return name + n + 1;
    if (key && !strncmp(name, scope, key) && name[key] == '.') return name + key + 1;
    return name;
}

static void put_line(drawing *p, const char *colour, const char *text)
{
    if (!*text) return;
    PUT(p, "<br/><font point-size=\"8\" color=\"%s\">", colour);
    put_escaped(p, text);
    PUT(p, "</font>");
}

/* A weight, state or constant that n reads. */
static void put_source(drawing *p, const weft_node *n, const weft_node *source)
{
    char type[192], data[128], line[WEFT__MAX_NAME + 400];
    bool constant = source->op == WEFT_OP_constant;
    weft__type_text(p->g, source->out[0], type, sizeof type);
    if (constant) weft__data_text(p->g, source, 4, data, sizeof data);
    if (constant) snprintf(line, sizeof line, "constant %s = %s", type, data);
    else snprintf(line, sizeof line, "%s %s", short_name(source->name, n->scope), type);
    put_line(p, constant ? "#7f6000" : source->op == WEFT_OP_state ? "#a64d79" : "#38761d", line);
}

/* "act gelu, axis 1"; flags and counts that are 0 or none, and dims, which the result repeats, left out. */
static void put_attrs(drawing *p, const weft_node *n)
{
    uint32_t n_fields;
    char value[160], line[512] = "";
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    for (uint32_t i = 0, at = 0; i < n_fields && at < sizeof line; i++) {
        weft__attr_text(p->g, n, &f[i], value, sizeof value);
        if (!weft__attr_shown(&f[i], &n->attrs)) continue;
        if (f[i].type == ATTR_dims || !strcmp(value, "none")) continue;
        if (f[i].type == ATTR_i32 && !strcmp(value, "0")) continue;
        at += (uint32_t)snprintf(line + at, sizeof line - at, "%s%s %s", at ? ", " : "", f[i].name, value);
    }
    put_line(p, "#444444", line);
}

static void put_note(drawing *p, const weft_node *n)
{
    const weft__note *note = p->d->notes ? &p->d->notes[n->id] : NULL;
    char line[256];
    if (!note || !note->device) return;
    snprintf(line, sizeof line, "%s%s%s", note->kernel, *note->kernel ? " on " : "on ", note->device);
    put_line(p, "#1155cc", line);
}

static void put_tooltip(drawing *p, const weft_node *n)
{
    weft_cost c = weft_node_cost(p->g, n, p->d->values);
    PUT(p, ", tooltip=\"node %" PRIu32 " ", n->id);
    put_escaped(p, n->scope);
    if (c.bytes_read > 0 || c.bytes_written > 0)
        PUT(p, ": %.4g operations, %.4g bytes read, %.4g written", c.flops, c.bytes_read, c.bytes_written);
    PUT(p, "\"");
}

static void put_label(drawing *p, const weft_node *n)
{
    char type[192];
    PUT(p, "label=<<b>%s</b>", weft_op_get(n->op)->name);
    PUT(p, " <font point-size=\"8\" color=\"#888888\">%%%" PRIu32 "</font>", n->out[0].id);
    if (n->name) put_line(p, "#000000", n->name);
    size_t key = weft__layer_key(n->scope);
    if (!n->name) put_line(p, "#444444", n->scope + key + (key && n->scope[key] == '.'));
    put_attrs(p, n);
    for (uint32_t i = 0; i < n->n_in; i++) {
        const weft_node *from = maker(p, n->in[i]);
        if (from && p->listed[from->id]) put_source(p, n, from);
    }
    put_note(p, n);
    for (uint32_t i = 0; i < n->n_out; i++) put_line(p, "#000000", weft__type_text(p->g, n->out[i], type, sizeof type));
    PUT(p, ">");
}

static void put_node(drawing *p, const weft_node *n)
{
    uint32_t traits = weft_op_get(n->op)->traits;
    const char *style = traits & WEFT_TRAIT_VIEW ? "style=\"rounded,dashed\", color=\"#aaaaaa\", "
                        : traits & WEFT_TRAIT_SOURCE ? "shape=ellipse, style=filled, " : "";
    PUT(p, "  n%" PRIu32 " [%sfillcolor=\"%s\", ", n->id, style, fill_of(n));
    put_label(p, n);
    put_tooltip(p, n);
    PUT(p, "];\n");
}

/* ---- edges ---- */

static void put_edge(drawing *p, const weft_node *n, weft_ref r, const char *how)
{
    const weft_node *from = maker(p, r);
    if (!from || p->listed[from->id]) return;
    if (is_named(p, n, r)) PUT(p, "  r%" PRIu32 "_%" PRIu32, p->layers.of[n->id], r.id);
    else PUT(p, "  n%" PRIu32, drawn(p, from));
    PUT(p, " -> n%" PRIu32 "%s;\n", drawn(p, n), how);
}

static void put_edges(drawing *p)
{
    for (uint32_t i = 0; i < weft_graph_node_count(p->g) && p->ok; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        uint32_t layer = p->layers.of[n->id];
        bool second = layer && p->folds.first[layer - 1] + 2 == layer; /* of layers that are drawn as one */
        for (uint32_t k = 0; k < n->n_in; k++) {
            const weft_node *from = maker(p, n->in[k]);
            if (drawn(p, n) == n->id) put_edge(p, n, n->in[k], "");
            else if (second && from && p->layers.of[from->id] && p->layers.of[from->id] != layer)
                put_edge(p, n, n->in[k], " [style=dashed, constraint=false, color=\"#666666\", xlabel=\"next layer\"]");
        }
    }
}

/* ---- layers ---- */

/* The values from outside that are named again in this layer. */
static void put_names(drawing *p, uint32_t layer)
{
    for (uint32_t r = 1; r < weft_graph_value_limit(p->g); r++) {
        if (p->reader[r] != UINT32_MAX) continue;
        bool read = false;
        for (uint32_t i = 0; i < weft_graph_node_count(p->g) && !read; i++) {
            const weft_node *n = weft_graph_node(p->g, i);
            if (p->layers.of[n->id] != layer + 1) continue;
            for (uint32_t k = 0; k < n->n_in; k++) read = read || n->in[k].id == r;
        }
        if (!read) continue;
        const weft_node *from = maker(p, (weft_ref){ r });
        PUT(p, "  r%" PRIu32 "_%" PRIu32 " [shape=plaintext, style=\"\", label=<<i>", layer + 1, r);
        put_escaped(p, from->name ? from->name : weft_op_get(from->op)->name);
        PUT(p, "</i> <font point-size=\"8\" color=\"#888888\">%%%" PRIu32 "</font>>];\n", r);
    }
}

static void put_layer(drawing *p, uint32_t layer)
{
    const char *scope = p->layers.scope[layer];
    uint32_t count = p->folds.count[layer];
    PUT(p, "  subgraph cluster_%" PRIu32 " {\n  label=\"", layer);
    put_escaped_n(p, scope, weft__layer_key(scope));
    if (count > 1) {
        const char *last = p->layers.scope[layer + count - 1];
        PUT(p, " ... ");
        put_escaped_n(p, last, weft__layer_key(last));
        PUT(p, ": %" PRIu32 " layers that are alike\";\n  peripheries=2", count);
    } else PUT(p, "\"");
    PUT(p, "; style=rounded; color=\"#666666\"; bgcolor=\"#fafafa\";\n");
    put_names(p, layer);
    for (uint32_t i = 0; i < weft_graph_node_count(p->g) && p->ok; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if (p->layers.of[n->id] == layer + 1 && !p->listed[n->id]) put_node(p, n);
    }
    PUT(p, "  }\n");
}

/* One node for all outputs that one drawn node gives: the first few names, and the last. */
static void put_output(drawing *p, uint32_t from)
{
    uint32_t n, n_names = 0, at = 0;
    const weft_named *o = weft_graph_outputs(p->g, &n);
    for (uint32_t i = 0; i < n; i++) n_names += drawn(p, maker(p, o[i].ref)) == from;
    PUT(p, "  o%" PRIu32 " [shape=ellipse, style=\"filled,bold\", fillcolor=\"#ffffff\", label=<<b>output</b>", from);
    for (uint32_t i = 0; i < n; i++) {
        if (drawn(p, maker(p, o[i].ref)) != from) continue;
        bool last = ++at == n_names;
        if (at > 3 && !last) continue;
        PUT(p, at > 4 ? "<br/>...<br/>" : "<br/>");
        put_escaped(p, o[i].name);
    }
    PUT(p, ">];\n  n%" PRIu32 " -> o%" PRIu32 ";\n", from, from);
}

static void put_outputs(drawing *p)
{
    uint32_t n;
    const weft_named *o = weft_graph_outputs(p->g, &n);
    for (uint32_t i = 0; i < n && p->ok; i++) {
        uint32_t from = drawn(p, maker(p, o[i].ref));
        bool first = true;
        for (uint32_t k = 0; k < i; k++) first = first && drawn(p, maker(p, o[k].ref)) != from;
        if (first) put_output(p, from);
    }
}

static void put_graph(drawing *p)
{
    PUT(p, "digraph weft {\n  graph [rankdir=TB, nodesep=0.25, ranksep=0.3, fontname=\"Helvetica\", fontsize=12, "
           "labelloc=t, label=\"");
    put_escaped(p, p->d->desc->title ? p->d->desc->title : "");
    for (uint32_t i = 0; i < weft_graph_extent_count(p->g); i++)
        PUT(p, "%s%s = %lld", i ? ", " : p->d->desc->title ? ": " : "", weft_graph_extent(p->g, i + 1, NULL),
            (long long)p->d->values[i]);
    PUT(p, "\"];\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10, "
           "margin=\"0.08,0.04\", color=\"#666666\"];\n  edge [arrowsize=0.6, fontname=\"Helvetica\", fontsize=8, "
           "color=\"#333333\"];\n");
    for (uint32_t i = 0; i < weft_graph_node_count(p->g) && p->ok; i++) {
        const weft_node *n = weft_graph_node(p->g, i);
        if (!p->layers.of[n->id] && !p->listed[n->id]) put_node(p, n);
    }
    for (uint32_t k = 0; k < p->layers.n && p->ok; k++)
        if (p->folds.count[k]) put_layer(p, k);
    put_edges(p);
    put_outputs(p);
    PUT(p, "}\n");
}

weft_status weft__draw_dot(const weft__drawing *d, const weft_writer *w, weft_error *err)
{
    drawing p = { .d = d, .g = d->g, .w = w, .ok = true };
    WEFT_TRY(weft__layers_create(d->g, &p.layers, err));
    weft_status s = weft__folds_create(d->g, &p.layers, in_full, &p, &p.folds, err);
    p.listed = calloc(weft_graph_node_limit(d->g), sizeof *p.listed);
    p.reader = calloc(weft_graph_value_limit(d->g), sizeof *p.reader);
    if (!s && (!p.listed || !p.reader)) s = WEFT_OOM_FAIL(err, "a drawing");
    if (!s) {
        find_listed(&p);
        find_readers(&p);
        put_graph(&p);
        if (!p.ok) s = WEFT_FAIL(err, WEFT_IO, "a graph could not be written for Graphviz");
    }
    free(p.listed);
    free(p.reader);
    weft__folds_destroy(&p.folds);
    weft__layers_destroy(&p.layers);
    return s;
}
