/* gguf_pre.c: the table of pre-tokenizers that GGUF files name.
 *
 * llama.cpp gives each vocabulary a name instead of storing its pre-tokenizer. Where the tokenizer.json of the models
 * behind a name is known, its components stand here; else what llama.cpp does for the name. docs/tokenizers.md says
 * which is which. */
#include "gguf_pre.h"

#include <string.h>

#define NFC   WEFT__PRE_NFC
#define WHOLE WEFT__PRE_WHOLE
#define BOS   WEFT__PRE_BOS
#define RAW   WEFT__PRE_RAW
#define MASK  WEFT__PRE_MASK

/* ---- parts of the expressions ---- */

#define ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS   " ?[^\\s\\p{L}\\p{N}]+"
#define LINES   "\\s*[\\r\\n]+"
#define SPACES  "\\s+(?!\\S)|\\s+"
#define NUMBER3 "\\p{N}{1,3}"
/* ByteLevel's own. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|" SIGNS "|" SPACES
#define CL100K(number) ENGLISH "|" WORD "|" number "|" SIGNS "[\\r\\n]*|" LINES "|" SPACES
/* Words begin with upper case and go on in lower case; `and` is what may follow them. */
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define CASED(and, but) \
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER but "]*[" LOWER but "]+" and "|" \
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER but "]+[" LOWER but "]*" and
#define O200K(and, number) CASED(and, "") "|" number "|" SIGNS "[\\r\\n/]*|" LINES "|" SPACES
#define NO_HAN "&&[^\\p{Han}]"
/* Punctuation before Latin letters belongs to them. */
#define LATIN    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
#define DEEPSEEK LATIN "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES "|" SPACES
#define KANJI    "[一-龥぀-ゟ゠-ヿ]+"
#define HAN_HANGUL "[一-龥ࠀ-一가-퟿]+"
#define BLOOM    " ?[^(\\s|.,!?…。，、।۔،)]+"
/* Digits in groups of three from the right. */
#define THREES "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))"
#define JAIS_SPACES \
    "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|" \
    "\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"
/* The letters of DeepSeek LLM: Latin, Greek, Cyrillic and other scripts with two cases, as its list has them. */
#define DEEPSEEK_LETTERS \
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-" \
    "Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴ" \
    "ᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴ" \
    "ℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ" \
    "-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
#define YOUTU_SCRIPTS \
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"
#define TRINITY_SCRIPTS \
    "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-" \
    "ᇿ]+"

/* ---- the table ---- */

static const weft__gguf_pre rows[] = {
    { " gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling jina-es jina-de jina-v1-en "
      "roberta-bpe ", 0, { "@ByteLevel" } },
    { " jina-v2-es jina-v2-de jina-v2-code ", MASK, { "@ByteLevel" } },
    { " modern-bert ", NFC | MASK, { "@ByteLevel" } },
    { " olmo mpt ", NFC, { "@ByteLevel" } },
    { " starcoder refact smollm codeshell exaone minerva-7b mellum2 ", 0, { "@Digits", "@ByteLevel" } },
    { " command-r ", NFC, { "@Digits", "@ByteLevel" } },
    { " falcon ", 0, { "@Punctuation", "@ByteLevel", "@Numbers", "[0-9][0-9][0-9]" } },
    { " default ", 0, { "[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]" } },
    { " llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ", WHOLE | BOS,
      { CL100K(NUMBER3) } },
    { " smaug-bpe dbrx chatglm-bpe ", 0, { CL100K(NUMBER3) } },
    { " glm4 glm5 ", WHOLE, { CL100K(NUMBER3) } },
    { " minicpm5 ", WHOLE, { NUMBER3, CL100K("\\p{N}+") } },
    { " jais-2 ", 0, { ENGLISH "|" WORD "|" NUMBER3 "|" SIGNS "[\\r\\n]*|" LINES "|" JAIS_SPACES } },
    { " qwen2 f2llmv2 stablelm2 ", NFC, { CL100K("\\p{N}") } },
    { " deepseek-r1-qwen kormo megrez hunyuan solar-open grok-2 ", 0, { CL100K("\\p{N}") } },
    { " qwen35 ", NFC,
      { ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES "|"
        SPACES } },
    { " laguna ", 0, { "[^\\n]+|[\\n]+", CL100K("\\p{N}") } },
    { " ufakzeka ", 0, { WORD "|\\p{N}|" SIGNS "[\\r\\n]*|" LINES "|" SPACES } },
    { " seed-coder ", 0, { ENGLISH "|" WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" LINES "|" SPACES } },
    { " bailingmoe bailingmoe2 llada-moe ", 0,
      { "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|"
        SPACES } },
    { " exaone-moe ", 0,
      { ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|" SIGNS
        "[\\r\\n/]?|\\s*[\\r\\n]|" SPACES } },
    { " gpt-4o llama4 kanana2 talkie minimax-m2 ", 0, { O200K(ENGLISH "?", NUMBER3) } },
    { " granite-embed-multi-97m ", WHOLE, { O200K(ENGLISH "?", NUMBER3) } },
    { " tiny_aya cohere2moe ", 0, { "\\d{1,3}(?=(?:\\d{3})*\\b)", O200K(ENGLISH "?", NUMBER3) } },
    { " youtu ", WHOLE, { YOUTU_SCRIPTS, O200K(ENGLISH "?", "\\p{N}") } },
    { " tekken ", WHOLE | BOS, { O200K("", "\\p{N}") } },
    { " kimi-k2 ", 0,
      { "[\\p{Han}]+|" CASED(ENGLISH "?", NO_HAN) "|" NUMBER3 "|" SIGNS "[\\r\\n]*|" LINES "|" SPACES } },
    { " deepseek-llm ", 0,
      { "[\\r\\n]", DEEPSEEK_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", HAN_HANGUL, "\\p{N}+" } },
    { " deepseek-coder ", 0, { "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN_HANGUL, "@Digits" } },
    { " deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", 0, { NUMBER3, KANJI, DEEPSEEK } },
    { " spark2_5 ", 0, { NUMBER3, KANJI, LATIN "| ?[\\p{P}\\p{S}]+|[\\r\\n]|" SPACES, "\\p{N}" } },
    { " afmoe ", 0, { THREES, TRINITY_SCRIPTS, DEEPSEEK } },
    { " bloom poro-chat gpt3-finnish ", 0, { BLOOM } },
    { " viking ", 0, { BLOOM, "@Digits" } },
    { " superbpe ", 0, { "\\p{N}+", "(?=(\\d{3})+(?!\\d))" } },
    { " chameleon ", BOS,
      { "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "@Digits",
        "[\\p{P}!-/:-@\\[-`{-~]", "@ByteLevel" } },
    { " gemma4 granite-embed-multi-311m ", RAW | BOS, { 0 } },
    { " sarvam-moe ", RAW, { 0 } },
};

/* Whether the words between blanks hold one. */
static bool has_word(const char *words, const char *word, size_t n)
{
    for (const char *at = words; (at = strchr(at, ' ')) && *++at;)
        if (strncmp(at, word, n) == 0 && at[n] == ' ') return true;
    return false;
}

const weft__gguf_pre *weft__gguf_pre_find(const char *name, size_t n)
{
    if (n == 0 || memchr(name, ' ', n) || memchr(name, 0, n)) return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (has_word(rows[i].names, name, n)) return &rows[i];
    return NULL;
}

const char *weft__gguf_pre_of_arch(const char *arch, size_t n)
{
    /* Of these, all published models with this kind of tokenizer have the same pre-tokenizer. */
    static const char *const known[][2] = {
        { "gpt2", "gpt-2" },           { "gptneox", "olmo" },     { "mpt", "mpt" },       { "olmo", "olmo" },
        { "falcon", "falcon" },        { "bloom", "bloom" },      { "phi2", "phi-2" },    { "starcoder", "starcoder" },
        { "starcoder2", "starcoder" }, { "refact", "refact" },    { "qwen", "qwen2" },    { "qwen2", "qwen2" },
        { "qwen2moe", "qwen2" },       { "qwen3", "qwen2" },      { "qwen3moe", "qwen2" }, { "command-r", "command-r" },
        { "gpt-oss", "gpt-4o" },       { "codeshell", "codeshell" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i][0]) == n && memcmp(known[i][0], arch, n) == 0) return known[i][1];
    return NULL;
}

/* ---- as a tokenizer.json ---- */

static json_t *level(bool regex)
{
    return json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "use_regex", (int)regex);
}

static json_t *step_object(const char *step)
{
    if (strcmp(step, "@ByteLevel") == 0) return level(true);
    if (strcmp(step, "@Digits") == 0) return json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1);
    if (strcmp(step, "@Numbers") == 0) return json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 0);
    if (strcmp(step, "@Punctuation") == 0)
        return json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Contiguous");
    return json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", step, "behavior", "Isolated",
                     "invert", 0);
}

weft_status weft__gguf_pre_add(const weft__gguf_pre *row, json_t *root, weft_error *err)
{
    json_t *steps = json_array();
    bool leveled = (row->flags & RAW) != 0, ok = steps != NULL;
    for (size_t i = 0; ok && i < WEFT__PRE_STEP_COUNT && row->step[i]; i++) {
        ok = json_array_append_new(steps, step_object(row->step[i])) == 0;
        leveled |= strcmp(row->step[i], "@ByteLevel") == 0;
    }
    if (ok && !leveled) ok = json_array_append_new(steps, level(false)) == 0;
    json_t *normalizer = row->flags & NFC ? json_pack("{s:s}", "type", "NFC") : json_null();
    ok = json_object_set_new(root, "normalizer", normalizer) == 0 && ok; /* which takes it in any case */
    json_t *sequence = ok ? json_pack("{s:s, s:O}", "type", "Sequence", "pretokenizers", steps) : NULL;
    ok = ok && json_object_set_new(root, "pre_tokenizer", sequence) == 0;
    json_decref(steps);
    return ok ? WEFT_OK : WEFT_OOM_FAIL(err, "a tokenizer");
}

/* ---- of a tokenizer.json ---- */

typedef struct steps {
    const char *step[WEFT__PRE_STEP_COUNT];
    size_t n;
    bool bytes, last, failed; /* bytes: there is a ByteLevel; last: one that does not cut, after which nothing may */
} steps;

/* The step of a row that says what a component does; NULL: no row's does. */
static const char *step_of(const json_t *v)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const char *regex = json_string_value(json_object_get(json_object_get(v, "pattern"), "Regex"));
    const char *behavior = json_string_value(json_object_get(v, "behavior"));
    if (!type) return NULL;
    if (!strcmp(type, "ByteLevel")) return json_is_true(json_object_get(v, "add_prefix_space")) ? NULL : "@ByteLevel";
    if (!strcmp(type, "Digits"))
        return json_is_true(json_object_get(v, "individual_digits")) ? "@Digits" : "@Numbers";
    if (!strcmp(type, "Punctuation")) return behavior && !strcmp(behavior, "Contiguous") ? "@Punctuation" : NULL;
    const bool whole = behavior && !strcmp(behavior, "Isolated") && !json_is_true(json_object_get(v, "invert"));
    return !strcmp(type, "Split") && whole ? regex : NULL;
}

/* Adds a component, or those of a sequence. */
static void add_steps(const json_t *v, steps *s)
{
    size_t i;
    json_t *inner;
    const char *type = json_string_value(json_object_get(v, "type"));
    if (type && !strcmp(type, "Sequence")) {
        json_array_foreach(json_object_get(v, "pretokenizers"), i, inner) add_steps(inner, s);
        return;
    }
    const char *step = step_of(v);
    const bool level = step && !strcmp(step, "@ByteLevel");
    const bool cuts = !level || !json_is_false(json_object_get(v, "use_regex"));
    s->failed |= !step || s->last || (cuts && s->n == WEFT__PRE_STEP_COUNT);
    if (s->failed) return;
    s->bytes |= level;
    s->last = !cuts;
    if (cuts) s->step[s->n++] = step;
}

static bool has_steps(const weft__gguf_pre *row, const steps *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!row->step[i] || strcmp(row->step[i], s->step[i]) != 0) return false;
    return s->n == WEFT__PRE_STEP_COUNT || !row->step[s->n];
}

/* What a file says beside the name (bos) is said there; a mask that takes spaces is not told by a tokenizer.json's
 * steps. */
bool weft__gguf_pre_name(const json_t *root, char name[WEFT__PRE_NAME])
{
    steps s = { 0 };
    const json_t *normalizer = json_object_get(root, "normalizer");
    const char *form = json_string_value(json_object_get(normalizer, "type"));
    const bool whole = json_is_true(json_object_get(json_object_get(root, "model"), "ignore_merges"));
    if (json_is_object(normalizer) && (!form || strcmp(form, "NFC") != 0)) return false;
    add_steps(json_object_get(root, "pre_tokenizer"), &s);
    const unsigned flags = (form ? NFC : 0) | (whole ? WHOLE : 0);
    for (size_t i = 0; s.bytes && !s.failed && i < sizeof rows / sizeof *rows; i++) {
        if ((rows[i].flags & ~(unsigned)BOS) != flags || !has_steps(&rows[i], &s)) continue;
        const size_t n = strcspn(rows[i].names + 1, " ");
        if (n >= WEFT__PRE_NAME) return false;
        memcpy(name, rows[i].names + 1, n);
        name[n] = 0;
        return true;
    }
    return false;
}
