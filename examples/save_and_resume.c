/* save_and_resume MODEL DEVICE FILE: half of a story, saved with what the model has in its cache, and the other half in
 * another session, as another process would go on: the same story as without a break. C and C++ alike. */
#include <stdio.h>
#include <string.h>
#include <weft/model.h>

enum { HALF = 16 };
static weft_session_desc desc; /* all zero: the defaults */
static weft_generate_desc how;

static weft_status begin(weft_model *m, const char *prompt, const char *path, weft_generated *r, weft_error *err) {
    weft_session *s;
    weft_tokens t;
    const weft_tokenizer *tok;
    WEFT_TRY(weft_session_create(m, &desc, &s, err));
    weft_status bad = weft_model_tokenizer(m, &tok, err);
    if (!bad) bad = weft_tokenizer_encode(tok, prompt, strlen(prompt), NULL, &t, err);
    if (!bad) {
        bad = weft_generate(s, 0, t.ids, t.n, &how, r, err); /* its last token is not in the sequence yet: */
        if (!bad) bad = weft_session_save(s, 0, r->tokens + r->n_tokens - 1, 1, path, err);
        weft_tokens_free(&t);
    }
    weft_session_destroy(s);
    return bad;
}

static weft_status go_on(weft_model *m, const char *path, weft_generated *r, weft_error *err) {
    weft_session *s;
    weft_tokens t;
    WEFT_TRY(weft_session_create(m, &desc, &s, err));
    weft_status bad = weft_session_load(s, 0, path, &t, err);
    if (!bad) {
        bad = weft_generate(s, 0, t.ids, t.n, &how, r, err); /* begins with that token */
        weft_tokens_free(&t);
    }
    weft_session_destroy(s);
    return bad;
}

int main(int argc, char **argv) {
    static const char prompt[] = "Once upon a time";
    weft_model *m;
    weft_backend *device;
    weft_generated first, second;
    weft_error err;
    desc.devices = &device, desc.n_devices = 1, how.max_tokens = HALF;
    if (argc < 4) return fprintf(stderr, "usage: save_and_resume MODEL DEVICE FILE\n"), 1;
    if (weft_model_open(argv[1], NULL, &m, &err) || weft_backend_open(argv[2], &device, &err) ||
        begin(m, prompt, argv[3], &first, &err) || go_on(m, argv[3], &second, &err))
        return fprintf(stderr, "%s\n", err.text), 1;
    printf("%s%s%s\n", prompt, first.text, second.text);
    weft_generated_free(&first);
    weft_generated_free(&second);
    weft_backend_close(device);
    weft_model_close(m);
    return 0;
}
