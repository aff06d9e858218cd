/* altered.h: a file of JSON, such as a golden's configuration, with one of its values replaced. */
#ifndef TEST_ALTERED_H
#define TEST_ALTERED_H

#include <jansson.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"

/* The text with the value (JSON, or what Python takes for it) at the dotted path; NULL: without it. To be freed. */
char *altered_text(const json_t *root, const char *path, const char *value);
/* Opens such a configuration. NULL with err if that fails. */
weft_model *altered_open(const json_t *config, const temp_folder *folder, const char *path, const char *value,
                         weft_error *err);

enum { ALTERED_PATH = 256 };
/* Where the configuration has what a model was asked for, or would have it. */
void altered_path(const json_t *config, const weft_setting_info *s, char out[ALTERED_PATH]);

static inline const char *altered_last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

#endif
