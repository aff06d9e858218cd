/* page.h: the HTML page of `--format html`: one file that holds its style, its scripts and the documents it shows. */
#ifndef WEFT_PAGE_H
#define WEFT_PAGE_H

#include <stddef.h>

/* Generated from tools/viewer/ by cmake/WeftPage.cmake, with @TITLE@ and @DATA@ in it once each; size 0 in a build
 * without the layout library. */
extern const unsigned char weft_page[];
extern const size_t weft_page_size;

/* Writes the page to a file (NULL or "-": standard output) so that it appears complete or not at all. json_a and json_b
 * are documents of the form weft-dump; json_b is NULL unless two are to be compared. 0, or 1 after a message. */
int cli_page_write(const char *title, const char *json_a, size_t n_a, const char *json_b, size_t n_b,
                   const char *output);

#endif
