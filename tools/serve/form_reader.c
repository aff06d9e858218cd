/* form_reader.c: an answer in pieces, told apart as it comes: reasoning, the answer itself, calls. A piece is held back
 * only as long as it may become a mark; from the first mark of a call on all is held to the end. */
#include "tools/serve/forms.h"

#include <stdlib.h>
#include <string.h>

static const char space[] = " \t\r\n";

static size_t span_space(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && text[i] && strchr(space, text[i])) i++;
    return i;
}

/* How much of a mark stands at a text's beginning: all (n_mark), or 1 and more where the text ends within it. */
static size_t match(const char *text, size_t n, const char *mark)
{
    size_t n_mark = mark ? strlen(mark) : 0, k = n < n_mark ? n : n_mark;
    return n_mark && !memcmp(text, mark, k) ? k : 0;
}

static bool is_whole(const char *text, size_t n, const char *mark)
{
    return mark && *mark && match(text, n, mark) == strlen(mark);
}

static void consume(form_reader *r, size_t n)
{
    if (!n) return;
    memmove(r->held.data, r->held.data + n, r->held.size - n);
    r->held.size -= n;
    r->searched -= r->searched < n ? r->searched : n;
    r->held.data[r->held.size] = 0;
}

static bool tell(form_reader *r, form_part part, size_t n)
{
    bool ok = !n || r->sink(r->ctx, part, r->held.data, n);
    if (n && part == FORM_ANSWER) r->told = true;
    consume(r, n);
    return ok;
}

static void enter(form_reader *r, form_state state)
{
    r->state = state;
    r->searched = 0;
}

/* Skips white space where it does not count. */
static void skip_space(form_reader *r)
{
    size_t n = r->skip ? span_space(r->held.data, r->held.size) : 0;
    consume(r, n);
    if (r->held.size) r->skip = false;
}

/* ---- marks in an answer ---- */

/* Where the first of a state's marks begins in what is held, and which, as a text of it may still become the longest;
 * at the end: nowhere. *mark NULL: it is not certain yet, and the next search goes on from here. */
static size_t find(form_reader *r, bool last, const char *const *marks, size_t n_marks, const char **mark)
{
    const char *text = r->held.data;
    const size_t n = r->held.size;
    *mark = NULL;
    for (size_t i = r->searched; i < n; i++) {
        size_t longest = 0;
        bool open = false;
        for (size_t k = 0; k < n_marks; k++) {
            size_t m = match(text + i, n - i, marks[k]);
            if (!m) continue;
            if (m < strlen(marks[k])) open |= !last;
            else if (m > longest) longest = m, *mark = marks[k];
        }
        if (open) *mark = NULL;
        if (open || longest) return r->searched = i;
    }
    return r->searched = n;
}

/* ---- states; each goes on until it needs more: true and *more false ---- */

static bool start(form_reader *r, bool last, bool *more)
{
    const think_form *t = r->forms.think;
    size_t n = r->searched; /* all before it is white space */
    n += span_space(r->held.data + n, r->held.size - n);
    const size_t left = r->held.size - n;
    const char *text = r->held.data + n;
    r->searched = n;
    if (t && is_whole(text, left, t->open)) {
        consume(r, n + strlen(t->open));
        enter(r, FORM_THINKS);
        r->skip = true;
        return true;
    }
    if (!last && (!left || (t && match(text, left, t->open)))) return *more = false, true;
    enter(r, FORM_ANSWERS);
    return true;
}

static bool think(form_reader *r, bool last, bool *more)
{
    const char *close = r->forms.think->close, *mark;
    skip_space(r);
    const size_t from = r->searched; /* all before it is white space */
    size_t i = find(r, last, &close, 1, &mark), n = i;
    while (n > from && r->held.data[n - 1] && strchr(space, r->held.data[n - 1])) n--; /* at the end it is none of it */
    if (n == from) n = 0;
    if (!tell(r, FORM_REASONING, n)) return false;
    *more = mark;
    if (!mark) return true;
    consume(r, i - n + strlen(close));
    enter(r, FORM_ANSWERS);
    r->skip = true;
    return true;
}

static bool answer(form_reader *r, bool last, bool *more)
{
    const think_form *t = r->forms.think;
    const call_form *c = r->forms.call;
    const char *marks[4], *mark;
    size_t n_marks = 0;
    if (t && t->drop[0]) marks[n_marks++] = t->drop[0];
    if (t && t->drop[1]) marks[n_marks++] = t->drop[1];
    if (c && c->drop) marks[n_marks++] = c->drop;
    if (c && r->tools) marks[n_marks++] = c->open;
    skip_space(r);
    size_t n = r->searched; /* all before it is white space */
    n += span_space(r->held.data + n, r->held.size - n);
    const bool may_start = c && r->tools && c->start && !r->forms.marked && !r->told;
    if (may_start && is_whole(r->held.data + n, r->held.size - n, c->start)) {
        consume(r, n);
        enter(r, FORM_CALLS);
        return true;
    }
    size_t i = find(r, last, marks, n_marks, &mark);
    const bool blank = !r->told && i <= n; /* white space before anything else, which may be nothing */
    if (mark && blank) consume(r, i);
    else if (!(blank && !last) && !tell(r, FORM_ANSWER, i)) return false;
    *more = mark;
    if (!mark) return true;
    if (c && mark == c->open) enter(r, FORM_CALLS);
    else consume(r, strlen(mark));
    return true;
}

/* ---- channels ---- */

enum { HEAD_BYTES = 300 };

static const char *const ends[] = { "<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>" };

static void read_head(form_reader *r, const char *head, size_t n)
{
    const char *channel = memmem(head, n, "<|channel|>", 11), *to = memmem(head, n, "to=", 3);
    bool commentary = channel && memmem(channel, n - (size_t)(channel - head), "commentary", 10);
    bool analysis = channel && is_whole(channel + 11, n - (size_t)(channel + 11 - head), "analysis");
    size_t k = 0;
    if (to && is_whole(to, n - (size_t)(to - head), "to=functions.")) to += 10;
    for (to = to ? to + 3 : NULL; to && to + k < head + n && !strchr(" \t\r\n<", to[k]) && k < sizeof r->recipient - 1;)
        k++;
    if (k) memcpy(r->recipient, to, k);
    r->recipient[k] = 0;
    r->calling = k && r->tools && (commentary || analysis || !channel);
    r->part = analysis && !r->calling ? FORM_REASONING : FORM_ANSWER;
}

/* Whether a text begins with a head: [<|start|>ROLE] [to=WHOM] [<|channel|>NAME [to=WHOM] [TYPE]] [<|constrain|>TYPE]
 * and <|message|>, which is at *end. */
typedef enum head_kind { HEAD_NONE, HEAD_OPEN, HEAD_WHOLE } head_kind;

/* A word of a head, the n-th behind its mark. open: more of it may come. */
static head_kind head_word(const char *mark, unsigned n, const char *word, size_t k, bool open)
{
    static const char *const known[] = { "analysis", "commentary", "final", "json", "code", "assistant" };
    const bool channel = mark && !strcmp(mark, "<|channel|>");
    const size_t from = channel && n ? 3 : channel ? 0 : 5, to = channel && n ? 5 : channel ? 3 : mark || n ? 5 : 6;
    if (match(word, k, "to=") == 3) return HEAD_WHOLE;
    if (mark && !channel && !n) return HEAD_WHOLE; /* any role, any type */
    if (open && match(word, k, "to=")) return HEAD_OPEN;
    for (size_t i = from; i < to; i++)
        if (match(word, k, known[i]) == k && (open || k == strlen(known[i]))) return open ? HEAD_OPEN : HEAD_WHOLE;
    return HEAD_NONE;
}

static head_kind read_kind(const char *text, size_t n, size_t *end)
{
    static const char *const marks[] = { "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>" };
    const char *mark = NULL; /* the last, which come in this order */
    unsigned rank = 0, words = 0;
    for (size_t i = 0, k; i <= HEAD_BYTES; i += k) {
        i += span_space(text + i, n - i);
        if (i > HEAD_BYTES) break;
        if (i == n) return HEAD_OPEN;
        k = 0;
        for (unsigned m = words || rank ? 1 : 0; text[i] == '<' && m < 4 && !k; m++) {
            size_t had = m < rank ? 0 : match(text + i, n - i, marks[m]);
            if (had && had < strlen(marks[m])) return HEAD_OPEN;
            if (had && m == 3) return *end = i, HEAD_WHOLE;
            if (had) k = had, mark = marks[m], rank = m + 1, words = 0;
        }
        if (k) continue;
        while (i + k < n && text[i + k] != '<' && (!text[i + k] || !strchr(space, text[i + k]))) k++;
        head_kind kind = k ? head_word(mark, words++, text + i, k, i + k == n) : HEAD_NONE;
        if (kind != HEAD_WHOLE) return kind;
        if (i + k == n && n <= HEAD_BYTES) return HEAD_OPEN;
    }
    return HEAD_NONE;
}

/* Between two messages of one kind there is an empty line. */
static bool tell_body(form_reader *r, size_t n)
{
    if (n && r->again && r->heard[r->part] && !r->sink(r->ctx, r->part, "\n\n", 2)) return false;
    if (n) r->again = false;
    if (n) r->heard[r->part] = true;
    return tell(r, r->part, n);
}

/* What is no head is text: that of the message before it, whose end then was none, or an answer of its own. */
static bool tell_headless(form_reader *r)
{
    const char *ended = r->part == FORM_ANSWER && !r->calling ? r->ended : NULL;
    if (r->ended || r->calling) r->part = FORM_ANSWER;
    if (ended && !r->sink(r->ctx, FORM_ANSWER, ended, strlen(ended))) return false;
    r->opened = true;
    r->calling = r->again = false;
    r->ended = NULL;
    enter(r, FORM_BODY);
    size_t n = span_space(r->held.data, r->held.size); /* a mark here begins no head, but ends no text, either */
    for (size_t i = 3; i < 5; i++)
        if (is_whole(r->held.data + n, r->held.size - n, ends[i])) return tell_body(r, n + strlen(ends[i]));
    return true;
}

static bool head(form_reader *r, bool last, bool *more)
{
    size_t n = span_space(r->held.data, r->held.size), left = r->held.size - n, end = 0;
    const char *text = r->held.data + n;
    bool marked = is_whole(text, left, ends[3]) || is_whole(text, left, ends[4]);
    for (size_t i = 0; i < 3 && r->opened; i++) { /* one more end of the same message */
        size_t had = match(text, left, ends[i]);
        if (had && had < strlen(ends[i]) && !last) return *more = false, true;
        if (had == strlen(ends[i])) return consume(r, n + had), true;
    }
    head_kind kind = read_kind(r->held.data, r->held.size, &end);
    if (kind == HEAD_OPEN && !last) return *more = false, true;
    if (kind == HEAD_NONE || (kind == HEAD_OPEN && left && !marked)) return tell_headless(r);
    *more = kind == HEAD_WHOLE;
    if (*more) read_head(r, r->held.data, end);
    consume(r, *more ? end + strlen("<|message|>") : r->held.size); /* a head that was cut says nothing */
    r->opened = true;
    r->ended = NULL;
    if (*more) enter(r, FORM_BODY);
    return true;
}

static bool call_body(form_reader *r, size_t n)
{
    json_t *arguments = form_json(r->held.data, n, false, NULL);
    if (!r->calls) r->calls = json_array();
    bool ok = form_call_add(r->forms.call, r->recipient, strlen(r->recipient),
                            (form_arguments){ arguments, r->held.data, n }, NULL, r->id, r->calls);
    json_decref(arguments);
    if (ok) consume(r, n);
    return ok || tell_body(r, n); /* no call: it stays text */
}

static bool body(form_reader *r, bool last, bool *more)
{
    const char *mark;
    size_t i = find(r, last, ends, sizeof ends / sizeof *ends, &mark);
    *more = mark;
    if (r->calling && !mark && !last) return true;
    if (r->calling ? !call_body(r, i) : !tell_body(r, i)) return false;
    if (!mark) return true;
    const bool consumed = mark != ends[3] && mark != ends[4];
    if (consumed) consume(r, strlen(mark));
    r->ended = consumed ? mark : NULL;
    enter(r, FORM_HEAD);
    r->again = true;
    return true;
}

/* ---- all of them ---- */

static bool advance(form_reader *r, bool last)
{
    bool ok = true, more = true;
    while (ok && more && (r->held.size || last) && r->state != FORM_CALLS) {
        switch (r->state) {
        case FORM_STARTS: ok = start(r, last, &more); break;
        case FORM_THINKS: ok = think(r, last, &more); break;
        case FORM_ANSWERS: ok = answer(r, last, &more); break;
        case FORM_HEAD: ok = head(r, last, &more); break;
        case FORM_BODY: ok = body(r, last, &more); break;
        case FORM_CALLS: break;
        }
        if (last && !r->held.size) break;
    }
    return ok;
}

bool form_push(form_reader *r, const char *text, size_t n)
{
    weft_writer w = weft_text_writer(&r->held);
    if (r->state == FORM_STARTS && r->forms.call && r->forms.call->kind == CALL_CHANNELS) r->state = FORM_HEAD;
    return !n || (w.write(w.ctx, text, n) && advance(r, false));
}

bool form_is_thinking(const form_reader *r)
{
    return r->state == FORM_THINKS || (r->state == FORM_BODY && r->part == FORM_REASONING);
}

bool form_finish(form_reader *r, bool ended, json_t **calls, bool *whole)
{
    bool ok = !r->held.data || advance(r, true);
    *whole = ended || !r->forms.call || r->forms.call->kind != CALL_CHANNELS;
    if (ok && r->state == FORM_CALLS) {
        if (!r->calls) r->calls = json_array();
        const form_text all = { r->held.data, r->held.size, ended, !r->forms.marked };
        size_t n = form_calls_read(r->forms.call, r->tools, &all, r->id, r->calls);
        consume(r, n);
        if (n && is_whole(r->held.data, r->held.size, r->forms.call->drop)) consume(r, strlen(r->forms.call->drop));
        if (n && span_space(r->held.data, r->held.size) == r->held.size) consume(r, r->held.size);
        *whole = !r->held.size;
        ok = tell(r, FORM_ANSWER, r->held.size);
    }
    *calls = json_array_size(r->calls) ? json_incref(r->calls) : NULL;
    return ok;
}

void form_free(form_reader *r)
{
    weft_text_free(&r->held);
    json_decref(r->calls);
    r->calls = NULL;
}
