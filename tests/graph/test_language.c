/* test_language.c: graph texts as trees: every statement and expression is read and written, faults are told with their
 * place, and no text is too deep or asks for more memory than its size warrants. */
#include "golden.h"
#include "language.h"

#define HEAD "weft-graph 2\n"

/* ---- reading and writing ---- */

/* In the form that the formatter gives them: every statement, every part that may be left out there and not. */
static const char *const canonical[] = {
    "weft-graph 1\n",
    "weft-graph 1\nextent t 8\n%1 = input \"x {i}\" : f32[t, 4]\n%2, %3 = top_k %1 {k = 2} : f32[t, 2], i32[t, 2] @ "
    "\"a.b\" node 7 from 4, 5\n%9 = reshape %2 {dims = [2*t]}\n%4 = constant : f32[4] data 0.5, -1, 0x7fc00000, -0\n"
    "%5 = permute %1 {order = (0)}\noutput \"y\" = %5\n",
    HEAD "model \"Tide\"\n",
    HEAD "model \"TideForCausalLM\" logits\n",
    HEAD "files spelled \"model.\" as \"\"\n",
    HEAD "files transposed \".c_attn.weight\"\n",
    HEAD "files parts \".mlp.down_proj\" from \".mlp.#.down_proj.weight\"\n",
    HEAD "files parts \".gate_up\" from \".#.gate\", \".#.up\"\n",
    HEAD "files tied \"model.embed_tokens.weight\", \"lm_head.weight\"\n",
    HEAD "param E : int\n",
    HEAD "param E : int = 1024\n",
    HEAD "param L : int = 28 in 1..4096 from \"num_hidden_layers\", \"n_layer\"\n",
    HEAD "param F : int = 4 * E + 1 in 1..2 * E from \"intermediate_size\"\n",
    HEAD "param x : int in 0..9\n",
    HEAD "param H : int = 8 from \"heads\", \"n_head\" else 2 * E\nparam W : int = 7 else none\n",
    HEAD "param tied : bool = (a == b) from \"tie\"\n",
    HEAD "param theta : float = 1e6 from \"rope_theta\"\n",
    HEAD "param name : text\nparam kind : dtype = f16\nparam gate : act = gelu_tanh\n",
    HEAD "param kinds : [text] = [\"full\", \"window\"]\nparam numbers : [float] = []\n",
    HEAD "require \"attention_bias\" = false\n",
    HEAD "require \"rope_type\" = \"default\" or none\n",
    HEAD "require \"sinks\" = none\n",
    HEAD "require \"size\" = 4 * a\n",
    HEAD "let D = hidden_size / heads\n",
    HEAD "extent tokens 512\nextent cells 2 * context\n",
    HEAD "%x = input \"x\" : i32[tokens, 2 * D, a > b ? c : d]\n",
    HEAD "%w = weight \"embed_tokens.weight\" : any[vocab_size, hidden_size]\n",
    HEAD "%w = weight \"w\" : (big ? f32 : f16)[D]\n",
    HEAD "%x.1, %x.2 = top_k %h_0 {k = 2} : f32[tokens, 2], i32[tokens, 2]\n",
    HEAD "%a = cached_attention %q, %k, %v {scale = 1 / sqrt(D), window = i % 2 == 0 ? 128 : 0}\n",
    HEAD "%a = %b\n",
    HEAD "%a = permute %b {order = (1, 0, 2)}\n%a = permute %b {order = (0,)}\n%a = permute %b {order = ()}\n",
    HEAD "%c = constant : f32[3] data 1.5, -2, 0x7fc00000\n%c = constant : f32[D / 2] data factors\n",
    HEAD "output \"hidden.{i + 1}\" = %x\n",
    HEAD "scope \"layers.{i}\" {\n    %x = gelu %x\n    scope \"a\" {\n    }\n}\n",
    HEAD "repeat i in 0..L {\n    output \"{i}\" = %x\n}\n",
    HEAD "repeat i in a + 1..2 * b {\n}\n",
    HEAD "if i < 2 and not odd {\n    let a = 1\n}\n",
    HEAD "if a {\n} else {\n    let b = 1\n}\n",
    HEAD "if a {\n} else if b {\n    let c = 1\n} else if d {\n} else {\n    let b = 1\n}\n",
    HEAD "block none_taken() {\n}\nblock norm(%x, %y, name, n, eps = 1e-6) {\n    return %x, %y\n}\nblock f(n = 2) {\n"
         "    if n == 2 {\n        return %a\n    }\n}\n",
    HEAD "fail \"{n} heads\"\n",
    HEAD "if a {\n    fail \"no\"\n}\n",
};

static void writes_what_it_read(void)
{
    for (size_t i = 0; i < sizeof canonical / sizeof *canonical; i++) language_check(canonical[i], canonical[i]);
}

/* Rows: as a person may write it, and as it is written. */
static const char *const untidy[][2] = {
    { "\n\n  weft-graph   2 \r\n\n\n\nlet  a=1\r\n", HEAD "\nlet a = 1\n" },
    { HEAD "let a = ((1+2))*(3*4)\n", HEAD "let a = (1 + 2) * (3 * 4)\n" },
    { HEAD "%2=add%1,%1", HEAD "%2 = add %1, %1\n" },
    { HEAD "%a = op\"x # no comment\"%b{x=1,y=[a,b]}:f32[t,2*D]data 1,2",
      HEAD "%a = op \"x # no comment\" %b {x = 1, y = [a, b]} : f32[t, 2 * D] data 1, 2\n" },
    { HEAD "scope \"a\"{\n%x=gelu %x\n  }\n", HEAD "scope \"a\" {\n    %x = gelu %x\n}\n" },
    { HEAD "if a{\n}else{\n}\n", HEAD "if a {\n}\n" },
    { HEAD "if a {\n} else {\n if b {\n }\n}\n", HEAD "if a {\n} else if b {\n}\n" },
    { HEAD "let a = f(\n  1, # one\n\n  2)  # two\n", HEAD "# one\nlet a = f(1, 2)  # two\n" },
    { HEAD "let a = - 1 + -b - - c\n", HEAD "let a = -1 + -b - -c\n" },
    { HEAD "let a = \"\\{x} {  y+1 } {\"{ b }\"}\"\n", HEAD "let a = \"\\{x} {y + 1} {\"{b}\"}\"\n" },
    { "\xef\xbb\xbf" HEAD "let a = 1\n", HEAD "let a = 1\n" },
    { HEAD "let a = 1.50+1E+06\n", HEAD "let a = 1.50 + 1E+06\n" },
};

static void tidies(void)
{
    for (size_t i = 0; i < sizeof untidy / sizeof *untidy; i++) language_check(untidy[i][0], untidy[i][1]);
}

/* Comments stay where they are, or come to stand above what they were in. */
static void keeps_comments(void)
{
    language_check("\n# one\n\n\n#two   \nweft-graph 2 # three\n\n\n# four\nlet a = 1 # five\n\n\n\n"
                   "# six\n# seven\n\n\n",
                   "# one\n\n#two\nweft-graph 2  # three\n\n# four\nlet a = 1  # five\n\n# six\n# seven\n");
    language_check(HEAD "scope \"a\" { # b\n\n # c\n\n let d = 1\n\n # e\n\n} # f\nlet g = 2\n",
                   HEAD "scope \"a\" {  # b\n    # c\n\n    let d = 1\n\n    # e\n}\n# f\nlet g = 2\n");
    language_check(HEAD "if a { # b\n # c\n} else { # d\n let e = 1 # f\n} # g\n",
                   HEAD "if a {  # b\n    # c\n} else {\n    # d\n    let e = 1  # f\n}\n# g\n");
    language_check(HEAD "if a { # b\n} else if c { # d\n} else {\n # e\n}\n",
                   HEAD "if a {  # b\n} else if c {  # d\n} else {\n    # e\n}\n");
    language_check(HEAD "if a {\n} else {\n # b\n if c {\n }\n}\n",
                   HEAD "if a {\n} else {\n    # b\n    if c {\n    }\n}\n");
    language_check(HEAD "let a = 1 # \x01\t\x7f\xff\n", HEAD "let a = 1  # \x01\t\x7f\xff\n");
    language_check(HEAD "%a = op %b { # c\n  d = 1, # e\n  f = 2 # g\n} # h\n",
                   HEAD "# c\n# e\n# g\n%a = op %b {d = 1, f = 2}  # h\n");
}

/* A long line goes on behind a comma of a bracket, and nowhere else. */
static void breaks_long_lines(void)
{
#define KINDS "\"sliding_attention\", \"full_attention\", \"sliding_attention\", \"full_attention\","
#define ONES "1111111111111, 1111111111111, 1111111111111, 1111111111111, 1111111111111, 1111111111111, 1111111111111"
    language_check(HEAD "let a = [" KINDS " \"sliding_attention\",\n\n \"full_attention\"]\n",
                   HEAD "let a = [" KINDS "\n    \"sliding_attention\", \"full_attention\"]\n");
    language_check(HEAD "scope \"a\" {\nlet a = [" KINDS " \"sliding_attention\"]\n}\n",
                   HEAD "scope \"a\" {\n    let a = [" KINDS "\n        \"sliding_attention\"]\n}\n");
    language_check(HEAD "let a = \"{[" ONES "]}\"\n", HEAD "let a = \"{[" ONES "]}\"\n");
    language_check("weft-graph 1\n%1 = op {a = [" ONES "]}\n", "weft-graph 1\n%1 = op {a = [" ONES "]}\n");
}

/* What printed graphs of version 1 are is what the formatter makes of them. */
static void agrees_with_the_printer(void)
{
    static const char *const goldens[] = { "text_every_kind", "text_fused", "text_blocks" };
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/tests/graph/golden/%s.txt", WEFT_TEST_ROOT, goldens[i]);
        char *text = golden_read(path);
        if (CHECK(text != NULL)) language_check(text, text);
        free(text);
    }
}

/* ---- trees ---- */

static void put_tree(const weft_writer *w, const weft__expr *e)
{
    static const char *const name[EXPR_KINDS] = { "int", "float", "bits", "string", "text", "name", "list",
                                                  "tuple", "unary", "binary", "cond", "call", "index" };
    switch (e->kind) {
    case EXPR_INT: weft_writef(w, "%lld", (long long)e->i); return;
    case EXPR_FLOAT: weft_writef(w, "%a", e->f); return;
    case EXPR_BITS: weft_writef(w, "%u:%llx", e->digits, (unsigned long long)e->i); return;
    case EXPR_TEXT: weft_writef(w, "'%s'", e->text); return;
    case EXPR_NAME: weft_writef(w, "%s", e->text); return;
    default: break;
    }
    weft_writef(w, "(%s", e->text ? e->text : name[e->kind]);
    for (uint32_t i = 0; i < e->n; i++) {
        weft_writef(w, " ");
        put_tree(w, e->args[i]);
    }
    weft_writef(w, ")");
}

/* Rows: an expression, its tree, and its text with the brackets that it needs (NULL: it has those). */
static const char *const expressions[][3] = {
    { "1", "1", NULL },
    { "-9223372036854775808", "-9223372036854775808", NULL },
    { "9223372036854775807", "9223372036854775807", NULL },
    { "0.5", "0x1p-1", NULL },
    { "5.", "0x1.4p+2", NULL },
    { "1e3", "0x1.f4p+9", NULL },
    { "-2.5e-1", "-0x1p-2", NULL },
    { "0x7FC0", "4:7fc0", "0x7fc0" },
    { "0x00007fc00000ffff", "16:7fc00000ffff", NULL },
    { "\"\"", "(string)", NULL },
    { "\"a \\\"b\\\\ \\{c}\"", "(string 'a \"b\\ {c}')", NULL },
    { "\"{a}\"", "(string a)", NULL },
    { "\"a{b}{c}d\"", "(string 'a' b c 'd')", NULL },
    { "\"{a == \"b\" ? 1 : 2}\"", "(string (cond (== a (string 'b')) 1 2))", NULL },
    { "[]", "(list)", NULL },
    { "[1, [a], (2)]", "(list 1 (list a) 2)", "[1, [a], 2]" },
    { "()", "(tuple)", NULL },
    { "(1,)", "(tuple 1)", NULL },
    { "(1, a)", "(tuple 1 a)", NULL },
    { "((1))", "1", "1" },
    { "a or b and c", "(or a (and b c))", NULL },
    { "(a or b) and c", "(and (or a b) c)", NULL },
    { "a and b and c", "(and (and a b) c)", NULL },
    { "a and (b and c)", "(and a (and b c))", NULL },
    { "not a and b", "(and (not a) b)", NULL },
    { "not (a and b)", "(not (and a b))", NULL },
    { "not a == b", "(not (== a b))", NULL },
    { "not not a", "(not (not a))", NULL },
    { "a == (not b)", "(== a (not b))", NULL },
    { "a < b or c >= d", "(or (< a b) (>= c d))", NULL },
    { "(a < b) == c", "(== (< a b) c)", NULL },
    { "a in [1, 2] and b", "(and (in a (list 1 2)) b)", NULL },
    { "a + b == c * d", "(== (+ a b) (* c d))", NULL },
    { "a - b - c", "(- (- a b) c)", NULL },
    { "a - (b - c)", "(- a (- b c))", NULL },
    { "a - (b * c)", "(- a (* b c))", "a - b * c" },
    { "a / b // c % d * e", "(* (% (// (/ a b) c) d) e)", NULL },
    { "a / (b * c)", "(/ a (* b c))", NULL },
    { "-a * b", "(* (- a) b)", NULL },
    { "-(a * b)", "(- (* a b))", NULL },
    { "- a", "(- a)", "-a" },
    { "--a", "(- (- a))", NULL },
    { "a - -1", "(- a -1)", NULL },
    { "a-1", "(- a 1)", "a - 1" },
    { "(-1)[a]", "(index -1 a)", NULL },
    { "a ? b : c ? d : e", "(cond a b (cond c d e))", NULL },
    { "(a ? b : c) ? d : e", "(cond (cond a b c) d e)", NULL },
    { "a ? (b ? c : d) : e", "(cond a (cond b c d) e)", "a ? b ? c : d : e" },
    { "(a ? b : c) + 1", "(+ (cond a b c) 1)", NULL },
    { "a[i][j + 1]", "(index (index a i) (+ j 1))", NULL },
    { "[1, 2][i]", "(index (list 1 2) i)", NULL },
    { "f()", "(f)", NULL },
    { "max(a, -b)[0]", "(index (max a (- b)) 0)", NULL },
    { "(a + b)[0]", "(index (+ a b) 0)", NULL },
    { "a%b", "(% a b)", "a % b" },
    { "a <b", "(< a b)", "a < b" },
    { "android or orx", "(or android orx)", NULL },
};

static void check_expression(const char *text, const char *tree, const char *want)
{
    char buf[300];
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    snprintf(buf, sizeof buf, HEAD "let x = %s\n", text);
    weft_graph_text *t = language_read(buf);
    if (!t) return;
    put_tree(&w, t->body->value);
    CHECK_STR(out.data, tree);
    weft_text_free(&out);
    char *written = language_format(t);
    snprintf(buf, sizeof buf, HEAD "let x = %s\n", want);
    CHECK_STR(written, buf);
    free(written);
    weft_graph_text_destroy(t);
    language_check(buf, buf);
}

static void binds_as_tightly_as_it_says(void)
{
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        const char *const *row = expressions[i];
        check_expression(row[0], row[1], row[2] ? row[2] : row[0]);
    }
}

/* Trees that no text was read for: numbers get the shortest spelling that reads back. */
static void writes_made_trees(void)
{
    static const struct {
        weft__expr e;
        const char *want;
    } rows[] = {
        { { .kind = EXPR_INT, .i = -5 }, "-5" },
        { { .kind = EXPR_FLOAT, .f = 2 }, "2.0" },
        { { .kind = EXPR_FLOAT, .f = 1e-6 }, "1e-6" },
        { { .kind = EXPR_FLOAT, .f = 1e6 }, "1e6" },
        { { .kind = EXPR_FLOAT, .f = 0.1 }, "0.1" },
        { { .kind = EXPR_FLOAT, .f = -1.5e300 }, "-1.5e300" },
        { { .kind = EXPR_FLOAT, .f = -0.0 }, "-0.0" },
        { { .kind = EXPR_BITS, .i = 0x7fc0, .digits = 8 }, "0x00007fc0" },
        { { .kind = EXPR_STRING }, "\"\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft__expr e = rows[i].e;
        weft__stmt let = { .kind = STMT_LET, .name = { .text = "x" }, .value = &e };
        weft_graph_text t = { .version = 2, .body = &let };
        char want[64], *got = language_format(&t);
        snprintf(want, sizeof want, HEAD "let x = %s\n", rows[i].want);
        CHECK_STR(got, want);
        language_check(want, want);
        free(got);
    }
}

static void says_what_it_is(void)
{
    weft_graph_text *t = language_read(HEAD "# none\nlet a = 1\nmodel \"Tide\" tokens\nfiles spelled \"a.\" as \"\"\n"
                                            "files parts \"x\" from \"y\", \"z\"\n");
    if (!t) return;
    const char *head, *const *strings;
    uint32_t n;
    CHECK_EQ_INT(weft_graph_text_version(t), 2);
    CHECK_STR(weft_graph_text_model(t, &head), "Tide");
    CHECK_STR(head, "tokens");
    CHECK_STR(weft_graph_text_files(t, 0, &strings, &n), "spelled");
    CHECK_EQ_INT(n, 2);
    CHECK_STR(strings[0], "a.");
    CHECK_STR(strings[1], "");
    CHECK_STR(weft_graph_text_files(t, 1, &strings, &n), "parts");
    CHECK_EQ_INT(n, 3);
    CHECK_STR(strings[2], "z");
    CHECK(!weft_graph_text_files(t, 2, &strings, &n) && !n && !strings);
    weft_graph_text_destroy(t);
    t = language_read("weft-graph 1\n");
    CHECK(t && weft_graph_text_version(t) == 1 && !weft_graph_text_model(t, NULL) && !weft_graph_text_model(t, &head));
    CHECK(!head);
    weft_graph_text_destroy(t);
}

/* ---- faults ---- */

/* Rows: what follows the first line, and the beginning of the error. */
static const char *const refused[][2] = {
    { "nonsense\n", "t:2:1: no statement is called 'nonsense'\n    nonsense\n    ^" },
    { "repaet i in 0..3 {\n}\n", "t:2:1: no statement is called 'repaet' (did you mean 'repeat'?)" },
    { "  = 3\n", "t:2:3: expected a statement\n      = 3\n      ^" },
    { "}\n", "t:2:1: expected a statement" },
    { "let a = 1 2\n", "t:2:11: unexpected text at the end of the line\n    let a = 1 2\n              ^" },
    { "let in = 1\n", "t:2:5: a word of the language cannot be a name: 'in'" },
    { "let 2a = 1\n", "t:2:5: expected a name" },
    { "let a 1\n", "t:2:7: expected '='" },
    { "let a =\n", "t:2:8: expected an expression" },
    { "let a = 1 +\n", "t:2:12: expected an expression" },
    { "let a = * 2\n", "t:2:9: expected an expression" },
    { "let a = 1 == 2 == 3\n", "t:2:16: a comparison of a comparison needs brackets" },
    { "let a = 1 ? 2\n", "t:2:14: expected ':'" },
    { "let a = (1\n", "t:3:1: expected ')' for the '(' of line 2" },
    { "let a = (1 2)\n", "t:2:12: expected ')'\n    let a = (1 2)\n               ^" },
    { "let a = [1 2]\n", "t:2:12: expected ']'" },
    { "let a = [1,]\n", "t:2:12: expected an expression" },
    { "let a = (,)\n", "t:2:10: expected an expression" },
    { "let a = f(1\n\nlet b = 2\n", "t:4:1: expected ')' for the '(' of line 2\n    let b = 2\n    ^" },
    { "let a = b[]\n", "t:2:11: expected an expression" },
    { "let a = 2x\n", "t:2:9: not a number" },
    { "let a = 0x\n", "t:2:9: not a number" },
    { "let a = 0xg\n", "t:2:9: not a number" },
    { "let a = 0x12345678123456781\n", "t:2:9: the number is too large" },
    { "let a = 9223372036854775808\n", "t:2:9: the number is too large" },
    { "let a = -9223372036854775809\n", "t:2:9: the number is too large" },
    { "let a = 1e999\n", "t:2:9: the number is too large" },
    { "let a = 1234567890123456789012345678901234567890123456789012345678901234\n", "t:2:9: the number is too long" },
    { "let a123456789012345678901234567890123456789012345678901234567890123 = 1\n", "t:2:5: a word is too long" },
    { "let a = \"b\n", "t:2:11: the string does not end" },
    { "let a = \"b\tc\"\n", "t:2:11: the string does not end" },
    { "let a = \"\\n\"\n", "t:2:11: only \\\", \\\\ and \\{ are known here" },
    { "let a = \"{b\"\n", "t:2:12: expected '}'" },
    { "let a = \"{b\n}\"\n", "t:2:12: expected '}'" },
    { "let a = \"{(b\n)}\"\n", "t:2:13: expected ')'" },
    { "let a = \"{}\"\n", "t:2:11: expected an expression" },
    { "let a = \"{b # c}\"\n", "t:2:13: expected '}'" },
    { "model Tide\n", "t:2:7: expected '\"'" },
    { "model \"{a}\"\n", "t:2:7: nothing is put in here" },
    { "model \"a\" 3\n", "t:2:11: expected a head" },
    { "files\n", "t:2:6: expected a word such as spelled" },
    { "files named \"a\" as \"b\"\n", "t:2:7: nothing that is said of files is called 'named'" },
    { "files speled \"a\" as \"b\"\n", "t:2:7: nothing that is said of files is called 'speled' (did you mean 's" },
    { "files spelled \"a\"\n", "t:2:18: expected 'as'" },
    { "files spelled \"a\" as \"b\", \"c\"\n", "t:2:25: unexpected text" },
    { "files parts \"a\" from \"b\", \"c\", \"d\"\n", "t:2:30: unexpected text" },
    { "files tied \"a\"\n", "t:2:15: expected ','" },
    { "files tied \"a\", \"{b}\"\n", "t:2:17: nothing is put in here" },
    { "param x\n", "t:2:8: expected ':'" },
    { "param x : number\n", "t:2:11: no type of parameters is called 'number'" },
    { "param x : flaot\n", "t:2:11: no type of parameters is called 'flaot' (did you mean 'float'?)" },
    { "param x : [int\n", "t:3:1: expected ']' for the '[' of line 2" },
    { "param x : int = a == b\n", "t:2:19: unexpected text" },
    { "param x : int in 1\n", "t:2:19: expected '..'" },
    { "param x : int from x\n", "t:2:20: expected '\"'" },
    { "param x : int from \"{x}\"\n", "t:2:20: nothing is put in here" },
    { "param x : int = 1 else\n", "t:2:23: expected a" },
    { "param true : int\n", "t:2:7: a word of the language" },
    { "require x = 1\n", "t:2:9: expected '\"'" },
    { "require \"x\" == 1\n", "t:2:14: expected an expression" },
    { "require \"x\" = 1 or 2\n", "t:2:20: expected 'none'" },
    { "extent tokens\n", "t:2:14: expected an expression" },
    { "%x = \n", "t:2:6: expected an op" },
    { "% = gelu %x\n", "t:2:2: expected a value's name" },
    { "%x, = gelu %x\n", "t:2:5: expected '%'" },
    { "%x = gelu %y %z\n", "t:2:14: unexpected text" },
    { "%x = scale %y {}\n", "t:2:16: expected an attribute" },
    { "%x = scale %y {factor}\n", "t:2:22: expected '='" },
    { "%x = scale %y {factor = 1\n%y = gelu %x\n",
      "t:3:4: expected '}' for the '{' of line 2\n    %y = gelu %x\n       ^" },
    { "%x = gelu %y : f32\n", "t:2:19: expected '['" },
    { "%x = gelu %y : 3[1]\n", "t:2:16: expected a type" },
    { "%x = gelu %y @ \"a\"\n", "t:2:14: unexpected text" },
    { "%x = gelu %y node 3\n", "t:2:14: unexpected text" },
    { "%x = %y {a = 1}\n", "t:2:9: unexpected text" },
    { "output \"x\" = %y, %z\n", "t:2:18: an output is one value" },
    { "output x = %y\n", "t:2:8: expected '\"'" },
    { "scope \"a\"\n", "t:2:10: expected '{'" },
    { "scope \"a\" { let b = 1\n}\n", "t:2:13: unexpected text" },
    { "scope \"a\" {\nlet b = 1 }\n", "t:3:11: unexpected text" },
    { "scope \"a\" {\n", "t:3:1: expected '}' for the '{' of line 2" },
    { "scope \"a\" {\n} let b = 1\n", "t:3:3: unexpected text" },
    { "repeat in 0..3 {\n}\n", "t:2:8: a word of the language" },
    { "repeat i 0..3 {\n}\n", "t:2:10: expected 'in'" },
    { "repeat i in 0.3 {\n}\n", "t:2:17: expected '..'" },
    { "if {\n}\n", "t:2:4: expected an expression" },
    { "if a {\n}\nelse {\n}\n", "t:4:1: no statement is called 'else'" },
    { "if a {\n} else b {\n}\n", "t:3:8: expected '{'" },
    { "block f {\n}\n", "t:2:9: expected '('" },
    { "block f(a, %b) {\n}\n", "t:2:12: expected a name" },
    { "block f(%a b) {\n}\n", "t:2:12: expected ')'" },
    { "block f(a = ) {\n}\n", "t:2:13: expected an expression" },
    { "block not() {\n}\n", "t:2:7: a word of the language" },
    { "return %a\n", "t:2:1: return stands in blocks only" },
    { "block f() {\n}\nreturn %a\n", "t:4:1: return stands in blocks only" },
    { "block f() {\n    return\n}\n", "t:3:11: expected '%'" },
    { "scope \"a\" {\n    param x : int\n}\n", "t:3:5: stands in the text itself, not in a body: 'param'" },
    { "block f() {\n    block g() {\n    }\n}\n", "t:3:5: stands in the text itself, not in a body: 'block'" },
    { "fail\n", "t:2:5: expected '\"'" },
};

static void check_refused(const char *text, size_t n, weft_status status, const char *want)
{
    weft_error err = { 0 };
    weft_graph_text *t;
    weft_status s = weft_graph_text_read(text, n, "t", &t, &err);
    bool ok = CHECK_EQ_INT(s, status) && CHECK(!t) && CHECK(!strncmp(err.text, want, strlen(want)));
    if (!ok) printf("  %s\n  wanted %s\n  got    %s\n", text, want, err.text);
    weft_graph_text_destroy(t);
    CHECK_EQ_INT(weft_graph_text_read(text, n, NULL, &t, NULL), status);
}

static void refuses_with_a_place(void)
{
    char text[400];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int n = snprintf(text, sizeof text, HEAD "%s", refused[i][0]);
        check_refused(text, (size_t)n, WEFT_FORMAT, refused[i][1]);
    }
}

/* Version 1 stays what it was: one statement a line, no expressions, strings with braces in them. */
static void keeps_version_1(void)
{
    static const char *const rows[][2] = {
        { "let a = 1", "t:2:1: expected a node, an extent or an output" },
        { "scope \"a\" {\n}", "t:2:1: expected a node, an extent or an output" },
        { "%x = gelu %1", "t:2:2: expected a number" },
        { "%2 = %1", "t:2:6: expected an op" },
        { "%2 = scale %1 {factor = 1 / 2}", "t:2:27: expected '}'" },
        { "%2 = scale %1 {factor = 1\n}", "t:2:26: expected '}'" },
        { "%2 = scale %1 {factor = -a}", "t:2:25: expected a number" },
        { "%2 = scale %1 {factor = sqrt(2)}", "t:2:29: expected '}'" },
        { "%2 = scale %1 {factor = a[0]}", "t:2:26: expected '}'" },
        { "%2 = scale %1 {factor = \"a\"}", "t:2:25: expected an expression" },
        { "%2 = scale %1 {factor = a ? 1 : 2}", "t:2:27: expected '}'" },
        { "output \"\\{\" = %1", "t:2:10: only \\\" and \\\\ are known here" },
        { "%2 = gelu %1 node 0", "t:2:19: the number is out of range" },
        { "%2 = gelu %1 node 4294967296", "t:2:19: the number is out of range" },
        { "%2 = gelu %1 from 1, a", "t:2:22: expected a number" },
    };
    char text[200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int n = snprintf(text, sizeof text, "weft-graph 1\n%s\n", rows[i][0]);
        check_refused(text, (size_t)n, WEFT_FORMAT, rows[i][1]);
    }
}

static void knows_its_versions(void)
{
    check_refused("", 0, WEFT_FORMAT, "t:1:1: this is not a weft-graph text");
    check_refused("# only\n\n", 8, WEFT_FORMAT, "t:3:1: this is not a weft-graph text");
    check_refused("weft-graphs 2\n", 14, WEFT_FORMAT, "t:1:1: this is not a weft-graph text");
    check_refused("weft-graph\n", 11, WEFT_FORMAT, "t:1:11: expected a number");
    check_refused("weft-graph 0\n", 13, WEFT_FORMAT, "t:1:12: the number is out of range");
    check_refused("weft-graph 3\n", 13, WEFT_UNSUPPORTED, "t:1:12: only versions 1 and 2 of the text form are known");
    check_refused("weft-graph 2\nlet a\0 = 1", 24, WEFT_FORMAT, "t:2:6: a byte is 0");
}

/* ---- the line under a fault ---- */

/* The error for a text of one statement whose fault stands behind `before`. */
static void check_shown(const char *before, const char *behind, const char *want)
{
    char text[2000];
    weft_error err = { 0 };
    weft_graph_text *t;
    int n = snprintf(text, sizeof text, HEAD "%s!%s\n", before, behind);
    CHECK_EQ_INT(weft_graph_text_read(text, (size_t)n, "t", &t, &err), WEFT_FORMAT);
    const char *shown = strchr(err.text, '\n');
    CHECK_STR(shown ? shown : "", want);
}

static void shows_the_line(void)
{
    check_shown("let a = ", "", "\n    let a = !\n            ^");
    check_shown("\tlet a =\t", " #\tb", "\n    \tlet a =\t! #\tb\n    \t       \t^");
    check_shown("let a = \"\xc3\xa4\xe2\x82\xac\" ", "",
                "\n    let a = \"\xc3\xa4\xe2\x82\xac\" !\n                 ^");
    check_shown("let a = ", "\r", "\n    let a = !\n            ^");
    check_shown("let a = ", "\x1b[31m", "\n    let a = !?[31m\n            ^");
}

/* What stands above the mark in an error; NULL: it has no line. Whole characters are shown. */
static const char *marked(const char *error)
{
    const char *line = strchr(error, '\n'), *mark = line ? strchr(line + 1, '\n') : NULL, *at = line;
    if (!mark || !CHECK(mark[strlen(mark) - 1] == '^')) return NULL;
    for (size_t i = strlen(mark) - 1; i; i--) /* as many characters into the line as the mark is into its own */
        do at++;
        while (((unsigned char)*at & 0xc0) == 0x80);
    const char *cut = strstr(line, "...");
    CHECK(!cut || ((unsigned char)cut[3] & 0xc0) != 0x80);
    return at;
}

/* Of a long line, what stands around the place: the mark stands below it wherever that is. */
static void cuts_long_lines(void)
{
    char fill[600], text[1300];
    memset(fill, '1', sizeof fill);
    for (int before = 0; before < 300; before++) {
        for (int behind = 0; behind < 200; behind += 1 + behind) {
            weft_error err = { 0 };
            weft_graph_text *t;
            int n = snprintf(text, sizeof text, HEAD "let a = \"%.*s\xc3\xa4\xc3\xa4%.*s\" !%.*s\n", before, fill,
                             40 + before % 60, fill, behind, fill);
            CHECK_EQ_INT(weft_graph_text_read(text, (size_t)n, "some/where.weft", &t, &err), WEFT_FORMAT);
            const char *at = marked(err.text);
            if (!CHECK(at && *at == '!' && strlen(err.text) < 300)) return;
            CHECK_EQ_INT(strstr(err.text, "...") != NULL, n - 14 > 100);
        }
    }
}

/* An origin or a fault that fills the record leaves no room for the line, and nothing is torn. */
static void fits_the_record(void)
{
    char origin[600];
    for (size_t n = 0; n < sizeof origin - 1; n++) {
        weft_error err = { 0 };
        weft_graph_text *t;
        static const char text[] = HEAD "let a = \"123456789012345678901234567890123456789012345678\" ! 123456789012345"
                                        "678901234567890123456789012345678901234567890123456789012345678901234567890\n";
        memset(origin, 'o', n);
        origin[n] = 0;
        CHECK_EQ_INT(weft_graph_text_read(text, sizeof text - 1, origin, &t, &err), WEFT_FORMAT);
        const char *at = marked(err.text);
        CHECK(strlen(err.text) < sizeof err.text && (at ? *at == '!' : n > 200 && !strchr(err.text, '\n')));
    }
}

/* ---- bounds ---- */

/* `n` times `open`, `middle`, n times `close`, behind `before`. free it */
static char *nested(const char *before, const char *open, size_t n, const char *middle, const char *close)
{
    weft_text out = { 0 };
    weft_writer w = weft_text_writer(&out);
    weft_writef(&w, HEAD "%s", before);
    for (size_t i = 0; i < n; i++) weft_writef(&w, "%s", open);
    weft_writef(&w, "%s", middle);
    for (size_t i = 0; i < n; i++) weft_writef(&w, "%s", close);
    weft_writef(&w, "\n");
    return out.data;
}

/* What is written reads, and is written the same. NULL: nothing to do. */
static void check_rewritten(const weft_graph_text *t)
{
    char *out = t ? language_format(t) : NULL;
    if (out) language_check(out, out);
    free(out);
}

static void bounds_depth(void)
{
    static const struct {
        const char *before, *open, *middle, *close;
        size_t most;
    } rows[] = {
        { "let a = ", "(", "1", ")", 63 },
        { "let a = ", "[", "1", "]", 63 },
        { "let a = ", "f(", "1", ")", 63 },
        { "let a = ", "a[", "1", "]", 63 },
        { "let a = ", "-", "b", "", 63 },
        { "let a = ", "not ", "b", "", 63 },
        { "let a = ", "b ? c : ", "d", "", 63 },
        { "let a = ", "\"{", "b", "}\"", 63 },
        { "let a = b", "[0]", "", "", 255 },
        { "let a = 0", " + 1", "", "", 255 },
        { "", "scope \"a\" {\n", "", "}\n", 64 },
        { "if a {\n", "} else if b {\n", "}", "", 63 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t n = rows[i].most; n < 100000; n = n == rows[i].most ? n + 1 : n * 400) {
            char *text = nested(rows[i].before, rows[i].open, n, rows[i].middle, rows[i].close);
            weft_error err = { 0 };
            weft_graph_text *t;
            weft_status s = weft_graph_text_read(text, strlen(text), "t", &t, &err);
            if (!CHECK_STATUS(s, n > rows[i].most ? WEFT_LIMIT : WEFT_OK, err)) printf("row %zu, %zu\n", i, n);
            check_rewritten(t);
            weft_graph_text_destroy(t);
            free(text);
        }
    }
}

/* No text asks for more than its size warrants. */
static void bounds_memory(void)
{
    static const char *const units[] = { "1,",      "[],",           "a=1\n",      "#\n",
                                         "%a=%b\n", "scope \"\" {\n}\n", "let a=-1\n", "\n" };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        bool list = strchr(units[i], ',');
        char *text = nested(list ? "let a = [" : "", units[i], 20000, list ? "1]" : "", "");
        size_t n = strlen(text);
        weft_graph_text *t;
        if (weft_graph_text_read(text, n, "t", &t, NULL) == WEFT_OK) CHECK(t->arena.total < 120 * n + (256 << 10));
        weft_graph_text_destroy(t);
        free(text);
    }
}

/* Every other byte at every place of good texts: a tree or an error comes, and a tree is written so that it reads. */
static void survives_any_byte(void)
{
    for (size_t row = 0; row < sizeof canonical / sizeof *canonical; row++) {
        size_t n = strlen(canonical[row]);
        char *text = strdup(canonical[row]);
        for (size_t i = 0; text && i < n; i++) {
            for (size_t c = 1 + (i + row) % 7; c < 256; c += 7) {
                weft_graph_text *t;
                text[i] = (char)c;
                if (weft_graph_text_read(text, n, "t", &t, NULL) == WEFT_OK) check_rewritten(t);
                weft_graph_text_destroy(t);
            }
            text[i] = canonical[row][i];
        }
        free(text);
    }
}

static bool refuse_write(void *ctx, const char *data, size_t n)
{
    size_t *left = ctx;
    (void)data;
    if (n > *left) return false;
    *left -= n;
    return true;
}

static void a_failed_write_is_told(void)
{
    weft_graph_text *t = language_read(HEAD "# a\nscope \"b\" {  # c\n    %x = scale %y {factor = 1}\n}\n# d\n");
    if (!t) return;
    char *text = language_format(t);
    for (size_t size = strlen(text), room = 0, left; room <= size; room++) {
        weft_writer w = { &left, refuse_write };
        weft_error err;
        left = room;
        CHECK_STATUS(weft_graph_text_format(t, &w, &err), room < size ? WEFT_IO : WEFT_OK, err);
    }
    free(text);
    weft_graph_text_destroy(t);
}

static const weft_test tests[] = {
    { "writes_what_it_read", writes_what_it_read },
    { "tidies", tidies },
    { "keeps_comments", keeps_comments },
    { "breaks_long_lines", breaks_long_lines },
    { "agrees_with_the_printer", agrees_with_the_printer },
    { "binds_as_tightly_as_it_says", binds_as_tightly_as_it_says },
    { "writes_made_trees", writes_made_trees },
    { "says_what_it_is", says_what_it_is },
    { "refuses_with_a_place", refuses_with_a_place },
    { "keeps_version_1", keeps_version_1 },
    { "knows_its_versions", knows_its_versions },
    { "shows_the_line", shows_the_line },
    { "cuts_long_lines", cuts_long_lines },
    { "fits_the_record", fits_the_record },
    { "bounds_depth", bounds_depth },
    { "bounds_memory", bounds_memory },
    { "survives_any_byte", survives_any_byte },
    { "a_failed_write_is_told", a_failed_write_is_told },
};
GOLDEN_MAIN(tests)
