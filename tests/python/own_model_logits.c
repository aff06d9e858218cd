/* own_model_logits MODEL: logits of "Once upon a time" by the model of examples/own_model.c, as float32 on stdout. */
int own_model_main(int argc, char **argv);
#pragma GCC diagnostic ignored "-Wreturn-type" /* a main may end without one */
#define main own_model_main
#include "../../examples/own_model.c"
#undef main

int main(int argc, char **argv)
{
    static const int32_t ids[] = { 424, 436, 260, 398 };
    enum { N = sizeof ids / sizeof *ids };
    static float logits[N * VOCAB];
    const weft_model_definition mine = { "Mine", NULL, WEFT_HEAD_LOGITS, build, NULL };
    const weft_model_desc own = { .graph = &mine, .context = CONTEXT };
    weft_error err;
    weft_model *m;
    weft_backend *cpu;
    weft_session *s;
    weft_batch_token t[N];
    (void)own_model_main;
    if (argc < 2 || weft_model_open(argv[1], &own, &m, &err) || weft_backend_open("cpu", &cpu, &err) ||
        weft_session_create(m, &(weft_session_desc){ .devices = &cpu, .n_devices = 1 }, &s, &err))
        return fprintf(stderr, "%s\n", argc < 2 ? "usage: own_model_logits MODEL" : err.text), 1;
    for (int i = 0; i < N; i++) t[i] = (weft_batch_token){ .id = ids[i], .wants = WEFT_WANT_LOGITS };
    if (weft_session_eval(s, t, N, &(weft_rows){ .logits = logits }, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    fwrite(logits, sizeof *logits, N * VOCAB, stdout);
    weft_session_destroy(s);
    weft_backend_close(cpu);
    weft_model_close(m);
    return 0;
}
