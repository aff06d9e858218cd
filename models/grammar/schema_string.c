/* schema_string.c: strings of a schema: of a length, a format, or in which a regular expression is found. */
#include <string.h>

#include "schema_impl.h"

#define YEAR "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
#define LEAP "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
#define DATE                                                                                                   \
    "(?:" YEAR "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"      \
    "02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP "-02-29)"
#define CLOCK "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
#define TIME CLOCK ":[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-]" CLOCK ")"
#define BYTE "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define GROUP "[0-9a-fA-F]{1,4}"
#define NUMBER "[0-9]{1,4}"
#define DAYS NUMBER "Y(?:" NUMBER "M(?:" NUMBER "D)?)?|" NUMBER "M(?:" NUMBER "D)?|" NUMBER "D"
#define HOURS NUMBER "H(?:" NUMBER "M(?:" NUMBER "S)?)?|" NUMBER "M(?:" NUMBER "S)?|" NUMBER "S"
#define IN_PATH "A-Za-z0-9._~!$&'()*+,;=:@-"

/* As RFC 3339 and the others have them, leap seconds left out; a year is not 0. */
static const struct {
    const char *name, *pattern;
} formats[] = {
    { "date", "^" DATE "$" },
    { "time", "^" TIME "$" },
    { "date-time", "^" DATE "T" TIME "$" },
    { "duration", "^P(?:" NUMBER "W|(?:" DAYS ")(?:T(?:" HOURS "))?|T(?:" HOURS "))$" },
    { "uuid", "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$" },
    { "ipv4", "^" BYTE "(?:\\." BYTE "){3}$" },
    { "ipv6", "^(?:" GROUP "(?::" GROUP "){7}|" GROUP "(?::" GROUP "){0,2}::(?:" GROUP "(?::" GROUP "){0,2})?|"
              "::(?:" GROUP "(?::" GROUP "){0,5})?)$" },
    { "hostname", "^" LABEL "(?:\\." LABEL "){0,2}$" },
    { "email", "^[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@" LABEL "(?:\\." LABEL "){1,2}$" },
    { "uri", "^[A-Za-z][A-Za-z0-9+-]*://" LABEL "(?:\\." LABEL ")*(?::[1-9][0-9]{0,3})?"
             "(?:/[" IN_PATH "]*)*(?:\\?[/?" IN_PATH "]*)?(?:#[/?" IN_PATH "]*)?$" },
};

static const char *format_pattern(grammar_schema *s, const char *name, const char *path)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(formats[i].name, name)) return formats[i].pattern;
    grammar_fail(s->b, WEFT_UNSUPPORTED, "%s/format: \"%s\" is not supported", path, name);
}

const grammar_node *grammar_schema_string(grammar_schema *s, const json_t *schema, const char *path)
{
    grammar_build *b = s->b;
    const uint32_t min = grammar_count(s, schema, "minLength", 0, path);
    const uint32_t max = grammar_count(s, schema, "maxLength", GRAMMAR_UNBOUNDED, path);
    const json_t *pattern = grammar_keyword(s, schema, "pattern", JSON_STRING, path);
    const json_t *format = grammar_keyword(s, schema, "format", JSON_STRING, path);
    const bool sized = min || max != GRAMMAR_UNBOUNDED;
    const grammar_node *inside, *quote = grammar_word(b, "\"");
    if (!sized && !pattern && !format) return grammar_json(b, GRAMMAR_STRING);
    if ((pattern && format) || (sized && (pattern || format)))
        grammar_fail(b, WEFT_UNSUPPORTED, "%s: of \"pattern\", \"format\" and a length one is supported, not two",
                     path);
    if (max < min) return grammar_never(b);
    if (pattern)
        inside = grammar_regex(b, json_string_value(pattern), json_string_length(pattern),
                               grammar_format(b, "%s/pattern", path));
    else if (format) {
        const char *text = format_pattern(s, json_string_value(format), path);
        inside = grammar_regex(b, text, strlen(text), path);
    } else {
        inside = grammar_repeat(b, grammar_json(b, GRAMMAR_CHAR), min, max);
    }
    return GRAMMAR_SEQUENCE_OF(b, quote, inside, quote);
}
