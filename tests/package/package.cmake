# Run by `cmake -P`: installs BUILD into WORK/prefix, builds and runs consumer/main.c against it by find_package and by
# pkg-config, compiles each public header alone, as C11 and as C++, and links every function that they declare.
cmake_minimum_required(VERSION 3.22)
string(REGEX MATCH "^[0-9]+\\.[0-9]+" SERIES ${VERSION})
set(prefix ${WORK}/prefix)
set(here ${CMAKE_CURRENT_LIST_DIR})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# The consumer prints the library's version and a graph with one relu in it.
function(expect_program how)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${ARGN})
  if(NOT output MATCHES "weft ${VERSION}" OR NOT output MATCHES "relu")
    message(FATAL_ERROR "${how}: unexpected output:\n${output}")
  endif()
  message(STATUS "${how}: builds and runs")
endfunction()

file(REMOVE_RECURSE ${prefix} ${WORK}/consumer)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --config ${CONFIG})
foreach(file bin/weft ${LIBDIR}/libweft.so.${VERSION} ${LIBDIR}/libweft.so.${SOVERSION} share/weft/models/tiny-stories-neox/config.json
    share/man/man1/weft.1 share/bash-completion/completions/weft)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${here}/consumer -B ${WORK}/consumer -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=${FLAGS} -DSERIES=${SERIES})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
expect_program("find_package" ${WORK}/consumer/consumer)

find_program(pkg_config pkg-config REQUIRED)
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig ${pkg_config} --cflags --libs weft)
separate_arguments(arguments UNIX_COMMAND "${output}")
run(${CC} -std=c11 ${FLAGS} ${here}/consumer/main.c -o ${WORK}/consumer_pc ${arguments})
expect_program("pkg-config" ${WORK}/consumer_pc)

find_program(cxx NAMES g++ clang++)

# The examples, those in C as C++, too, on the CPU and, in their own language and where there is one, on lavapipe: what each
# prints begins as it must. Drivers leak, which sanitizers would report.
set(devices cpu)
set(output "")
if("${FLAGS}" STREQUAL "")
  run(${prefix}/bin/weft devices)
endif()
if(output MATCHES "(vulkan:[0-9]+) +llvmpipe")
  list(APPEND devices ${CMAKE_MATCH_1})
endif()
set(model ${prefix}/share/weft/models/tiny-stories-neox)
set(compile_c ${CC} -std=c11 -x c)
set(compile_cxx ${cxx} -std=c++17 -x c++)
function(expect_printed what expected)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${ARGN})
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${what} printed:\n${output}")
  endif()
endfunction()
function(expect_example file most_lines expected)
  file(READ ${here}/../../examples/${file} text)
  string(REGEX MATCHALL "\n" lines "${text}")
  list(LENGTH lines n_lines)
  if(n_lines GREATER most_lines)
    message(FATAL_ERROR "examples/${file} has ${n_lines} lines")
  endif()
  set(languages cxx)
  if(file MATCHES "[.]c$")
    set(languages c cxx)
  endif()
  if(NOT cxx)
    list(REMOVE_ITEM languages cxx)
  endif()
  foreach(language ${languages})
    set(program ${WORK}/${file}.${language})
    run(${compile_${language}} -Wall -Wextra -Werror ${FLAGS} ${here}/../../examples/${file} -o ${program} -x none ${arguments} -lm)
    foreach(device ${devices})
      expect_printed("examples/${file} (${language}) on ${device}" "${expected}" ${program} ${model} ${device} ${ARGN})
    endforeach()
    set(devices cpu)
  endforeach()
  message(STATUS "examples/${file}: builds and runs (${languages})")
endfunction()
set(stories "^Once upon a time, there was a little girl.*\nTom had a red ball that he.*\nThe little dog was")
expect_example(own_model.c 60 "${stories}")
expect_example(own_model.cpp 150 "${stories}")
set(line "Once upon a time,.*\n")
expect_example(fork_four_ways.c 60 "^${line}${line}${line}${line}$")
expect_example(save_and_resume.c 60
  "^Once upon a time, there was a little girl named Lily. She loved to play with her toys and eat yummy food. One day, she"
  ${WORK}/story.weft)

# The C example of the README, as it stands there.
file(READ ${here}/../../README.md readme)
string(FIND "${readme}" "```c\n" begin)
string(SUBSTRING "${readme}" ${begin} -1 readme)
string(SUBSTRING "${readme}" 5 -1 readme)
string(FIND "${readme}" "```" end)
string(SUBSTRING "${readme}" 0 ${end} example)
file(WRITE ${WORK}/readme.c "${example}")
run(${CC} -std=c11 -Wall -Wextra -Werror ${FLAGS} ${WORK}/readme.c -o ${WORK}/readme ${arguments})
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${WORK}/readme ${prefix}/share/weft/models/tiny-stories-neox)
if(NOT output MATCHES "^Once upon a time.+")
  message(FATAL_ERROR "the README's example printed:\n${output}")
endif()
message(STATUS "README: its example builds and runs")

# Everything that pages say which are there to be followed. Looking for a GPU loads Vulkan drivers, of which one leaks.
function(expect_page page)
  string(MAKE_C_IDENTIFIER ${page} folder)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig
    ASAN_OPTIONS=detect_leaks=0 "PATH=${prefix}/bin:$ENV{PATH}" CC=${CC} CXX=${cxx} FLAGS=${FLAGS} sh ${here}/page.sh ${here}/../../${page} ${WORK}/${folder})
  message(STATUS "${page}: ${output}")
endfunction()
expect_page(docs/define-a-model.md)
if(cxx)
  expect_page(examples/README.md)
endif()

file(GLOB headers ${prefix}/include/weft/*.h)
list(LENGTH headers n_headers)
if(n_headers LESS 4)
  message(FATAL_ERROR "only ${n_headers} public headers are installed")
endif()
foreach(header ${headers})
  get_filename_component(name ${header} NAME)
  file(WRITE ${WORK}/alone.c "#include <weft/${name}>\n")
  run(${CC} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I${prefix}/include ${WORK}/alone.c)
  if(cxx)
    run(${cxx} -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I${prefix}/include -x c++ ${WORK}/alone.c)
  endif()
endforeach()
if(cxx)
  message(STATUS "headers: each compiles alone as C11 and as C++")
else()
  message(STATUS "headers: each compiles alone as C11; there is no C++ compiler here")
endif()

# Every function that the installed headers declare, as they stand there, is in the library for others to link. The list
# is made from the headers: what a header names and the library keeps to itself fails here.
set(functions "")
set(includes "")
foreach(header ${headers})
  get_filename_component(name ${header} NAME)
  string(APPEND includes "#include <weft/${name}>\n")
  file(READ ${header} text)
  string(REGEX REPLACE "/[*]([^*]|[*]+[^*/])*[*]+/" "" text "${text}")
  string(REPLACE "\\\n" " " text "${text}")
  string(REGEX REPLACE "(^|\n) *#[^\n]*" "" text "${text}")           # directives
  string(REGEX REPLACE "static inline [^{]*{[^}]*}" "" text "${text}") # those that are here whole
  string(REGEX REPLACE "typedef [^;{]*[(][^;]*;" "" text "${text}")    # types of functions
  string(REGEX MATCHALL "weft_[a-z0-9_]+[(]" found "${text}")
  foreach(function ${found})
    string(REPLACE "(" "" function ${function})
    list(APPEND functions ${function})
  endforeach()
endforeach()
foreach(table map act) # builders of rows
  file(STRINGS ${prefix}/include/weft/${table}.def rows REGEX "^WEFT_(MAP|ACT)[(]")
  list(LENGTH rows n_rows)
  if(n_rows LESS 5)
    message(FATAL_ERROR "${table}.def has ${n_rows} rows")
  endif()
  foreach(row IN LISTS rows)
    string(REGEX REPLACE "^WEFT_(MAP[(][0-9]+, *|ACT[(][0-9]+, *[A-Z0-9_]+, *)([a-z0-9_]+),.*" "weft_\\2" function "${row}")
    list(APPEND functions ${function})
  endforeach()
endforeach()
list(REMOVE_DUPLICATES functions)
list(LENGTH functions n_functions)
foreach(function weft_version weft_plan_create weft_graph_seal weft_program_run weft_profile_create weft_generate)
  if(NOT function IN_LIST functions)
    message(FATAL_ERROR "${function} is not among the ${n_functions} functions that were found in the headers")
  endif()
endforeach()
list(TRANSFORM functions REPLACE "(.+)" "    (any)&\\1,\n" OUTPUT_VARIABLE rows)
string(CONCAT rows ${rows})
file(WRITE ${WORK}/all.c "${includes}#include <stdio.h>
#include <string.h>
typedef void (*any)(void);
static const any all[] = {
${rows}};
/* A call of each header that the examples do not call. */
static int call_each(weft_error *err)
{
    weft_checkpoint *ck;
    weft_tokenizer *tok;
    weft_config_file *file;
    weft_config view;
    weft_sampler *s;
    weft_sampling how;
    const float logits[3] = { 0.0f, 2.0f, 1.0f };
    float logprob;
    int32_t token;
    const char *text;
    memset(&how, 0, sizeof how);
    if (weft_checkpoint_open(\"nothing here\", &ck, err) != WEFT_NOT_FOUND || ck) return 1;
    if (weft_tokenizer_parse(\"{\", 1, \"x\", &tok, err) != WEFT_FORMAT || tok) return 2;
    if (weft_config_file_parse(\"{\\\"a\\\":\\\"b\\\"}\", 9, NULL, 0, \"x\", &file, err)) return 3;
    if (weft_config_file_view(file, &view, err) || view.text(view.ctx, \"a\", &text) != 1 || text[0] != 'b') return 4;
    weft_config_file_close(file);
    if (weft_sampler_create(&how, 3, &s, err) || weft_sampler_pick(s, logits, NULL, 0, &token, &logprob, err)) return 5;
    weft_sampler_destroy(s);
    return token == 1 && logprob < 0 && weft_profile_now() > 0 && weft_version()[0] ? 0 : 6;
}
int main(void)
{
    size_t n = 0;
    weft_error err;
    weft_graph *g;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) n += all[i] != (any)0;
    if (call_each(&err)) return 10 + call_each(&err);
    if (weft_graph_create(NULL, &g, &err)) return 1;
    weft_dim t = weft_extent(g, \"t\", 8);
    weft_output(g, weft_relu(g, weft_input(g, WEFT_F32, WEFT_DIMS(t, 3), \"x\")), \"y\");
    if (weft_graph_seal(g, &err)) return 1;
    weft_plan_node nodes[64] = { { 0, 0, false } };
    weft_plan_desc d = { NULL, nodes, 1, 64, false };
    weft_plan *p;
    if (weft_graph_node_limit(g) > 64 || weft_plan_create(g, &d, &p, &err)) return 1;
    printf(\"%zu functions, %u steps\\n\", n, p->n_steps);
    weft_plan_destroy(p);
    weft_graph_destroy(g);
    return 0;
}
")
function(expect_all how)
  run(${ARGN} ${WORK}/all.c -o ${WORK}/all -x none ${arguments})
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${WORK}/all)
  if(NOT output MATCHES "^${n_functions} functions, 1 steps")
    message(FATAL_ERROR "${how}: of ${n_functions} functions: ${output}")
  endif()
  message(STATUS "${how}: ${n_functions} functions of the headers link")
endfunction()
expect_all("C" ${CC} -std=c11 ${FLAGS} -x c)
if(cxx)
  expect_all("C++" ${cxx} -std=c++17 ${FLAGS} -x c++)
endif()
