/* page.h: the HTML page of `--format html`: one file that holds its style, its scripts and the documents it shows. */
#ifndef WEFT_PAGE_H
#define WEFT_PAGE_H

#include "graph/base.h"

/* Generated from tools/viewer/ by cmake/WeftPage.cmake, with @TITLE@ and @DATA@ in it once each; size 0 in a build
 * without the layout library. */
extern const unsigned char weft_page[];
extern const size_t weft_page_size;

/* The page with documents of the form weft-dump; json_b is NULL unless two are to be compared. UNSUPPORTED in a build
 * without it. */
weft_status cli_page_make(const char *title, const char *json_a, size_t n_a, const char *json_b, size_t n_b,
                          const weft_writer *w, weft_error *err);
/* Writes it to a file (NULL or "-": standard output) so that it appears complete or not at all. 0, or 1
 * after a message. */
int cli_page_write(const char *title, const char *json_a, size_t n_a, const char *json_b, size_t n_b,
                   const char *output);

#endif
