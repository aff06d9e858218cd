/* test_kept.c: packed weights that are kept in files. Whatever lies in the folder, results have the same bits as
 * without it; whether a file was used shows in the source, which is told of bytes that were read to be packed. */
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/backend.h"
#include "backends/cpu/pack.h"

enum { IN = 256, OUT = 260, HEADER = 4096, PARTS = 65 };

static weft_error err;
static const char folder[] = "kept-weights/deep";

/* A model's file, as it lies in memory, and what is known of it. */
static float contents[OUT * IN];
static uint64_t offset, modified = 1000000007;
static const char *path = "model.file";
static bool nowhere, in_parts;
static unsigned n_packed;

static void count(void *ctx, const void *data, uint64_t bytes)
{
    (void)ctx, (void)data, (void)bytes;
    n_packed++;
}

static bool place(void *ctx, const void *data, uint64_t bytes, weft_file_place *out)
{
    (void)ctx, (void)bytes;
    const uint64_t at = (uint64_t)((const char *)data - (const char *)contents);
    *out = (weft_file_place){ .path = path, .device = 1, .inode = 2, .size = sizeof contents + 77, .modified = modified,
                              .changed = modified, .offset = offset + at };
    return !nowhere;
}

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *e)
{
    static const void *parts[PARTS];
    (void)ctx, (void)name, (void)e;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = 2, .dims = { OUT, IN }, .data = contents,
                               .bytes = sizeof contents, .done = count, .place = place };
    if (!in_parts) return WEFT_OK;
    for (int i = 0; i < PARTS; i++) parts[i] = contents + (PARTS - 1 - i) * (OUT / PARTS) * IN;
    out->parts = parts;
    out->n_parts = PARTS;
    out->data = NULL;
    return WEFT_OK;
}

typedef struct form { const char *device; weft_dtype type; } form; /* of a weight */
static const form usual = { "cpu,threads=1", WEFT_F32 };

static void fill(float by)
{
    for (int i = 0; i < OUT * IN; i++) contents[i] = (float)((i * 7 + i / 100) % 129 - 64) * by;
}

/* y = x w^T. keep NULL: without files. */
static weft_status run_in(const char *keep, form f, float *y)
{
    float x[IN];
    weft_graph *g;
    weft_backend *device = NULL;
    weft_weights *weights = NULL;
    weft_program *p = NULL;
    weft_ref out;
    for (int i = 0; i < IN; i++) x[i] = (float)(i % 17) / 16 - 0.4f;
    WEFT_TRY(weft_graph_create(NULL, &g, &err));
    weft_ref w = weft_weight(g, f.type, WEFT_DIMS(OUT, IN), "w");
    weft_output(g, weft_matmul_nt(g, weft_constant(g, WEFT_F32, WEFT_DIMS(1, IN), x), w), "y");
    weft_status s = weft_graph_seal(g, &err);
    if (!s) s = weft_backend_open(f.device, &device, &err);
    if (!s) s = weft_program_create(g, &(weft_program_desc){ .devices = &device, .n_devices = 1 }, &p, &err);
    if (!s) s = weft_weights_create(&(weft_weight_source){ NULL, find }, 1, &weights, &err);
    if (!s && keep) s = weft_weights_keep(weights, keep, &err);
    if (!s) s = weft_program_load(p, weights, NULL, &err);
    if (!s) s = weft_program_port(p, "y", &out, &err);
    if (!s) s = weft_program_run(p, &err);
    if (!s) s = weft_program_read(p, out, 0, y, OUT * sizeof *y, &err);
    weft_program_destroy(p);
    weft_weights_destroy(weights);
    weft_backend_close(device);
    weft_graph_destroy(g);
    return s;
}

/* Whether a run packed; its result must be as without files. */
static bool packs(form f)
{
    float want[OUT], got[OUT] = { 0 };
    CHECK_OK(run_in(NULL, f, want), err);
    const unsigned before = n_packed;
    CHECK_OK(run_in(folder, f, got), err);
    CHECK(!memcmp(want, got, sizeof want));
    return n_packed > before;
}

/* ---- the folder ---- */

/* How many files there are, the name of the last of them, and whether to remove them. */
static int look(char last[512], bool remove_them)
{
    char name[512];
    int n = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (*e->d_name == '.') continue;
        n++;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (last) memcpy(last, name, sizeof name);
        if (remove_them) unlink(name);
    }
    if (d) closedir(d);
    return n;
}

static void start_anew(void)
{
    look(NULL, true);
    offset = 0;
    modified = 1000000007;
    path = "model.file";
    nowhere = in_parts = false;
    fill(0.03125f);
}

static void flip(const char *file, off_t at)
{
    unsigned char c = 0;
    const int fd = open(file, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 4;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

/* ---- hits and misses ---- */

static void what_is_kept_has_the_same_bits(void)
{
    const form forms[] = { usual, { "cpu,threads=2", WEFT_F16 }, { "cpu,threads=2,isa=scalar", WEFT_F32 },
                                  { "cpu,threads=1", WEFT_Q8_0 }, { "cpu,threads=1", WEFT_BF16 } };
    enum { N = sizeof forms / sizeof *forms };
    start_anew();
    for (int i = 0; i < N; i++) CHECK(packs(forms[i])); /* none is another's */
    CHECK_EQ_INT(look(NULL, false), N);
    for (int i = 0; i < N; i++) CHECK(!packs(forms[i]));
    in_parts = true;
    CHECK(packs(usual) && !packs(usual));
}

/* Each in turn: then there is one file, as before, and it is of the new one. */
static void another_source_is_another_weight(void)
{
    char first[512], last[512];
    start_anew();
    CHECK(packs(usual) && !packs(usual));
    look(first, false);
    for (int i = 0; i < 2; i++) {
        if (i) offset += 64;
        else modified++;
        fill(0.0625f * (float)(i + 1));
        CHECK(packs(usual) && !packs(usual));
        CHECK_EQ_INT(look(last, false), 1);
        CHECK_STR(last, first);
    }
    path = "other.file";
    CHECK(packs(usual) && !packs(usual));
    CHECK_EQ_INT(look(NULL, false), 2);
}

/* Where the next change may not show, and what is in no file. */
static void what_cannot_be_known_again_is_not_kept(void)
{
    struct timespec now;
    start_anew();
    clock_gettime(CLOCK_REALTIME, &now);
    modified = ((uint64_t)now.tv_sec + 100) * 1000000000u + 1;
    CHECK(packs(usual) && packs(usual));
    start_anew();
    nowhere = true;
    CHECK(packs(usual) && packs(usual));
    CHECK_EQ_INT(look(NULL, false), 0);
}

/* ---- files that are not as they were written ---- */

static void damage_is_seen(void)
{
    static const off_t places[] = { 0, 8, 12, 16, 24, 31, 32, 60, HEADER - 1, HEADER, HEADER + 100003,
                                    HEADER + (OUT + 7) / 8 * 8 * IN * 4 - 1 };
    char file[512];
    start_anew();
    CHECK(packs((form){ "cpu,threads=1,isa=scalar", WEFT_F32 }));
    look(file, false);
    struct stat st;
    CHECK(!stat(file, &st) && st.st_size >= HEADER + OUT * IN * 4);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        flip(file, places[i] < st.st_size ? places[i] : st.st_size - 1);
        if (!CHECK(packs((form){ "cpu,threads=1,isa=scalar", WEFT_F32 }))) printf("  at %ld\n", (long)places[i]);
        CHECK(!packs((form){ "cpu,threads=1,isa=scalar", WEFT_F32 }));
    }
}

static void other_lengths_are_seen(void)
{
    char file[512];
    struct stat st;
    start_anew();
    CHECK(packs(usual));
    look(file, false);
    if (!CHECK(!stat(file, &st))) return;
    const off_t sizes[] = { 0, 100, HEADER, st.st_size - 1, st.st_size + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(!truncate(file, sizes[i]));
        CHECK(packs(usual) && !packs(usual));
    }
    CHECK(!unlink(file) && !mkdir(file, 0777)); /* not even a file: it stays, and is told */
    float y[OUT];
    CHECK_STATUS(run_in(folder, usual, y), WEFT_IO, err);
    CHECK_CONTAINS(err.text, file);
    CHECK(!rmdir(file));
}

/* ---- several processes ---- */

static void processes_share_a_folder(void)
{
    enum { PROCESSES = 3, ROUNDS = 6 };
    float want[OUT], got[OUT];
    start_anew();
    CHECK_OK(run_in(NULL, usual, want), err);
    fflush(stdout);
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i]) continue;
        bool ok = true;
        for (int n = 0; n < ROUNDS; n++) {
            ok &= !run_in(folder, usual, got) && !memcmp(want, got, sizeof want);
            if (n % 2 == i % 2) look(NULL, true);
        }
        _exit(!ok);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        CHECK(waitpid(child[i], &status, 0) == child[i] && !status);
    }
    look(NULL, true);
    CHECK(packs(usual) && !packs(usual));
    CHECK_EQ_INT(look(NULL, false), 1); /* nothing half done is left */
}

/* What another process is writing is left to it; what one left behind that was killed is no hindrance. */
static void one_writes(void)
{
    char file[512], partial[520];
    start_anew();
    CHECK(packs(usual));
    look(file, true);
    snprintf(partial, sizeof partial, "%s.partial", file);
    const int fd = open(partial, O_RDWR | O_CREAT, 0666);
    CHECK(fd >= 0 && write(fd, "half", 4) == 4 && !flock(fd, LOCK_EX));
    CHECK(packs(usual) && packs(usual));
    CHECK_EQ_INT(look(NULL, false), 1);
    close(fd);
    CHECK(packs(usual) && !packs(usual));
    CHECK_EQ_INT(look(file, false), 1);
}

/* ---- folders and disks that take nothing ---- */

static void what_cannot_be_written_is_told(void)
{
    float y[OUT];
    start_anew();
    CHECK(packs(usual)); /* so that the folder is there */
    const int fd = open("kept-weights/file", O_WRONLY | O_CREAT, 0666);
    close(fd);
    CHECK_STATUS(run_in("kept-weights/file", usual, y), WEFT_IO, err);
    CHECK_CONTAINS(err.text, "kept-weights/file: not a folder");
    CHECK_STATUS(run_in("kept-weights/file/in", usual, y), WEFT_IO, err);
    CHECK_CONTAINS(err.text, "kept-weights/file/in: cannot make the folder");
    CHECK_STATUS(run_in("", usual, y), WEFT_INVALID, err);
    if (!geteuid()) return; /* who may write anywhere */
    CHECK(!chmod(folder, 0555));
    CHECK_STATUS(run_in(folder, usual, y), WEFT_IO, err);
    CHECK_CONTAINS(err.text, "kept-weights/deep: cannot write in the folder");
    CHECK(!chmod(folder, 0755));
}

static void a_full_disk_is_told(void)
{
    float y[OUT];
    start_anew();
    fflush(stdout);
    const pid_t child = fork();
    if (!child) { /* files of 20,000 bytes at most stand for it */
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 20000, 20000 });
        const bool told = run_in(folder, usual, y) == WEFT_IO && strstr(err.text, folder) && strstr(err.text, "write");
        _exit(!told);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && !status);
    CHECK_EQ_INT(look(NULL, false), 0);
}

/* ---- what is packed ---- */

/* A change of what packing makes needs another VERSION in cpu_layout_form (backends/cpu/weights.c), or files of before
 * would be taken for it: raise that, and put the new number here. */
static void packing_is_of_its_version(void)
{
    static const cpu_isa sets[] = { CPU_SCALAR, CPU_AVX2, CPU_AVXVNNI, CPU_AVX512 };
    enum { ROWS = 13, WIDTH = 512 };
    static unsigned char src[ROWS * WIDTH * 4], out[64 * WIDTH * 8];
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof src; i++) src[i] = (unsigned char)(i * 2654435761u >> 13);
    for (weft_dtype t = 0; t < WEFT_DTYPE_COUNT; t++)
        for (size_t i = 0; i < 4 && cpu_panel_fits(t, WIDTH); i++) {
            uint64_t row;
            const int64_t rows = cpu_panel_rows(sets[i]), n = rows < ROWS ? rows : ROWS;
            const uint64_t bytes = cpu_panel_stride(sets[i], t, WIDTH);
            if (!CHECK(weft_dtype_row_bytes(t, WIDTH, &row) && bytes <= sizeof out)) continue;
            cpu_pack_panel(sets[i], t, src, n, WIDTH, out);
            for (uint64_t k = 0; k < bytes; k++) sum = (sum ^ out[k]) * 1099511628211u;
        }
    CHECK_EQ_INT(sum, 2380556850788361098);
}

static const weft_test tests[] = {
    { "what is kept has the same bits", what_is_kept_has_the_same_bits },
    { "another source is another weight", another_source_is_another_weight },
    { "what cannot be known again is not kept", what_cannot_be_known_again_is_not_kept },
    { "damage is seen", damage_is_seen },
    { "other lengths are seen", other_lengths_are_seen },
    { "processes share a folder", processes_share_a_folder },
    { "one writes", one_writes },
    { "what cannot be written is told", what_cannot_be_written_is_told },
    { "a full disk is told", a_full_disk_is_told },
    { "packing is of its version", packing_is_of_its_version },
};
TEST_MAIN(tests)
