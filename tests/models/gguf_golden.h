/* gguf_golden.h: the small models of tests/reference/gguf as GGUF files. What stands before their data llama.cpp's
 * converter wrote; the data are made here, from what a publisher's tensors are and how the converter was seen to change
 * them (files.py), for a golden's folder to have a model.gguf alone. Quantised ones are whole
 * files there. */
#ifndef TEST_GGUF_GOLDEN_H
#define TEST_GGUF_GOLDEN_H

#include "golden.h"

/* Of golden_each_of: "gguf/llama-3.json". */
bool gguf_golden_open(golden *g, const char *file);
/* The image of its file, to be freed; *head: how much of it is not data. NULL, and that is a failure. */
unsigned char *gguf_golden_image(const golden *g, size_t *size, size_t *head);

#endif
