/* charsmap.h: the table of SentencePiece's normalization ("precompiled_charsmap"). */
#ifndef WEFT_TOKENIZER_CHARSMAP_H
#define WEFT_TOKENIZER_CHARSMAP_H

#include "graph/base.h"

typedef struct weft__charsmap weft__charsmap;

/* From n characters of base64. Errors: FORMAT, OOM. */
weft_status weft__charsmap_create(const char *base64, size_t n, weft__charsmap **out, weft_error *err);
void weft__charsmap_destroy(weft__charsmap *map);

/* What stands for the first character of text[0..n), n > 0, or for the first few together: *n_out bytes, perhaps
 * none, for *used bytes of text. *single is 0 at first, and kept between calls. Valid as long as the map and the
 * text. */
const char *weft__charsmap_find(const weft__charsmap *map, const char *text, size_t n, size_t *single, size_t *used,
                                size_t *n_out);

#endif
