/* isa.c: what this processor can execute, and which cores we may use. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "backends/cpu/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(CPU_X86)
#include <cpuid.h>
#elif defined(CPU_ARM)
#include <sys/auxv.h>
#endif

const char *cpu_isa_name(cpu_isa isa)
{
    static const char *const names[CPU_ISA_COUNT] = { "scalar", "avx2",    "avxvnni", "avx512",
                                                      "neon",   "dotprod", "i8mm" };
    return names[isa];
}

bool cpu_isa_includes(cpu_isa have, cpu_isa need)
{
    if (need == CPU_SCALAR || have == need) return true;
    if (need == CPU_AVX2) return have == CPU_AVXVNNI || have == CPU_AVX512;
    return need == CPU_NEON && (have == CPU_DOTPROD || have == CPU_I8MM);
}

bool cpu_isa_runs(cpu_isa isa)
{
    if (isa == CPU_SCALAR) return true;
#if defined(CPU_X86)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == CPU_AVX2) return avx2; /* F16C is older than AVX2 */
#ifdef WEFT_CPU_AVXVNNI
    unsigned a, b, c, d;
    if (isa == CPU_AVXVNNI) return avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
#endif
    if (isa == CPU_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vnni");
#elif defined(CPU_ARM)
    if (isa == CPU_NEON) return true;
#ifdef WEFT_CPU_DOTPROD
    if (isa == CPU_DOTPROD) return getauxval(AT_HWCAP) >> 20 & 1; /* HWCAP_ASIMDDP */
#endif
#ifdef WEFT_CPU_I8MM
    if (isa == CPU_I8MM) return getauxval(AT_HWCAP2) >> 13 & 1; /* HWCAP2_I8MM */
#endif
#endif
    return false;
}

cpu_isa cpu_isa_best(void)
{
    static const cpu_isa order[] = { CPU_AVX512, CPU_AVXVNNI, CPU_AVX2, CPU_I8MM, CPU_DOTPROD, CPU_NEON };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (cpu_isa_runs(order[i])) return order[i];
    return CPU_SCALAR;
}

/* True if `cpu` is the first of its core's hardware threads, as far as the system tells. */
static bool first_of_core(int cpu)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *f = fopen(path, "r");
    if (!f) return true;
    int first = cpu;
    if (fscanf(f, "%d", &first) != 1) first = cpu;
    fclose(f);
    return first == cpu;
}

/* 0: the first threads of the cores may all be outside the set. */
static uint32_t cores_of(const cpu_set_t *set)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, set) && first_of_core((int)i)) n++;
    }
    return n;
}

uint32_t cpu_physical_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    uint32_t n = cores_of(&set);
    return n ? n : cpu_processors();
}

uint32_t cpu_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}

/* ---- sets of them ---- */

_Static_assert(CPU_MOST_CPUS == CPU_SETSIZE, "as the system's sets are");

static bool has(const cpu_cpus *c, unsigned i)
{
    return c->word[i / 64] >> i % 64 & 1;
}

static cpu_set_t set_of(const cpu_cpus *c)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < CPU_MOST_CPUS; i++)
        if (has(c, i)) CPU_SET(i, &set);
    return set;
}

/* "3" or "3-5". */
static bool parse_range(const char **text, unsigned *first, unsigned *last)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    const unsigned long a = strtoul(*text, &end, 10);
    unsigned long b = a;
    if (*end == '-') {
        const char *second = end + 1;
        if (*second < '0' || *second > '9') return false;
        b = strtoul(second, &end, 10);
    }
    *text = end;
    *first = (unsigned)a;
    *last = (unsigned)b;
    return a <= b && b < CPU_MOST_CPUS;
}

weft_status cpu_cpus_parse(const char *text, cpu_cpus *out, weft_error *err)
{
    const char *at = text;
    cpu_set_t mine;
    unsigned first, last;
    *out = (cpu_cpus){ .given = true };
    if (sched_getaffinity(0, sizeof mine, &mine))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "cpu: cpus=%s: the system does not tell which there are", text);
    do {
        if (!parse_range(&at, &first, &last) || (*at && *at != '+'))
            return WEFT_FAIL(err, WEFT_INVALID, "cpu: cpus=%s: expected numbers and ranges, as in 0-3+8", text);
        for (unsigned i = first; i <= last; i++) {
            if (!CPU_ISSET(i, &mine))
                return WEFT_FAIL(err, WEFT_INVALID, "cpu: cpus=%s: this process may not run on %u", text, i);
            out->word[i / 64] |= UINT64_C(1) << i % 64;
        }
    } while (*at++);
    return WEFT_OK;
}

uint32_t cpu_cpus_cores(const cpu_cpus *c)
{
    const cpu_set_t set = set_of(c);
    const uint32_t n = cores_of(&set);
    return n ? n : (uint32_t)CPU_COUNT(&set);
}

void cpu_cpus_enter(const cpu_cpus *c, cpu_cpus *before)
{
    cpu_set_t set;
    if (before) *before = (cpu_cpus){ 0 };
    if (before && !sched_getaffinity(0, sizeof set, &set)) {
        before->given = true;
        for (unsigned i = 0; i < CPU_MOST_CPUS; i++)
            if (CPU_ISSET(i, &set)) before->word[i / 64] |= UINT64_C(1) << i % 64;
    }
    set = set_of(c);
    if (c->given) (void)!sched_setaffinity(0, sizeof set, &set); /* refused: it runs where it ran */
}

void cpu_model_name(char *out, size_t size)
{
    snprintf(out, size, "CPU");
#if defined(CPU_X86)
    unsigned regs[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &regs[4 * i], &regs[4 * i + 1], &regs[4 * i + 2], &regs[4 * i + 3])) return;
    char text[sizeof regs + 1] = { 0 };
    memcpy(text, regs, sizeof regs);
    const char *s = text;
    while (*s == ' ') s++;
    if (*s) snprintf(out, size, "%s", s);
#endif
}
