/* cli.h: what the subcommands of the `weft` program share: a table of options from which parsing, help, the man page
 * and shell completion all come; opening models and devices; error lines; JSON output.
 *
 * A subcommand is one file cmd_<name>.c with a `const cli_command`. It returns the exit status: 0, 1 after a failure
 * that was reported on stderr as one line "weft: what: why" (with the line and a mark below, of a fault in a text),
 * 2 for wrong usage. */
#ifndef WEFT_CLI_H
#define WEFT_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "models/adapter.h"
#include "models/draft.h"
#include "models/grammar/grammar.h"

typedef enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_WHOLE, CLI_REAL } cli_kind;

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* -p; 0: none */
    cli_kind kind;
    const char *value;  /* shown for the value: "N", "FILE"; cli_completes tells what completes it */
    double min, max;    /* of CLI_WHOLE and CLI_REAL; CLI_U64_MAX: all 64 bits */
    const char *help;   /* one sentence, no full stop */
    const char *choices; /* "f16|q8_0": the values there are; may be NULL */
    bool repeats;       /* may be given more than once */
    bool pair;          /* two of the choices may be given, with a comma between them */
} cli_option;
#define CLI_U64_MAX 0x1p64

/* What shells complete a value with, by the word that stands for it in the help. */
typedef enum cli_completes { CLI_NOTHING, CLI_FILES, CLI_FOLDERS, CLI_MODELS, CLI_DEVICES } cli_completes;
cli_completes cli_completes_of(const char *value);

enum { CLI_MAX_OPTIONS = 80, CLI_MAX_VALUES = 16, CLI_MAX_MODELS = 16 };

typedef struct cli_args {
    const struct cli_command *command;
    const char *model; /* the positional argument; NULL if the command takes none */
    const char *named; /* the same as it was given: `model` is the path that it means (cli_find_model) */
    char *found;       /* owns that path; NULL: it was given */
    const char *second; /* a second positional argument; NULL if the command takes none */
    const char *models[CLI_MAX_MODELS]; /* of a command that takes several, as they were given: model is the first */
    unsigned n_models;
    struct { const cli_option *option; const char *values[CLI_MAX_VALUES]; unsigned n; } given[CLI_MAX_OPTIONS];
    unsigned n_given;
} cli_args;

typedef struct cli_command {
    const char *name, *summary; /* the summary: one sentence */
    const char *positional;     /* "MODEL", "CONFIG.json DIR", "MODEL..." (one or more) or NULL */
    bool optional;              /* it may be left out */
    bool runs;                  /* takes the common options of running a model (cli_run_options) and those of devices */
    bool plans;                 /* takes the options of devices (cli_device_options) */
    bool sources;               /* takes those of cli_source_open (cli_source_options) */
    bool samples;               /* takes those of picking tokens (cli_sampling_options) */
    bool graphs;                /* takes a graph's text (cli_graph_options), as all do that run or are sources */
    const cli_option *options;  /* ends with name NULL */
    int (*run)(const cli_args *a);
} cli_command;

extern const cli_command *const cli_commands[]; /* ends with NULL */
extern const cli_command cli_generate, cli_logits, cli_embed, cli_classify, cli_tokenize, cli_detokenize,
    cli_perplexity, cli_inspect, cli_bench, cli_kernels, cli_profile, cli_graph, cli_memory, cli_init,
    cli_convert, cli_quantize, cli_imatrix, cli_devices, cli_chat_template, cli_chat, cli_serve, cli_pull,
    cli_tune, cli_report_command;
extern const cli_option cli_run_options[], cli_source_options[], cli_device_options[], cli_model_options[],
    cli_graph_options[], cli_sampling_options[], cli_common_options[];

/* The tables of options that a command takes, with their titles; ends with options NULL. */
typedef struct cli_table { const char *title; const cli_option *options; } cli_table;
enum { CLI_MAX_TABLES = 8 };
void cli_tables(const cli_command *c, cli_table out[CLI_MAX_TABLES]);
/* Calls `use` with the words of "a|b|c". */
void cli_each_choice(const char *choices, void (*use)(void *ctx, const char *word, size_t n), void *ctx);

/* ---- options ---- */
int cli_parse(const cli_command *c, int argc, char **argv, cli_args *out); /* 0, or an exit status + 1 */
/* The option has this value alone, which must stay. 0, or 2 after a message: then nothing has changed. */
int cli_set(cli_args *a, const cli_option *o, const char *value);
int cli_add(cli_args *a, const cli_option *o, const char *value); /* one more value, as on the command line */
/* The option of a command by the first n bytes of a name; NULL: it has none. With a guess what was meant. */
const cli_option *cli_find_option(const cli_command *c, const char *name, size_t n, char *hint, size_t size);
bool cli_takes_several(const cli_command *c); /* models */
bool cli_has(const cli_args *a, const char *name);
const char *cli_text(const cli_args *a, const char *name, const char *fallback);
unsigned cli_texts(const cli_args *a, const char *name, const char *const **values);
uint32_t cli_u32(const cli_args *a, const char *name, uint32_t fallback);
uint64_t cli_u64(const cli_args *a, const char *name, uint64_t fallback);
float cli_f32(const cli_args *a, const char *name, float fallback);

/* ---- help ---- */
void cli_help(FILE *f, const cli_command *c);
void cli_usage(FILE *f);
void cli_man(FILE *f);
bool cli_completion(FILE *f, const char *shell); /* false: no such shell (bash, zsh, fish) */

/* ---- messages: "weft: what: why" ---- */
int cli_fail(const char *fmt, ...) WEFT_PRINTF(1, 2);    /* returns 1 */
int cli_misuse(const char *fmt, ...) WEFT_PRINTF(1, 2);  /* returns 2 */
int cli_report(const weft_error *err);                   /* returns 1, or 130 where the user has cancelled */

/* ---- long work (progress.c) ---- */
/* A line on standard error, where that is a terminal and --quiet is not given, says how far it is. */
void cli_progress_init(const cli_args *a);
bool cli_on_terminal(void); /* there is somebody to tell */
/* For the library's descs. From now on Ctrl-C cancels at the next report; a second one ends the process. */
weft_progress_sink cli_progress(void);
bool cli_interrupted(void);
int cli_interrupted_status(void); /* the exit status of who was stopped, as shells count it: 130 of Ctrl-C */
/* Takes the line away: before anything else is printed. Messages do it themselves. */
void cli_progress_end(void);
/* Work of the program's own. What the library reports meanwhile counts as a part of it. End it in any case. */
typedef struct cli_work { weft__task task; weft_progress_sink sink; } cli_work;
weft_status cli_work_begin(cli_work *w, const char *what, uint64_t total, const char *unit, weft_error *err);
weft_status cli_work_did(cli_work *w, uint64_t n, weft_error *err); /* n more */
void cli_work_end(cli_work *w);

/* ---- models, devices, sessions ---- */
enum { CLI_MAX_DEVICES = 8, CLI_MAX_SPEC = 1024 };
typedef struct cli_device_list {
    weft_backend *device[CLI_MAX_DEVICES];
    uint32_t n;
} cli_device_list;
/* adapters.c: what --lora names, which a session's description borrows: one choice, but of a server one each. */
typedef struct cli_adapters {
    weft_adapter *opened[CLI_MAX_VALUES];
    weft_adapter_use uses[CLI_MAX_VALUES];
    uint32_t n;
} cli_adapters;
/* "FOLDER=SCALE": its scale, and the length of the folder's part. A scale of 0 is no adapter. */
float cli_adapter_scale(const char *value, size_t *n);
/* 0, or an exit status; close in any case. *out is zero. */
int cli_adapters_open(const cli_args *a, cli_adapters *out, weft_session_desc *desc);
void cli_adapters_close(cli_adapters *l);

typedef struct cli_run {
    weft_model *model;
    cli_adapters adapters;
    cli_device_list devices;
    weft_session *session;
    double open_seconds; /* opening the model and the device, and what of reading the tokenizer loading did not hide */
} cli_run;
/* Everything that the common options say; desc's other fields are the command's. *out is zero, or holds a model that
 * the command has opened itself. 0, or an exit status. Call cli_run_close in any case. */
int cli_run_open(const cli_args *a, weft_session_desc desc, cli_run *out);
/* The same in two steps: what the session will be, with everything opened that it needs, then the session. `split` has
 * CLI_MAX_DEVICES entries, which desc borrows. */
int cli_run_prepare(const cli_args *a, weft_session_desc *desc, uint32_t *split, cli_run *out);
int cli_run_create(const cli_args *a, const weft_session_desc *desc, cli_run *out);
/* given.c: MODEL, with the text that --graph and --param give; or, where MODEL is a text, that without weights. */
int cli_model_open(const cli_args *a, weft_model **out);
int cli_model_init(const cli_args *a, weft_dtype dtype, uint64_t seed, uint64_t shard_bytes); /* of `weft init` */
/* MODEL is a text: a graph, or, where it says that it is a model's or needs a session, a model without weights. */
int cli_text_open(const cli_args *a, weft_graph **graph, weft_model **model);
/* Whether a file begins as a graph's text does, comments aside. What cannot be read is none: opening it as a model
 * says why. */
bool cli_is_graph_text(const char *path);
/* Where MODEL is a name on the Hugging Face hub and no path: the path of its snapshot in the cache. 0, or 1 after a
 * message, which has the command that fetches it. */
int cli_find_model(cli_args *a);
/* Why MODEL did not open, with what may help. */
int cli_report_open(const cli_args *a, const weft_error *err);
/* What cli_device_options say; 0, or an exit status: close what was opened in any case. */
int cli_devices_open(const cli_args *a, cli_device_list *out);
void cli_devices_close(cli_device_list *l);
/* One spec with the folder of caches and what other options say of it. INVALID: too long. */
weft_status cli_device_spec(const cli_args *a, const char *spec, char *out, size_t size, weft_error *err);
/* --split: n numbers of layers for the n devices. */
int cli_split(const cli_args *a, const cli_device_list *l, uint32_t *out, bool *given);
bool cli_dtype(const char *name, weft_dtype *out);
void cli_run_close(cli_run *r);
/* Tokens per second, as a line on standard error; n_prompt: tokens that were read. */
void cli_tell_speed(const weft_generated *r, size_t n_prompt);
/* Pages that an extent of a session's graph stands for where a token sees `cells` cells, or those of its window; 0: it
 * counts no pages. */
uint32_t cli_pages_seen(const char *extent, uint32_t page, uint32_t cells);

/* What the common options ask of a session on these devices, into *desc; it borrows the list and `split`, which has
 * CLI_MAX_DEVICES entries. 0, or an exit status. */
int cli_session_desc(const cli_args *a, const cli_device_list *l, uint32_t *split, weft_session_desc *desc);

/* What MODEL names (a model folder, a config.json by itself, or a graph text, be it a model's or not) and, where it is
 * planned, the programs that running it takes, not loaded: those of the session's plan, or the one of a graph text. */
typedef struct cli_source {
    weft_model *model;        /* NULL: a graph text */
    cli_adapters adapters;
    weft_session_desc desc;   /* of a model: what is planned; borrows what follows, so the source must not be moved */
    uint32_t split[CLI_MAX_DEVICES];
    cli_device_list devices;
    weft_session_plan *plan;  /* of a model; as planned as the source */
    weft_graph *text;         /* of a graph text */
    weft_program *program;    /* of a planned graph text */
    const weft_graph *graph;  /* as built: the plan's or the text */
    const weft_program *programs[2];
    const char *names[2];     /* "prompt", "decode" where it has one of its own; "graph" */
    uint32_t n;               /* programs; 0: not planned */
    char title[128];          /* "gpt-neox-20b" */
} cli_source;
/* 0, or an exit status; close in any case. planned: on the devices of the options; else none is opened. */
int cli_source_open(const cli_args *a, bool planned, cli_source *out);
void cli_source_close(cli_source *s);
/* The outputs that programs of it have; NULL: all. */
const char *const *cli_source_outputs(const cli_source *s, uint32_t *n);
/* Bytes on a device with all of its programs loaded. */
uint64_t cli_source_bytes(const cli_source *s, uint32_t device);
/* For a planned model that does not fit: what would help; "" if it fits, or nothing is known to. */
void cli_source_hint(const cli_source *s, char *out, size_t size);
/* The program of a graph text. */
int cli_text_program(const cli_args *a, const cli_device_list *l, const weft_graph *g, weft_program **out);

/* "it would fit with `--weights q8_0` (512.0 MiB) or `--context 1024` (700.0 MiB)": what would help a session that does
 * not fit on desc's devices; "" if nothing is known to. */
void cli_fit_hint(weft_model *m, const weft_session_desc *desc, char *out, size_t size);
/* --fit: changes context, cache and length of runs so that it fits on desc's devices, where they are not asked for, and
 * says on stderr what it chose and why. 0, or 1 after a message: nothing fits. */
int cli_fit(weft_model *m, weft_session_desc *desc);

/* The rows of every command that takes a text; cli_prompt does what they say. */
#define CLI_TEXT_OPTIONS                                                                 \
    { .name = "bos", .kind = CLI_FLAG,                                                   \
      .help = "begin the text with the bos token (default: as the tokenizer's files say)" }, \
    { .name = "no-bos", .kind = CLI_FLAG, .help = "put no token before the text" }
/* The tokens of --prompt, --prompt-file/--file or --tokens; by tok or, if that is NULL, by m's tokenizer, which is read
 * where there is a text. What of the text or of the tokenizer's files is not taken
 * as it is there is noted on stderr. 0, or an exit status. free() the ids. */
int cli_prompt(const cli_args *a, weft_model *m, const weft_tokenizer *tok, weft_tokens *out);
/* "1,2,3" with nothing else in it; false if it is no such list. n < 0: the whole string. */
bool cli_parse_tokens(const char *text, size_t n, weft_tokens *out);

/* What cli_sampling_options say (sampling.c). 0, or an exit status. `how` points into the rest, which must not move. */
typedef struct cli_sampling {
    weft_sampling how;
    weft_step_kind order[WEFT_SAMPLING_STEPS];
    int32_t bias_ids[CLI_MAX_VALUES];
    float bias_values[CLI_MAX_VALUES];
    weft_tokens breakers;
} cli_sampling;
int cli_sampling_of(const cli_args *a, cli_sampling *out);
/* Adds the tokens that end a repetition, where they matter, by the model's tokenizer. 0, or 1 after a message. */
int cli_sampling_breakers(const cli_args *a, weft_model *m, cli_sampling *s);
void cli_sampling_free(cli_sampling *s);

/* What --grammar, --json-schema and --json-object ask for (grammar.c): a matcher at the beginning, or NULL. 0, or an
 * exit status; *out is zero before, and closed in any case. */
typedef struct cli_grammar {
    weft_token_trie *trie;
    weft_grammar *grammar;
    weft_matcher *matcher;
} cli_grammar;
bool cli_grammar_asked(const cli_args *a);
int cli_grammar_open(const cli_args *a, weft_model *m, weft_session *s, cli_grammar *out);
void cli_grammar_close(cli_grammar *g);

/* What drafts tokens (speculate.c): the rows of commands that generate, what they need of the session, and the drafter.
 * 0, or an exit status; *out is zero before, must not move, and is closed in any case, before the run. */
#define CLI_SPECULATE_OPTIONS                                                                                 \
    { .name = "speculate", .kind = CLI_TEXT, .value = "ngram|MODEL",                                         \
      .help = "guess the next tokens, from the text so far or by a smaller model with the same tokenizer, and " \
              "check several at once: the same text sooner, where it pays (default: off)" },                  \
    { .name = "draft-tokens", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = WEFT_DRAFT_MOST,             \
      .help = "tokens to guess at most (default: 15)" },                                                       \
    { .name = "draft-always", .kind = CLI_FLAG, .help = "guess whether or not it pays: for measurements" }
typedef struct cli_speculation {
    bool on, always;
    uint32_t n; /* tokens of a draft */
    weft_ngrams *ngrams;
    weft_model *draft;
    weft_session *session;
    weft_draft_model *model;
    weft_drafter drafter;
} cli_speculation;
void cli_speculation_desc(const cli_args *a, weft_session_desc *desc);
int cli_speculation_open(const cli_args *a, const cli_run *run, cli_speculation *out);
void cli_speculation_apply(const cli_speculation *s, weft_generate_desc *d);
void cli_speculation_close(cli_speculation *s);

/* A whole file; "-" is standard input. NULL after a message. */
char *cli_read_file(const char *path, size_t *n);
/* Writes bytes to a file ("-": standard output) so that it appears complete or not at all; straight into what is no
 * ordinary file (a pipe, /dev/null). 0, or 1 after a message. */
int cli_write_file(const char *path, const void *data, size_t n);

/* Standard output as a writer. */
weft_writer cli_stdout(void);
/* Prints and frees the object. 0, or 1 after a message: it is NULL, for a part of it could not be made. */
int cli_print_json(json_t *object);
/* A text that may be a path: bytes that no UTF-8 has become '?'. NULL: out of memory. */
json_t *cli_json_text(const char *text);
/* --check: runs the tokens beside the reference and prints what differs. 0 if nothing failed, else 1. */
int cli_check(cli_run *r, const weft_tokens *t);

#endif
