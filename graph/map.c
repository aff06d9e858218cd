/* map.c: see map.h. */
#include "graph/map.h"

#include <string.h>

#include "graph/graph_impl.h"

uint32_t weft__map_number(weft_op op)
{
    static const uint8_t numbers[WEFT_OP_COUNT] = {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) [WEFT_OP_##name] = number,
#include "map.def"
#undef WEFT_MAP
    };
    return (unsigned)op < WEFT_OP_COUNT ? numbers[op] : 0;
}

weft__map_kind weft__map_kind_of(weft_op op)
{
    static const uint8_t kinds[WEFT_OP_COUNT] = {
#define WEFT_MAP(number, name, inputs, attrs, kind, value, whole) [WEFT_OP_##name] = WEFT__MAP_##kind,
#include "map.def"
#undef WEFT_MAP
    };
    return (unsigned)op < WEFT_OP_COUNT ? (weft__map_kind)kinds[op] : WEFT__MAP_NONE;
}

void weft__map_params(weft_op op, const weft_attrs *attrs, float param[2])
{
    uint32_t n, used = 0;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    param[0] = param[1] = 0;
    for (uint32_t i = 0; i < n && used < 2; i++)
        if (f[i].type == ATTR_f32) memcpy(&param[used++], (const char *)attrs + f[i].offset, sizeof *param);
}

static const weft_op op_of_act[WEFT_ACT_COUNT] = {
    [WEFT_ACT_NONE] = WEFT_OP_COUNT,
#define WEFT_ACT(number, id, name, value) [number] = WEFT_OP_##name,
#include "act.def"
#undef WEFT_ACT
};

weft_op weft__op_of_act(weft_act act)
{
    return (unsigned)act < WEFT_ACT_COUNT ? op_of_act[act] : WEFT_OP_COUNT;
}

weft_act weft__act_of_op(weft_op op)
{
    for (unsigned act = WEFT_ACT_NONE + 1; act < WEFT_ACT_COUNT; act++)
        if (op_of_act[act] == op) return (weft_act)act;
    return WEFT_ACT_NONE;
}
