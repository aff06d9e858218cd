/* reference.h: tests/reference, what float64 arithmetic makes of the bundled model, and sessions of that model. */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include <jansson.h>

#include "models/model.h"
#include "tests/test.h"

/* Under a sanitizer everything is many times slower: the long texts are then cut. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REF_QUICK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REF_QUICK 1
#endif
#endif
#ifndef REF_QUICK
#define REF_QUICK 0
#endif

enum { REF_VOCAB = 4096 };

typedef struct reference {
    json_t *root;
    json_t *header; /* of the logits file */
    unsigned char *file;
    size_t data_at; /* where the logits' bytes begin in `file` */
} reference;

/* NULL with a failed check if the files cannot be read. */
const reference *reference_get(void);
/* Integers of an array in the JSON; malloc'd. */
int32_t *reference_ids(const json_t *array, size_t *n);
/* [rows, REF_VOCAB] float64, malloc'd; NULL if there is no such tensor. */
double *reference_logits(const reference *r, const char *name, size_t *rows);

/* A session of the bundled model on a device. */
typedef struct bundled {
    weft_model *m;
    weft_backend *device;
    weft_session *s;
} bundled;
bool bundled_open(bundled *b, const char *device, const weft_session_desc *like); /* false: a check has failed */
void bundled_close(bundled *b);

/* Appends n tokens to a sequence; logits of all of them, or of the last one, into out. */
weft_status eval_tokens(weft_session *s, uint32_t sequence, const int32_t *ids, size_t n, bool all, float *out,
                        weft_error *err);
/* sqrt(sum (got - want)^2 / sum want^2) */
double relative_error(const float *got, const double *want, size_t n);
double relative_difference(const float *a, const float *b, size_t n);
/* Natural logarithm of the probability of `id`. */
double log_probability(const float *logits, size_t n, int32_t id);

#endif
