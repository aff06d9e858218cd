/* schema_impl.h: from JSON schemas to rules; what the parts of that share. */
#ifndef WEFT_GRAMMAR_SCHEMA_IMPL_H
#define WEFT_GRAMMAR_SCHEMA_IMPL_H

#include "grammar_impl.h"

typedef struct grammar_schema {
    grammar_build *b;
    json_t *root;
    json_t *rules; /* of schemas that have one, by their address */
} grammar_schema;

/* ---- schema_keys.c ---- */
const grammar_node *grammar_never(grammar_build *b);
bool grammar_is_never(const grammar_node *node);
/* A value of a schema's keyword: NULL if it is not there; INVALID if it is of another kind. */
json_t *grammar_keyword(grammar_schema *s, const json_t *schema, const char *key, json_type type, const char *path);
/* A number that counts something. */
uint32_t grammar_count(grammar_schema *s, const json_t *schema, const char *key, uint32_t fallback, const char *path);
/* A JSON value that is released with the build. */
json_t *grammar_keep(grammar_build *b, json_t *value);

/* ---- schema_merge.c ---- */
/* The schema as one object without $ref, allOf and const. */
json_t *grammar_flatten(grammar_schema *s, json_t *schema, const char *path);
json_t *grammar_merge(grammar_schema *s, json_t *a, json_t *b, const char *path);
/* Counts work on n parts of schemas, which has a limit. */
void grammar_merged(grammar_schema *s, size_t n, const char *path);
/* What a $ref names, and its place. */
json_t *grammar_resolve(grammar_schema *s, const char *ref, const char *path, const char **place);
/* Whether a schema says anything but what a reader may skip, `but` aside (may be NULL). */
bool grammar_says_more(const json_t *schema, const char *but);
/* No value is allowed by both, as far as can be seen. */
bool grammar_apart(grammar_schema *s, json_t *a, json_t *b, const char *path);
/* Refuses keywords that are not supported. */
void grammar_check_keywords(grammar_schema *s, const json_t *schema, const char *path);

/* ---- by type ---- */
const grammar_node *grammar_schema_string(grammar_schema *s, const json_t *schema, const char *path);
const grammar_node *grammar_schema_number(grammar_schema *s, const json_t *schema, bool fraction, const char *path);

/* ---- json_text.c ---- */
/* The number as it is written shortest. */
char *grammar_shortest(grammar_build *b, const json_t *number);
/* Exactly this value. */
const grammar_node *grammar_value(grammar_build *b, const json_t *value);
/* Characters as they stand in a string: as they are, or in the one escape that they need. */
const grammar_node *grammar_json_class(grammar_build *b, const grammar_range *ranges, size_t n, bool negated);
/* A string, in quotes. */
const grammar_node *grammar_json_text(grammar_build *b, const char *text, size_t n);
/* A string that is none of the names (an object's keys). */
const grammar_node *grammar_json_other(grammar_build *b, json_t *names);

/* ---- regex.c ---- */
/* Strings in which the regular expression (of ECMA-262) is found, without their quotes. */
const grammar_node *grammar_regex(grammar_build *b, const char *text, size_t n, const char *path);

#endif
