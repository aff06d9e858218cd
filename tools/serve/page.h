/* page.h: the page at / of the server: one file that holds its style and its script. Generated from tools/serve/page/
 * by cmake/WeftPage.cmake. */
#ifndef WEFT_SERVE_PAGE_H
#define WEFT_SERVE_PAGE_H

#include <stddef.h>

extern const unsigned char serve_page[];
extern const size_t serve_page_size;

#endif
