/* roof.c: what a device reaches at best: its own measurements, and what it takes to start a step. */
#include "backends/launch.h"

weft_status weft_backend_roof(weft_backend *b, double seconds, const weft_progress_sink *progress, weft_roof *out,
                              weft_error *err)
{
    weft__task task;
    *out = (weft_roof){ 0 };
    if (!(seconds > 0 && seconds <= 60)) return WEFT_FAIL(err, WEFT_INVALID, "a roof is measured for up to 60 seconds");
    WEFT_TRY(weft__task_begin(&task, progress, "measuring the device", 0, "passes", err));
    weft_status s = b->vt->roof(b, seconds, &task, out, err);
    if (!s) s = weft__launch_seconds(b, seconds, &task, &out->launch_seconds, err);
    if (s) *out = (weft_roof){ 0 };
    return s;
}

double weft_roof_peak(const weft_roof *roof, weft_arith a)
{
    double f32 = roof->f32_ops_per_second;
    if (a == WEFT_ARITH_INT8 && roof->int8_ops_per_second > 0) return roof->int8_ops_per_second;
    if (a == WEFT_ARITH_F16_MATRIX && roof->f16_matrix_ops_per_second > 0) return roof->f16_matrix_ops_per_second;
    return a == WEFT_ARITH_BF16 ? 2 * f32 : f32;
}
