/* map.h: what map.def and act.def say, as tables. */
#ifndef WEFT_MAP_H
#define WEFT_MAP_H

#include "graph/graph.h"

/* As the rows of map.def say; NONE: no row. */
typedef enum weft__map_kind {
    WEFT__MAP_NONE, WEFT__MAP_FLOAT, WEFT__MAP_NUMBER, WEFT__MAP_TRUTH, WEFT__MAP_CHOICE
} weft__map_kind;
weft__map_kind weft__map_kind_of(weft_op op);
uint32_t weft__map_number(weft_op op); /* 0: no row of map.def */
/* p and q of map.def, 0 where the op's attributes have no such field. */
void weft__map_params(weft_op op, const weft_attrs *attrs, float param[2]);

/* WEFT_ACT_NONE and WEFT_OP_COUNT stand for each other: no activation. */
weft_op weft__op_of_act(weft_act act);
weft_act weft__act_of_op(weft_op op);

#endif
