/* fields.h: the names that another API has for fields of OpenAI's chats. */
#ifndef WEFT_SERVE_FIELDS_H
#define WEFT_SERVE_FIELDS_H

#include "tools/serve/exchange.h"

typedef struct field_name {
    const char *theirs, *ours; /* ours NULL: looked at elsewhere, or of no effect */
    const char *refused;       /* why it cannot be done; NULL: it can */
} field_name;
#define FIELD_SAME(name)         { .theirs = name, .ours = name }
#define FIELD_AS(name, ours_)    { .theirs = name, .ours = ours_ }
#define FIELD_HERE(name)         { .theirs = name }
#define FIELD_REFUSED(name, why) { .theirs = name, .refused = why }

/* Copies what has another name here into `out`. False after an error has been answered: a field that is refused, or has
 * no row; null and false ask for nothing. */
bool fields_copy(exchange *x, const json_t *request, const field_name *rows, size_t n, json_t *out);

#endif
