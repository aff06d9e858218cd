/* schema.c: JSON schemas as rules. */
#include "grammar_impl.h"

void grammar_read_schema(grammar_build *b, const char *text, size_t n)
{
    (void)text;
    (void)n;
    grammar_fail(b, WEFT_UNSUPPORTED, "JSON schemas are not supported yet");
}
