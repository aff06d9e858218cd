/* quantize_golden.h: written by make_quantize.py: errors of llama.cpp's quantisers, plain and by importance, of normal
 * numbers and of products of two. */
static const struct golden { weft_dtype type; double plain[2], weighted[2]; } golden[] = {
    { WEFT_Q4_0, { 0.081376, 0.110652 }, { 0.065433, 0.093267 } },
    { WEFT_Q4_1, { 0.075462, 0.096724 }, { 0.047447, 0.065079 } },
    { WEFT_Q5_0, { 0.040158, 0.056552 }, { 0.031782, 0.048997 } },
    { WEFT_Q5_1, { 0.036347, 0.046258 }, { 0.023605, 0.031825 } },
    { WEFT_Q2_K, { 0.284580, 0.363208 }, { 0.171776, 0.201962 } },
    { WEFT_Q3_K, { 0.145011, 0.176322 }, { 0.111663, 0.134129 } },
    { WEFT_Q4_K, { 0.068244, 0.088756 }, { 0.048714, 0.066828 } },
    { WEFT_Q5_K, { 0.034665, 0.044866 }, { 0.026471, 0.036358 } },
    { WEFT_Q6_K, { 0.017055, 0.022731 }, { 0.013345, 0.018984 } },
    { WEFT_IQ4_NL, { 0.074123, 0.090180 }, { 0.058140, 0.072571 } },
    { WEFT_IQ4_XS, { 0.074705, 0.091090 }, { 0.059078, 0.073771 } },
    { WEFT_MXFP4, { 0.111685, 0.130259 }, { 0.111767, 0.127734 } },
};
