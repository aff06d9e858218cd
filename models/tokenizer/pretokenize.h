/* pretokenize.h: the pre-tokenizers of a tokenizer: how a text is cut into words. */
#ifndef WEFT_TOKENIZER_PRETOKENIZE_H
#define WEFT_TOKENIZER_PRETOKENIZE_H

#include "components.h"
#include "normalize.h"
#include "split.h"

/* One step does up to four things to each piece, in this order. */
typedef struct weft__pre_step {
    const char *name;
    char space[4]; /* n_space bytes: what stands for a space here */
    uint8_t n_space;
    bool spaces;              /* spaces become that */
    weft__lead lead;          /* which pieces get it in front if they do not begin with it */
    weft__splitter *splitter; /* cuts; NULL: the piece stays whole */
    bool bytes;               /* each byte becomes a character of the byte-level alphabet */
} weft__pre_step;

#define WEFT__PRE_STEPS_MAX 16

typedef struct weft__pre_steps {
    weft__pre_step step[WEFT__PRE_STEPS_MAX];
    size_t n;
} weft__pre_steps;

/* From "pre_tokenizer" of a tokenizer.json. Free in any case. */
weft_status weft__read_pre_tokenizers(weft__pre_steps *list, const json_t *root, weft_error *err);
void weft__pre_steps_free(weft__pre_steps *list);

/* Room for one text on its way. Zero-initialise; free. */
typedef struct weft__pre_scratch {
    weft__regex_scratch *regex; /* the caller's */
    struct {
        weft__bytes spaced, mapped; /* a piece as the step prepares it; one of its pieces in the alphabet */
        const char *text;           /* the piece that it cuts */
        size_t first;               /* as of a stretch */
    } at[WEFT__PRE_STEPS_MAX];
} weft__pre_scratch;
void weft__pre_scratch_free(weft__pre_scratch *s);

/* Calls `word` for each word of a text that is not empty. raw_bytes: the last step leaves its bytes as they are,
 * whatever it says. Errors: those of `word`; LIMIT, OOM. */
weft_status weft__pre_tokenize(const weft__pre_steps *list, weft__pre_scratch *s, weft__stretch text, bool raw_bytes,
                               weft__piece_fn *word, void *ctx, weft_error *err);

#endif
