/* sampling.c: how tokens are picked, from the options of commands that generate. */
#include "tools/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The names are those of llama.cpp's programs, so that a command line can be taken over. */
const cli_option cli_sampling_options[] = {
    { .name = "temperature", .kind = CLI_REAL, .value = "T", .min = 0, .max = 100,
      .help = "0 picks the most probable token (default: 0)" },
    { .name = "top-k", .kind = CLI_WHOLE, .value = "K", .min = 0, .max = 1 << 26,
      .help = "sample among the K most probable (0: all)" },
    { .name = "top-p", .kind = CLI_REAL, .value = "P", .min = 0, .max = 1,
      .help = "sample from the smallest set of this probability (1: all)" },
    { .name = "min-p", .kind = CLI_REAL, .value = "P", .min = 0, .max = 1,
      .help = "leave out what is less probable than this part of the best" },
    { .name = "typical", .kind = CLI_REAL, .value = "P", .min = 0, .max = 1,
      .help = "sample from a set of this probability, of the most typical (1: all)" },
    { .name = "xtc-probability", .kind = CLI_REAL, .value = "P", .min = 0, .max = 1,
      .help = "with this chance leave out the best, but for one (0: never)" },
    { .name = "xtc-threshold", .kind = CLI_REAL, .value = "P", .min = 0, .max = 1,
      .help = "... of those that are at least so probable (default: 0.1)" },
    { .name = "repeat-penalty", .kind = CLI_REAL, .value = "R", .min = 0, .max = 100,
      .help = "divide the logits of the last tokens (1: off)" },
    { .name = "frequency-penalty", .kind = CLI_REAL, .value = "P", .min = -100, .max = 100,
      .help = "take P from the logits of those tokens per occurrence (0: off)" },
    { .name = "presence-penalty", .kind = CLI_REAL, .value = "P", .min = -100, .max = 100,
      .help = "take P from the logits of those tokens (0: off)" },
    { .name = "repeat-last-n", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "how many tokens these penalties look back (default: 64)" },
    { .name = "dry-multiplier", .kind = CLI_REAL, .value = "M", .min = 0, .max = 1000,
      .help = "take M B^(length - N) from tokens that would go on with a repetition (0: off)" },
    { .name = "dry-base", .kind = CLI_REAL, .value = "B", .min = 1, .max = 1000, .help = "... (default: 1.75)" },
    { .name = "dry-allowed-length", .kind = CLI_WHOLE, .value = "N", .min = 1, .max = 1 << 24,
      .help = "... of at least N tokens (default: 2)" },
    { .name = "dry-penalty-last-n", .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 1 << 24,
      .help = "... among the last N tokens (0: all)" },
    { .name = "dry-sequence-breaker", .kind = CLI_TEXT, .value = "STR", .repeats = true,
      .help = "... in which no token has this text ('none': any; default: a new line, ':', '\"' and '*')" },
    { .name = "mirostat", .kind = CLI_WHOLE, .value = "N", .min = 0, .max = 2,
      .help = "2: keep the surprise of what is picked near a target (0: off)" },
    { .name = "mirostat-ent", .kind = CLI_REAL, .value = "T", .min = 0.01, .max = 100,
      .help = "... of T bits (default: 5)" },
    { .name = "mirostat-lr", .kind = CLI_REAL, .value = "R", .min = 0.0001, .max = 1,
      .help = "... coming nearer at this rate (default: 0.1)" },
    { .name = "logit-bias", .kind = CLI_TEXT, .value = "ID=BIAS", .repeats = true,
      .help = "add to the logit of a token; -inf forbids it" },
    { .name = "samplers", .kind = CLI_TEXT, .value = "NAMES",
      .help = "what of these counts, and in which order, as in 'penalties;dry;top_k;top_p;temperature'" },
    { .name = "seed", .letter = 's', .kind = CLI_WHOLE, .value = "S", .min = 0, .max = CLI_U64_MAX,
      .help = "of the random numbers (default: 0)" },
    { .name = NULL },
};

static int take_order(const cli_args *a, cli_sampling *out)
{
    const char *at = cli_text(a, "samplers", NULL);
    char name[32];
    while (at) {
        weft_step_kind kinds[WEFT_STEP_SHARED];
        size_t n = strcspn(at, ";,");
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at);
        uint32_t found = n < sizeof name ? weft_steps_named(name, kinds) : 0;
        if (!found) return cli_misuse("--samplers: there is no sampler '%.*s'", (int)n, at);
        for (uint32_t k = 0; k < found; k++) {
            for (uint32_t i = 0; i < out->how.n_order; i++)
                if (out->order[i] == kinds[k]) return cli_misuse("--samplers: '%s' comes twice", name);
            out->order[out->how.n_order++] = kinds[k];
        }
        at = at[n] ? at + n + 1 : NULL;
    }
    if (out->how.n_order) out->how.order = out->order;
    return 0;
}

static int take_biases(const cli_args *a, cli_sampling *out)
{
    const char *const *texts;
    out->how.n_bias = cli_texts(a, "logit-bias", &texts);
    for (uint32_t i = 0; i < out->how.n_bias; i++) {
        char *end, *after;
        long id = strtol(texts[i], &end, 10);
        double bias = *end == '=' ? strtod(end + 1, &after) : NAN;
        if (end == texts[i] || id < 0 || id > INT32_MAX || isnan(bias) || *after || after == end + 1)
            return cli_misuse("--logit-bias: '%s' is no ID=BIAS", texts[i]);
        out->bias_ids[i] = (int32_t)id;
        out->bias_values[i] = (float)bias;
    }
    out->how.bias_tokens = out->bias_ids;
    out->how.bias_values = out->bias_values;
    return 0;
}

int cli_sampling_of(const cli_args *a, cli_sampling *out)
{
    uint32_t mirostat = cli_u32(a, "mirostat", 0);
    if (mirostat == 1) return cli_misuse("--mirostat: there is only its second version, 2");
    *out = (cli_sampling){ .how = {
        .temperature = cli_f32(a, "temperature", 0),
        .top_k = cli_u32(a, "top-k", 0),
        .top_p = cli_f32(a, "top-p", 0),
        .min_p = cli_f32(a, "min-p", 0),
        .typical_p = cli_f32(a, "typical", 0),
        .xtc_probability = cli_f32(a, "xtc-probability", 0),
        .xtc_threshold = cli_f32(a, "xtc-threshold", 0),
        .repeat_penalty = cli_f32(a, "repeat-penalty", 0),
        .frequency_penalty = cli_f32(a, "frequency-penalty", 0),
        .presence_penalty = cli_f32(a, "presence-penalty", 0),
        .repeat_window = cli_u32(a, "repeat-last-n", 0),
        .dry_multiplier = cli_f32(a, "dry-multiplier", 0),
        .dry_base = cli_f32(a, "dry-base", 0),
        .dry_allowed = cli_u32(a, "dry-allowed-length", 0),
        .dry_window = cli_u32(a, "dry-penalty-last-n", 0),
        .mirostat_tau = mirostat ? cli_f32(a, "mirostat-ent", 5) : 0,
        .mirostat_eta = cli_f32(a, "mirostat-lr", 0),
        .seed = cli_u64(a, "seed", 0),
    } };
    int status = take_order(a, out);
    return status ? status : take_biases(a, out);
}

int cli_sampling_breakers(const cli_args *a, weft_model *m, cli_sampling *s)
{
    static const char *const usual[] = { "\n", ":", "\"", "*" };
    const char *const *texts;
    const weft_tokenizer *tok;
    weft_error err;
    uint32_t n = cli_texts(a, "dry-sequence-breaker", &texts);
    if (s->how.dry_multiplier == 0 || (n == 1 && !strcmp(texts[0], "none"))) return 0;
    if (!n && !weft_model_info_get(m)->has_tokenizer) return 0;
    if (weft_model_tokenizer(m, &tok, &err)) return cli_report(&err);
    if (weft_tokenizer_containing(tok, n ? texts : usual, n ? n : 4, &s->breakers, &err)) return cli_report(&err);
    s->how.dry_breakers = s->breakers.ids;
    s->how.n_dry_breakers = (uint32_t)s->breakers.n;
    return 0;
}

void cli_sampling_free(cli_sampling *s)
{
    weft_tokens_free(&s->breakers);
}
