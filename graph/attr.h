/* attr.h: names and copies of ops' attributes, beside what graph_impl.h declares. */
#ifndef WEFT_ATTR_H
#define WEFT_ATTR_H

#include "graph/graph_impl.h"

bool weft__op_parse(const char *name, weft_op *out);

/* Copies the fields of the op's attributes and zeroes the rest; from == NULL gives zeros. */
void weft__attrs_copy(weft_op op, weft_attrs *to, const weft_attrs *from);

const char *weft__act_name(weft_act act); /* never NULL; unknown: "?" */
bool weft__act_parse(const char *name, weft_act *out);

#endif
