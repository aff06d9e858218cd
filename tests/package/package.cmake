# Run by `cmake -P`: installs BUILD into WORK/prefix, builds and runs consumer/main.c against it by find_package and by
# pkg-config, and compiles each public header alone, as C11 and as C++.
cmake_minimum_required(VERSION 3.22)
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
foreach(file bin/weft ${LIBDIR}/libweft.so.${VERSION} ${LIBDIR}/libweft.so.0 share/weft/models/tiny-stories-neox/config.json
    share/man/man1/weft.1 share/bash-completion/completions/weft)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${here}/consumer -B ${WORK}/consumer -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_C_COMPILER=${CC} -DCMAKE_C_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
expect_program("find_package" ${WORK}/consumer/consumer)

find_program(pkg_config pkg-config REQUIRED)
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig ${pkg_config} --cflags --libs weft)
separate_arguments(arguments UNIX_COMMAND "${output}")
run(${CC} -std=c11 ${FLAGS} ${here}/consumer/main.c -o ${WORK}/consumer_pc ${arguments})
expect_program("pkg-config" ${WORK}/consumer_pc)

# C++ headers are not needed, so any C++ front end will do.
find_program(cxx NAMES g++ clang++)
file(GLOB headers ${prefix}/include/weft/*.h)
list(LENGTH headers n_headers)
if(n_headers LESS 4)
  message(FATAL_ERROR "only ${n_headers} public headers are installed")
endif()
foreach(header ${headers})
  run(${CC} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I${prefix}/include -x c ${header})
  if(cxx)
    run(${cxx} -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I${prefix}/include -x c++ ${header})
  endif()
endforeach()
if(cxx)
  message(STATUS "headers: each compiles alone as C11 and as C++")
else()
  message(STATUS "headers: each compiles alone as C11; there is no C++ compiler here")
endif()
