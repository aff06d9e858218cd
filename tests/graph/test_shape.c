/* test_shape.c: the rows of shape_cases.def, each a graph of one op in text form; and that every op has rows of both
 * kinds. */
#include "support.h"

typedef struct shape_case {
    const char *op, *attrs, *inputs, *want;
} shape_case;

static const shape_case cases[] = {
#define SHAPE(op, attrs, inputs, want) { op, attrs, inputs, want },
#include "shape_cases.def"
};
#define N_CASES (sizeof cases / sizeof *cases)

/* Puts the text of a case's graph into `t`. */
static void write_case(const weft_writer *w, const shape_case *c)
{
    uint32_t n = 0;
    weft_op op = WEFT_OP_input;
    for (unsigned i = 0; i < WEFT_OP_COUNT; i++)
        if (!strcmp(weft_op_get((weft_op)i)->name, c->op)) op = (weft_op)i;
    weft_writef(w, "weft-graph 1\nextent t 8\nextent u 5\n");
    for (const char *p = c->inputs; *p;) {
        const char *end = strchr(p, ']') + 1, *kind = *p == 'w' ? "weight" : *p == 's' ? "state" : "input";
        if (p[1] == ' ') p += 2;
        n++;
        weft_writef(w, "%%%u = %s \"x%u\" : %.*s\n", n, kind, n, (int)(end - p), p);
        p = *end ? end + 2 : end;
    }
    weft_writef(w, "%%%u", n + 1);
    if (weft_op_get(op)->n_out == 2) weft_writef(w, ", %%%u", n + 2);
    weft_writef(w, " = %s", c->op);
    for (uint32_t i = 1; i <= n; i++) weft_writef(w, i > 1 ? ", %%%u" : " %%%u", i);
    weft_writef(w, " %s @ \"here\"\noutput \"y\" = %%%u\n", c->attrs, n + 1);
}

/* "f32[t, 3], i32[t, 3]" of the last node. */
static void write_result(const weft_writer *w, const weft_graph *g)
{
    const weft_node *n = weft_graph_node(g, weft_graph_node_count(g) - 1);
    for (uint32_t i = 0; i < n->n_out; i++) {
        char text[160];
        const weft_value *v = weft_graph_value(g, n->out[i]);
        weft_writef(w, "%s%s%s", i ? ", " : "", weft_dtype_get(v->dtype)->name,
                    weft__dims_text(g, &v->dims, text, sizeof text));
    }
}

static void rules(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        weft_text text = { 0 }, result = { 0 };
        weft_writer w = weft_text_writer(&text), r = weft_text_writer(&result);
        weft_error err = { 0 };
        weft_graph *g;
        bool refused = cases[i].want[0] == '!', ok;
        write_case(&w, &cases[i]);
        weft_status s = weft_graph_parse(text.data, text.size, "case", NULL, &g, &err);
        if (refused) {
            ok = CHECK(s == WEFT_SHAPE || s == WEFT_INVALID) && CHECK_CONTAINS(err.text, cases[i].want + 1) &&
                 CHECK_CONTAINS(err.text, "here: ");
        } else if ((ok = CHECK_OK(s, err))) {
            write_result(&r, g);
            ok = CHECK_STR(result.data, cases[i].want);
        }
        if (!ok) printf("  row %zu: %s\n%s", i, cases[i].op, text.data);
        weft_graph_destroy(g);
        weft_text_free(&text);
        weft_text_free(&result);
    }
}

/* One row that is taken and one that is refused for every shape rule that can refuse. */
static void cover_every_rule(void)
{
    static const char *const rule_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) #shape,
#include "graph/op.def"
#undef WEFT_OP
    };
    for (unsigned op = 0; op < WEFT_OP_COUNT; op++) {
        bool taken = false, refused = false;
        if (!strcmp(rule_of_op[op], "source") || !strcmp(rule_of_op[op], "same")) continue;
        for (size_t i = 0; i < N_CASES; i++)
            for (unsigned other = 0; other < WEFT_OP_COUNT; other++) {
                if (strcmp(rule_of_op[op], rule_of_op[other])) continue;
                if (strcmp(weft_op_get((weft_op)other)->name, cases[i].op)) continue;
                taken = taken || cases[i].want[0] != '!';
                refused = refused || cases[i].want[0] == '!';
            }
        bool both = taken && refused;
        if (!CHECK(both)) printf("  %s\n", rule_of_op[op]);
    }
}

static const weft_test tests[] = {
    { "rules", rules },
    { "cover_every_rule", cover_every_rule },
};
TEST_MAIN(tests)
