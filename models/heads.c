/* heads.c: what a model's head gives: names of scores, and why there are no logits or scores. */
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

weft_status weft__model_need_logits(const weft_model *m, weft_error *err)
{
    static const char *const gives[] = {
        [WEFT_HEAD_LOGITS] = "", [WEFT_HEAD_NONE] = "hidden states",
        [WEFT_HEAD_SEQUENCE] = "scores of sequences", [WEFT_HEAD_TOKENS] = "scores of tokens",
        [WEFT_HEAD_SPAN] = "scores of spans"
    };
    if (m->info.head == WEFT_HEAD_LOGITS) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: this %s gives %s, no logits of next tokens%s%s", m->path,
                     m->info.architecture, gives[m->info.head], m->no_logits ? ": " : "",
                     m->no_logits ? m->no_logits : "");
}

weft_status weft__model_need_scores(const weft_model *m, weft_error *err)
{
    if (m->info.n_labels) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: %s has no classification head", m->path, m->info.architecture);
}

/* ---- labels ---- */

static char *make_label(const weft_model *m, uint32_t i)
{
    static const char *const span[] = { "start", "end" };
    char key[32];
    const char *name;
    if (m->info.head == WEFT_HEAD_SPAN && i < 2) return strdup(span[i]);
    snprintf(key, sizeof key, "id2label.%u", i);
    if (weft_config_file_text(m->hf, key, &name) == 1) return strdup(name);
    snprintf(key, sizeof key, "LABEL_%u", i);
    return strdup(key);
}

weft_status weft__model_read_labels(weft_model *m, weft_error *err)
{
    uint32_t n = m->n_scores;
    m->labels = n ? calloc(n, sizeof *m->labels) : NULL;
    if (n && !m->labels) return WEFT_OOM_FAIL(err, "labels");
    while (m->info.n_labels < n) {
        m->labels[m->info.n_labels] = make_label(m, m->info.n_labels);
        if (!m->labels[m->info.n_labels]) return WEFT_OOM_FAIL(err, "labels");
        m->info.n_labels++;
    }
    return WEFT_OK;
}

void weft__model_free_labels(weft_model *m)
{
    for (uint32_t i = 0; i < m->info.n_labels; i++) free(m->labels[i]);
    free(m->labels);
}

const char *weft_model_label(const weft_model *m, uint32_t i)
{
    return i < m->info.n_labels ? m->labels[i] : NULL;
}

size_t weft_model_pooled_token(const weft_model *m, const int32_t *ids, size_t n)
{
    double pad;
    bool known = weft_config_file_number(m->hf, "pad_token_id", &pad) == 1;
    if (!known) return n ? n - 1 : 0;
    while (n > 1 && (double)ids[n - 1] == pad) n--; /* of nothing but padding: the first */
    return n ? n - 1 : 0;
}
