/* number.c: the one place where floats become text and text floats. The C library writes and reads the locale's decimal
 * point, so it is replaced on the way out and put back on the way in. */
#include "graph/number.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *point(void)
{
    const char *p = localeconv()->decimal_point;
    return p && *p ? p : ".";
}

/* Replaces the locale's decimal point by a full stop. */
static const char *plain_point(char *buf)
{
    const char *p = point();
    char *at = strstr(buf, p);
    if (at) {
        *at = '.';
        memmove(at + 1, at + strlen(p), strlen(at + strlen(p)) + 1);
    }
    return buf;
}

const char *weft__float_text(float x, char buf[WEFT__FLOAT_TEXT])
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (!isfinite(x)) {
        snprintf(buf, WEFT__FLOAT_TEXT, "0x%08x", (unsigned)bits);
        return buf;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(buf, WEFT__FLOAT_TEXT, "%.*g", digits, (double)x);
        if (strtof(buf, NULL) == x) break;
    }
    return plain_point(buf);
}

const char *weft__double_text(double x, char buf[WEFT__FLOAT_TEXT])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, WEFT__FLOAT_TEXT, "%.*g", digits, x);
        if (strtod(buf, NULL) == x) break;
    }
    return plain_point(buf);
}

/* The decimal number of a text with the locale's decimal point in it; false if it is none or too long. */
static bool with_point(const char *text, char *buf, size_t size)
{
    const char *p = point(), *dot = strchr(text, '.');
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;
    int n = dot ? snprintf(buf, size, "%.*s%s%s", (int)(dot - text), text, p, dot + 1)
                : snprintf(buf, size, "%s", text);
    return n >= 0 && (size_t)n < size;
}

bool weft__float_scan(const char *text, float *out)
{
    char buf[2 * WEFT__FLOAT_TEXT], *end;
    if (!with_point(text, buf, sizeof buf)) return false;
    *out = strtof(buf, &end);
    return !*end && isfinite(*out);
}

bool weft__double_scan(const char *text, double *out)
{
    char buf[2 * WEFT__FLOAT_TEXT], *end;
    if (!with_point(text, buf, sizeof buf)) return false;
    *out = strtod(buf, &end);
    return !*end && isfinite(*out);
}
