/* chat.h: a conversation on the terminal: who says what (talk.c), the lines that are typed (line.c), signals, and the
 * commands that begin with a slash (commands.c, settings.c). */
#ifndef WEFT_CHAT_H
#define WEFT_CHAT_H

#include "models/template/template.h"
#include "tools/cli.h"

/* ---- signals.c ---- */
/* From now on SIGINT, SIGTERM and SIGHUP end what the session is at, or the line that is read. */
bool chat_signals_begin(weft_session *s); /* false: the system has no pipe for it */
int chat_signal(void); /* the last one; 0: none */
void chat_signal_clear(void);
/* Waits until there is something to read. False: a signal has come, since the last was cleared. */
bool chat_await(int fd);

/* ---- line.c ---- */
typedef struct chat_lines chat_lines;
/* Reads standard input: on a terminal with editing and history, where the build has libedit. NULL: out of memory. */
chat_lines *chat_lines_open(void);
void chat_lines_close(chat_lines *l); /* accepts NULL */
bool chat_lines_prompted(const chat_lines *l); /* there is somebody who types */
typedef enum chat_got { CHAT_LINE, CHAT_END, CHAT_SIGNAL, CHAT_FAILED } chat_got;
/* What is said next, of one line or of several: after a backslash at a line's end, or between two lines of three
 * quotation marks. *out is emptied first; without the last end of line. FAILED: after a message. */
chat_got chat_read(chat_lines *l, weft_text *out);

/* ---- talk.c ---- */
typedef struct chat {
    cli_args args;                  /* the command line, and what /set has changed of it */
    char *owned[CLI_MAX_OPTIONS];   /* values that /set gave, one for each of args.given */
    cli_run run;
    const weft_tokenizer *tokenizer;
    weft_chat_template *template;   /* NULL: a base model */
    json_t *messages;               /* with a template: what was said, the system's prompt first */
    weft_tokens text;               /* without: the text so far */
    const char *system;             /* NULL: none */
    cli_sampling sampling;
    cli_speculation speculation;
    bool prompted, told;            /* somebody types; the speed is told */
} chat;

/* Says it and prints the answer. 0, or an exit status after a message: then the conversation is as it was before. */
int chat_say(chat *c, const char *text, size_t n);
/* Back to the system's prompt, or to an empty text. 0, or 1 after a message. */
int chat_reset(chat *c);
/* How many of a text's n tokens the session has, which then has no others; the last is always to be evaluated. */
size_t chat_keep(weft_session *s, const int32_t *ids, size_t n);

/* ---- commands.c, settings.c ---- */
/* A line that begins with a slash. *ends: it was /quit. 0, or an exit status after a message. */
int chat_command(chat *c, const char *line, bool *ends);
/* "/set NAME VALUE", "/set NAME", "/set". */
int chat_set(chat *c, const char *rest);
/* What sampling is by args now. */
int chat_apply(chat *c, cli_sampling *out);
extern const cli_option cli_chat_options[];

#endif
