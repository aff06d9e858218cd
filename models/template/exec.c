/* exec.c: statements. */
#include "jinja.h"

/* ---- assignments ---- */

static void unpack(jinja_run *r, jinja_scope *s, const jinja_nodes *targets, jinja_value v)
{
    jinja_defined(r, v);
    const jinja_list *l = jinja_items(r, v);
    if (l->n < targets->n) jinja_fail(r, "not enough values to unpack (expected %zu, got %zu)", targets->n, l->n);
    if (l->n > targets->n) jinja_fail(r, "too many values to unpack (expected %zu)", targets->n);
    for (size_t i = 0; i < l->n; i++) jinja_assign(r, s, targets->v[i], l->v[i]);
}

static void assign_in_space(jinja_run *r, jinja_scope *s, const jinja_node *n, jinja_value v)
{
    const jinja_value space = jinja_lookup(r, s, n->a->value.text);
    if (space.kind != JINJA_NAMESPACE) jinja_fail(r, "cannot assign attribute on non-namespace object");
    if (n->value.text->s[0] == '_') jinja_fail(r, "a namespace takes no name that begins with an underscore");
    jinja_dict_set(r, space.dict, n->value, v);
}

void jinja_assign(jinja_run *r, jinja_scope *s, const jinja_node *target, jinja_value v)
{
    jinja_enter(r);
    if (target->op == JINJA_NAME)
        jinja_scope_set(r, s, target->value.text, v);
    else if (target->op == JINJA_SPACE_NAME)
        assign_in_space(r, s, target, v);
    else
        unpack(r, s, &target->list, v);
    jinja_leave(r);
}

/* v through filters whose innermost value is NULL. */
static jinja_value filtered(jinja_run *r, jinja_scope *s, const jinja_node *n, jinja_value v)
{
    if (!n) return v;
    jinja_enter(r);
    v = filtered(r, s, n->a, v);
    const jinja_args args = jinja_eval_args(r, s, n->args);
    r->line = n->line;
    if (!n->row) jinja_fail(r, "No filter named '%s' found.", jinja_c(r, n->value.text));
    v = jinja_apply(r, n->row, v, &args);
    jinja_leave(r);
    return v;
}

jinja_value jinja_capture(jinja_run *r, jinja_scope *s, const jinja_nodes *body)
{
    jinja_buffer own = { 0 }, *before = r->out;
    r->out = &own;
    jinja_exec(r, s, body);
    r->out = before;
    return jinja_buffer_value(r, &own);
}

/* ---- loops ---- */

/* Those items of which the condition of the loop is true. */
static jinja_list *selected(jinja_run *r, jinja_scope *s, const jinja_node *n, jinja_list *items)
{
    if (!n->c) return items;
    jinja_list *l = jinja_list_new(r, 0);
    for (size_t i = 0; i < items->n; i++) {
        jinja_scope *own = jinja_scope_new(r, s);
        jinja_assign(r, own, n->a, items->v[i]);
        if (jinja_true(r, jinja_eval(r, own, n->c))) jinja_push(r, l, items->v[i]);
    }
    return l;
}

static jinja_flow loop_over(jinja_run *r, jinja_scope *s, const jinja_node *n, jinja_value over, int64_t depth)
{
    jinja_loop *l = jinja_alloc(r, 1, sizeof *l);
    *l = (jinja_loop){ .items = selected(r, s, n, jinja_items(r, over)), .depth = depth, .node = n, .scope = s };
    jinja_scope *own = jinja_scope_new(r, s);
    for (l->at = 0; l->at < l->items->n; l->at++) {
        if (own->kept) own = jinja_scope_new(r, s);
        own->n = 0;
        jinja_scope_set(r, own, &jinja_word_loop, (jinja_value){ .kind = JINJA_LOOP, .loop = l });
        jinja_assign(r, own, n->a, l->items->v[l->at]);
        if (jinja_exec(r, own, &n->body) == JINJA_DID_BREAK) break;
    }
    return l->items->n ? JINJA_NEXT : jinja_exec(r, jinja_scope_new(r, s), &n->other);
}

jinja_value jinja_call_loop(jinja_run *r, const jinja_loop *l, jinja_value items)
{
    jinja_buffer own = { 0 }, *before = r->out;
    if (!l->node->flag) jinja_fail(r, "The loop must have the 'recursive' marker to be called recursively.");
    r->out = &own;
    jinja_enter(r);
    loop_over(r, l->scope, l->node, items, l->depth + 1);
    jinja_leave(r);
    r->out = before;
    return jinja_buffer_value(r, &own);
}

/* ---- statements ---- */

static jinja_flow exec_if(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    for (size_t i = 0; i < n->list.n; i++)
        if (jinja_true(r, jinja_eval(r, s, n->list.v[i]->a))) return jinja_exec(r, s, &n->list.v[i]->body);
    return jinja_exec(r, s, &n->other);
}

static jinja_flow exec_with(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_scope *own = jinja_scope_new(r, s);
    for (size_t i = 0; i < n->list.n; i++) jinja_assign(r, own, n->list.v[i]->a, jinja_eval(r, s, n->list.v[i]->b));
    return jinja_exec(r, own, &n->body);
}

static jinja_value macro_value(jinja_run *r, jinja_scope *s, const jinja_node *n, bool caller)
{
    jinja_macro *m = jinja_alloc(r, 1, sizeof *m);
    *m = (jinja_macro){ n, s, caller };
    for (; s && !s->kept; s = s->parent) s->kept = true;
    return (jinja_value){ .kind = JINJA_MACRO, .macro = m };
}

static void exec_call_block(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value caller = macro_value(r, s, n->b, true), f = jinja_eval(r, s, n->a->a);
    jinja_args args = jinja_eval_args(r, s, n->a->args);
    jinja_pair *named = jinja_alloc(r, args.n_named + 1, sizeof *named);
    for (size_t i = 0; i < args.n_named; i++) named[i] = args.named[i];
    named[args.n_named++] = (jinja_pair){ jinja_from_text(&jinja_word_caller), caller, 0 };
    args.named = named;
    jinja_print(r, r->out, jinja_call_value(r, f, &args));
}

static void exec_filter_block(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value text = jinja_capture(r, jinja_scope_new(r, s), &n->body);
    jinja_print(r, r->out, filtered(r, s, n->a, text));
}

static void exec_set_block(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_scope *own = jinja_scope_new(r, s);
    const jinja_value text = jinja_capture(r, own, &n->body);
    jinja_assign(r, s, n->a, filtered(r, own, n->b, text));
}

/* A block sees the template's variables, and those around it only where it says so. */
static jinja_flow exec_block(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    while (!n->flag && s->parent) s = s->parent;
    return jinja_exec(r, jinja_scope_new(r, s), &n->body);
}

static jinja_flow exec_node(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    switch (n->op) {
    case JINJA_DATA:
        jinja_put(r, r->out, n->value.text->s, n->value.text->n);
        break;
    case JINJA_PRINT:
        for (size_t i = 0; i < n->list.n; i++) jinja_print(r, r->out, jinja_eval(r, s, n->list.v[i]));
        break;
    case JINJA_FOR:
        return loop_over(r, s, n, jinja_eval(r, s, n->b), 0);
    case JINJA_IF:
        return exec_if(r, s, n);
    case JINJA_SET:
        jinja_assign(r, s, n->a, jinja_eval(r, s, n->b));
        break;
    case JINJA_SET_BLOCK:
        exec_set_block(r, s, n);
        break;
    case JINJA_WITH:
        return exec_with(r, s, n);
    case JINJA_MACRO_DEF:
        jinja_scope_set(r, s, n->value.text, macro_value(r, s, n, false));
        break;
    case JINJA_CALL_BLOCK:
        exec_call_block(r, s, n);
        break;
    case JINJA_FILTER_BLOCK:
        exec_filter_block(r, s, n);
        break;
    case JINJA_SCOPE:
        return jinja_exec(r, jinja_scope_new(r, s), &n->body);
    case JINJA_BLOCK:
        return exec_block(r, s, n);
    case JINJA_BREAK:
        return JINJA_DID_BREAK;
    case JINJA_CONTINUE:
        return JINJA_DID_CONTINUE;
    case JINJA_REFUSED:
        jinja_fail_as(r, WEFT_UNSUPPORTED, "a chat template has no other templates to take in");
    default:
        jinja_eval(r, s, n);
    }
    return JINJA_NEXT;
}

jinja_flow jinja_exec(jinja_run *r, jinja_scope *s, const jinja_nodes *body)
{
    jinja_flow flow = JINJA_NEXT;
    jinja_enter(r);
    for (size_t i = 0; i < body->n && flow == JINJA_NEXT; i++) {
        jinja_work(r, 1);
        r->line = body->v[i]->line;
        flow = exec_node(r, s, body->v[i]);
    }
    jinja_leave(r);
    return flow;
}
