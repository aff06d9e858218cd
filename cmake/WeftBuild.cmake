# How every target is compiled: language, warnings, sanitizers, and the flags of kernels.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

find_package(Threads REQUIRED)
if(WEFT_MODELS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson>=2.12)
  pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.40)
  pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc>=2.4)
  pkg_check_modules(libedit IMPORTED_TARGET libedit>=3.1) # for `weft chat`
  pkg_check_modules(microhttpd IMPORTED_TARGET libmicrohttpd>=0.9.71) # for `weft serve`
  pkg_check_modules(curl libcurl>=7.85) # for `weft pull`, with
  pkg_check_modules(nettle IMPORTED_TARGET nettle>=3.4)
endif()

# What every file of Weft is compiled with; nothing of it reaches those who use an installed Weft.
add_library(weft_build INTERFACE)
target_include_directories(weft_build INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(weft_build INTERFACE _GNU_SOURCE=) # empty: a file may define it again
target_compile_options(weft_build INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla)
# Library sources are named in error records: by their path in the tree, not in the builder's home.
target_compile_options(weft_build INTERFACE -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(WEFT_WERROR)
  target_compile_options(weft_build INTERFACE -Werror)
endif()

if(WEFT_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "WEFT_FUZZ needs clang (libFuzzer): use the fuzz preset")
  endif()
  set(WEFT_SANITIZE "address,undefined")
  target_compile_options(weft_build INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(WEFT_SANITIZE)
  set(sanitize_flags -fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer)
  if(WEFT_SANITIZE MATCHES "undefined")
    list(APPEND sanitize_flags -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(weft_build INTERFACE ${sanitize_flags})
  target_link_options(weft_build INTERFACE ${sanitize_flags})
endif()

# weft_library(weft_graph SOURCES a.c b.c [LINKS ...] [PRIVATE_LINKS ...] [DEFINES ...]): one static library per folder.
# LINKS are public, so a program that links weft_models gets the arrow's whole length, and one that links weft_graph
# cannot reach a backend.
function(weft_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;PRIVATE_LINKS;DEFINES")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS} weft_build)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINES})
endfunction()

# Kernel files are called *_<isa>.c and are compiled for that instruction set, whatever the build's baseline is; which of
# them a run uses is decided at run time. A file whose instruction set the target or the compiler lacks leaves the list,
# and the others see WEFT_CPU_<ISA> defined to 1 for each that stays. Floating-point contraction is left at the
# compiler's default: a kernel is compared with the oracle by tolerance, and fused multiply-adds are wanted there.
set(WEFT_ISA_avx2 "x86_64|AMD64|amd64" -mavx2 -mfma -mf16c)
set(WEFT_ISA_avxvnni "x86_64|AMD64|amd64" -mavx2 -mfma -mf16c -mavxvnni)
set(WEFT_ISA_avx512 "x86_64|AMD64|amd64" -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16 -mavx2
  -mfma -mf16c)
set(WEFT_ISA_neon "aarch64|arm64|ARM64" "")
set(WEFT_ISA_dotprod "aarch64|arm64|ARM64" -march=armv8.2-a+dotprod)
set(WEFT_ISA_i8mm "aarch64|arm64|ARM64" -march=armv8.2-a+dotprod+i8mm)

# Under sanitizers, where kernels take minutes to compile, those that this machine cannot run are left out, too: what
# /proc/cpuinfo has to say for each.
set(WEFT_RUNS_avx2 avx2)
set(WEFT_RUNS_avxvnni avx_vnni)
set(WEFT_RUNS_avx512 avx512f)
set(WEFT_CPU_FLAGS "")
if(WEFT_SANITIZE AND EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo WEFT_CPU_FLAGS REGEX "^flags" LIMIT_COUNT 1)
endif()

function(weft_kernel_sources out_sources out_definitions)
  include(CheckCCompilerFlag)
  set(sources ${ARGN})
  set(definitions "")
  foreach(isa avx2 avxvnni avx512 neon dotprod i8mm)
    set(flags ${WEFT_ISA_${isa}})
    list(POP_FRONT flags processors)
    set(usable FALSE)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${processors})$")
      set(usable TRUE)
      if(flags)
        string(REPLACE ";" " " flag_text "${flags}")
        check_c_compiler_flag("${flag_text}" WEFT_COMPILER_HAS_${isa})
        set(usable ${WEFT_COMPILER_HAS_${isa}})
      endif()
      if(WEFT_CPU_FLAGS AND NOT WEFT_CPU_FLAGS MATCHES " ${WEFT_RUNS_${isa}}( |$)")
        set(usable FALSE)
      endif()
    endif()
    set(files ${sources})
    list(FILTER files INCLUDE REGEX "_${isa}\\.c$")
    if(usable)
      set_property(SOURCE ${files} APPEND PROPERTY COMPILE_OPTIONS ${flags})
      if(files)
        string(TOUPPER ${isa} upper)
        list(APPEND definitions WEFT_CPU_${upper}=1)
      endif()
    else()
      list(FILTER sources EXCLUDE REGEX "_${isa}\\.c$")
    endif()
  endforeach()
  # Everything else is -O2; loops over tensors gain from -O3. errno is of no use to a kernel.
  set(kernels ${sources})
  list(FILTER kernels INCLUDE REGEX "(^|/)k_[a-z0-9_]*\\.c$")
  set_property(SOURCE ${kernels} APPEND PROPERTY COMPILE_OPTIONS -fno-math-errno $<$<NOT:$<CONFIG:Debug>>:-O3>)
  set(${out_sources} ${sources} PARENT_SCOPE)
  set(${out_definitions} ${definitions} PARENT_SCOPE)
endfunction()
