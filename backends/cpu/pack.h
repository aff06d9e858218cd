/* pack.h: the PANEL layout of weight matrices [N, K], made once at load and read by every multiplication and gather.
 *
 * R consecutive rows (R = lanes of the instruction set's vectors) form a panel; panels follow one another, the last one
 * filled up with zero rows. Inside a panel the K dimension is outermost, so that a multiplication reads one sequential
 * stream and one vector load gives R rows at once:
 *   f32, f16    [K'][R], K' = K rounded up to even
 *   bf16        [K'/2][R][2]
 *   block types panel.h, one row of panel.def each
 * Where a set's dot product takes unsigned by signed bytes, signed ones are stored with 128 added. */
#ifndef CPU_PACK_H
#define CPU_PACK_H

#include "kernel.h"
#include "panel.h"

/* Lanes of an instruction set, and thereby rows of a panel. */
uint32_t cpu_panel_rows(cpu_isa isa);

/* Whether signed bytes are stored with 128 added. */
bool cpu_panel_is_biased(cpu_isa isa);

/* The row of a block type in panel.def; NULL: it is not packed. */
const cpu_panel_format *cpu_panel_of(weft_dtype t);

/* Whether a matrix of this type and row length can be packed: float types any, block types whole blocks. */
bool cpu_panel_fits(weft_dtype t, int64_t k);

/* Bytes of one panel, and of all panels of [n, k]; UINT64_MAX if that does not fit 64 bits. */
uint64_t cpu_panel_stride(cpu_isa isa, weft_dtype t, int64_t k);
uint64_t cpu_panel_bytes(cpu_isa isa, weft_dtype t, int64_t n, int64_t k);

/* Packs one panel from `rows` (1..R) consecutive rows of k elements, each dense and in the storage of type t.
 * out holds cpu_panel_stride bytes. Panels are independent: threads may share the work. */
void cpu_pack_panel(cpu_isa isa, weft_dtype t, const void *src, int64_t rows, int64_t k, void *out);

/* Row `row` of a packed matrix as k floats: for gathers from tied embeddings, and for reading weights back. */
void cpu_unpack_row(cpu_isa isa, weft_dtype t, const void *packed, int64_t k, int64_t row, float *out);

/* The part of both that is about block types, for panels of R rows: k_pack_blocks.c. r is a row of the panel. */
void cpu_pack_blocks(weft_dtype t, const void *src, int64_t rows, int64_t k, bool biased, size_t R, void *out);
void cpu_unpack_blocks(const cpu_panel_format *f, const void *panel, int64_t k, bool biased, size_t R, size_t r,
                       float *out);

#endif
