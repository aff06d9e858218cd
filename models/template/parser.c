/* parser.c: what both parts of the parser stand on: the tokens under way, and new nodes. */
#include "parser.h"

#include <string.h>

/* ---- tokens ---- */

const jinja_token *jinja_next(jinja_parser *p)
{
    const jinja_token *t = jinja_now(p);
    if (t->kind != JINJA_T_END) p->at++;
    p->r->line = jinja_now(p)->line;
    jinja_work(p->r, 1);
    return t;
}

bool jinja_is_word(const jinja_token *t, const char *word)
{
    return t->kind == JINJA_T_WORD && t->n == strlen(word) && memcmp(t->s, word, t->n) == 0;
}

bool jinja_is_sign(const jinja_token *t, char sign)
{
    return t->kind == JINJA_T_SIGN && t->sign == sign;
}

bool jinja_skip_word(jinja_parser *p, const char *word)
{
    return jinja_is_word(jinja_now(p), word) ? (jinja_next(p), true) : false;
}

bool jinja_skip_sign(jinja_parser *p, char sign)
{
    return jinja_is_sign(jinja_now(p), sign) ? (jinja_next(p), true) : false;
}

_Noreturn void jinja_unexpected(jinja_parser *p, const char *wanted)
{
    const jinja_token *t = jinja_now(p);
    const int n = t->n > 40 ? 40 : (int)t->n;
    p->r->line = t->line;
    if (t->kind == JINJA_T_END) jinja_fail(p->r, "expected %s, got the end of the template", wanted);
    jinja_fail(p->r, "expected %s, got '%.*s'", wanted, n, t->s);
}

void jinja_expect_sign(jinja_parser *p, char sign)
{
    char wanted[] = { '\'', sign, '\'', 0 };
    if (!jinja_skip_sign(p, sign)) jinja_unexpected(p, wanted);
}

jinja_value jinja_expect_name(jinja_parser *p)
{
    const jinja_token *t = jinja_now(p);
    if (t->kind != JINJA_T_WORD) jinja_unexpected(p, "a name");
    jinja_next(p);
    const jinja_value name = jinja_from_text(jinja_text_of(p->r, t->s, t->n));
    const jinja_pair *known = jinja_dict_find(p->r, p->names, name);
    if (known) return known->key;
    jinja_dict_set(p->r, p->names, name, jinja_none());
    return name;
}

/* ---- nodes ---- */

jinja_node *jinja_node_new(jinja_parser *p, jinja_op op)
{
    jinja_node *n = jinja_alloc(p->r, 1, sizeof *n);
    n->op = op;
    n->line = jinja_now(p)->line;
    return n;
}

void jinja_add_node(jinja_parser *p, jinja_nodes *list, jinja_node *n)
{
    list->v = jinja_grow(p->r, list->v, list->n, &list->capacity, 4, sizeof(jinja_node *));
    list->v[list->n++] = n;
}
