/* dump_explorer.c: a graph for Google's Model Explorer: a "graph collection" as its file loader takes it, with the
 * fields of its published classes (ai-edge-model-explorer, graph_builder.py). Scopes become nested groups. */
#include "graph/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_pair(weft__json *j, const char *key, const char *value)
{
    weft__json_object(j, NULL);
    weft__json_string(j, "key", key);
    weft__json_string(j, "value", value);
    weft__json_end_object(j);
}

static void put_number(weft__json *j, const char *key, double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.0f", x);
    put_pair(j, key, text);
}

/* "model.layers.3" as "model/layers/3". */
static void put_namespace(weft__json *j, const char *scope)
{
    char text[WEFT__MAX_NAME + 1];
    snprintf(text, sizeof text, "%s", scope);
    for (char *at = text; *at; at++)
        if (*at == '.') *at = '/';
    weft__json_string(j, "namespace", text);
}

static void put_edges(weft__json *j, const weft_graph *g, const weft_ref *in, uint32_t n)
{
    weft__json_array(j, "incomingEdges");
    for (uint32_t i = 0; i < n; i++) {
        const weft_value *v = weft_graph_value(g, in[i]);
        if (!v) continue; /* an optional input that is not given */
        weft__json_object(j, NULL);
        weft__json_stringf(j, "sourceNodeId", "%" PRIu32, v->node);
        weft__json_stringf(j, "sourceNodeOutputId", "%" PRIu32, v->index);
        weft__json_stringf(j, "targetNodeInputId", "%" PRIu32, i);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
}

static void put_attrs(weft__json *j, const weft__drawing *d, const weft_node *n)
{
    uint32_t n_fields;
    char text[192];
    weft_cost cost = weft_node_cost(d->g, n, d->values);
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    weft__json_array(j, "attrs");
    if (n->name) put_pair(j, "name", n->name);
    for (uint32_t i = 0; i < n_fields; i++)
        if (weft__attr_shown(&f[i], &n->attrs))
            put_pair(j, f[i].name, weft__attr_text(d->g, n, &f[i], text, sizeof text));
    if (n->data) put_pair(j, "data", weft__data_text(d->g, n, 8, text, sizeof text));
    if (cost.bytes_read > 0 || cost.bytes_written > 0) {
        put_number(j, "flops", cost.flops);
        put_number(j, "bytes read", cost.bytes_read);
        put_number(j, "bytes written", cost.bytes_written);
    }
    const weft__note *note = d->notes ? &d->notes[n->id] : NULL;
    if (note && note->device) {
        put_pair(j, "device", note->device);
        put_pair(j, "kernel", note->kernel);
        put_pair(j, "placement", note->reason);
    }
    weft__json_end_array(j);
}

static void put_outputs(weft__json *j, const weft__drawing *d, const weft_node *n)
{
    char type[192], tag[16];
    weft__json_array(j, "outputsMetadata");
    for (uint32_t i = 0; i < n->n_out; i++) {
        snprintf(tag, sizeof tag, "%%%" PRIu32, n->out[i].id);
        weft__json_object(j, NULL);
        weft__json_stringf(j, "id", "%" PRIu32, i);
        weft__json_array(j, "attrs");
        put_pair(j, "__tensor_tag", tag);
        put_pair(j, "tensor_shape", weft__type_text(d->g, n->out[i], type, sizeof type));
        weft__json_end_array(j);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
}

static void put_node(weft__json *j, const weft__drawing *d, const weft_node *n)
{
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_stringf(j, "id", "%" PRIu32, n->id);
    weft__json_string(j, "label", weft_op_get(n->op)->name);
    put_namespace(j, n->scope);
    put_attrs(j, d, n);
    put_edges(j, d->g, n->in, n->n_in);
    put_outputs(j, d, n);
    weft__json_end_object(j);
}

weft_status weft__draw_explorer(const weft__drawing *d, const weft_writer *w, weft_error *err)
{
    weft__json j;
    uint32_t n_outputs;
    const weft_named *outputs = weft_graph_outputs(d->g, &n_outputs);
    const char *title = d->desc->title ? d->desc->title : "";
    weft__json_start(&j, w);
    weft__json_object(&j, NULL);
    weft__json_string(&j, "label", *title ? title : "weft");
    weft__json_array(&j, "graphs");
    weft__json_object(&j, NULL);
    weft__json_string(&j, "id", d->name);
    weft__json_array(&j, "nodes");
    for (uint32_t i = 0; i < weft_graph_node_count(d->g) && j.ok; i++) put_node(&j, d, weft_graph_node(d->g, i));
    for (uint32_t i = 0; i < n_outputs; i++) {
        weft__json_line(&j);
        weft__json_object(&j, NULL);
        weft__json_stringf(&j, "id", "output %" PRIu32, i);
        weft__json_string(&j, "label", outputs[i].name);
        weft__json_string(&j, "namespace", "");
        put_edges(&j, d->g, &outputs[i].ref, 1);
        weft__json_end_object(&j);
    }
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    return weft__json_finish(&j) ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a graph could not be written for Model Explorer");
}
