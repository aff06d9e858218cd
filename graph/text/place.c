/* place.c: where a fault stands in a text, with the line that it stands on.
 *
 * An error has room for 512 bytes. The fault comes first; of a long line only what stands around the place is shown,
 * and none of it if the fault leaves no room. */
#include "graph/text/place.h"

#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 100,   /* bytes of a line that are shown */
    LEAST = 24,    /* fewer are no use */
    MARGIN = 4,    /* spaces before the line and the mark */
    AROUND = 2 * MARGIN + 2 + 3 * 3 + 2, /* margins, ends of lines, "..." three times, the mark, the end */
};

/* A line's part that is shown. */
typedef struct window {
    const char *begin, *end, *at;
    bool cut_before, cut_behind;
} window;

static bool has_place(const weft_graph_text *t, const char *at)
{
    return t->text && at && at >= t->text && at <= t->text + t->size;
}

static const char *line_begin(const weft_graph_text *t, const char *at)
{
    while (at > t->text && at[-1] != '\n') at--;
    return at;
}

uint32_t weft__text_line(const weft_graph_text *t, const char *at)
{
    uint32_t line = 1;
    if (!has_place(t, at)) return 0;
    for (const char *c = t->text; c < at; c++) line += *c == '\n';
    return line;
}

static bool is_continuation(char c) /* of a character in UTF-8 */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* At most `width` bytes of the line, the place among them. */
static window window_of(const weft_graph_text *t, const char *at, size_t width)
{
    const char *end = t->text + t->size, *nl = memchr(at, '\n', (size_t)(end - at));
    window w = { .begin = line_begin(t, at), .end = nl ? nl : end, .at = at };
    while (w.end > at && w.end[-1] == '\r') w.end--;
    if ((size_t)(w.end - w.begin) <= width) return w;
    size_t behind = (size_t)(w.end - at) < width / 3 ? (size_t)(w.end - at) : width / 3;
    if ((size_t)(at - w.begin) + behind > width) {
        w.begin = at - (width - behind);
        w.cut_before = true;
        while (w.begin < at && is_continuation(*w.begin)) w.begin++;
    }
    if ((size_t)(w.end - w.begin) > width) {
        w.end = w.begin + width;
        w.cut_behind = true;
        while (w.end > at && is_continuation(*w.end)) w.end--;
    }
    return w;
}

static char *put(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return out + n;
}

/* "\n    the line\n       ^": tabs stay, so that the mark stands where the place does. */
static void draw(const window *w, char *out)
{
    out = put(out, "\n    ");
    if (w->cut_before) out = put(out, "...");
    for (const char *c = w->begin; c < w->end; c++) {
        bool control = (unsigned char)*c < ' ' || *c == 127;
        *out++ = control && *c != '\t' ? '?' : *c;
    }
    if (w->cut_behind) out = put(out, "...");
    out = put(out, "\n    ");
    if (w->cut_before) out = put(out, "   ");
    for (const char *c = w->begin; c < w->at; c++) {
        if (*c == '\t') *out++ = '\t';
        else if (!is_continuation(*c)) *out++ = ' ';
    }
    memcpy(out, "^", 2);
}

/* The line under a fault whose text has its place already. Line and mark are of the same length, at most. */
static void show(const weft_graph_text *t, const char *at, weft_error *err)
{
    size_t used = strlen(err->text), room = sizeof err->text - used;
    if (room < AROUND + 2 * LEAST) return;
    size_t width = (room - AROUND) / 2;
    window w = window_of(t, at, width < WIDTH ? width : WIDTH);
    if (w.begin < w.end) draw(&w, err->text + used);
}

weft_status weft__text_locate(const weft_graph_text *t, const char *at, weft_error *err, weft_status status)
{
    if (!err) return status;
    if (!has_place(t, at)) return t->origin ? weft__annotate(err, status, "%s", t->origin) : err->status;
    unsigned column = (unsigned)(at - line_begin(t, at)) + 1;
    weft__annotate(err, status, "%s:%u:%u", t->origin, weft__text_line(t, at), column);
    show(t, at, err);
    return err->status;
}

weft_status weft__text_fail(const weft_graph_text *t, const char *at, weft_error *err, weft_status status,
                            const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft__fail_v(err, status, __FILE__, __LINE__, fmt, args);
    va_end(args);
    return weft__text_locate(t, at, err, status);
}
