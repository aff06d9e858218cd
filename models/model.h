/* model.h: opening a model folder, sessions, generation.
 *
 *     weft_model *m;    weft_model_open("pythia-160m", NULL, &m, &err); // a Hugging Face folder as it is
 *     weft_backend *b;  weft_backend_open("cpu", &b, &err);
 *     weft_session *s;
 *     weft_session_create(m, &(weft_session_desc){ .devices = &b, .n_devices = 1 }, &s, &err);
 *     const weft_tokenizer *tok;    weft_model_tokenizer(m, &tok, &err);
 *     weft_tokens t;    weft_tokenizer_encode(tok, "Once upon", 9, NULL, &t, &err);
 *     weft_generate(s, 0, t.ids, t.n, &(weft_generate_desc){ .max_tokens = 50 }, &result, &err);
 *
 * Lifetimes: model and backend outlive the session. A model may be used by several sessions of one thread; a session
 * belongs to one thread at a time (but for weft_session_cancel). The tokenizer is an object of its own (tokenizer.h),
 * which any number of threads may use once it has been read. */
#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H

#include "graph/text.h"
#include "models/checkpoint/checkpoint.h"
#include "models/inputs.h"
#include "models/sampler.h"
#include "models/tokenizer/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models ---------------------------------------------------------------------------------------------------- */

typedef struct weft_model weft_model;

/* What stands on top of the last hidden state. */
typedef enum weft_head {
    WEFT_HEAD_LOGITS,   /* a language model's: logits of the next token */
    WEFT_HEAD_NONE,     /* nothing: hidden states only */
    WEFT_HEAD_SEQUENCE, /* scores of labels for the whole sequence (weft_model_pooled_token) */
    WEFT_HEAD_TOKENS,   /* scores of labels for each token */
    WEFT_HEAD_SPAN      /* two scores of each token: that an answer starts there, that it ends there */
} weft_head;

/* An architecture: how a configuration becomes a graph. docs/adding-a-model.md shows one from the first line to the
 * last, and lists the inputs and outputs that make a graph a model. */
typedef struct weft_model_definition {
    const char *architecture; /* in `architectures` of config.json: "MyModelForCausalLM" */
    const char *type;         /* its model_type; NULL: any */
    weft_head head;
    /* Emits the graph from its inputs; c and in are valid during the call. Called more than once (first with no
     * weight's type decided): it must emit the same each time. Errors are sticky, or weft_graph_fail's. */
    void (*build)(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx);
    void *ctx; /* handed to build */
} weft_model_definition;

/* All zero: a folder whose architecture the library knows. */
typedef struct weft_model_desc {
    /* Looked at before the library's own. Copied; the texts and contexts outlive the model. */
    const weft_model_definition *definitions;
    uint32_t n_definitions;
    /* The model is this one, whatever its architecture and type are called, and no config.json is needed: the graph
     * says how many layers and ids there are (a config.json that is there is handed to `build`). */
    const weft_model_definition *graph;
    /* The same in words (graph/text.h): the model is this text, which finds its parameters in config.json, and its
     * weights by the names that files of the configuration's architecture have and by its own `files`. Copied. */
    const char *text;
    size_t n_text;
    const char *text_origin;        /* its file, for messages; NULL: "graph" */
    const weft_graph_param *params; /* that count before config.json, also of a folder's model.weft; copied */
    uint32_t n_params;
    uint32_t context; /* tokens that a sequence may have where the configuration does not say it; 0: 2048 */
    const int32_t *eos; /* the tokens that end a text, at most 16, instead of the configuration's */
    uint32_t n_eos;
} weft_model_desc;

/* path: a folder with config.json and, for all that needs them, safetensors and tokenizer.json; or a config.json by
 * itself (then graphs and plans can be made, but nothing can run). With desc->graph or text also one .safetensors file,
 * or NULL (weft_model_set_weights then gives the weights). A folder whose architecture nobody knows is what its
 * model.weft says, a text; a note says so. desc may be NULL. Files are mapped, not read. The tokenizer is read on first
 * use. INVALID: a definition without name or function, or one that makes no output of its head. FORMAT, IO, NOT_FOUND,
 * UNSUPPORTED name the file and the fault; of a text also line and column, where a weight is asked for that the files
 * have not, or in another shape. */
WEFT_API WEFT_MUST_USE weft_status weft_model_open(const char *path, const weft_model_desc *desc, weft_model **out,
                                                   weft_error *err);
WEFT_API void weft_model_close(weft_model *m);

typedef struct weft_model_info {
    const char *path, *architecture; /* "GPTNeoXForCausalLM" */
    uint32_t n_layer, n_embed, n_head, n_vocab, context; /* n_head 0: not known */
    /* > 0: no sequence may be longer: positions are learned, or the rotary scaling (dynamic) turns all earlier keys
     * anew with each token beyond. Sessions refuse a longer context; `pos` of a graph that is run otherwise must stay
     * below it. */
    uint32_t context_limit;
    int32_t bos, eos;                /* token ids, of several the first; -1: none */
    uint64_t parameters;             /* elements of the tensors that the graph uses */
    uint64_t file_bytes;             /* of all tensors in the files; 0 without files */
    bool has_weights, has_tokenizer;
    weft_head head;
    uint32_t n_labels; /* scores in a row; 0 if the head gives none */
    const char *text;  /* the graph's text that it is: its file; NULL: it is none */
} weft_model_info;
WEFT_API const weft_model_info *weft_model_info_get(const weft_model *m); /* lent, as long as the model */
WEFT_API const weft_config *weft_model_config(const weft_model *m);
/* The name of a score: of id2label in config.json, else "LABEL_0"; "start" and "end". NULL past the end. */
WEFT_API const char *weft_model_label(const weft_model *m, uint32_t i);
/* Which of n tokens has the scores of the whole sequence: the last that is not pad_token_id (Hugging Face's rule). */
WEFT_API size_t weft_model_pooled_token(const weft_model *m, const int32_t *ids, size_t n);
/* The i-th of the tokens that end a text; -1 past the end. */
WEFT_API int32_t weft_model_eos(const weft_model *m, uint32_t i);
/* What the definition asked of the configuration, and the end tokens, in order; lent by m. NULL past the end. */
typedef enum weft_setting_kind { WEFT_SETTING_NUMBER, WEFT_SETTING_TRUTH, WEFT_SETTING_TEXT } weft_setting_kind;
typedef struct weft_setting_info {
    const char *key, *value; /* "rope_theta", "10000"; "true", "gelu_new" */
    const char *source; /* "config.json: rotary_emb_base", "default of gpt_neox", "default", "given" (to a text) */
    double number;           /* 1 and 0 of a truth, NaN of a text */
    weft_setting_kind kind;
} weft_setting_info;
WEFT_API const weft_setting_info *weft_model_setting(const weft_model *m, uint32_t i);
/* Worth telling: contradicting or ignored configuration keys, tensors no weight asks for. NULL past the end. */
WEFT_API const char *weft_model_note(const weft_model *m, uint32_t i);

/* The files' tensors, lent, valid as long as the model; NULL: there are none. And whether its graph has a weight that
 * is tensor i of them. */
WEFT_API const weft_checkpoint *weft_model_checkpoint(const weft_model *m);
WEFT_API bool weft_model_uses(const weft_model *m, size_t i);
/* The weights by the graph's names, as a source for weft_weights_create; valid as long as the model. */
WEFT_API weft_weight_source weft_model_weights(const weft_model *m);
/* Takes weights from `source` (copied) instead of files: for models opened from a config.json by itself. What it gives
 * must have the shapes of the model's graph. */
WEFT_API void weft_model_set_weights(weft_model *m, const weft_weight_source *source);

typedef struct weft_model_graph_desc {
    /* How matrices are stored; WEFT_ANY: as the files have them. Tables that are only looked up keep the files' type,
     * vectors become f32. */
    weft_dtype weights;
    weft_dtype kv;        /* of the cache, any that floats can be turned into; blocks divide the heads. WEFT_ANY: f16 */
    weft_dtype kv_values; /* of its values, where they are kept otherwise than its keys; WEFT_ANY: as `kv` */
    uint32_t context;     /* tokens of a sequence; 0: max_position_embeddings */
    uint32_t n_sequences; /* 0: 1 */
    uint32_t cells;       /* of each cache at most, whole pages; 0: context of every sequence */
    uint32_t page;        /* cells of a page, a power of two from 16 to 256; 0: 64, or less for a short context */
    uint32_t rollback;    /* the last tokens of a sequence that can be taken back, for windows: see weft_session_desc */
    uint32_t max_tokens, max_rows; /* per run; 0: 512, and 8 (of logits) */
    /* > 0: also the outputs candidate.id (i32) and, above 1, candidate.logit, each [rows, candidates] (of one:
     * [rows]): the largest logits, descending, the lowest id first among equals; and candidate.mean [rows] of all
     * logits, which is finite where all of them are */
    uint32_t candidates;
} weft_model_graph_desc;
/* The sealed graph, before any pass. Every weight is checked against the files (missing or mis-shaped: by name). */
WEFT_API WEFT_MUST_USE weft_status weft_model_graph(const weft_model *m, const weft_model_graph_desc *desc,
                                                    weft_graph **out, weft_error *err);

/* The graph as a text (graph/text.h) that follows config.json: keys are parameters, or what the text holds for only is
 * required. It is found by asking the definition for graphs of other configurations. A model that is a text: that. */
WEFT_API WEFT_MUST_USE weft_status weft_model_print_text(const weft_model *m, const weft_writer *w, weft_error *err);

/* Writes a randomly initialised checkpoint of the model that a config.json describes into a new folder: matrices normal
 * with the configuration's initializer_range (default 0.02), norm gains 1, biases 0; the same bits for the same seed
 * everywhere. dtype: WEFT_F32, WEFT_F16 or WEFT_BF16. In shards of at most shard_bytes (0: 5 GB) and bounded memory. A
 * folder "x.gguf": a GGUF file, of any dtype that quantises. desc: as weft_model_open takes it, with that config.json;
 * NULL: none. A text goes into the folder, as model.weft. progress may be NULL; cancelled, no file is left. */
WEFT_API WEFT_MUST_USE weft_status weft_model_init(const char *config, const weft_model_desc *desc, const char *folder,
                                                   weft_dtype dtype, uint64_t seed, uint64_t shard_bytes,
                                                   const weft_progress_sink *progress, weft_error *err);

/* ---- text ------------------------------------------------------------------------------------------------------ */

/* The folder's tokenizer, lent, valid as long as the model. The first call reads its files: make it before
 * threads share the model (it may be made while another thread makes a plan or a session). NOT_FOUND: the folder has
 * none. */
WEFT_API WEFT_MUST_USE weft_status weft_model_tokenizer(weft_model *m, const weft_tokenizer **out, weft_error *err);

/* ---- sessions -------------------------------------------------------------------------------------------------- */

/* Several token sequences that share one set of weights and one cache. */
typedef struct weft_session weft_session;

/* What a session can tell of a token, once it has been run: what follows it, or what it has become. */
typedef enum weft_want {
    WEFT_WANT_LOGITS = 1,     /* of the next token: [n_vocab] */
    WEFT_WANT_CANDIDATES = 2, /* the largest logits, descending, found by the device; see weft_sampling_candidates */
    WEFT_WANT_HIDDEN = 4,     /* the hidden state: [n_embed] */
    WEFT_WANT_SCORES = 8      /* of the classification head: [n_labels] */
} weft_want;

enum { WEFT_SESSION_BOUNDS = 8 };
typedef struct weft_adapter_use weft_adapter_use;

typedef struct weft_session_desc {
    weft_backend *const *devices;
    uint32_t n_devices;       /* at most 16 */
    const uint32_t *split;    /* layers per device, as in weft_program_desc; may be NULL */
    bool spread;              /* layers that the first device cannot hold go to the others */
    weft_dtype weights, kv, kv_values; /* as in weft_model_graph_desc; kv ANY: f16, or f32 if exact */
    uint32_t context;         /* tokens per sequence; 0: the model's */
    uint32_t n_sequences;     /* 0: 1 */
    /* Tokens that the cache has room for, over all sequences, in pages of `page` (a power of two from 16 to 256; 0: 64,
     * or 16 or 32 where the context is no longer). A sequence takes the pages that it needs; those of a beginning that
     * it shares are there once. 0: `context` for every sequence, so that none ever finds the cache full. Layers that
     * see a window have a cache of their own: as many cells as windows and a run of max_tokens fill however they lie
     * (n_sequences x (window + rollback + 3 pages) + max_tokens), if that is less; such a cache is never full before
     * that of all tokens is. */
    uint32_t cells, page;
    /* How many of its last tokens a sequence can always forget again (weft_session_truncate), also where layers see a
     * window: as many as drafts may be wrong (draft.h). At most 64; 0: none for sure, where there are windows. */
    uint32_t rollback;
    uint32_t max_tokens;      /* per run; 0: 512, or less where the devices' memory does not hold that */
    uint32_t max_rows;        /* rows of logits per run; 0: n_sequences, at least 8 (with scores: max_tokens) */
    /* Tokens per run of the programs below that of max_tokens, ascending; 0 behind the last. Each is planned for its
     * number, with kernels that suit it; a run takes the smallest that holds what is left. All 0: 1, 8, 32 and 128.
     * They work in the same memory. */
    uint32_t bounds[WEFT_SESSION_BOUNDS];
    /* What tokens may ask for: a sum of weft_want. 0: candidates if there shall be any, else what the model's head
     * gives (without a head, hidden states). What no token asks for later is still computed, but not read back. */
    uint32_t outputs;
    uint32_t candidates; /* of WEFT_WANT_CANDIDATES; more than the vocabulary: all */
    uint32_t layer;      /* of WEFT_WANT_HIDDEN: 0 embeddings, n_layer the final norm */
    bool exact, strict, as_built; /* as in weft_program_desc */
    bool deterministic; /* as in weft_program_desc: a token's results do not depend on what is run beside it */
    /* Told of testing kernels, loading, compiling, checking, and of evaluating more tokens than one run takes. As long
     * as the session lives. */
    weft_progress_sink progress;
    const char *cache_weights; /* folder: weft_weights_keep of the session's own; NULL: none; lent until it is open */
    const weft_adapter_use *adapters; uint32_t n_adapters; /* that sequences may take (adapter.h); copied */
} weft_session_desc;

/* What a session is going to run: the graph, and programs for it that are placed and planned, not loaded. A plan can be
 * made, looked at and refused without reading a tensor, for a model that is a configuration alone, too. It allocates
 * nothing on a device; where a device's kernels are tested before their first use, creating a plan does it. NOT_FOUND:
 * the model has no head for what is asked. The model and the devices must outlive the plan. Without devices (n_devices
 * 0) it has the graph alone. */
typedef struct weft_session_plan weft_session_plan;
WEFT_API WEFT_MUST_USE weft_status weft_session_plan_create(weft_model *m, const weft_session_desc *desc,
                                                            weft_session_plan **out, weft_error *err);
WEFT_API void weft_session_plan_destroy(weft_session_plan *p);
/* What follows is lent, valid as long as the plan. The description with everything that was 0 settled, without devices,
 * split and adapters: */
WEFT_API const weft_session_desc *weft_session_plan_desc(const weft_session_plan *p);
WEFT_API const weft_graph *weft_session_plan_graph(const weft_session_plan *p); /* before any pass, with all outputs */
/* Names of the outputs that its programs have. */
WEFT_API const char *const *weft_session_plan_outputs(const weft_session_plan *p, uint32_t *n);
/* The program that runs n tokens (of more than max_tokens: the first of them), which many n share; NULL without
 * devices. */
WEFT_API const weft_program *weft_session_plan_program(const weft_session_plan *p, size_t n);
/* Bytes on one device (below n_devices) of a session that runs it, and whether every device has them: LIMIT with the
 * numbers if not. */
WEFT_API uint64_t weft_session_plan_bytes(const weft_session_plan *p, uint32_t device);
WEFT_API WEFT_MUST_USE weft_status weft_session_plan_check(const weft_session_plan *p, weft_error *err);

typedef struct weft_load_times { double graph, plan, load; } weft_load_times; /* seconds: build, schedule, weights */

/* Loads what is planned: blocks for as long as reading and packing the weights takes. `weights` are read from and
 * loaded into, and outlive the session: sessions over the same ones have them once (weft_weights_create, of
 * weft_model_weights). NULL: the session has its own. Takes the plan over, also where it fails. LIMIT: the devices have
 * not the memory; nothing was read then. */
WEFT_API WEFT_MUST_USE weft_status weft_session_open(weft_session_plan *plan, weft_weights *weights,
                                                     weft_session **out, weft_error *err);
/* Both together. */
WEFT_API WEFT_MUST_USE weft_status weft_session_create(weft_model *m, const weft_session_desc *desc, weft_session **out,
                                                       weft_error *err);
WEFT_API void weft_session_destroy(weft_session *s);
/* The program that runs n tokens, as of the plan; lent. To look at, to profile and to read spans from. */
WEFT_API weft_program *weft_session_program(const weft_session *s, size_t n);
WEFT_API const weft_graph *weft_session_graph(const weft_session *s); /* that all were made from; lent */
WEFT_API weft_load_times weft_session_load_times(const weft_session *s);
/* What it was opened with, everything that was 0 settled, without devices and split; lent, valid as long as it. */
WEFT_API const weft_session_desc *weft_session_settled(const weft_session *s);
WEFT_API uint32_t weft_session_context(const weft_session *s);
WEFT_API uint32_t weft_session_n_vocab(const weft_session *s);
WEFT_API uint64_t weft_session_bytes(const weft_session *s); /* weights, cache, arenas */

typedef struct weft_batch_token {
    int32_t id;
    uint32_t sequence;
    uint32_t wants; /* a sum of weft_want, of the session's outputs; 0: nothing */
} weft_batch_token;

/* Where results go: of each kind a row for every token that wants it, in order; NULL where none does. Of one candidate
 * the logit is not known (NaN). */
typedef struct weft_rows {
    float *logits;              /* [rows, n_vocab] */
    weft_candidate *candidates; /* [rows, weft_session_candidates] */
    float *hidden;              /* [rows, n_embed] */
    float *scores;              /* [rows, n_labels] */
} weft_rows;

/* Appends tokens to their sequences and runs them, in chunks of any size. `out` may be NULL if no token wants anything.
 * LIMIT: a sequence would outgrow the context, or the cache is full. INVALID: a token id or sequence out of range, a
 * token that wants what the session has not, or what `out` has no place for. NOT_FINITE: a number of a wanted row is
 * NaN or infinite; the text names the token, and the cache if a key or value was too large for its type. After a
 * failure (or CANCELLED) every sequence is as it was, but for those that cannot go back, which are empty: that a model
 * with recurrent states had begun to run, or one with windows, of a call of several runs. */
WEFT_API WEFT_MUST_USE weft_status weft_session_eval(weft_session *s, const weft_batch_token *tokens, size_t n,
                                                     const weft_rows *out, weft_error *err);
/* The same in two steps: begins, with a device at work on the first chunk, and returns; then blocks until all is done.
 * What is refused is refused by submit. Until the wait is over `tokens` and the places that `out` has (which is copied)
 * stay, lengths and tokens of the sequences count what was submitted, and nothing else may be done with the session
 * (INVALID) but to cancel or destroy it. See weft_program_submit for what runs in the background. */
WEFT_API WEFT_MUST_USE weft_status weft_session_submit(weft_session *s, const weft_batch_token *tokens, size_t n,
                                                       const weft_rows *out, weft_error *err);
WEFT_API WEFT_MUST_USE weft_status weft_session_wait(weft_session *s, weft_error *err);
/* From any thread: ends an evaluation or generation that is under way (submitted ones, too) before its next chunk:
 * CANCELLED, its sequences as after any failure; a generation that had begun to pick tokens ends with
 * WEFT_STOP_CANCELLED. Where none is under way nothing happens, then or later. */
WEFT_API void weft_session_cancel(weft_session *s);
WEFT_API uint32_t weft_session_candidates(const weft_session *s); /* in a row; 0: it gives none */

/* ---- sequences -------------------------------------------------------------------------------------------------- */

/* A session has n_sequences of them, numbered from 0; one without tokens takes nothing. Tokens are lent until the next
 * call; of a sequence past the last there are 0 and NULL. INVALID below: there is no such sequence. */
WEFT_API uint32_t weft_session_length(const weft_session *s, uint32_t sequence);
WEFT_API const int32_t *weft_session_tokens(const weft_session *s, uint32_t sequence);
/* Of the cache of layers that see all tokens, or of a model's widest windows if it has no such layers: cells that no
 * sequence has. */
WEFT_API uint32_t weft_session_cells_free(const weft_session *s);
/* Forgets all but the first n tokens of a sequence; of 0 all of it, which always can be. INVALID: it is shorter, or
 * cells that the next token would see were given back: by weft_session_discard, or because a window has left them
 * behind, which each call does with the whole pages before the window of the next token. (To try several ways to go on,
 * fork.) UNSUPPORTED: the model has recurrent states, which do not go back. */
WEFT_API WEFT_MUST_USE weft_status weft_session_truncate(weft_session *s, uint32_t sequence, uint32_t n,
                                                         weft_error *err);
/* `to`, which must be empty, goes on from where `from` is. Nothing is evaluated or, but for recurrent states, copied:
 * both have the same cells until one of them writes into a page that is not full. */
WEFT_API WEFT_MUST_USE weft_status weft_session_fork(weft_session *s, uint32_t from, uint32_t to, weft_error *err);
/* Begins an empty sequence with as many of n tokens as some sequence begins with: *shared of them, which need not be
 * evaluated again (0: none). Of one that has given back what the token behind them sees in a window nothing is
 * shared. The last token's results are to be had by evaluating it: leave it out of n. */
WEFT_API WEFT_MUST_USE weft_status weft_session_share(weft_session *s, uint32_t sequence, const int32_t *ids, size_t n,
                                                      uint32_t *shared, weft_error *err);
/* Gives back the pages that hold only tokens before the first n, which later tokens then do not see, in whatever layer
 * (windows of the model's own are given back without being asked). Such a sequence is not shared from any more, and can
 * be truncated no further than that. */
WEFT_API WEFT_MUST_USE weft_status weft_session_discard(weft_session *s, uint32_t sequence, uint32_t n,
                                                        weft_error *err);
/* Writes a sequence to a file, under a temporary name first: a failure leaves what was there. `pending` are tokens of
 * the text that were not evaluated (weft_generate's last one), n_pending may be 0. The file is a safetensors file; it
 * goes on only with the same model, type of weights and of cache. Blocks. IO, OOM. */
WEFT_API WEFT_MUST_USE weft_status weft_session_save(weft_session *s, uint32_t sequence, const int32_t *pending,
                                                     size_t n_pending, const char *path, weft_error *err);
/* The empty sequence goes on from a file; with the same device and tuning, what it gives from there has the same bits
 * as if it had never stopped. `pending` gets the tokens that were saved so (free them with weft_tokens_free). FORMAT:
 * no such file, or a damaged one; UNSUPPORTED: of another model, version or type, which the text names; LIMIT: the
 * cache or the context is too small. Nothing is changed then. */
WEFT_API WEFT_MUST_USE weft_status weft_session_load(weft_session *s, uint32_t sequence, const char *path,
                                                     weft_tokens *pending, weft_error *err);

/* ---- checking --------------------------------------------------------------------------------------------------- */

/* Compares, node by node, what these tokens make when they follow sequence 0 with the plain scalar CPU path:
 * weft_program_check, of the program that weft_session_eval would run them with. Of more tokens than one run takes
 * (max_tokens) the first are run. The sequence stays as it is; one with recurrent states is empty then. */
WEFT_API WEFT_MUST_USE weft_status weft_session_check(weft_session *s, const int32_t *ids, size_t n,
                                                      bool (*report)(void *ctx, const weft_check_node *node), void *ctx,
                                                      weft_error *err);

#ifdef __cplusplus
}
#endif

#include "models/generate.h"

#endif
