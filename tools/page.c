/* page.c: puts documents into the page of tools/viewer/. */
#include "tools/page.h"

#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "tools/cli.h"

static bool put(const weft_writer *w, const char *text)
{
    return w->write(w->ctx, text, strlen(text));
}

/* Text with every c replaced: '<' of JSON, which stands in strings only, so that no "</script" or "<!--" ends the
 * element; the special characters of HTML. */
static bool put_escaped(const weft_writer *w, const char *text, size_t n, const char *special,
                        const char *const *instead)
{
    const char *end = text + n;
    while (text < end) {
        const char *stop = text, *which = NULL;
        while (stop < end && !(which = *stop ? strchr(special, *stop) : NULL)) stop++;
        if (!w->write(w->ctx, text, (size_t)(stop - text))) return false;
        if (stop < end && !put(w, instead[which - special])) return false;
        text = stop + 1;
    }
    return true;
}

static bool put_title(const weft_writer *w, const char *title)
{
    static const char *const instead[] = { "&lt;", "&gt;", "&amp;", "&quot;" };
    return put_escaped(w, title, strlen(title), "<>&\"", instead);
}

static bool put_document(const weft_writer *w, const char *id, const char *json, size_t n)
{
    static const char *const instead[] = { "\\u003c" };
    return put(w, "<script type=\"application/json\" id=\"") && put(w, id) && put(w, "\">") &&
           put_escaped(w, json, n, "<", instead) && put(w, "</script>\n");
}

weft_status cli_page_make(const char *title, const char *json_a, size_t n_a, const char *json_b, size_t n_b,
                          const weft_writer *w, weft_error *err)
{
    static const char title_mark[] = "@TITLE@", data_mark[] = "@DATA@";
    const char *page = (const char *)weft_page, *end = page + weft_page_size;
    if (!weft_page_size)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "this program was built without dagre.min.js (Debian's node-dagre-layout)");
    const char *a = memmem(page, weft_page_size, title_mark, sizeof title_mark - 1);
    const char *b = memmem(page, weft_page_size, data_mark, sizeof data_mark - 1);
    if (!a || !b || b < a)
        return WEFT_FAIL(err, WEFT_INTERNAL, "the page has no place for its documents");
    const char *after_title = a + sizeof title_mark - 1, *after_data = b + sizeof data_mark - 1;
    bool ok = w->write(w->ctx, page, (size_t)(a - page)) && put_title(w, title) &&
              w->write(w->ctx, after_title, (size_t)(b - after_title)) && put_document(w, "weft-a", json_a, n_a) &&
              (!json_b || put_document(w, "weft-b", json_b, n_b)) &&
              w->write(w->ctx, after_data, (size_t)(end - after_data));
    return ok ? WEFT_OK : WEFT_FAIL(err, WEFT_OOM, "out of memory");
}

int cli_page_write(const char *title, const char *json_a, size_t n_a, const char *json_b, size_t n_b,
                   const char *output)
{
    weft_error err;
    weft_text text = { 0 };
    weft_writer w = weft_text_writer(&text);
    weft_status made = cli_page_make(title, json_a, n_a, json_b, n_b, &w, &err);
    int status = made ? cli_fail("--format html: %s", err.text)
                      : cli_write_file(output ? output : "-", text.data, text.size);
    weft_text_free(&text);
    return status;
}
