/* dump.c: whole dumps of programs: which stages there are, and the document around them. */
#include "backends/dump.h"
#include "backends/profile_impl.h"

#include <stdlib.h>
#include <string.h>

/* The values that desc gives to the extents of g, none above its bound. */
static void extent_values(const weft_graph *g, const weft_dump_desc *desc, const weft_program *p, int64_t *values)
{
    for (uint32_t i = 0; i < weft_graph_extent_count(g); i++) {
        uint32_t bound;
        const char *name = weft_graph_extent(g, i + 1, &bound);
        values[i] = p ? p->s->bounds[i] : bound;
        for (uint32_t k = 0; k < desc->n_extents; k++)
            if (!strcmp(desc->extents[k].extent, name) && desc->extents[k].bound < values[i])
                values[i] = desc->extents[k].bound ? desc->extents[k].bound : 1;
    }
}

/* The graph that the passes begin with: `built` with the outputs that are wanted. */
static weft_status begin_passes(const weft_dump_program *d, weft_graph **out, weft_error *err)
{
    WEFT_TRY(weft_graph_clone(d->built, out, err));
    weft_status s = WEFT_OK;
    if (d->program) {
        uint32_t n;
        const weft_named *outputs = weft_graph_outputs(d->program->s->g, &n);
        const char **names = malloc((n + 1) * sizeof *names);
        if (!names) s = WEFT_OOM_FAIL(err, "a dump");
        for (uint32_t i = 0; names && i < n; i++) names[i] = outputs[i].name;
        if (names) s = weft_graph_keep_outputs(*out, names, n, err);
        free(names);
    } else if (d->outputs) {
        s = weft_graph_keep_outputs(*out, d->outputs, d->n_outputs, err);
    }
    if (!s) return WEFT_OK;
    weft_graph_destroy(*out);
    *out = NULL;
    return s;
}

/* "passes", and the graph that they leave: NULL where there are none. */
static weft_status put_passes(weft__json *j, const weft_dump_program *d, weft_graph **optimised, weft_error *err)
{
    *optimised = NULL;
    if (!d->built || d->as_built) return WEFT_OK;
    WEFT_TRY(begin_passes(d, optimised, err));
    weft__json_line(j);
    weft__json_array(j, "passes");
    weft_status s = weft__json_passes(j, *optimised, err);
    if (!s && d->program) weft__json_change(j, "schedule", *optimised, d->program->s->g);
    weft__json_end_array(j);
    return s;
}

static void put_checks(weft__json *j, const weft_check_node *checks, uint32_t n)
{
    weft__json_line(j);
    weft__json_object(j, "check");
    weft__json_array(j, "nodes");
    for (uint32_t i = 0; i < n; i++) {
        const weft_check_node *c = &checks[i];
        weft__json_line(j);
        weft__json_object(j, NULL);
        weft__json_u64(j, "node", c->node);
        weft__json_u64(j, "output", c->output);
        weft__json_f64(j, "max_error", c->max_error);
        weft__json_f64(j, "mean_error", c->mean_error);
        weft__json_f64(j, "rms", c->rms);
        weft__json_f64(j, "tolerance", c->tolerance);
        weft__json_u64(j, "nan", c->n_nan);
        weft__json_u64(j, "inf", c->n_inf);
        weft__json_bool(j, "failed", c->failed);
        weft__json_end_object(j);
    }
    weft__json_end_array(j);
    weft__json_end_object(j);
}

static weft_status put_program(weft__json *j, const weft_dump_program *d, const weft_dump_desc *desc, weft_error *err)
{
    const weft_program *p = d->program;
    const weft_graph *g = p ? p->s->g : d->built;
    int64_t values[WEFT_MAX_EXTENTS];
    weft_graph *optimised;
    if (d->profile) memcpy(values, d->profile->work, sizeof values);
    else extent_values(g, desc, p, values);
    weft__json_line(j);
    weft__json_object(j, NULL);
    weft__json_string(j, "name", d->name);
    weft__json_extents(j, g, p ? p->s->bounds : NULL, values);
    weft_status s = put_passes(j, d, &optimised, err);
    weft__json_line(j);
    weft__json_array(j, "stages");
    if (d->built) weft__json_stage(j, &(weft__stage){ .name = "built", .g = d->built, .values = values });
    if (optimised) weft__json_stage(j, &(weft__stage){ .name = "optimised", .g = optimised, .values = values });
    weft_graph_destroy(optimised);
    if (p) weft__json_planned(j, p, values);
    weft__json_end_array(j);
    if (!s && p) s = weft__json_plan(j, p, err);
    if (!s && d->profile) s = weft__profile_json(d->profile, j, err);
    if (d->checks) put_checks(j, d->checks, d->n_checks);
    weft__json_end_object(j);
    return s;
}

/* The devices of the programs, which share them. */
static void put_devices(weft__json *j, const weft_dump_program *programs, uint32_t n)
{
    const weft_program *p = NULL;
    const weft_profile *prof = NULL;
    for (uint32_t i = 0; i < n && !p; i++) p = programs[i].program;
    for (uint32_t i = 0; i < n && !prof; i++) prof = programs[i].profile;
    weft__json_line(j);
    weft__json_array(j, "devices");
    for (uint32_t d = 0; p && d < p->s->n_devices; d++)
        weft__json_device(j, d, p->devices[d], prof && prof->has_roofs ? &prof->roofs[d] : NULL);
    weft__json_end_array(j);
}

static weft_status dump_json(const weft_dump_program *programs, uint32_t n, const weft_dump_desc *desc,
                             const weft_writer *w, weft_error *err)
{
    weft__json j;
    weft__json_start(&j, w);
    weft__json_object(&j, NULL);
    weft__json_head(&j, desc->title);
    put_devices(&j, programs, n);
    weft__json_line(&j);
    weft__json_array(&j, "programs");
    for (uint32_t i = 0; i < n; i++) WEFT_TRY(put_program(&j, &programs[i], desc, err));
    weft__json_end_array(&j);
    weft__json_end_object(&j);
    return weft__json_finish(&j) ? WEFT_OK : WEFT_FAIL(err, WEFT_IO, "a program could not be written as JSON");
}

/* Where the nodes of a planned graph run, by node id; NULL: no memory. */
static weft__note *make_notes(const weft_program *p)
{
    weft__note *notes = calloc(p->s->node_limit, sizeof *notes);
    for (uint32_t i = 0; notes && i < weft_graph_node_count(p->s->g); i++) {
        const weft_node *n = weft_graph_node(p->s->g, i);
        if (weft_op_get(n->op)->traits & (WEFT_TRAIT_SOURCE | WEFT_TRAIT_VIEW)) continue;
        weft_place place = weft_program_place(p, n->id);
        notes[n->id] = (weft__note){ p->devices[place.device]->vt->name, place.kernel, weft_place_name(place.reason) };
    }
    return notes;
}

/* The last stage of a program as a drawing or a text. */
static weft_status dump_one(const weft_dump_program *d, weft_dump_format format, const weft_dump_desc *desc,
                            const weft_writer *w, weft_error *err)
{
    weft_graph *optimised = NULL;
    if (!d->program && !d->as_built) {
        WEFT_TRY(begin_passes(d, &optimised, err));
        weft_status s = weft_graph_optimise(optimised, NULL, 0, err);
        if (s) weft_graph_destroy(optimised);
        WEFT_TRY(s);
    }
    int64_t values[WEFT_MAX_EXTENTS];
    weft__drawing drawing = { .name = d->name, .desc = desc, .values = values };
    drawing.g = d->program ? d->program->s->g : optimised ? optimised : d->built;
    weft__note *notes = d->program ? make_notes(d->program) : NULL;
    if (d->program && !notes) return WEFT_OOM_FAIL(err, "a dump");
    drawing.notes = notes;
    extent_values(drawing.g, desc, d->program, values);
    weft_status s = format == WEFT_DUMP_DOT              ? weft__draw_dot(&drawing, w, err)
                    : format == WEFT_DUMP_MODEL_EXPLORER ? weft__draw_explorer(&drawing, w, err)
                    : d->program                         ? weft_program_print(d->program, w, err)
                                                         : weft_graph_print(drawing.g, w, err);
    free(notes);
    weft_graph_destroy(optimised);
    return s;
}

weft_status weft_program_dump(const weft_dump_program *programs, uint32_t n, weft_dump_format format,
                              const weft_dump_desc *desc, const weft_writer *w, weft_error *err)
{
    static const weft_dump_desc none = { 0 };
    if (!desc) desc = &none;
    for (uint32_t i = 0; i < n; i++)
        if (!programs[i].built && !programs[i].program)
            return WEFT_FAIL(err, WEFT_INVALID, "dump: program %u has neither a graph nor a plan", i);
    if ((unsigned)format >= WEFT_DUMP_FORMAT_COUNT)
        return WEFT_FAIL(err, WEFT_INVALID, "dump: %d is no format", (int)format);
    if (format == WEFT_DUMP_JSON) return dump_json(programs, n, desc, w, err);
    if (n != 1) return WEFT_FAIL(err, WEFT_INVALID, "dump: this format takes one program, not %u", n);
    return dump_one(programs, format, desc, w, err);
}
