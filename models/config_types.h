/* config_types.h: what the keys of a configuration mean, one table per model type. */
#ifndef WEFT_CONFIG_TYPES_H
#define WEFT_CONFIG_TYPES_H

#include <stddef.h>

#define WEFT__MAX_SPELLINGS 4

typedef enum weft__fallback { WEFT__NO_DEFAULT, WEFT__DEFAULT_NUMBER, WEFT__DEFAULT_TEXT } weft__fallback;

/* One key. A default is that of the type's configuration class; where the class has none, JSON's
 * null is as good as absent, else it is a fault. */
typedef struct weft__config_key {
    const char *key; /* what a definition asks for */
    /* Where the file has it: the first that is there counts. None: under the key itself. Of the
     * paths into rope_scaling and rope_parameters only those into one of the two count; see config.h. */
    const char *spelling[WEFT__MAX_SPELLINGS];
    const char *unread; /* a spelling of other types that this one's class does not read, or NULL */
    weft__fallback fallback;
    double number; /* true is 1 */
    const char *text;
} weft__config_key;

typedef struct weft__config_type weft__config_type;

/* By model_type or, if that is NULL, by the class name of an architecture. Of what is not known
 * (either may be NULL) the type without a name, which has the keys that all types share. */
const weft__config_type *weft__config_type_find(const char *model_type, const char *architecture);
const char *weft__config_type_name(const weft__config_type *t); /* NULL: not known */
/* NULL: no row; the key is its own spelling and has no default. */
const weft__config_key *weft__config_key_find(const weft__config_type *t, const char *key);
const weft__config_key *weft__config_key_at(const weft__config_type *t, size_t i); /* NULL past the end */

#endif
