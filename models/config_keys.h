/* config_keys.h: what the keys of a configuration mean: for each model type a table, which its architecture has
 * (arch.h), and what all types share. */
#ifndef WEFT_CONFIG_KEYS_H
#define WEFT_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define WEFT__MAX_SPELLINGS 4

typedef enum weft__fallback { WEFT__NO_DEFAULT, WEFT__DEFAULT_NUMBER, WEFT__DEFAULT_TEXT } weft__fallback;

/* One key. A default is that of the type's configuration class. JSON's null is as good as absent where the class has
 * no default, a value of its own where the class takes it, and else a fault. */
typedef struct weft__config_key {
    const char *key; /* what a definition asks for */
    /* Where the file has it: the first that is there counts. None: under the key itself. Of the
     * paths into rope_scaling and rope_parameters only those into one of the two count; see config.h. */
    const char *spelling[WEFT__MAX_SPELLINGS];
    const char *unread; /* a spelling of other types that this one's class does not read, or NULL */
    weft__fallback fallback;
    double number; /* true is 1 */
    const char *text;
    bool nullable; /* null says that there is none, whatever the default */
    bool falsy;    /* null is false: the class looks only at whether it is true */
} weft__config_key;

/* A type whose language model has a configuration of its own, text_config, in which its keys stand. Outside stand, with
 * what describes the file, tie_word_embeddings. */
typedef struct weft__config_wrap {
    const char *type;     /* model_type */
    weft__config_key tie; /* tie_word_embeddings */
    bool either;          /* text_config's counts where the one outside is false */
} weft__config_wrap;

/* Those of a model type. Of what is not known: without name, and with none but those that all types share. */
typedef struct weft__config_keys {
    const char *type; /* model_type */
    const weft__config_key *own;
    size_t n_own;
    const weft__config_wrap *wrap; /* what they stand in; NULL: nothing */
} weft__config_keys;

/* NULL: no row; the key is its own spelling and has no default. */
const weft__config_key *weft__config_key_find(const weft__config_keys *t, const char *key);
const weft__config_key *weft__config_key_at(const weft__config_keys *t, size_t i); /* NULL past the end */

/* ---- words for tables ---- */

#define NUMBER(x) .fallback = WEFT__DEFAULT_NUMBER, .number = (x)
#define TEXT(x)   .fallback = WEFT__DEFAULT_TEXT, .text = (x)
#define ABSENT    .fallback = WEFT__NO_DEFAULT /* null, too */
#define OR_NULL   .nullable = true
#define OR_FALSE  .falsy = true
/* What a kind of rotary embedding may have, asked for as group.factor and so on, under one path or another: of classes
 * that have a group for each type of layer. Without `truncate`, which transformers does not look for there. */
#define ROPE_ROW(group, a, b, what) { .key = group "." what, .spelling = { a "." what, b "." what } }
#define ROPE_ROWS(group, a, b)                                                                                        \
    { .key = group ".rope_type", .spelling = { a ".rope_type", a ".type", b ".rope_type", b ".type" } },              \
    ROPE_ROW(group, a, b, "factor"), ROPE_ROW(group, a, b, "original_max_position_embeddings"),                       \
    ROPE_ROW(group, a, b, "low_freq_factor"), ROPE_ROW(group, a, b, "high_freq_factor"),                              \
    ROPE_ROW(group, a, b, "beta_fast"), ROPE_ROW(group, a, b, "beta_slow"), ROPE_ROW(group, a, b, "mscale"),          \
    ROPE_ROW(group, a, b, "mscale_all_dim"), ROPE_ROW(group, a, b, "attention_factor")
/* Of rotary embeddings, from the group that counts, else under a name of its own. */
#define ROPE_OR(key, own) { "rope_scaling." key, "rope_parameters." key, own }

#endif
