/* render.c: expressions, statements and calls of macros, which lead to each other. */
#include "jinja.h"
#include "parser.h"

/* ---- arguments ---- */

static void eval_rest(jinja_run *r, jinja_scope *s, const jinja_arguments *a, jinja_list *plain)
{
    if (!a->rest) return;
    const jinja_list *l = jinja_items(r, jinja_eval(r, s, a->rest));
    for (size_t i = 0; i < l->n; i++) jinja_push(r, plain, l->v[i]);
}

jinja_args jinja_eval_args(jinja_run *r, jinja_scope *s, const jinja_arguments *a)
{
    jinja_args out = { 0 };
    if (!a) return out;
    jinja_list *plain = jinja_list_new(r, a->plain.n);
    jinja_dict *named = jinja_dict_new(r);
    for (size_t i = 0; i < a->plain.n; i++) jinja_push(r, plain, jinja_eval(r, s, a->plain.v[i]));
    eval_rest(r, s, a, plain);
    for (size_t i = 0; i < a->named.n; i++) {
        const jinja_node *n = a->named.v[i];
        if (jinja_dict_find(r, named, n->value)) jinja_fail(r, "keyword argument repeated");
        jinja_dict_set(r, named, n->value, jinja_eval(r, s, n->a));
    }
    const jinja_value rest = a->rest_named ? jinja_eval(r, s, a->rest_named) : jinja_from_dict(jinja_dict_new(r));
    if (rest.kind != JINJA_DICT) jinja_fail(r, "argument after ** must be a mapping, not %s", jinja_type_name(rest));
    for (size_t i = 0; i < rest.dict->n; i++) {
        const jinja_pair *p = &rest.dict->p[i];
        if (p->key.kind != JINJA_TEXT) jinja_fail(r, "keywords must be strings");
        if (jinja_dict_find(r, named, p->key)) jinja_fail(r, "got multiple values for a keyword argument");
        jinja_dict_set(r, named, p->key, p->value);
    }
    return (jinja_args){ plain->v, plain->n, named->p, named->n };
}

/* ---- operators ---- */

static bool compare(jinja_run *r, int sign, jinja_value a, jinja_value b)
{
    if (sign == 'i') return jinja_contains(r, b, a);
    if (sign == 'o') return !jinja_contains(r, b, a);
    if (sign == 'e') return jinja_equal(r, a, b);
    if (sign == 'n') return !jinja_equal(r, a, b);
    const int c = jinja_compare(r, a, b, sign == 'l' ? "<=" : sign == 'g' ? ">=" : sign == '<' ? "<" : ">");
    if (c == 2) return false;
    return sign == '<' ? c < 0 : sign == '>' ? c > 0 : sign == 'l' ? c <= 0 : c >= 0;
}

static jinja_value eval_compare(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_value a = jinja_eval(r, s, n->a);
    for (size_t i = 0; i < n->list.n; i++) {
        const jinja_value b = jinja_eval(r, s, n->list.v[i]->a);
        if (!compare(r, n->list.v[i]->sign, a, b)) return jinja_bool(false);
        a = b;
    }
    return jinja_bool(true);
}

static jinja_value eval_if_else(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    if (jinja_true(r, jinja_eval(r, s, n->b))) return jinja_eval(r, s, n->a);
    if (n->c) return jinja_eval(r, s, n->c);
    return jinja_undefined(r, "the inline if-expression evaluated to false and no else section was defined.");
}

static jinja_value eval_concat(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_text *text = NULL;
    for (size_t i = 0; i < n->list.n; i++) {
        jinja_text t = *jinja_str(r, jinja_eval(r, s, n->list.v[i]));
        t.markup = false;
        if (!text)
            text = jinja_text_part(r, &t, t.s, t.n);
        else
            text = jinja_text_join(r, text, &t);
    }
    return jinja_from_text(text);
}

/* ---- the rest ---- */

static jinja_list *eval_list(jinja_run *r, jinja_scope *s, const jinja_nodes *list)
{
    jinja_list *l = jinja_list_new(r, list->n);
    for (size_t i = 0; i < list->n; i++) jinja_push(r, l, jinja_eval(r, s, list->v[i]));
    return l;
}

static jinja_value eval_dict(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_dict *d = jinja_dict_new(r);
    for (size_t i = 0; i + 1 < n->list.n; i += 2) {
        const jinja_value key = jinja_eval(r, s, n->list.v[i]);
        jinja_dict_set(r, d, key, jinja_eval(r, s, n->list.v[i + 1]));
    }
    return jinja_from_dict(d);
}

static jinja_value eval_item(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value v = jinja_eval(r, s, n->a);
    const jinja_node *k = n->b;
    if (k->op != JINJA_SLICE) return jinja_item(r, v, jinja_eval(r, s, k));
    const jinja_value from = k->a ? jinja_eval(r, s, k->a) : jinja_none();
    const jinja_value to = k->b ? jinja_eval(r, s, k->b) : jinja_none();
    return jinja_slice(r, v, from, to, k->c ? jinja_eval(r, s, k->c) : jinja_none());
}

static jinja_value eval_call(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value f = jinja_eval(r, s, n->a);
    const jinja_args args = jinja_eval_args(r, s, n->args);
    r->line = n->line;
    return jinja_call_value(r, f, &args);
}

static jinja_value eval_filter(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    const jinja_value v = jinja_eval(r, s, n->a);
    const jinja_args args = jinja_eval_args(r, s, n->args);
    r->line = n->line;
    if (!n->row)
        jinja_fail(r, "No %s named '%s' found.", n->op == JINJA_FILTER ? "filter" : "test", jinja_c(r, n->value.text));
    return jinja_apply(r, n->row, v, &args);
}

static jinja_value eval_node(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_value a;
    switch (n->op) {
    case JINJA_CONST:
        return n->value;
    case JINJA_NAME:
        return jinja_lookup(r, s, n->value.text);
    case JINJA_MAKE_LIST:
        return jinja_from_list(eval_list(r, s, &n->list));
    case JINJA_MAKE_TUPLE:
        return jinja_from_tuple(eval_list(r, s, &n->list));
    case JINJA_MAKE_DICT:
        return eval_dict(r, s, n);
    case JINJA_ATTRIBUTE:
        return jinja_attribute(r, jinja_eval(r, s, n->a), n->value.text);
    case JINJA_ITEM:
        return eval_item(r, s, n);
    case JINJA_CALL:
        return eval_call(r, s, n);
    case JINJA_FILTER:
    case JINJA_TEST:
        return eval_filter(r, s, n);
    case JINJA_NOT:
        return jinja_bool(!jinja_true(r, jinja_eval(r, s, n->a)));
    case JINJA_AND:
        a = jinja_eval(r, s, n->a);
        return jinja_true(r, a) ? jinja_eval(r, s, n->b) : a;
    case JINJA_OR:
        a = jinja_eval(r, s, n->a);
        return jinja_true(r, a) ? a : jinja_eval(r, s, n->b);
    case JINJA_IF_ELSE:
        return eval_if_else(r, s, n);
    case JINJA_COMPARE:
        return eval_compare(r, s, n);
    case JINJA_BINARY:
        a = jinja_eval(r, s, n->a);
        return jinja_binary(r, n->sign, a, jinja_eval(r, s, n->b));
    case JINJA_UNARY:
        return jinja_unary(r, n->sign, jinja_eval(r, s, n->a));
    case JINJA_CONCAT:
        return eval_concat(r, s, n);
    default:
        jinja_fail_as(r, WEFT_INTERNAL, "a statement where an expression should be");
    }
}

jinja_value jinja_eval(jinja_run *r, jinja_scope *s, const jinja_node *n)
{
    jinja_work(r, 1);
    jinja_enter(r);
    r->line = n->line;
    const jinja_value v = eval_node(r, s, n);
    r->line = n->line;
    jinja_leave(r);
    return v;
}

/* ---- calls ---- */

jinja_value jinja_call_value(jinja_run *r, jinja_value f, const jinja_args *args)
{
    jinja_defined(r, f);
    switch (f.kind) {
    case JINJA_FUNCTION:
        return jinja_apply(r, f.function, f, args);
    case JINJA_METHOD:
        return jinja_apply(r, f.method->row, f.method->self, args);
    case JINJA_MACRO:
        return jinja_call_macro(r, f.macro, args);
    case JINJA_LOOP:
        if (args->n != 1 || args->n_named) jinja_fail(r, "loop() takes one argument");
        return jinja_call_loop(r, f.loop, args->v[0]);
    case JINJA_JOINER:
        f.iterator->at++;
        return jinja_from_text(f.iterator->at > 1 ? f.iterator->separator : jinja_text_of(r, "", 0));
    default:
        jinja_fail(r, "'%s' object is not callable", jinja_type_name(f));
    }
}

/* ---- macros ---- */

static bool takes_caller(const jinja_node *n)
{
    for (size_t i = 0; i < n->list.n; i++)
        if (n->list.v[i]->value.text == &jinja_word_caller) return true;
    return false;
}

/* Where a named argument stands, which counts it as used; -1: nowhere. */
static int64_t take(jinja_run *r, const jinja_args *args, const jinja_text *name, bool *used)
{
    for (size_t i = 0; i < args->n_named; i++) {
        jinja_work(r, 1);
        if (!jinja_equal(r, args->named[i].key, jinja_from_text(name))) continue;
        used[i] = true;
        return (int64_t)i;
    }
    return -1;
}

/* What no parameter has taken. */
static void bind_rest(jinja_run *r, jinja_scope *s, const jinja_macro *m, const jinja_args *args, bool *used)
{
    const jinja_node *n = m->node;
    const char *name = jinja_c(r, n->value.text);
    const bool explicit_caller = takes_caller(n);
    if ((n->sign & JINJA_SAYS_CALLER) && !explicit_caller) {
        const int64_t i = take(r, args, &jinja_word_caller, used);
        jinja_scope_set(r, s, &jinja_word_caller,
                        i < 0 ? jinja_undefined(r, "No caller defined") : args->named[i].value);
    }
    jinja_dict *rest = jinja_dict_new(r);
    for (size_t i = 0; i < args->n_named; i++)
        if (!used[i]) jinja_dict_set(r, rest, args->named[i].key, args->named[i].value);
    if (n->sign & JINJA_SAYS_KWARGS)
        jinja_scope_set(r, s, &jinja_word_kwargs, jinja_from_dict(rest));
    else if (rest->n)
        jinja_fail(r, "macro '%s' takes no keyword argument '%s'", name, jinja_c(r, rest->p[0].key.text));
    jinja_list *more = jinja_list_new(r, 0);
    for (size_t i = n->list.n; i < args->n; i++) jinja_push(r, more, args->v[i]);
    if (n->sign & JINJA_SAYS_VARARGS)
        jinja_scope_set(r, s, &jinja_word_varargs, jinja_from_tuple(more));
    else if (more->n)
        jinja_fail(r, "macro '%s' takes not more than %zu argument(s)", name, n->list.n);
}

static jinja_value not_provided(jinja_run *r, const jinja_text *name)
{
    jinja_buffer b = { 0 };
    jinja_puts(r, &b, "parameter '");
    jinja_put(r, &b, name->s, name->n);
    jinja_puts(r, &b, "' was not provided");
    return jinja_undefined(r, jinja_c(r, jinja_buffer_value(r, &b).text));
}

jinja_value jinja_call_macro(jinja_run *r, const jinja_macro *m, const jinja_args *args)
{
    const uint32_t line = r->line;
    const jinja_node *n = m->node;
    jinja_scope *s = jinja_scope_new(r, m->scope);
    bool *used = jinja_alloc(r, args->n_named, sizeof *used);
    int64_t *given = jinja_alloc(r, n->list.n, sizeof *given);
    jinja_enter(r);
    for (size_t i = args->n; i < n->list.n; i++) given[i] = take(r, args, n->list.v[i]->value.text, used);
    bind_rest(r, s, m, args, used);
    for (size_t i = 0; i < n->list.n; i++) {
        const jinja_node *p = n->list.v[i];
        jinja_value v;
        if (i < args->n)
            v = args->v[i];
        else if (given[i] >= 0)
            v = args->named[given[i]].value;
        else
            v = p->a ? jinja_eval(r, s, p->a) : not_provided(r, p->value.text);
        jinja_scope_set(r, s, p->value.text, v);
    }
    const jinja_value out = jinja_capture(r, s, &n->body);
    jinja_leave(r);
    r->line = line;
    return out;
}

/* ---- texts of bodies ---- */

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
