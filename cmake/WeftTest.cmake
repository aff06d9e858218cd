# weft_test_turn(test): a label turn0 to turn3 for a test that tools/check does not run for each commit. ctest by itself
# and tools/check --all run all of them.
function(weft_test_turn test)
  string(MD5 turn ${test})
  string(SUBSTRING ${turn} 0 1 turn)
  math(EXPR turn "0x${turn} % 4")
  set_property(TEST ${test} APPEND PROPERTY LABELS turn${turn})
endfunction()

# weft_test_beside(test): the same where this build is one beside the usual one, which runs the test for each commit.
function(weft_test_beside test)
  if(WEFT_SANITIZE OR CMAKE_CROSSCOMPILING)
    weft_test_turn(${test})
  endif()
endfunction()

# weft_test(name SOURCES a.c b.c LABELS graph [LIBS weft_graph] [ARGS ...] [DEFINES ...] [TIMEOUT seconds]
#           [DIRECTORY dir] [TARGET other])
#
# A test program built on tests/test.h and one ctest entry that runs it. Exit status 77 is "skipped". LIBS says how much
# of the library it may see (default: all of it). With TARGET nothing is built: the entry runs the program of another
# weft_test, usually with other ARGS (a filter), so that a part that needs a file or takes long is an entry of its own.
# The label `threads` puts a test into the run under TSan, and its program into the target tests_threads.
function(weft_test name)
  if(NOT WEFT_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;DIRECTORY;TARGET" "SOURCES;LABELS;LIBS;ARGS;DEFINES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weft_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  if(NOT arg_TARGET)
    set(arg_TARGET test_${name})
    add_executable(${arg_TARGET} ${arg_SOURCES})
    if(NOT arg_LIBS)
      set(arg_LIBS weft_backends)
      if(WEFT_MODELS)
        set(arg_LIBS weft_models)
      endif()
    endif()
    target_link_libraries(${arg_TARGET} PRIVATE ${arg_LIBS} weft_build)
    target_compile_definitions(${arg_TARGET} PRIVATE WEFT_TEST_ROOT="${PROJECT_SOURCE_DIR}" ${arg_DEFINES})
    target_compile_options(${arg_TARGET} PRIVATE -UNDEBUG)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_DIRECTORY)
    set(arg_DIRECTORY ${PROJECT_SOURCE_DIR})
  endif()
  add_test(NAME ${name} COMMAND ${arg_TARGET} ${arg_ARGS} WORKING_DIRECTORY ${arg_DIRECTORY})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
  weft_test_beside(${name})
  if(threads IN_LIST arg_LABELS)
    add_dependencies(tests_threads ${arg_TARGET})
  endif()
endfunction()

function(weft_fuzz_seeds name target kind from)
  if(NOT TARGET fuzz_seeds)
    add_executable(fuzz_seeds ${PROJECT_SOURCE_DIR}/tests/fuzz_seeds.c)
    target_link_libraries(fuzz_seeds PRIVATE PkgConfig::jansson weft_build)
  endif()
  set(folder ${PROJECT_BINARY_DIR}/seeds/${name})
  file(MAKE_DIRECTORY ${folder})
  file(GLOB files CONFIGURE_DEPENDS ${from} ${from}/*.json)
  add_custom_command(OUTPUT ${folder}.stamp
    COMMAND fuzz_seeds ${kind} ${from} ${folder}
    COMMAND ${CMAKE_COMMAND} -E touch ${folder}.stamp
    DEPENDS fuzz_seeds ${files}
    VERBATIM)
  add_custom_target(fuzz_seeds_${name} DEPENDS ${folder}.stamp)
  add_dependencies(${target} fuzz_seeds_${name})
endfunction()

# weft_fuzz(name SOURCES fuzz_x.c CORPUS dir [LABELS ...] [LIBS ...]): a libFuzzer target (LLVMFuzzerTestOneInput) as the
# program fuzz_<name> with WEFT_FUZZ; in every other build the same source, driven by tests/fuzz_replay.c, becomes a test
# that runs the seed corpora once. SEEDS kind from: more seeds, which fuzz_seeds makes when it is built, in the build's
# folder seeds/<name>.
function(weft_fuzz name)
  if(NOT WEFT_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SOURCES;LABELS;LIBS;SEEDS")
  set(corpora ${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS})
  set(target test_fuzz_${name})
  if(arg_SEEDS)
    list(APPEND corpora ${PROJECT_BINARY_DIR}/seeds/${name})
  endif()
  if(WEFT_FUZZ)
    set(target fuzz_${name})
    if(NOT arg_LIBS)
      set(arg_LIBS weft_models)
    endif()
    add_executable(fuzz_${name} ${arg_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE ${arg_LIBS} weft_build)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    weft_test(fuzz_${name} SOURCES ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz_replay.c LIBS ${arg_LIBS}
      ARGS ${corpora} LABELS fuzz ${arg_LABELS})
  endif()
  if(arg_SEEDS)
    weft_fuzz_seeds(${name} ${target} ${arg_SEEDS})
  endif()
endfunction()
