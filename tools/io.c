/* io.c: messages, files, prompts and JSON. */
#include "tools/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *fmt, va_list args)
{
    cli_progress_end();
    fprintf(stderr, "weft: ");
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

int cli_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return 1;
}

int cli_misuse(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return 2;
}

int cli_report(const weft_error *err)
{
    bool numbers = err->status == WEFT_NOT_FINITE;
    int status = cli_fail("%s%s", err->text, numbers ? " (--check names the node that made the first)" : "");
    return err->status == WEFT_CANCELLED ? cli_interrupted_status() : status;
}

/* ---- files ---- */

char *cli_read_file(const char *path, size_t *n)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *data = NULL;
    size_t cap = 0;
    *n = 0;
    if (!f) {
        cli_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    bool ok = weft__grow(&data, &cap, 1 << 16, 1);
    for (size_t got = 1; ok && got;) {
        ok = weft__grow(&data, &cap, *n + (1 << 15) + 1, 1);
        if (ok) *n += got = fread(data + *n, 1, 1 << 15, f);
    }
    if (ok && ferror(f)) {
        cli_fail("%s: %s", path, strerror(errno));
        free(data);
        data = NULL;
    } else if (!ok) {
        cli_fail("%s: out of memory", path);
        free(data);
        data = NULL;
    }
    if (f != stdin) fclose(f);
    if (data) data[*n] = 0;
    return data;
}

static bool write_all(FILE *f, const void *data, size_t n)
{
    bool ok = fwrite(data, 1, n, f) == n;
    return !fclose(f) && ok;
}

int cli_write_file(const char *path, const void *data, size_t n)
{
    if (!strcmp(path, "-"))
        return fwrite(data, 1, n, stdout) == n ? 0 : cli_fail("standard output: %s", strerror(errno));
    struct stat info;
    char temp[4096];
    bool special = !stat(path, &info) && !S_ISREG(info.st_mode); /* must not be replaced by a file */
    int length = special ? snprintf(temp, sizeof temp, "%s", path)
                         : snprintf(temp, sizeof temp, "%s.%ld.part", path, (long)getpid());
    if (length >= (int)sizeof temp) return cli_fail("%s: name too long", path);
    FILE *f = fopen(temp, "wb");
    if (!f) return cli_fail("%s: %s", path, strerror(errno));
    if (write_all(f, data, n) && (special || !rename(temp, path))) return 0;
    int why = errno;
    if (!special) unlink(temp);
    return cli_fail("%s: %s", path, strerror(why));
}

static bool write_stdout(void *ctx, const char *data, size_t n)
{
    (void)ctx;
    return fwrite(data, 1, n, stdout) == n;
}

weft_writer cli_stdout(void)
{
    return (weft_writer){ NULL, write_stdout };
}

int cli_print_json(json_t *object)
{
    if (!object) return cli_fail("the result has a number or a text that JSON cannot have, or memory is short");
    json_dumpf(object, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    fputc('\n', stdout);
    json_decref(object);
    return 0;
}

json_t *cli_json_text(const char *text)
{
    json_t *whole = json_string(text);
    char *copy = whole ? NULL : strdup(text);
    for (char *at = copy; at && *at; at++)
        if ((unsigned char)*at >= 0x80) *at = '?';
    if (copy) whole = json_string(copy);
    free(copy);
    return whole;
}

/* ---- prompts ---- */

bool cli_parse_tokens(const char *text, size_t n, weft_tokens *out)
{
    const char *end = text + n;
    size_t cap = 0;
    *out = (weft_tokens){ 0 };
    while (text < end) {
        while (text < end && isspace((unsigned char)*text)) text++;
        int64_t v = 0;
        const char *digits = text;
        while (text < end && *text >= '0' && *text <= '9' && v <= INT32_MAX) v = 10 * v + (*text++ - '0');
        bool number = text > digits && v <= INT32_MAX;
        while (text < end && isspace((unsigned char)*text)) text++;
        if (!number || (text < end && *text != ',') || !weft__grow(&out->ids, &cap, out->n + 1, sizeof *out->ids)) {
            weft_tokens_free(out);
            return false;
        }
        out->ids[out->n++] = (int32_t)v;
        if (text < end && ++text == end) { /* a comma at the end */
            weft_tokens_free(out);
            return false;
        }
    }
    return out->n > 0;
}

/* "--prompt, --prompt-file or --tokens": those that the command has. */
static const char *prompt_options(const cli_command *c, char *buf, size_t size)
{
    static const char *const names[] = { "prompt", "prompt-file", "file", "tokens", "batch" };
    const char *found[sizeof names / sizeof *names];
    size_t n = 0, used = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (const cli_option *o = c->options; o->name; o++)
            if (!strcmp(o->name, names[i])) found[n++] = names[i];
    for (size_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s--%s", !i ? "" : i + 1 < n ? ", " : " or ", found[i]);
    return buf;
}

/* Says where the ids are not what the text or the tokenizer's files ask for. */
static void note_text(const weft_tokenizer *tok, const weft_encode_desc *desc, const char *where, const char *text,
                      size_t n)
{
    const char *note;
    size_t faults = weft_text_faults(text, n);
    bool utf16 = n >= 2 && (!memcmp(text, "\xFF\xFE", 2) || !memcmp(text, "\xFE\xFF", 2));
    for (size_t i = 0; (note = weft_tokenizer_note(tok, desc, i)); i++) fprintf(stderr, "note: %s\n", note);
    if (faults)
        fprintf(stderr, "note: %s: the text is not UTF-8: %zu place%s replaced by U+FFFD%s\n", where, faults,
                faults == 1 ? " is" : "s are", utf16 ? "; it looks like UTF-16" : "");
}

static int encode_text(const cli_args *a, const weft_tokenizer *tok, const char *where, const char *text, size_t n,
                       weft_tokens *out)
{
    weft_error err;
    bool on = cli_has(a, "bos"), off = cli_has(a, "no-bos");
    bool goes_on = cli_has(a, "load-state"); /* then nothing begins here */
    weft_encode_desc desc = { .bos = on ? WEFT_BOS_ON : off || goes_on ? WEFT_BOS_OFF : WEFT_BOS_AS_FILES,
                              .progress = cli_progress() };
    if (on && off) return cli_misuse("%s: --bos and --no-bos exclude each other", a->command->name);
    if (weft_tokenizer_encode(tok, text, n, &desc, out, &err)) return cli_report(&err);
    note_text(tok, &desc, where, text, n);
    return 0;
}

int cli_prompt(const cli_args *a, weft_model *m, const weft_tokenizer *tok, weft_tokens *out)
{
    char options[128];
    const char *text = cli_text(a, "prompt", NULL), *tokens = cli_text(a, "tokens", NULL);
    const char *file = cli_text(a, "prompt-file", cli_text(a, "file", NULL));
    *out = (weft_tokens){ 0 };
    if (!!text + !!tokens + !!file != 1)
        return cli_misuse("%s: give one of %s", a->command->name, prompt_options(a->command, options, sizeof options));
    if (tokens) {
        if (cli_has(a, "bos") || cli_has(a, "no-bos"))
            return cli_misuse("%s: --bos and --no-bos are for texts; --tokens are taken as they are", a->command->name);
        if (cli_parse_tokens(tokens, strlen(tokens), out)) return 0;
        return cli_misuse("--tokens %s: expected ids such as 1,2,3", tokens);
    }
    size_t n = text ? strlen(text) : 0;
    weft_error err;
    if (!tok && weft_model_tokenizer(m, &tok, &err)) return cli_report(&err);
    char *data = file ? cli_read_file(file, &n) : NULL;
    if (file && !data) return 1;
    int status = encode_text(a, tok, file ? file : "--prompt", data ? data : text, n, out);
    free(data);
    return status;
}
