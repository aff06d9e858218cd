/* adapter.h: LoRA adapters (Hu et al., arXiv:2106.09685), as Hugging Face's PEFT writes them into a folder:
 * adapter_config.json and adapter_model.safetensors. docs/adapters.md says what of them is known.
 *
 *     weft_adapter *a;   weft_adapter_open("my-adapter", &a, &err);
 *     weft_adapter_use use = { .adapter = a };
 *     weft_session_create(m, &(weft_session_desc){ .devices = &b, .n_devices = 1, .adapters = &use, .n_adapters = 1 },
 *                         &s, &err);
 *
 * Weights stay as they are, shared by all sessions over them: an adapter is a side path of the graph, y + B A x beside
 * each product y = W x that it changes, and every token says which one it takes. So sequences with different adapters,
 * and those without, are evaluated together. */
#ifndef WEFT_ADAPTER_H
#define WEFT_ADAPTER_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_adapter weft_adapter;

/* Its files are mapped, checked and not read. It knows nothing of a base model: what it fits is found when a session is
 * planned with it. NOT_FOUND, IO, FORMAT, UNSUPPORTED name file, key or tensor, and the fault. */
WEFT_API WEFT_MUST_USE weft_status weft_adapter_open(const char *folder, weft_adapter **out, weft_error *err);
WEFT_API void weft_adapter_close(weft_adapter *a); /* every plan and session with it must be gone */

typedef struct weft_adapter_info {
    const char *path;
    const char *base;    /* base_model_name_or_path: what it says that it was trained on; "": nothing */
    uint32_t modules;    /* that it changes */
    uint32_t rank;       /* the largest of them */
    uint64_t parameters; /* elements of its tensors */
} weft_adapter_info;
WEFT_API const weft_adapter_info *weft_adapter_info_get(const weft_adapter *a); /* lent, as long as the adapter */

/* What a session's description has in `adapters`: an adapter times a scale, as a part of a choice. Sequences take one
 * choice, or none; the parts of a choice add up. All zeros but `adapter`: one choice, of everything once. */
struct weft_adapter_use {
    const weft_adapter *adapter; /* outlives the plan and the session */
    float scale;                 /* of what it adds, beside its own alpha / r; 0: 1 */
    uint32_t choice;             /* from 0, without gaps */
};

enum { WEFT_ADAPTER_NONE = -1, WEFT_MAX_ADAPTERS = 256 };

/* What an empty sequence takes from now on, also when it is emptied later: a choice, or WEFT_ADAPTER_NONE. At first it
 * is choice 0 (without adapters none). Forks take what they are forked from; weft_session_share looks at sequences of
 * the same choice alone. INVALID: no such sequence or choice, or it has tokens, which were evaluated with another. */
WEFT_API WEFT_MUST_USE weft_status weft_session_adapt(weft_session *s, uint32_t sequence, int32_t choice,
                                                      weft_error *err);
WEFT_API int32_t weft_session_adapted(const weft_session *s, uint32_t sequence);

#ifdef __cplusplus
}
#endif
#endif
