/* test_process_memory.c: what limits the memory of a process, from made-up /proc and /sys: control groups of both
 * versions, in containers and outside, and the limits of the process itself. */
#include "backends/backend.h"
#include "backends/process_memory.h"
#include "tests/checkpoint/temp.h"

#include <sys/resource.h>

#define V1_MOUNTS "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" \
                  "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" \
                  "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
#define V2_MOUNTS "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID    V1_MOUNTS "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define NO_LIMIT  "9223372036854771712\n"

typedef struct entry { const char *path, *text; } entry;

typedef struct group_case {
    const char *what, *cgroup, *mountinfo;
    entry files[4]; /* below /sys/fs/cgroup */
    uint64_t want;  /* 0: what the machine has */
} group_case;

static const group_case cases[] = {
    { "version 2, its own limit", "0::/a/b\n", V2_MOUNTS, { { "a/b/memory.max", "100000000\n" } }, 100000000 },
    { "a group around it", "0::/a/b\n", V2_MOUNTS,
      { { "a/b/memory.max", "max\n" }, { "a/memory.max", "90000000\n" }, { "memory.max", "95000000\n" } }, 90000000 },
    { "the root of a container", "0::/\n", V2_MOUNTS, { { "memory.max", "80000000\n" } }, 80000000 },
    { "a limit that slows down", "0::/a\n", V2_MOUNTS,
      { { "a/memory.max", "80000000\n" }, { "a/memory.high", "70000000\n" } }, 70000000 },
    { "no limit", "0::/a\n", V2_MOUNTS, { { "a/memory.max", "max\n" }, { "a/memory.high", "max\n" } }, 0 },
    { "a container that sees its path outside", "0::/docker/7f\n",
      "29 23 0:26 /docker/7f /sys/fs/cgroup ro - cgroup2 cgroup rw\n", { { "memory.max", "60000000\n" } }, 60000000 },
    { "no container of that name but a longer one", "0::/docker/7f\n",
      "29 23 0:26 /docker/7 /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
      { { "memory.max", "61000000\n" }, { "f/memory.max", "1000\n" } }, 61000000 },
    { "a path that leads out", "0::/../../x\n", V2_MOUNTS,
      { { "memory.max", "50000000\n" }, { "x/memory.max", "1000\n" } }, 50000000 },
    { "version 1", "5:cpu,cpuacct:/c\n4:memory:/c/d\n", V1_MOUNTS,
      { { "memory/c/d/memory.limit_in_bytes", "40000000\n" }, { "cpu/c/memory.limit_in_bytes", "1\n" } }, 40000000 },
    { "version 1, a group around it", "4:hugetlb,memory:/c/d\n", V1_MOUNTS,
      { { "memory/c/d/memory.limit_in_bytes", NO_LIMIT }, { "memory/c/memory.limit_in_bytes", "30000000\n" },
        { "memory/memory.limit_in_bytes", NO_LIMIT } }, 30000000 },
    { "version 1, none", "4:memory:/c\n", V1_MOUNTS, { { "memory/c/memory.limit_in_bytes", NO_LIMIT } }, 0 },
    { "both, memory in version 1", "4:memory:/c\n0::/c\n", HYBRID,
      { { "memory/c/memory.limit_in_bytes", "20000000\n" }, { "unified/c/cgroup.procs", "1\n" } }, 20000000 },
    { "nothing allowed", "0::/a\n", V2_MOUNTS, { { "a/memory.max", "0\n" } }, 1 },
    { "no number", "0::/a\n", V2_MOUNTS, { { "a/memory.max", "12 apples\n" }, { "memory.max", "-5\n" } }, 0 },
    { "nonsense", "memory\n:::\n4:memory\n", "x - y\n - cgroup2 \n\n", { { "memory.max", "9\n" } }, 0 },
};

static void write_below(const temp_folder *t, const char *path, const char *text)
{
    char full[TEMP_PATH];
    snprintf(full, sizeof full, "%s/%s", t->path, path);
    for (char *p = strchr(full, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    temp_write_text(t, path, text);
}

static void groups(void)
{
    uint64_t machine = weft__process_memory("no such folder");
    CHECK(machine > 100000000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const group_case *c = &cases[i];
        temp_folder t = temp_make();
        char path[128];
        write_below(&t, "proc/self/cgroup", c->cgroup);
        write_below(&t, "proc/self/mountinfo", c->mountinfo);
        for (int k = 0; k < 4 && c->files[k].path; k++) {
            snprintf(path, sizeof path, "sys/fs/cgroup/%s", c->files[k].path);
            write_below(&t, path, c->files[k].text);
        }
        if (!CHECK_EQ_INT(weft__process_memory(t.path), c->want ? c->want : machine)) printf("  %s\n", c->what);
        temp_remove(&t);
    }
}

static int get_limit(int data, struct rlimit *l)
{
    return data ? getrlimit(RLIMIT_DATA, l) : getrlimit(RLIMIT_AS, l);
}

static int set_limit(int data, const struct rlimit *l)
{
    return data ? setrlimit(RLIMIT_DATA, l) : setrlimit(RLIMIT_AS, l);
}

/* `ulimit -v` and `ulimit -d`: an address space that is too small for the model is as bad as too little memory.
 * An emulator of another processor (qemu-user) takes such a limit and does not set it: then there is nothing to see. */
static void limits_of_the_process(void)
{
    uint64_t machine = weft__process_memory("no such folder");
    for (int i = 0; i < 2; i++) {
        struct rlimit before, less, set;
        if (!CHECK(!get_limit(i, &before))) continue;
        less = before;
        less.rlim_cur = machine / 2;
        if (!CHECK(!set_limit(i, &less)) || !CHECK(!get_limit(i, &set))) continue;
        uint64_t got = weft__process_memory("no such folder");
        CHECK(!set_limit(i, &before));
        if (set.rlim_cur == less.rlim_cur) CHECK_EQ_INT(got, machine / 2);
        else printf("  this system does not set the limit\n");
    }
}

/* What the backend says of itself is this. */
static void the_backend_says_so(void)
{
    weft_backend *b;
    weft_error err;
    weft_device_info info;
    if (!CHECK_OK(weft_backend_open("cpu,threads=1", &b, &err), err)) return;
    weft_backend_info(b, &info);
    CHECK_EQ_INT(info.memory, weft__process_memory(""));
    weft_backend_close(b);
}

static const weft_test tests[] = {
    { "groups", groups },
    { "limits of the process", limits_of_the_process },
    { "the backend says so", the_backend_says_so },
};
TEST_MAIN(tests)
