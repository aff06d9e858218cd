/* compile_stats.c: what a driver's compiler makes of the kernels that programs use: registers, spills, instructions,
 * shared memory, occupancy, as far as the driver tells.
 *
 *   compile_stats               compiles everything
 *   compile_stats --table       prints the numbers as a table
 *   compile_stats FILE          compares them with such a table
 *   compile_stats --update FILE writes it
 *
 * Works on drivers that compile but run nothing: AMD's on null hardware, Intel's on a pretended device. Exit status 1
 * if a kernel spills registers or needs scratch memory (more than in FILE) or has become clearly worse than in FILE; 77
 * if there is no such driver or it tells nothing. */
#include "tests/vulkan/used.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statistics ---- */

/* FAULT: anything but 0 is one, unless the table compared with has it already. LESS, MORE: may be so much less, so much
 * more than in the table (of more, four in any case). Anything else is shown only. */
typedef enum rule { SHOWN, FAULT, LESS, MORE } rule;

/* Of a number that drivers give one of these names (several: their sum). */
static const struct column {
    const char *title;
    const char *names[3];
    rule rule;
    double tolerance;
} columns[] = {
    { "vector registers", { "VGPRs" }, MORE, 0.25 },
    { "scalar registers", { "SGPRs" }, SHOWN, 0 },
    { "lanes", { NULL }, LESS, 0 }, /* of a subgroup */
    { "instructions", { "Instruction Count" }, MORE, 0.25 },
    { "sends", { "SEND Count" }, MORE, 0.25 },
    { "cycles", { "Cycle Count" }, MORE, 0.5 },
    { "spills", { "Spilled VGPRs", "Spilled SGPRs", "Spill Count" }, FAULT, 0 },
    { "fills", { "Fill Count" }, FAULT, 0 },
    { "scratch", { "Scratch size", "Scratch Memory Size" }, FAULT, 0 },
    { "shared", { "LDS size", "Workgroup Memory Size" }, SHOWN, 0 },
    { "code", { "Code size" }, SHOWN, 0 },
    { "waves per SIMD", { "Subgroups per SIMD" }, LESS, 0.15 },
};
enum { N_COLUMNS = sizeof columns / sizeof *columns, LANES = 2, MAX_STATISTICS = 64, MAX_LINE = 512 };

typedef struct row { double v[N_COLUMNS]; bool told[N_COLUMNS]; } row;

static double number(const VkPipelineExecutableStatisticKHR *s)
{
    switch ((int)s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (double)s->value.u64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR: return s->value.f64;
    default: return s->value.b32;
    }
}

static void take(row *r, const VkPipelineExecutableStatisticKHR *s)
{
    for (uint32_t c = 0; c < N_COLUMNS; c++)
        for (uint32_t k = 0; k < 3 && columns[c].names[k]; k++) {
            if (strcmp(s->name, columns[c].names[k])) continue;
            r->v[c] += number(s);
            r->told[c] = true;
        }
}

static row read_statistics(vk_backend *vk, VkPipeline p)
{
    row r = { 0 };
    VkPipelineInfoKHR which = { .sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = p };
    VkPipelineExecutablePropertiesKHR about = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR };
    VkPipelineExecutableInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = p };
    VkPipelineExecutableStatisticKHR s[MAX_STATISTICS];
    uint32_t n = MAX_STATISTICS, one = 1;
    for (uint32_t i = 0; i < n; i++)
        s[i] = (VkPipelineExecutableStatisticKHR){ .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR };
    if (vk->api.GetPipelineExecutablePropertiesKHR(vk->device, &which, &one, &about) < 0) return r;
    if (vk->api.GetPipelineExecutableStatisticsKHR(vk->device, &info, &n, s) < 0) return r;
    for (uint32_t i = 0; i < n; i++) take(&r, &s[i]);
    r.v[LANES] = about.subgroupSize;
    r.told[LANES] = n && about.subgroupSize;
    return r;
}

static bool tells(const row *r)
{
    for (uint32_t c = 0; c < N_COLUMNS; c++)
        if (r->told[c]) return true;
    return false;
}

/* ---- tables ---- */

static void print_table(FILE *f, const char *title, const used_list *l, const row *rows)
{
    fprintf(f, "## %s\n\n| kernel | constants | used by |", title);
    for (uint32_t c = 0; c < N_COLUMNS; c++)
        if (rows->told[c]) fprintf(f, " %s |", columns[c].title);
    fprintf(f, "\n|---|---|---|");
    for (uint32_t c = 0; c < N_COLUMNS; c++)
        if (rows->told[c]) fprintf(f, "---|");
    for (size_t i = 0; i < l->n; i++) {
        fprintf(f, "\n| %s | %s | %s |", l->items[i].kernel, l->items[i].constants, l->items[i].where);
        for (uint32_t c = 0; c < N_COLUMNS; c++)
            if (rows->told[c]) fprintf(f, " %.0f |", rows[i].v[c]);
    }
    fprintf(f, "\n");
}

/* The next field of a table's line, trimmed; NULL past the last. Cuts the line up. */
static char *next_field(char **rest)
{
    char *start = *rest, *end = start ? strstr(start, " |") : NULL;
    if (!end) return NULL;
    *end = 0;
    *rest = end + 2;
    return start + strspn(start, "| ");
}

/* What is wrong with a kernel. numbers: its fields in the table compared with, which are cut up; NULL: it has none. */
static bool is_bad(const used_pipeline *u, const row *r, char *numbers)
{
    bool bad = false;
    for (uint32_t c = 0; c < N_COLUMNS; c++) {
        char *text = r->told[c] ? next_field(&numbers) : NULL;
        double was = text ? strtod(text, NULL) : 0, now = r->v[c], tolerance = columns[c].tolerance;
        bool fault = columns[c].rule == FAULT && now > was;
        bool more = text && columns[c].rule == MORE && now > was * (1 + tolerance) + 4;
        bool less = text && columns[c].rule == LESS && now < was * (1 - tolerance);
        if (!fault && !more && !less) continue;
        printf("%s (%s): %.0f %s", u->kernel, u->constants, now, columns[c].title);
        printf(text ? ", was %.0f\n" : "\n", was);
        bad = true;
    }
    return bad;
}

static uint32_t count_bad(const used_list *l, const row *rows, const bool *done)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < l->n; i++) bad += !done[i] && is_bad(&l->items[i], &rows[i], NULL);
    return bad;
}

/* One line of a table: marks the kernel that it is about as done. */
static bool compare_line(char *line, const used_list *l, const row *rows, bool *done)
{
    char *kernel = next_field(&line), *constants = next_field(&line);
    bool bad = false;
    if (!next_field(&line)) return false;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(kernel, l->items[i].kernel) || strcmp(constants, l->items[i].constants)) continue;
        bad = is_bad(&l->items[i], &rows[i], line);
        done[i] = true;
    }
    return bad;
}

/* How many kernels are bad, compared with the table `path` if it is of the same device and driver. */
static uint32_t compare(const char *path, const char *title, const used_list *l, const row *rows, bool *done)
{
    char line[MAX_LINE];
    uint32_t bad = 0, known = 0;
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f)) bad++, printf("%s: cannot be read\n", path);
    else if (strncmp(line, "## ", 3) || strncmp(line + 3, title, strlen(title)))
        printf("%s is of another driver, and not compared with: %s", path, line);
    else
        while (fgets(line, sizeof line, f)) bad += compare_line(line, l, rows, done);
    if (f) fclose(f);
    for (size_t i = 0; i < l->n; i++) known += done[i];
    printf("%u of %zu pipelines compared with %s\n", known, l->n, path);
    return bad + count_bad(l, rows, done);
}

/* ---- the device ---- */

/* As far as planning and pipelines need it: drivers on null hardware have no queue that works. */
static weft_status open_compiler(vk_backend *vk, weft_error *err)
{
    static gpu_verdicts none;
    vk->base.vt = &weft__backend_vulkan;
    vk->verdicts = &none;
    WEFT_TRY(vk_options_parse("0", "statistics=1", &vk->options, err));
    WEFT_TRY(vk_instance_create(vk, err));
    WEFT_TRY(vk_device_pick(vk, err));
    WEFT_TRY(vk_device_create(vk, err));
    WEFT_TRY(vk_api_load_device(&vk->api, vk->device, err));
    WEFT_TRY(vk_layouts_create(vk, err));
    return vk_pipelines_create(vk, err);
}

static weft_status compile(vk_backend *vk, const used_list *l, row *rows, weft_error *err)
{
    vk_pipeline_key *keys = malloc(l->n * sizeof *keys);
    VkPipeline *pipelines = malloc(l->n * sizeof *pipelines);
    weft_status s = keys && pipelines ? WEFT_OK : WEFT_OOM_FAIL(err, "pipelines");
    for (size_t i = 0; i < l->n && !s; i++) keys[i] = l->items[i].key;
    if (!s) s = vk_pipelines_get(vk, keys, (uint32_t)l->n, NULL, pipelines, err);
    for (size_t i = 0; i < l->n && !s; i++) rows[i] = read_statistics(vk, pipelines[i]);
    free(keys);
    free(pipelines);
    return s;
}

static int report(int argc, char **argv, const char *title, const used_list *l, const row *rows)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool *done = calloc(l->n, sizeof *done), plain = !*mode || !strncmp(mode, "--", 2);
    if (!done) return 1;
    uint32_t bad = plain ? count_bad(l, rows, done) : compare(mode, title, l, rows, done);
    free(done);
    if (!strcmp(mode, "--table")) print_table(stdout, title, l, rows);
    if (!strcmp(mode, "--update") && argc > 2) {
        FILE *f = fopen(argv[2], "w");
        if (f) print_table(f, title, l, rows);
        if (!f || fclose(f)) return printf("%s: cannot be written\n", argv[2]), 1;
        printf("%s: %zu pipelines, %u with faults\n", title, l->n, bad);
        return 0;
    }
    printf("%s: %zu pipelines, %u are bad\n", title, l->n, bad);
    return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
    static vk_backend vk; /* left open */
    weft_error err;
    used_list l = { 0 };
    char title[256];
    weft_status s = open_compiler(&vk, &err);
    if (s || !vk.api.GetPipelineExecutableStatisticsKHR) {
        printf("skipped: %s\n", s ? err.text : "the driver tells no statistics");
        return 77;
    }
    int version = (int)strcspn(vk.driver.driverInfo, "-("); /* without the package's revision */
    snprintf(title, sizeof title, "%.120s, %.*s", vk.properties.deviceName, version, vk.driver.driverInfo);
    s = used_collect(&vk.base, &l, &err);
    row *rows = s ? NULL : calloc(l.n, sizeof *rows);
    if (rows) s = compile(&vk, &l, rows, &err);
    if (s || !rows) printf("%s: %s\n", title, s ? err.text : "no memory");
    int status = s || !rows ? 1 : report(argc, argv, title, &l, rows);
    if (!status && !tells(rows)) status = 77;
    fflush(stdout);
    _Exit(status);
}
