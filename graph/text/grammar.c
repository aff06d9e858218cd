/* grammar.c: the tables of the language of graphs: statements, operators, words. */
#include "graph/text/grammar.h"

#include <string.h>

/* ---- statements ---- */

static const weft__statement statements[STMT_KINDS] = {
    [STMT_MODEL] = { .word = "model" },
    [STMT_FILES] = { .word = "files" },
    [STMT_PARAM] = { .word = "param" },
    [STMT_REQUIRE] = { .word = "require" },
    [STMT_LET] = { .word = "let", .inner = true },
    [STMT_EXTENT] = { .word = "extent", .flat = true },
    [STMT_NODE] = { .word = "%", .flat = true, .inner = true },
    [STMT_OUTPUT] = { .word = "output", .flat = true, .inner = true },
    [STMT_SCOPE] = { .word = "scope", .inner = true, .body = true },
    [STMT_REPEAT] = { .word = "repeat", .inner = true, .body = true },
    [STMT_IF] = { .word = "if", .inner = true, .body = true },
    [STMT_BLOCK] = { .word = "block", .body = true },
    [STMT_RETURN] = { .word = "return", .inner = true },
    [STMT_FAIL] = { .word = "fail", .inner = true },
};

const weft__statement *weft__statement_get(weft__stmt_kind k)
{
    return &statements[k];
}

bool weft__statement_parse(const char *word, weft__stmt_kind *out)
{
    for (unsigned k = 0; k < STMT_KINDS; k++)
        if (!strcmp(statements[k].word, word)) return *out = (weft__stmt_kind)k, true;
    return false;
}

const char *weft__statement_word(uint32_t i)
{
    return i < STMT_KINDS ? statements[i].word : NULL;
}

static const weft__files_row files_rows[] = {
    { "spelled", "as", 2, 2 },
    { "transposed", ",", 1, 1 },
    { "parts", "from", 2, 3 },
    { "tied", ",", 2, 2 },
};

const weft__files_row *weft__files_row_get(const char *word)
{
    for (size_t i = 0; i < sizeof files_rows / sizeof *files_rows; i++)
        if (!strcmp(files_rows[i].word, word)) return &files_rows[i];
    return NULL;
}

const char *weft__files_word(uint32_t i)
{
    return i < sizeof files_rows / sizeof *files_rows ? files_rows[i].word : NULL;
}

/* ---- expressions ---- */

static const weft__operator operators[] = {
    { "or", LEVEL_OR },       { "and", LEVEL_AND },    { "==", LEVEL_COMPARE }, { "!=", LEVEL_COMPARE },
    { "<=", LEVEL_COMPARE },  { ">=", LEVEL_COMPARE }, { "<", LEVEL_COMPARE },  { ">", LEVEL_COMPARE },
    { "in", LEVEL_COMPARE },  { "+", LEVEL_SUM },      { "-", LEVEL_SUM },      { "*", LEVEL_PRODUCT },
    { "//", LEVEL_PRODUCT },  { "/", LEVEL_PRODUCT },  { "%", LEVEL_PRODUCT },
};

const weft__operator *weft__operator_get(uint32_t i)
{
    return i < sizeof operators / sizeof *operators ? &operators[i] : NULL;
}

static weft__level level_of_binary(const char *sign)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(operators[i].sign, sign)) return operators[i].level;
    return LEVEL_COND;
}

weft__level weft__expr_level(const weft__expr *e)
{
    switch (e->kind) {
    case EXPR_COND: return LEVEL_COND;
    case EXPR_BINARY: return level_of_binary(e->text);
    case EXPR_UNARY: return *e->text == '-' ? LEVEL_MINUS : LEVEL_NOT;
    case EXPR_INT: return e->text ? *e->text == '-' ? LEVEL_MINUS : LEVEL_ATOM : e->i < 0 ? LEVEL_MINUS : LEVEL_ATOM;
    case EXPR_FLOAT: return e->text ? *e->text == '-' ? LEVEL_MINUS : LEVEL_ATOM : e->f < 0 ? LEVEL_MINUS : LEVEL_ATOM;
    case EXPR_INDEX: return LEVEL_INDEX;
    default: return LEVEL_ATOM;
    }
}

/* ---- words ---- */

static const char *const reserved[] = { "and", "or", "not", "in", "true", "false", "none" };
static const char *const param_types[] = { "int", "float", "bool", "text", "dtype", "act" };

bool weft__is_reserved(const char *word)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(reserved[i], word)) return true;
    return false;
}

const char *weft__param_type(uint32_t i)
{
    return i < sizeof param_types / sizeof *param_types ? param_types[i] : NULL;
}
