/* settings.c: what an open model got from its configuration, and from where: recorded while the definition asks. */
#include "graph/number.h"
#include "models/model_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weft__settings_clear(weft__settings *s)
{
    weft__arena_free(&s->texts);
    free(s->list);
    *s = (weft__settings){ 0 };
}

static bool is_recorded(const weft__settings *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->list[i].key, key)) return true;
    return false;
}

static void record_from(weft__settings *s, weft_setting_kind kind, const char *key, const char *value, double number,
                        const char *source)
{
    if (is_recorded(s, key) || s->failed) return;
    weft_setting_info info = { .kind = kind, .number = number };
    s->failed = !weft__grow(&s->list, &s->capacity, s->n + 1, sizeof *s->list) ||
                !(info.key = weft__arena_strdup(&s->texts, key)) ||
                !(info.value = weft__arena_strdup(&s->texts, value)) ||
                !(info.source = weft__arena_strdup(&s->texts, source));
    if (!s->failed) s->list[s->n++] = info;
}

static void record(weft_model *m, weft_setting_kind kind, const char *key, const char *value, double number)
{
    char source[WEFT_CONFIG_SOURCE_SIZE];
    record_from(&m->settings, kind, key, value, number, weft_config_file_source(m->hf, key, source));
}

/* "12", "0.5" */
static const char *number_text(double x, char text[WEFT__FLOAT_TEXT])
{
    if (x != floor(x) || fabs(x) >= 1e15) return weft__double_text(x, text);
    snprintf(text, WEFT__FLOAT_TEXT, "%.0f", x);
    return text;
}

/* weft_config.asked */
static void hear(void *sink, const weft_config_value *v)
{
    char text[WEFT__FLOAT_TEXT];
    if (v->text) {
        record(sink, WEFT_SETTING_TEXT, v->key, v->text, (double)NAN);
    } else if (v->truth) {
        record(sink, WEFT_SETTING_TRUTH, v->key, v->number != 0 ? "true" : "false", v->number);
    } else {
        record(sink, WEFT_SETTING_NUMBER, v->key, number_text(v->number, text), v->number);
    }
}

void weft__settings_listen(weft_model *m)
{
    bool failed = m->settings.failed; /* a definition that is tried and given up may be what ran out of memory */
    weft__settings_clear(&m->settings);
    m->settings.failed = failed;
    m->config.asked = hear;
    m->config.sink = m;
}

static void record_tokens(weft_model *m, const char *key, const int32_t *ids, size_t n)
{
    char text[16 * 16] = "none";
    size_t at = 0;
    for (size_t i = 0; i < n && at + 16 < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i ? ", " : "", ids[i]);
    record(m, n == 1 ? WEFT_SETTING_NUMBER : WEFT_SETTING_TEXT, key, text, n == 1 ? ids[0] : (double)NAN);
}

/* What the caller has given to a text. */
static void record_params(weft_model *m)
{
    char text[WEFT__FLOAT_TEXT];
    for (uint32_t i = 0; i < m->text.n_params; i++) {
        const weft_graph_param *p = &m->text.params[i];
        if (p->text) record_from(&m->settings, WEFT_SETTING_TEXT, p->name, p->text, (double)NAN, "given");
        else
            record_from(&m->settings, WEFT_SETTING_NUMBER, p->name, number_text(p->number, text), p->number, "given");
    }
}

weft_status weft__settings_finish(weft_model *m, weft_error *err)
{
    m->config.asked = NULL;
    m->config.sink = NULL;
    record_params(m);
    record_tokens(m, "bos_token_id", &m->info.bos, m->info.bos >= 0);
    record_tokens(m, "eos_token_id", m->eos, m->n_eos);
    return m->settings.failed ? WEFT_OOM_FAIL(err, "a model's settings") : WEFT_OK;
}

const weft_setting_info *weft__setting_find(const weft_model *m, const char *key)
{
    for (size_t i = 0; i < m->settings.n; i++)
        if (!strcmp(m->settings.list[i].key, key)) return &m->settings.list[i];
    return NULL;
}

const weft_setting_info *weft_model_setting(const weft_model *m, uint32_t i)
{
    return i < m->settings.n ? &m->settings.list[i] : NULL;
}
