/* tuning.h: what a backend with parameters to tune offers beside its contract, for tune.c. Settings are texts like
 * "block=64,rows=2", "" is what the device's row of numbers says. */
#ifndef WEFT_TUNING_H
#define WEFT_TUNING_H

#include "backends/contract.h"
#include "backends/tune.h"

/* What is known of a setting for a shape. TRYING is there while it is tested, as WEFT_VERDICT_TESTING is: found later
 * it is WRONG. */
typedef enum weft__setting_state {
    WEFT__SETTING_BEST, WEFT__SETTING_WRONG, WEFT__SETTING_TRYING,
    WEFT__SETTING_RIGHT /* TRYING no longer */
} weft__setting_state;
typedef struct weft__setting {
    weft__setting_state state;
    char text[WEFT_TUNE_TEXT], detail[96]; /* detail: of what is wrong */
    double seconds, row_seconds;              /* of the best: by it, by the device's row */
} weft__setting;

typedef struct weft__tuning {
    /* Setting number i that differs from another one in one parameter, of those that the device takes for a shape and
     * that are not known to be wrong; false past the last. */
    bool (*next)(const weft_backend *b, const weft_tune_shape *shape, const char *from, uint32_t i,
                 char out[WEFT_TUNE_TEXT]);
    bool (*is_wrong)(const weft_backend *b, const weft_tune_shape *shape, const char *setting); /* as is known */
    bool (*kept)(const weft_backend *b, const weft_tune_shape *shape, weft__setting *out); /* false: nothing */
    /* From now on choose() takes this setting for such shapes; NULL: what is kept. INVALID: there is no such setting.
     * What it has chosen runs by it, whatever is set later. */
    weft_status (*try)(weft_backend *b, const weft_tune_shape *shape, const char *setting, weft_error *err);
    weft_status (*keep)(weft_backend *b, const weft_tune_shape *shape, const weft__setting *s, weft_error *err);
    uint32_t (*count)(const weft_backend *b, uint32_t *changed);
    weft_status (*row)(const weft_backend *b, const char *name, const weft_writer *w, weft_error *err);
} weft__tuning;

#ifdef WEFT_VULKAN
extern const weft__tuning weft__tuning_vulkan;
#endif

#endif
