/* convert_folder.h: a model as a folder of safetensors. */
#ifndef WEFT_CONVERT_FOLDER_H
#define WEFT_CONVERT_FOLDER_H

#include "models/convert.h"

weft_status weft__convert_to_folder(weft_model *m, const char *folder, const weft_convert_desc *d, weft_error *err);

#endif
