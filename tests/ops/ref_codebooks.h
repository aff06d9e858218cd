/* ref_codebooks.h: the oracle's readers of formats of ggml's with codebooks, with digits to the base of 3, and with
 * scales of 8 bits: a block at p as numbers. */
#ifndef REF_CODEBOOKS_H
#define REF_CODEBOOKS_H

#include <stdint.h>

double ref_half(uint16_t bits); /* what an f16 is */

void ref_read_iq1_s(const uint8_t *p, double *out);
void ref_read_iq1_m(const uint8_t *p, double *out);
void ref_read_iq2_xxs(const uint8_t *p, double *out);
void ref_read_iq2_xs(const uint8_t *p, double *out);
void ref_read_iq2_s(const uint8_t *p, double *out);
void ref_read_iq3_xxs(const uint8_t *p, double *out);
void ref_read_iq3_s(const uint8_t *p, double *out);
void ref_read_tq1_0(const uint8_t *p, double *out);
void ref_read_tq2_0(const uint8_t *p, double *out);
void ref_read_nvfp4(const uint8_t *p, double *out);
void ref_read_q8_K(const uint8_t *p, double *out);

#endif
