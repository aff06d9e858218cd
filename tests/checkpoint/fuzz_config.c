/* fuzz_config.c: any bytes as config.json, with generation_config.json after a zero byte, asked for what models ask,
 * and opened as a model without weights: of every architecture, by the seeds, which are the goldens' configurations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/config_impl.h"
#include "models/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const weft_config_file *c)
{
    static const char *const numbers[] = {
        "hidden_size",           "num_hidden_layers",      "rope_theta",
        "partial_rotary_factor", "layer_norm_eps",         "use_parallel_residual",
        "rope.factor",           "rope_parameters.factor", "sliding_window",
        "a.b.c"
    };
    static const char *const texts[] = { "model_type", "hidden_act", "dtype", "rope_type",
                                         "architectures.0" };
    static const char *const tokens[] = { "bos_token_id", "eos_token_id", "pad_token_id" };
    double x;
    const char *text;
    int32_t ids[4];
    size_t n;
    weft_error err = { 0 };
    weft_config view;
    char source[WEFT_CONFIG_SOURCE_SIZE];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        weft_config_file_number(c, numbers[i], &x);
        if (!weft__config_spelling(c, numbers[i])[0]) abort();
        if (!weft_config_file_source(c, numbers[i], source)[0]) abort();
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (weft_config_file_text(c, texts[i], &text) == 1 && strlen(text) == SIZE_MAX) abort();
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (weft_config_file_tokens(c, tokens[i], ids, 4, &n, &err) == WEFT_OK)
            for (size_t k = 0; k < n; k++)
                if (n > 4 || ids[k] < 0) abort();
    weft__config_context_limit(c);
    if (weft_config_file_view(c, &view, &err) == WEFT_OK && view.text(view.ctx, "rope_type", &text) < 0) abort();
    for (size_t i = 0; weft_config_file_note(c, i); i++)
        if (!weft_config_file_note(c, i)[0]) abort();
}

static char folder[] = "/tmp/fuzz-config-XXXXXX", path[64];

static void forget_folder(void)
{
    unlink(path);
    rmdir(folder);
}

/* A model or an error that says something. */
static void open_model(const uint8_t *data, size_t n)
{
    weft_model *m;
    weft_error err = { 0 };
    if (!*path) {
        if (!mkdtemp(folder) || atexit(forget_folder)) abort();
        snprintf(path, sizeof path, "%s/config.json", folder);
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) abort();
    if (weft_model_open(path, NULL, &m, &err) != WEFT_OK && !strstr(err.text, "config.json")) abort();
    for (uint32_t i = 0; m && weft_model_setting(m, i); i++)
        if (!*weft_model_setting(m, i)->source) abort();
    weft_model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_config_file *c;
    weft_error err = { 0 };
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    const char *generation = zero ? (const char *)zero + 1 : NULL;
    weft_status s = weft_config_file_parse((const char *)data, n, generation,
                                          zero ? size - n - 1 : 0, "fuzz", &c, &err);
    if (s == WEFT_OK)
        ask(c);
    else if (!err.text[0] || c)
        abort();
    weft_config_file_close(c);
    open_model(data, n);
    return 0;
}
