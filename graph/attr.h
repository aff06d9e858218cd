/* attr.h: names and copies of ops' attributes, beside what graph_impl.h declares. */
#ifndef WEFT_ATTR_H
#define WEFT_ATTR_H

#include "graph/graph_impl.h"

bool weft__op_parse(const char *name, weft_op *out);

/* Copies the fields of the op's attributes and zeroes the rest; from == NULL gives zeros. */
void weft__attrs_copy(weft_op op, weft_attrs *to, const weft_attrs *from);

/* Room for a field of any type, and the bytes of one. */
typedef union weft__attr_any {
    float f32;
    int32_t i32;
    int64_t i64;
    weft_dtype dtype;
    weft_act act;
    weft_rope_kind rope;
    weft_dims dims;
    weft_perm perm;
} weft__attr_any;
size_t weft__attr_size(const weft__attr_field *f);

const char *weft__act_name(weft_act act); /* never NULL; unknown: "?" */
bool weft__act_parse(const char *name, weft_act *out);

#endif
