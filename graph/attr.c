/* attr.c: what op.def and attr.def say, as tables: the facts of each op and the fields of its attributes.
 *
 * A field row {name, type, offset} lets attributes be copied, compared, hashed, printed and parsed without knowing
 * any op. Only the fields count: padding and the union's unused bytes are never looked at. */
#include "graph/attr.h"

#include <string.h>

/* op.def writes traits without their prefix. */
enum {
    SOURCE = WEFT_TRAIT_SOURCE,
    VIEW = WEFT_TRAIT_VIEW,
    MAP = WEFT_TRAIT_MAP,
    INPLACE_0 = WEFT_TRAIT_INPLACE_0,
    STATE = WEFT_TRAIT_STATE,
    FUSED = WEFT_TRAIT_FUSED,
    SCHED = WEFT_TRAIT_SCHED
};

static const weft_op_info ops[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) \
    [WEFT_OP_##name] = { #name, lo, hi, outs, traits, #attrs, #stem },
#include "op.def"
#undef WEFT_OP
};

const weft_op_info *weft_op_get(weft_op op)
{
    static const weft_op_info unknown = { "?", 0, 0, 0, 0, "none", "none" };
    return (unsigned)op < WEFT_OP_COUNT ? &ops[op] : &unknown;
}

bool weft__op_parse(const char *name, weft_op *out)
{
    for (unsigned op = 0; op < WEFT_OP_COUNT; op++) {
        if (strcmp(ops[op].name, name)) continue;
        *out = (weft_op)op;
        return true;
    }
    return false;
}

/* One function per row of attr.def, so that `row` names the struct in offsetof. */
#define F(type_, name_) { #name_, ATTR_##type_, offsetof(row, name_), false },
#define O(type_, name_) { #name_, ATTR_##type_, offsetof(row, name_), true },
#define WEFT_ATTR(name_, fields_)                                                               \
    static const weft__attr_field *fields_of_##name_(uint32_t *n)                               \
    {                                                                                           \
        typedef weft_attr_##name_ row;                                                          \
        static const weft__attr_field f[] = { fields_{ NULL, ATTR_i32, offsetof(row, end_), false } }; \
        *n = sizeof f / sizeof *f - 1;                                                          \
        return f;                                                                               \
    }
#include "attr.def"
#undef WEFT_ATTR
#undef F
#undef O

typedef const weft__attr_field *fields_fn(uint32_t *n);
static fields_fn *const fields_of_op[WEFT_OP_COUNT] = {
#define WEFT_OP(name, lo, hi, outs, attrs, shape, cost, traits, stem) [WEFT_OP_##name] = fields_of_##attrs,
#include "op.def"
#undef WEFT_OP
};

const weft__attr_field *weft__attr_fields(weft_op op, uint32_t *n)
{
    return fields_of_op[op](n);
}

static const size_t field_size[] = {
    [ATTR_f32] = sizeof(float),        [ATTR_i32] = sizeof(int32_t),  [ATTR_i64] = sizeof(int64_t),
    [ATTR_dtype] = sizeof(weft_dtype), [ATTR_act] = sizeof(weft_act), [ATTR_dims] = sizeof(weft_dims),
    [ATTR_perm] = sizeof(weft_perm),   [ATTR_rope] = sizeof(weft_rope_kind),
};

size_t weft__attr_size(const weft__attr_field *f)
{
    return field_size[f->type];
}

/* A field as 64-bit words in which every bit counts: dims and perms without what lies beyond their rank.
 * Returns how many words. */
#define FIELD_WORDS (1 + 2 * WEFT_MAX_RANK)
static uint32_t field_words(const weft__attr_field *f, const weft_attrs *a, uint64_t *w)
{
    const unsigned char *p = (const unsigned char *)a + f->offset;
    uint32_t n = 0;
    if (f->type == ATTR_dims) {
        weft_dims d;
        memcpy(&d, p, sizeof d);
        w[n++] = d.rank;
        for (uint32_t i = 0; i < d.rank && i < WEFT_MAX_RANK; i++) {
            w[n++] = (uint64_t)d.d[i].n;
            w[n++] = d.d[i].extent;
        }
    } else if (f->type == ATTR_perm) {
        weft_perm perm;
        memcpy(&perm, p, sizeof perm);
        w[n++] = perm.rank;
        for (uint32_t i = 0; i < perm.rank && i < WEFT_MAX_RANK; i++) w[n++] = perm.axis[i];
    } else {
        w[0] = 0;
        memcpy(&w[n++], p, field_size[f->type]);
    }
    return n;
}

bool weft__attr_shown(const weft__attr_field *f, const weft_attrs *a)
{
    static const weft__attr_any zero;
    return !f->optional || memcmp((const char *)a + f->offset, &zero, weft__attr_size(f)) != 0;
}

void weft__attrs_copy(weft_op op, weft_attrs *to, const weft_attrs *from)
{
    memset(to, 0, sizeof *to);
    uint32_t n;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    for (uint32_t i = 0; i < n && from; i++)
        memcpy((char *)to + f[i].offset, (const char *)from + f[i].offset, field_size[f[i].type]);
}

bool weft__attrs_equal(weft_op op, const weft_attrs *a, const weft_attrs *b)
{
    uint32_t n;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t wa[FIELD_WORDS], wb[FIELD_WORDS];
        uint32_t na = field_words(&f[i], a, wa), nb = field_words(&f[i], b, wb);
        if (na != nb || memcmp(wa, wb, na * sizeof *wa)) return false;
    }
    return true;
}

uint64_t weft__attrs_hash(weft_op op, const weft_attrs *a)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, a word at a time */
    uint32_t n;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t w[FIELD_WORDS];
        uint32_t nw = field_words(&f[i], a, w);
        for (uint32_t j = 0; j < nw; j++) {
            h = (h ^ w[j]) * 0x100000001b3u;
            h ^= h >> 29;
        }
    }
    return h;
}

static const char *const act_names[WEFT_ACT_COUNT] = {
    [WEFT_ACT_NONE] = "none",
#define WEFT_ACT(number, id, name, value) [number] = #name,
#include "act.def"
#undef WEFT_ACT
};

const char *weft__act_name(weft_act act)
{
    return (unsigned)act < WEFT_ACT_COUNT ? act_names[act] : "?";
}

bool weft__act_parse(const char *name, weft_act *out)
{
    for (unsigned a = 0; a < WEFT_ACT_COUNT; a++) {
        if (strcmp(act_names[a], name)) continue;
        *out = (weft_act)a;
        return true;
    }
    return false;
}
