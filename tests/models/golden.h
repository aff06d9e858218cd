/* golden.h: small models with what a reference in double precision makes of them (tests/reference), and the ways in
 * which sessions are held to that: in one run, in chunks, as one of several sequences on pages. Their weights are
 * hashes of their names, which the reference makes, too. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <jansson.h>

#include "models/model.h"
#include "tests/checkpoint/temp.h"

enum { GOLDEN_IDS = 64, GOLDEN_ROWS = 8, GOLDEN_VOCAB = 128 };

typedef struct golden {
    char name[64];
    json_t *root;
    temp_folder folder; /* the model as a publisher's */
    int32_t prompt[GOLDEN_IDS], greedy[GOLDEN_IDS];
    size_t n_prompt, n_greedy, n_rows, n_vocab;
    size_t row[GOLDEN_ROWS]; /* of the prompt */
    double logits[GOLDEN_ROWS * GOLDEN_VOCAB];
} golden;

/* A file below tests/reference, such as "arch/llama-3.json". False, and that is a failure: it cannot be read. To be
 * closed in any case. */
bool golden_open(golden *g, const char *file);
void golden_close(golden *g);
/* The same, but for what is in the folder: nothing. A file may leave it to another one, "golden", what the reference
 * says. */
bool golden_read(golden *g, const char *file);
/* What a tensor of a publisher's is: make.py's fill. */
void golden_fill(const char *name, size_t rank, float *out, size_t n);
/* The tensors that g->root lists, into its folder. */
void golden_write_weights(const golden *g);

/* All of a folder of tests/reference whose names contain `only`; there is one at least. */
void golden_each(const char *folder, const char *only, void (*test)(const golden *g, weft_backend *device),
                 weft_backend *device);

/* The same by another way of opening. */
void golden_each_of(const char *folder, const char *only, bool (*open)(golden *g, const char *file),
                    void (*test)(const golden *g, weft_backend *device), weft_backend *device);

/* Opens it with a description (NULL: as users do), and compares logits and greedy tokens. */
void golden_meets(const golden *g, const weft_model_desc *desc, weft_backend *device);

/* The same on every kind of vectors that this processor has. */
void golden_each_on_cpu(const char *folder, const char *only, bool (*open)(golden *g, const char *file),
                        void (*test)(const golden *g, weft_backend *device));

/* Takes only=NAME out of a program's arguments, of which the first is its name. How many filters are left. */
int golden_filters(int argc, char **argv, const char **only);
#define GOLDEN_MAIN(tests, only)                                                               \
    weft_test_state weft_test_now;                                                             \
    int main(int argc, char **argv)                                                            \
    {                                                                                          \
        int n = golden_filters(argc, argv, &(only));                                           \
        return test_run_all(tests, sizeof(tests) / sizeof *(tests), n, argv + 1);              \
    }

#endif
