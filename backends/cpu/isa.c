/* isa.c: what this processor can execute, and which cores we may use. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "backends/cpu/cpu.h"

#include <sched.h>
#include <stdio.h>
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

uint32_t cpu_physical_cores(void)
{
    cpu_set_t set;
    uint32_t n = 0;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set) && first_of_core((int)i)) n++;
    }
    return n ? n : cpu_processors(); /* the first threads of the cores may all be outside the set */
}

uint32_t cpu_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
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
