/* convert_check.h: whether what was written is the model. */
#ifndef WEFT_CONVERT_CHECK_H
#define WEFT_CONVERT_CHECK_H

#include "models/model.h"

/* What weft__convert_check gets. */
typedef struct weft__converted {
    weft_model *model;
    bool same_types; /* of what is looked up, too, which graphs keep as files have it */
} weft__converted;

/* Opens it, and compares settings and, where types are the same, graphs. UNSUPPORTED: it is another model, by what
 * differs first. */
WEFT_MUST_USE weft_status weft__convert_check(void *converted, const char *path, weft_error *err);

#endif
