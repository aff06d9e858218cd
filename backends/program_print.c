/* program_print.c: what a program is, as text: devices, memory, placement. Nothing here needs a loaded program. */
#include "backends/names.h"
#include "backends/program.h"

static bool print_spilled(const weft_backend *b, const weft_writer *w)
{
    weft_device_info info;
    weft_backend_info(b, &info);
    return !info.spilled || weft_writef(w, "%-8s is short of memory: %llu bytes lie in the host's\n", info.name,
                                        (unsigned long long)info.spilled);
}

static bool print_devices(const weft_program *p, const weft_writer *w)
{
    bool ok =
        weft_writef(w, "%-8s %12s %12s %12s %12s %12s\n", "device", "weights", "states", "constants", "arena", "total");
    for (uint32_t d = 0; d < p->s->n_devices; d++) {
        weft_device_info info;
        weft_backend_info(p->devices[d], &info);
        weft_program_memory m = weft_program_device_memory(p, d);
        ok = ok && weft_writef(w, "%-8s %12llu %12llu %12llu %12llu %12llu   bytes; %s\n", info.name,
                               (unsigned long long)m.weights, (unsigned long long)m.states,
                               (unsigned long long)m.constants, (unsigned long long)m.arena,
                               (unsigned long long)(m.weights + m.states + m.constants + m.arena), info.description);
    }
    for (uint32_t d = 0; d < p->s->n_devices && ok; d++) ok = print_spilled(p->devices[d], w);
    for (uint32_t d = 0; d < p->s->n_devices && p->s->split && ok; d++)
        ok = weft_writef(w, "%s%u layers on %s%s", d ? ", " : "", p->s->split[d], p->devices[d]->vt->name,
                         d + 1 < p->s->n_devices ? "" : p->s->by_memory ? ", by memory\n" : ", as asked\n");
    return ok;
}

static bool print_placement(const weft_program *p, const weft_writer *w)
{
    char name[256];
    const weft_plan *plan = p->s->plan;
    bool ok = weft_writef(w, "\n%5s %-7s %-28s %-12s %s\n", "step", "device", "kernel", "reason", "node");
    for (uint32_t i = 0; i < plan->n_steps && ok; i++) {
        const weft_node *n = weft_graph_node_by_id(p->s->g, plan->steps[i].node);
        weft_place place = weft_program_place(p, n->id);
        weft_device_info info;
        weft_backend_info(p->devices[place.device], &info);
        char mark = plan->steps[i].barrier ? '|' : plan->steps[i].joined ? '+' : ' ';
        const char *better = p->s->choices[n->id].instead_of;
        ok = weft_writef(w, "%4u%c %-7s %-28s %-12s %s%s%s\n", i, mark, info.name, place.kernel,
                         weft_place_name(place.reason), weft__node_text(n, name, sizeof name),
                         better ? ", instead of the disabled " : "", better ? better : "");
    }
    return ok;
}

weft_status weft_program_print(const weft_program *p, const weft_writer *w, weft_error *err)
{
    if (!print_devices(p, w)) return WEFT_FAIL(err, WEFT_IO, "the program could not be printed");
    if (!weft_writef(w, "\nextents:")) return WEFT_FAIL(err, WEFT_IO, "the program could not be printed");
    for (uint32_t i = 0; i < weft_graph_extent_count(p->s->g); i++)
        if (!weft_writef(w, " %s <= %lld", weft_graph_extent(p->s->g, i + 1, NULL), (long long)p->s->bounds[i]))
            return WEFT_FAIL(err, WEFT_IO, "the program could not be printed");
    if (!weft_writef(w, "\nsteps: %u, launches: %u, barriers: %u (after a step's number, '|': it waits for those "
                     "before, '+': it shares their launch)\n", p->s->plan->n_steps, p->s->plan->n_launches,
                     p->s->plan->n_barriers) ||
        !print_placement(p, w) || !weft_writef(w, "\n"))
        return WEFT_FAIL(err, WEFT_IO, "the program could not be printed");
    return weft_plan_print(p->s->g, p->s->plan, w, err);
}
