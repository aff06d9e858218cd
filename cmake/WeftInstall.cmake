# libweft, what is installed, and how others find it: <weft/...> headers, weftConfig.cmake, weft.pc, bin/weft, the
# bundled model.
include(CMakePackageConfigHelpers)

# Public headers lie in their folders and include each other by those ("graph/graph.h"). Outside they are one flat folder,
# <weft/graph.h>: the build writes copies with the folder taken out of such includes, and those copies are installed.
set(WEFT_PUBLIC_HEADERS
  graph/base.h
  graph/build.h
  graph/graph.h
  graph/plan.h
  graph/text.h
  graph/types.h
  graph/op.def
  graph/rope.def
  graph/map.def
  graph/act.def
  graph/attr.def
  graph/dtype.def
  graph/block.def
  backends/backend.h
  backends/profile.h
  backends/tune.h
  models/adapter.h
  models/model.h
  models/draft.h
  models/generate.h
  models/config.h
  models/convert.h
  models/inputs.h
  models/blocks.h
  models/quantize/imatrix.h
  models/quantize/quantize.h
  models/sampler.h
  models/checkpoint/checkpoint.h
  models/grammar/grammar.h
  models/template/template.h
  models/tokenizer/tokenizer.h)
set(public_headers "")
foreach(header ${WEFT_PUBLIC_HEADERS})
  get_filename_component(name ${header} NAME)
  set(copy ${PROJECT_BINARY_DIR}/include/weft/${name})
  add_custom_command(OUTPUT ${copy}
    COMMAND ${CMAKE_COMMAND} -DIN=${PROJECT_SOURCE_DIR}/${header} -DOUT=${copy} -P ${PROJECT_SOURCE_DIR}/cmake/public_header.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/${header} ${PROJECT_SOURCE_DIR}/cmake/public_header.cmake
    VERBATIM)
  list(APPEND public_headers ${copy})
endforeach()
add_custom_target(weft_public_headers ALL DEPENDS ${public_headers})

# Before 1.0 every minor version may break the interface, and then is a library of its own.
set(WEFT_SOVERSION ${PROJECT_VERSION_MAJOR})
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(WEFT_SOVERSION 0.${PROJECT_VERSION_MINOR})
endif()

add_library(weft SHARED
  $<TARGET_OBJECTS:weft_graph>
  $<TARGET_OBJECTS:weft_backends>
  $<TARGET_OBJECTS:weft_models>)
add_library(weft::weft ALIAS weft)
add_dependencies(weft weft_public_headers)
set_target_properties(weft PROPERTIES
  LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION}
  SOVERSION ${WEFT_SOVERSION})
target_link_libraries(weft PRIVATE
  PkgConfig::jansson PkgConfig::pcre2 PkgConfig::utf8proc Threads::Threads m $<BUILD_INTERFACE:weft_build>)
if(NOT WEFT_SANITIZE)
  target_link_options(weft PRIVATE -Wl,--no-undefined)
endif()
target_include_directories(weft INTERFACE
  $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS weft EXPORT weftTargets)
install(TARGETS weft_program)
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft)

# The program writes its own man page and completion.
set(man_page ${PROJECT_BINARY_DIR}/share/weft.1)
set(completion ${PROJECT_BINARY_DIR}/share/weft.bash)
set(completion_zsh ${PROJECT_BINARY_DIR}/share/_weft)
set(completion_fish ${PROJECT_BINARY_DIR}/share/weft.fish)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/share)
add_custom_command(OUTPUT ${man_page} ${completion} ${completion_zsh} ${completion_fish}
  COMMAND weft_program --man > ${man_page}
  COMMAND weft_program --completion bash > ${completion}
  COMMAND weft_program --completion zsh > ${completion_zsh}
  COMMAND weft_program --completion fish > ${completion_fish}
  DEPENDS weft_program
  VERBATIM)
add_custom_target(weft_manual ALL DEPENDS ${man_page} ${completion} ${completion_zsh} ${completion_fish})
install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME weft)
install(FILES ${completion_zsh} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completion_fish} DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/bundled/ DESTINATION ${CMAKE_INSTALL_DATADIR}/weft/models)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weftConfig.cmake.in ${PROJECT_BINARY_DIR}/weftConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_DATADIR NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weftConfig.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
  DESTINATION ${package_dir})

# Relative, so that an installed tree can be moved (and `cmake --install --prefix` is honoured).
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
