/* jinja.h: the engine below template.h: values, memory and the state of one run, which every file of this room shares.
 *
 * A template is parsed into nodes (lexer.c, parse*.c), which never change afterwards, and rendered by walking them
 * (render.c). What a value can do is in tables: filters, tests, methods and functions are
 * a row each, with a C function over values. The semantics are those of Python's jinja2, as transformers sets it up.
 *
 * Everything that parsing or one rendering makes lies in the arena of its jinja_run and goes with it. A fault leaves
 * through jinja_fail, a longjmp to where the run began; so no function here owns anything that an arena does not. Both
 * work and memory are counted, and nesting too: a template is nobody's trusted code. */
#ifndef WEFT_TEMPLATE_JINJA_H
#define WEFT_TEMPLATE_JINJA_H

#include <setjmp.h>

#include "graph/base.h"

/* ---- values ---- */

typedef enum jinja_kind {
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_TEXT,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_DICT,
    JINJA_VIEW, /* what keys(), values() and items() of a dict give */
    JINJA_RANGE,
    JINJA_ITERATOR, /* a generator: can be gone through once */
    JINJA_NAMESPACE,
    JINJA_MACRO,
    JINJA_METHOD,
    JINJA_FUNCTION,
    JINJA_LOOP,
    JINJA_CYCLER,
    JINJA_JOINER,
    JINJA_KINDS
} jinja_kind;

typedef struct jinja_text {
    const char *s;   /* UTF-8, not terminated, may hold NUL */
    size_t n, chars; /* bytes and code points */
    bool markup;     /* what `escape` and `safe` give: what is added to it is escaped */
} jinja_text;

typedef struct jinja_value {
    jinja_kind kind;
    union {
        bool yes;
        int64_t i;
        double f;
        const jinja_text *text;
        struct jinja_list *list; /* LIST, TUPLE */
        struct jinja_dict *dict; /* DICT, NAMESPACE */
        struct jinja_view *view;
        struct jinja_range *range;
        struct jinja_iterator *iterator; /* CYCLER and JOINER, too */
        struct jinja_macro *macro;
        struct jinja_method *method;
        const struct jinja_row *function;
        struct jinja_loop *loop;
        const struct jinja_missing *missing; /* UNDEFINED */
    };
} jinja_value;

typedef struct jinja_list {
    jinja_value *v;
    size_t n, capacity;
    bool group; /* a tuple of groupby: .grouper and .list */
} jinja_list;

typedef struct jinja_pair {
    jinja_value key, value;
    uint32_t hash;
} jinja_pair;

typedef struct jinja_dict {
    jinja_pair *p; /* in the order of insertion */
    size_t n, capacity;
    uint32_t *index; /* of 2^bits, entry and one more; NULL while there are few */
    uint32_t bits;
} jinja_dict;

typedef struct jinja_view {
    jinja_dict *dict;
    char part; /* 'k', 'v', 'i' */
} jinja_view;

typedef struct jinja_range {
    int64_t start, stop, step, n;
} jinja_range;

typedef struct jinja_iterator {
    jinja_list *items;
    size_t at;
    const jinja_text *separator; /* of a joiner */
} jinja_iterator;

typedef struct jinja_method {
    jinja_value self;
    const struct jinja_row *row;
} jinja_method;

typedef struct jinja_macro {
    const struct jinja_node *node;
    struct jinja_scope *scope; /* where it was defined */
    bool caller;               /* the body of a call block */
} jinja_macro;

typedef struct jinja_loop {
    jinja_list *items;
    size_t at; /* index0 */
    int64_t depth;
    const struct jinja_node *node;
    struct jinja_scope *scope; /* around the loop */
    jinja_list *changed;       /* the arguments of the last call of changed() */
} jinja_loop;

/* Why a value is undefined: a hint, or what has no such attribute. */
typedef struct jinja_missing {
    const char *hint;
    jinja_value of, name;
    bool unsafe;
} jinja_missing;

/* ---- a run: parsing, or rendering once ---- */

typedef struct jinja_run {
    weft__arena arena;
    size_t used, max_bytes;
    uint64_t steps, max_steps;
    uint32_t depth, max_depth;
    char *tail; /* free bytes for texts */
    size_t room;
    uint32_t line; /* where it is, for messages */
    const char *origin;
    weft_error *err;
    weft_status status;
    jmp_buf back;
    struct jinja_buffer *out;
    jinja_value now; /* for strftime_now; UNDEFINED: not given */
    const jinja_dict *variables;
    const struct jinja_tables *tables;
} jinja_run;

_Noreturn void jinja_fail(jinja_run *r, const char *fmt, ...) WEFT_PRINTF(2, 3);
_Noreturn void jinja_fail_as(jinja_run *r, weft_status status, const char *fmt, ...) WEFT_PRINTF(3, 4);
void jinja_work(jinja_run *r, size_t steps); /* fails where there were too many */
void jinja_enter(jinja_run *r);              /* one level deeper; fails where it is too deep */
static inline void jinja_leave(jinja_run *r)
{
    r->depth--;
}

/* ---- memory (memory.c; dicts: equal.c) ---- */
void *jinja_alloc(jinja_run *r, size_t n, size_t size);
char *jinja_bytes(jinja_run *r, size_t n);
const jinja_text *jinja_text_of(jinja_run *r, const char *s, size_t n); /* lends s */
const jinja_text *jinja_text_copy(jinja_run *r, const char *s, size_t n);
const jinja_text *jinja_text_join(jinja_run *r, const jinja_text *a, const jinja_text *b);
const jinja_text *jinja_text_part(jinja_run *r, const jinja_text *t, const char *s, size_t n); /* of t's bytes */
const char *jinja_c(jinja_run *r, const jinja_text *t); /* NUL-terminated, for messages */

/* Room for an element more: `data`, or a copy of its n elements of `size` bytes with twice as much room, at first for
 * `least`. What was there before stays in the arena. */
void *jinja_grow(jinja_run *r, void *data, size_t n, size_t *capacity, size_t least, size_t size);

/* Bytes that grow. Zero-initialise. */
typedef struct jinja_buffer {
    char *s;
    size_t n, capacity;
} jinja_buffer;
void jinja_put(jinja_run *r, jinja_buffer *b, const char *s, size_t n);
void jinja_puts(jinja_run *r, jinja_buffer *b, const char *s);
void jinja_put_char(jinja_run *r, jinja_buffer *b, uint32_t c);
jinja_value jinja_buffer_value(jinja_run *r, const jinja_buffer *b);

jinja_list *jinja_list_new(jinja_run *r, size_t capacity);
void jinja_push(jinja_run *r, jinja_list *l, jinja_value v);
jinja_dict *jinja_dict_new(jinja_run *r);
void jinja_dict_set(jinja_run *r, jinja_dict *d, jinja_value key, jinja_value v); /* fails for what has no hash */
const jinja_pair *jinja_dict_find(jinja_run *r, const jinja_dict *d, jinja_value key);
const jinja_value *jinja_dict_text(jinja_run *r, const jinja_dict *d, const char *key);

static inline jinja_value jinja_none(void)
{
    return (jinja_value){ .kind = JINJA_NONE };
}
static inline jinja_value jinja_bool(bool yes)
{
    return (jinja_value){ .kind = JINJA_BOOL, .yes = yes };
}
static inline jinja_value jinja_int(int64_t i)
{
    return (jinja_value){ .kind = JINJA_INT, .i = i };
}
static inline jinja_value jinja_float(double f)
{
    return (jinja_value){ .kind = JINJA_FLOAT, .f = f };
}
static inline jinja_value jinja_from_text(const jinja_text *t)
{
    return (jinja_value){ .kind = JINJA_TEXT, .text = t };
}
static inline jinja_value jinja_from_list(jinja_list *l)
{
    return (jinja_value){ .kind = JINJA_LIST, .list = l };
}
static inline jinja_value jinja_from_tuple(jinja_list *l)
{
    return (jinja_value){ .kind = JINJA_TUPLE, .list = l };
}
static inline jinja_value jinja_from_dict(jinja_dict *d)
{
    return (jinja_value){ .kind = JINJA_DICT, .dict = d };
}
jinja_value jinja_from_c(jinja_run *r, const char *s);  /* lends s */
jinja_value jinja_iterate(jinja_run *r, jinja_list *l); /* a generator over the list */
jinja_value jinja_pair_tuple(jinja_run *r, jinja_value a, jinja_value b);
jinja_value jinja_undefined(jinja_run *r, const char *hint);
jinja_value jinja_no_attribute(jinja_run *r, jinja_value of, jinja_value name, bool unsafe);

/* ---- what values do (values.c, need.c, equal.c, compare.c, arithmetic.c, attribute.c) ---- */
const char *jinja_type_name(jinja_value v); /* as Python calls it */
bool jinja_true(jinja_run *r, jinja_value v);
jinja_list *jinja_items(jinja_run *r, jinja_value v); /* what `for` goes through; must not be changed */
bool jinja_can_iterate(jinja_value v);
bool jinja_length(jinja_value v, int64_t *n);                     /* false: it has none */
_Noreturn void jinja_fail_undefined(jinja_run *r, jinja_value v); /* "'x' is undefined" */
void jinja_defined(jinja_run *r, jinja_value v);                  /* fails if it is not */
bool jinja_whole(jinja_value v, int64_t *out);                    /* an int or a bool */
bool jinja_number(jinja_value v, double *out);                    /* those and a float */
int64_t jinja_need_int(jinja_run *r, jinja_value v, const char *what);
const jinja_text *jinja_need_text(jinja_run *r, jinja_value v, const char *what);

uint32_t jinja_hash(jinja_run *r, jinja_value v);
bool jinja_equal(jinja_run *r, jinja_value a, jinja_value b);
int jinja_order_texts(jinja_run *r, const jinja_text *a, const jinja_text *b);
int jinja_order_numbers(jinja_value a, jinja_value b);                         /* 2: one is NaN */
int jinja_compare(jinja_run *r, jinja_value a, jinja_value b, const char *op); /* fails for what has no order */
bool jinja_contains(jinja_run *r, jinja_value where, jinja_value what);
/* In place and stable, by keys[i] of v[i]; keys may be v. */
void jinja_sort(jinja_run *r, jinja_value *v, jinja_value *keys, size_t n, bool reverse);

jinja_value jinja_binary(jinja_run *r, int op, jinja_value a,
                         jinja_value b); /* '+', '-', '*', '/', '%', 'f' //, 'p' ** */
jinja_value jinja_unary(jinja_run *r, int op, jinja_value a);
double jinja_round_to(jinja_run *r, double f, int64_t digits);

jinja_value jinja_attribute(jinja_run *r, jinja_value v, const jinja_text *name); /* v.name */
jinja_value jinja_item(jinja_run *r, jinja_value v, jinja_value key);             /* v[key] */
jinja_value jinja_slice(jinja_run *r, jinja_value v, jinja_value from, jinja_value to, jinja_value step);
/* item after item of "a.b.0", as filters take attributes */
jinja_value jinja_path(jinja_run *r, jinja_value v, jinja_value path, const jinja_value *fallback);

/* ---- text (print.c, json.c, unicode.c, format.c) ---- */
const jinja_text *jinja_str(jinja_run *r, jinja_value v);
void jinja_print(jinja_run *r, jinja_buffer *b, jinja_value v); /* str() */
void jinja_repr(jinja_run *r, jinja_buffer *b, jinja_value v);
#define JINJA_FLOAT_TEXT 40
const char *jinja_float_repr(double f, char buf[JINJA_FLOAT_TEXT]);
/* printf's %e, %f or %g with a point, whatever the locale; precision 0 to 60. Returns the length. */
#define JINJA_FLOAT_ROOM 400
size_t jinja_float_format(char buf[JINJA_FLOAT_ROOM], char kind, int precision, double f);
const jinja_text *jinja_escape(jinja_run *r, const jinja_text *t); /* for HTML; t as it is if it is markup */
typedef struct jinja_json_style {
    bool ascii, sorted, lines;
    const jinja_text *indent, *comma, *colon;
} jinja_json_style;
void jinja_json(jinja_run *r, jinja_buffer *b, jinja_value v, const jinja_json_style *style);
struct json_t;
jinja_value jinja_from_json(jinja_run *r, const struct json_t *v);

uint32_t jinja_char(const char *s, size_t *n); /* the code point at s, and how many bytes it has */
bool jinja_is_space(uint32_t c);
const char *jinja_at(const jinja_text *t, size_t i); /* the i-th code point */
void jinja_upper_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n);
void jinja_lower_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n);
/* Of s[from..to) alone; what is around it decides whether a sigma is final. */
void jinja_lower_part(jinja_run *r, jinja_buffer *b, const char *s, size_t n, size_t from, size_t to);
void jinja_title_to(jinja_run *r, jinja_buffer *b, const char *s, size_t n); /* one code point */
typedef enum jinja_class {
    JINJA_ALNUM,
    JINJA_ALPHA,
    JINJA_ASCII,
    JINJA_DECIMAL,
    JINJA_DIGIT,
    JINJA_NUMERIC,
    JINJA_PRINTABLE,
    JINJA_SPACE,
    JINJA_LOWER,
    JINJA_UPPER,
    JINJA_TITLE,
    JINJA_CASED
} jinja_class;
bool jinja_is(uint32_t c, jinja_class which);
jinja_value jinja_percent(jinja_run *r, const jinja_text *format, jinja_value args); /* "..." % args */
jinja_value jinja_strftime(jinja_run *r, const jinja_text *format);

/* ---- calls (call.c and the tables) ---- */

typedef struct jinja_args {
    jinja_value *v;
    size_t n;
    jinja_pair *named;
    size_t n_named;
} jinja_args;

enum { JINJA_MAX_PARAMETERS = 6 };
/* A filter, test, function or method. `parameters`: their names with a comma between them, those that may be left out
 * behind a '|'; "*": the function looks at `args` itself; "!": a method that would change its object. The value that a
 * filter or test is of, and the object of a method, is none of them. */
typedef struct jinja_call {
    const char *name;
    jinja_value self;                    /* the value, or the object of a method */
    jinja_value v[JINJA_MAX_PARAMETERS]; /* none where not given */
    bool given[JINJA_MAX_PARAMETERS];
    const jinja_args *args;
} jinja_call;
typedef struct jinja_row {
    const char *name;
    jinja_value (*run)(jinja_run *r, const jinja_call *c); /* NULL: known to Python, refused here */
    const char *parameters;
    jinja_kind of; /* of methods: whose */
} jinja_row;
const jinja_row *jinja_find_filter(const jinja_run *r, const char *name, size_t n);
const jinja_row *jinja_find_test(const jinja_run *r, const char *name, size_t n);
const jinja_row *jinja_find_function(const jinja_run *r, const char *name, size_t n);
const jinja_row *jinja_find_method(const jinja_run *r, jinja_kind of, const char *name, size_t n);
jinja_value jinja_apply(jinja_run *r, const jinja_row *row, jinja_value self, const jinja_args *args);
jinja_value jinja_call_value(jinja_run *r, jinja_value f, const jinja_args *args);
jinja_value jinja_call_macro(jinja_run *r, const jinja_macro *m, const jinja_args *args);
jinja_value jinja_call_loop(jinja_run *r, const jinja_loop *l, jinja_value items);
/* The named argument; NULL: there is none. */
const jinja_value *jinja_named(jinja_run *r, const jinja_args *args, const char *name);

/* What a template finds by name; each table ends with name NULL. A run has them as data: filters and methods stand on
 * what looks them up. */
typedef struct jinja_tables {
    const jinja_row *text_filters, *list_filters, *tests, *functions, *text_methods, *methods;
} jinja_tables;
extern const jinja_row jinja_text_filters[], jinja_list_filters[], jinja_tests[], jinja_functions[],
    jinja_text_methods[], jinja_methods[];

/* ---- nodes (lexer.c, parse.c, parse_expression.c) ---- */

typedef enum jinja_op {
    /* expressions */
    JINJA_CONST,
    JINJA_NAME,
    JINJA_MAKE_LIST,
    JINJA_MAKE_TUPLE,
    JINJA_MAKE_DICT,
    JINJA_ATTRIBUTE,
    JINJA_ITEM,
    JINJA_SLICE,
    JINJA_CALL,
    JINJA_FILTER,
    JINJA_TEST,
    JINJA_NOT,
    JINJA_AND,
    JINJA_OR,
    JINJA_IF_ELSE,
    JINJA_COMPARE,
    JINJA_BINARY,
    JINJA_UNARY,
    JINJA_CONCAT,
    JINJA_SPACE_NAME, /* ns.name, to be assigned */
    /* statements */
    JINJA_DATA,
    JINJA_PRINT,
    JINJA_FOR,
    JINJA_IF,
    JINJA_SET,
    JINJA_SET_BLOCK,
    JINJA_WITH,
    JINJA_MACRO_DEF,
    JINJA_CALL_BLOCK,
    JINJA_FILTER_BLOCK,
    JINJA_SCOPE,
    JINJA_BLOCK,
    JINJA_BREAK,
    JINJA_CONTINUE,
    JINJA_REFUSED
} jinja_op;

typedef struct jinja_nodes {
    struct jinja_node **v;
    size_t n, capacity;
} jinja_nodes;

/* What the fields mean is said where parse.c and parse_expression.c make a node. */
typedef struct jinja_node {
    jinja_op op;
    int sign; /* the operator of BINARY, UNARY, COMPARE's operands */
    uint32_t line;
    bool flag;
    jinja_value value;    /* CONST, and names as text (interned: equal names are one pointer) */
    const jinja_row *row; /* of FILTER and TEST; NULL: there is none of that name */
    struct jinja_node *a, *b, *c;
    jinja_nodes list, body, other;
    struct jinja_arguments *args;
} jinja_node;

typedef struct jinja_arguments {
    jinja_nodes plain, named;      /* a named one is a NAME with the value in a */
    jinja_node *rest, *rest_named; /* *x, **x; NULL: none */
} jinja_arguments;

/* Parses; the nodes lie in r's arena. */
jinja_nodes *jinja_parse(jinja_run *r, const char *text, size_t n);

/* ---- rendering ---- */

typedef struct jinja_variable {
    const jinja_text *name;
    jinja_value value;
} jinja_variable;
typedef struct jinja_scope {
    struct jinja_scope *parent;
    jinja_variable *v;
    size_t n, capacity;
    bool kept; /* a macro refers to it */
} jinja_scope;
jinja_scope *jinja_scope_new(jinja_run *r, jinja_scope *parent);
void jinja_scope_set(jinja_run *r, jinja_scope *s, const jinja_text *name, jinja_value v);
jinja_value jinja_lookup(jinja_run *r, const jinja_scope *s, const jinja_text *name);
void jinja_assign(jinja_run *r, jinja_scope *s, const jinja_node *target, jinja_value v);

/* Names that have a meaning of their own. */
extern const jinja_text jinja_word_loop, jinja_word_caller, jinja_word_varargs, jinja_word_kwargs;

typedef enum jinja_flow { JINJA_NEXT, JINJA_DID_BREAK, JINJA_DID_CONTINUE } jinja_flow;
jinja_flow jinja_exec(jinja_run *r, jinja_scope *s, const jinja_nodes *body);
jinja_value jinja_eval(jinja_run *r, jinja_scope *s, const jinja_node *n);
/* What a body prints, as a text. */
jinja_value jinja_capture(jinja_run *r, jinja_scope *s, const jinja_nodes *body);
jinja_args jinja_eval_args(jinja_run *r, jinja_scope *s, const jinja_arguments *a);

#endif
