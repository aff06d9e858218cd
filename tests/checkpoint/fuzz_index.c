/* fuzz_index.c: any bytes as a model.safetensors.index.json. */
#include <stdlib.h>

#include "models/checkpoint/checkpoint_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_error err = { 0 };
    weft_status s = weft__checkpoint_check_index((const char *)data, size, "fuzz", &err);
    if (s != WEFT_OK && !err.text[0]) abort();
    return 0;
}
