/* fields.c: fields of another API become those of OpenAI's chats. */
#include "tools/serve/fields.h"

#include <string.h>

static const field_name *find(const field_name *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].theirs, name)) return &rows[i];
    return NULL;
}

bool fields_copy(exchange *x, const json_t *request, const field_name *rows, size_t n, json_t *out)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)request, name, value)
    {
        const field_name *row = find(rows, n, name);
        const bool asks = !json_is_null(value) && !json_is_false(value);
        if (asks && row && row->refused) return exchange_refuse(x, name, row->refused);
        if (asks && !row) {
            exchange_error(x, 400, "unknown_parameter", name, "there is no field '%.100s'", name);
            return false;
        }
        if (row && row->ours) json_object_set(out, row->ours, value);
    }
    return true;
}
