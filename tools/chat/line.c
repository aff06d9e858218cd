/* line.c: what is typed. On a terminal libedit edits lines and remembers them for as long as the program runs;
 * elsewhere, or in a build without it, lines are read as they come. */
#include "tools/chat/chat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef WEFT_LIBEDIT
#include <histedit.h>
#include <wchar.h>
#endif

struct chat_lines {
    bool prompted;
    const char *prompt;
    char *line; /* of getline */
    size_t capacity;
#ifdef WEFT_LIBEDIT
    EditLine *edit; /* NULL: not on a terminal */
    History *history;
#endif
};

bool chat_lines_prompted(const chat_lines *l)
{
    return l->prompted;
}

#ifdef WEFT_LIBEDIT
static char *prompt_of(EditLine *e)
{
    chat_lines *l;
    el_get(e, EL_CLIENTDATA, &l);
    return (char *)(uintptr_t)l->prompt;
}

/* A Ctrl-D that is typed before libedit has the terminal to itself, beside an answer perhaps, is kept as a zero, which
 * libedit would take for "the next key as it is". */
enum { CTRL_D = 4 };

/* One character of the terminal, in the locale's encoding. libedit's own would wait on after a signal. */
static int read_character(EditLine *e, wchar_t *out)
{
    mbstate_t state = { 0 };
    (void)e;
    for (;;) {
        char byte;
        if (!chat_await(STDIN_FILENO)) return -1;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR && !chat_signal()) continue;
        if (got <= 0) return (int)got;
        if (!byte) byte = CTRL_D;
        size_t n = mbrtowc(out, &byte, 1, &state);
        if (n == (size_t)-2) continue; /* more of it comes */
        if (n == (size_t)-1) {
            memset(&state, 0, sizeof state);
            continue;
        }
        return 1;
    }
}

static bool edit_open(chat_lines *l)
{
    HistEvent event;
    l->edit = el_init("weft", stdin, stdout, stderr);
    l->history = history_init();
    if (!l->edit || !l->history) return false;
    history(l->history, &event, H_SETSIZE, 1000);
    history(l->history, &event, H_SETUNIQUE, 1);
    el_set(l->edit, EL_CLIENTDATA, l);
    el_set(l->edit, EL_PROMPT, prompt_of);
    el_set(l->edit, EL_EDITOR, "emacs");
    el_set(l->edit, EL_HIST, history, l->history);
    el_set(l->edit, EL_GETCFN, read_character);
    el_source(l->edit, NULL); /* the user's ~/.editrc */
    return true;
}

static void edit_close(chat_lines *l)
{
    if (l->edit) el_end(l->edit);
    if (l->history) history_end(l->history);
}

static const char *edit_read(chat_lines *l, size_t *n)
{
    int count = 0;
    HistEvent event;
    el_resize(l->edit);
    const char *line = el_gets(l->edit, &count);
    if (!line || count <= 0) return NULL;
    *n = strlen(line);
    if (*n > 1) history(l->history, &event, H_ENTER, line);
    return line;
}
#endif

chat_lines *chat_lines_open(void)
{
    chat_lines *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->prompted = isatty(STDIN_FILENO);
#ifdef WEFT_LIBEDIT
    if (l->prompted && isatty(STDOUT_FILENO) && !edit_open(l)) {
        chat_lines_close(l);
        return NULL;
    }
#endif
    return l;
}

void chat_lines_close(chat_lines *l)
{
    if (!l) return;
#ifdef WEFT_LIBEDIT
    edit_close(l);
#endif
    free(l->line);
    free(l);
}

/* A line with its end; NULL: there is none, or a signal came. */
static const char *next_line(chat_lines *l, const char *prompt, size_t *n)
{
    l->prompt = prompt;
#ifdef WEFT_LIBEDIT
    if (l->edit) return edit_read(l, n);
#endif
    if (l->prompted) fputs(prompt, stderr);
    errno = 0;
    ssize_t got = getline(&l->line, &l->capacity, stdin);
    if (got < 0) return NULL;
    *n = (size_t)got;
    return l->line;
}

static chat_got nothing(const chat_lines *l)
{
    if (chat_signal()) {
        clearerr(stdin);
        if (l->prompted) fputc('\n', stderr);
        return CHAT_SIGNAL;
    }
    if (ferror(stdin)) return cli_fail("standard input: %s", strerror(errno)), CHAT_FAILED;
    if (l->prompted) fputc('\n', stderr);
    return CHAT_END;
}

static bool add(weft_text *out, const char *data, size_t n)
{
    weft_writer w = weft_text_writer(out);
    return !n || w.write(w.ctx, data, n) || (cli_fail("out of memory"), false);
}

chat_got chat_read(chat_lines *l, weft_text *out)
{
    static const char fence[] = "\"\"\"";
    bool block = false, more = true;
    weft_text_free(out);
    *out = (weft_text){ 0 };
    for (bool first = true; more; first = false) {
        size_t n;
        const char *line = next_line(l, first ? "> " : ". ", &n);
        if (!line) {
            const bool piece = !first && !chat_signal(); /* the end of a file ends what was begun, too */
            return piece ? CHAT_LINE : nothing(l);
        }
        if (n && line[n - 1] == '\n') n--;
        if (n == 3 && !memcmp(line, fence, 3) && (first || block)) {
            more = block = !block;
            continue;
        }
        const bool goes_on = !block && n && line[n - 1] == '\\';
        if (goes_on) n--;
        if (out->size && !add(out, "\n", 1)) return CHAT_FAILED;
        if (!add(out, line, n)) return CHAT_FAILED;
        more = block || goes_on;
    }
    return CHAT_LINE;
}
