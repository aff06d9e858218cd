/* forms.h: how models write what is no plain answer: their reasoning, and calls of tools. Each family of templates has
 * marks of its own for both, and its template's text says which: forms.c has a row for each family.
 *
 *     forms f;
 *     forms_of(template, n, &f);
 *     form_reader r = { .forms = f, .tools = tools, .id = id, .sink = sink, .ctx = ctx };
 *     form_push(&r, text, n) ...;                 // pieces as they come; the sink is told what is certain
 *     form_finish(&r, ended, &calls, &whole);     // the rest; NULL: there are none
 *     form_free(&r);
 *
 * What comes out does not depend on how a text is cut into pieces. What only looks like a call stays text. */
#ifndef WEFT_SERVE_FORMS_H
#define WEFT_SERVE_FORMS_H

#include <jansson.h>

#include "graph/base.h"

enum { FORM_SIGNS = 3, FORM_DROPS = 2, FORM_MARKS = 32 };

/* Reasoning between two marks, at the beginning of an answer. */
typedef struct think_form {
    const char *name, *signs[FORM_SIGNS]; /* signs: a template that has all of them is of this family */
    const char *open, *close;
    const char *drop[FORM_DROPS]; /* marks around the answer itself */
} think_form;

typedef enum call_kind {
    CALL_JSON,    /* objects with a name and arguments, or lists of them, between `open` and `close` */
    CALL_NAMED,   /* `each` NAME `named` {arguments} `last`, repeated */
    CALL_KEYED,   /* `each` NAME `named`, then `key` KEY `value` ... `begin` VALUE `ended` repeated, then `last` */
    /* `each` NAME `named` KEY `value` literal, ... `last`, repeated or as a list; `begin`: around texts */
    CALL_LITERAL,
    CALL_CHANNELS /* messages in channels, reasoning among them (gpt-oss) */
} call_kind;

typedef enum call_ids { CALL_IDS_OWN, CALL_IDS_NINE, CALL_IDS_COUNTED } call_ids;

typedef struct call_form {
    const char *name, *signs[FORM_SIGNS];
    call_kind kind;
    const char *open, *close; /* around all calls; close may be missing in a text, and NULL */
    const char *start; /* calls begin with it, too, where it is the first of an answer, and only those of known tools */
    const char *each, *named, *key, *value, *begin, *ended, *last;
    const char *drop; /* a mark of the answer itself */
    const char *name_key, *arguments_key; /* of CALL_JSON, as this family has them */
    bool list;  /* of CALL_JSON and CALL_LITERAL: the model writes a list, also of one */
    bool lines; /* of CALL_KEYED: a value stands on lines of its own */
    call_ids ids; /* what the template demands of the ids of calls: nine letters, or functions.NAME:NUMBER */
} call_form;

typedef struct forms {
    const think_form *think; /* NULL: none that is known */
    const call_form *call;
    bool marked; /* calls begin with a mark alone, not with `start`: the answer may well begin so itself */
} forms;

void forms_of(const char *text, size_t n, forms *out);
/* Their marks, which may be special tokens of the vocabulary. [FORM_MARKS] */
uint32_t forms_marks(const forms *f, const char **out);
const think_form *form_thinks(void); /* all rows; one without a name ends them */
const call_form *form_calls(void);

/* What a model that must call a tool is made to continue: the text before the arguments or the object, appended to
 * *prompt, and the JSON schema of what follows, which is the caller's. tools: at least one. false and *why (a
 * sentence): this family's form cannot be demanded so; or, *why NULL, there is no memory. */
bool form_demand(const forms *f, const json_t *tools, weft_text *prompt, json_t **schema, const char **why);

typedef enum form_part { FORM_ANSWER, FORM_REASONING } form_part;
/* A piece of the answer or of the reasoning; false: nobody wants more. */
typedef bool form_sink(void *ctx, form_part part, const char *text, size_t n);

typedef enum form_state { FORM_STARTS, FORM_THINKS, FORM_ANSWERS, FORM_CALLS, FORM_HEAD, FORM_BODY } form_state;

typedef struct form_reader {
    forms forms;         /* think NULL: reasoning is part of the answer */
    const json_t *tools; /* as OpenAI's requests have them, lent; NULL: calls are part of the answer */
    const char *id;      /* becomes part of those of calls; lent */
    form_sink *sink;
    void *ctx;
    /* The rest is form_reader.c's. */
    form_state state;
    weft_text held;   /* not decided yet; in FORM_CALLS all from their beginning on */
    size_t searched;  /* so much of it has no mark */
    bool skip, told, opened; /* white space is skipped; something of the answer was told; channels: there was a head */
    bool again, heard[2]; /* channels: a message has ended; something of a part was told */
    const char *ended;    /* channels: the mark that ended the message before this head */
    form_part part;
    bool calling;     /* channels: the message is a call */
    char recipient[256];
    json_t *calls;
} form_reader;

bool form_push(form_reader *r, const char *text, size_t n); /* false: the sink wants no more, or there is no memory */
bool form_is_thinking(const form_reader *r);
/* The end of the text. ended: by the model; otherwise it was cut, and a call needs the mark of its end where without it
 * more of it could have come. *calls: as OpenAI's `tool_calls`, the caller's; NULL: none. *whole: nothing was left that
 * no call could be made of, or that was cut off. */
bool form_finish(form_reader *r, bool ended, json_t **calls, bool *whole);
void form_free(form_reader *r);

/* ---- form_calls.c ---- */
/* The calls that a text begins with, appended to a list; the bytes of the text that they are. ended: as of form_finish;
 * start: they may begin with the form's `start`. */
typedef struct form_text { const char *text; size_t n; bool ended, start; } form_text;
size_t form_calls_read(const call_form *f, const json_t *tools, const form_text *from, const char *id, json_t *list);
/* The arguments of a call; n: how long their text is, as the model has written it, 0: there is none. */
typedef struct form_arguments { json_t *json; const char *text; size_t n; } form_arguments;
/* JSON whose integers may be beyond 64 bits: then all its numbers are reals. more: a text may follow, *end: where. */
json_t *form_json(const char *text, size_t n, bool more, size_t *end);
/* One call; false: the arguments are no JSON object. */
bool form_call_add(const call_form *f, const char *name, size_t n_name, form_arguments arguments, const char *given,
                   const char *id, json_t *list);
const json_t *form_tool(const json_t *tools, const char *name); /* its `function`; NULL: no such tool */

#endif
