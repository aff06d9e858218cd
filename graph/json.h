/* json.h: writes JSON, piece by piece, into a weft_writer. Writing alone: tools read files by a library
 * (docs/dependencies.md).
 *
 *     weft__json j;
 *     weft__json_start(&j, w);
 *     weft__json_object(&j, NULL);                 // {
 *     weft__json_u64(&j, "id", 3);                 //   "id": 3
 *     weft__json_array(&j, "in");                  //   , "in": [
 *     weft__json_u64(&j, NULL, 1);                 //     1
 *     weft__json_end_array(&j);
 *     weft__json_end_object(&j);
 *     if (!weft__json_finish(&j)) ...              // a write failed
 *
 * `key` is given inside objects and is NULL inside arrays and at the top. A write that fails makes the rest do nothing;
 * weft__json_finish tells. Nothing is allocated. Numbers do not depend on the locale. */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include "graph/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft__json {
    const weft_writer *w;
    bool ok;     /* no write has failed */
    bool inside; /* something stands before the next value, so that a comma must */
    bool line;   /* the next value begins a line */
} weft__json;

/* Bytes of the UTF-8 sequence at s, 1 to 4 (RFC 3629: no overlong forms, no surrogates); 0: there is none, or s is at
 * the end of a string. */
size_t weft__utf8_sequence(const char *s);

void weft__json_start(weft__json *j, const weft_writer *w);
bool weft__json_finish(weft__json *j); /* ends the last line; false: a write has failed */

void weft__json_object(weft__json *j, const char *key);
void weft__json_end_object(weft__json *j);
void weft__json_array(weft__json *j, const char *key);
void weft__json_end_array(weft__json *j);
/* What is written next begins a line: for people who look into the file, and for diffs. */
void weft__json_line(weft__json *j);

/* UTF-8; bytes that are none become U+FFFD each. s NULL: null. */
void weft__json_string(weft__json *j, const char *key, const char *s);
/* A string by printf's rules, up to 255 bytes. */
void weft__json_stringf(weft__json *j, const char *key, const char *fmt, ...) WEFT_PRINTF(3, 4);
void weft__json_u64(weft__json *j, const char *key, uint64_t x);
void weft__json_i64(weft__json *j, const char *key, int64_t x);
/* The shortest text that reads back to the same number; null where it is not finite. */
void weft__json_f64(weft__json *j, const char *key, double x);
void weft__json_f32(weft__json *j, const char *key, float x);
void weft__json_bool(weft__json *j, const char *key, bool x);
void weft__json_null(weft__json *j, const char *key);

#ifdef __cplusplus
}
#endif
#endif
