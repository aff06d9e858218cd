# Shaders: every row of shaders/modules.def becomes SPIR-V (glslangValidator), is validated, optimised and validated
# again (SPIRV-Tools), and is embedded in one C file as the table of backends/vulkan/shaders.h.
#
# WEFT_VULKAN=AUTO builds the Vulkan backend where the tools and the headers are; OFF never; ON demands them. The loader
# is opened at run time: nothing is linked. Modules that need GL_KHR_cooperative_matrix are built where glslang knows it;
# WEFT_GLSLANG names another glslangValidator than the one in PATH.
set(WEFT_VULKAN AUTO CACHE STRING "Build the Vulkan backend: AUTO, ON or OFF")
set(WEFT_GLSLANG "" CACHE FILEPATH "glslangValidator; empty: the one in PATH")

function(weft_find_vulkan out)
  set(${out} FALSE PARENT_SCOPE)
  if(NOT WEFT_VULKAN)
    return()
  endif()
  if(WEFT_GLSLANG)
    set(WEFT_GLSLANG_TOOL ${WEFT_GLSLANG} CACHE FILEPATH "" FORCE)
  endif()
  find_program(WEFT_GLSLANG_TOOL NAMES glslangValidator glslang)
  find_program(WEFT_SPIRV_VAL_TOOL spirv-val)
  find_program(WEFT_SPIRV_OPT_TOOL spirv-opt)
  find_path(WEFT_VULKAN_INCLUDE vulkan/vulkan.h)
  mark_as_advanced(WEFT_GLSLANG_TOOL WEFT_SPIRV_VAL_TOOL WEFT_SPIRV_OPT_TOOL WEFT_VULKAN_INCLUDE)
  set(missing "")
  foreach(pair "WEFT_GLSLANG_TOOL:glslangValidator (glslang-tools)" "WEFT_SPIRV_VAL_TOOL:spirv-val (spirv-tools)"
          "WEFT_SPIRV_OPT_TOOL:spirv-opt (spirv-tools)" "WEFT_VULKAN_INCLUDE:vulkan/vulkan.h (libvulkan-dev)")
    string(REGEX MATCH "^[^:]*" variable "${pair}")
    string(REGEX REPLACE "^[^:]*:" "" text "${pair}")
    if(NOT ${variable})
      list(APPEND missing "${text}")
    endif()
  endforeach()
  if(NOT missing)
    set(${out} TRUE PARENT_SCOPE)
  elseif(WEFT_VULKAN STREQUAL "AUTO")
    list(JOIN missing ", " text)
    message(STATUS "The Vulkan backend is not built; missing: ${text}")
  else()
    list(JOIN missing ", " text)
    message(FATAL_ERROR "WEFT_VULKAN=ON, but missing: ${text}")
  endif()
endfunction()

# Whether glslang compiles cooperative matrices, and spirv-val knows them.
function(weft_check_coopmat out)
  if(NOT DEFINED WEFT_HAS_COOPMAT)
    set(source ${CMAKE_BINARY_DIR}/shaders/feature.comp)
    file(WRITE ${source} "#version 450\n#extension GL_KHR_cooperative_matrix : require\n"
      "#extension GL_KHR_memory_scope_semantics : require\n#extension GL_EXT_shader_explicit_arithmetic_types : require\n"
      "layout(local_size_x = 32) in;\nlayout(binding = 0) buffer B { float d[]; };\nvoid main()\n{\n"
      "    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> m = "
      "coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0.0);\n"
      "    coopMatStore(m, d, 0, 16, gl_CooperativeMatrixLayoutRowMajor);\n}\n")
    execute_process(COMMAND ${WEFT_GLSLANG_TOOL} --target-env vulkan1.3 ${source} -o ${source}.spv
      RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(failed)
      set(WEFT_HAS_COOPMAT OFF CACHE INTERNAL "glslang knows GL_KHR_cooperative_matrix")
    else()
      set(WEFT_HAS_COOPMAT ON CACHE INTERNAL "glslang knows GL_KHR_cooperative_matrix")
      execute_process(COMMAND ${WEFT_SPIRV_VAL_TOOL} --target-env vulkan1.3 ${source}.spv
        RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
      if(failed) # an older SPIRV-Tools: those modules go unvalidated and unoptimised
        set(WEFT_COOPMAT_UNCHECKED ON CACHE INTERNAL "spirv-val does not know cooperative matrices")
      endif()
    endif()
    message(STATUS "Cooperative matrices in shaders: ${WEFT_HAS_COOPMAT}")
  endif()
  set(${out} ${WEFT_HAS_COOPMAT} PARENT_SCOPE)
endfunction()

# weft_shaders(out_source): the C file with all modules.
function(weft_shaders out_source)
  weft_check_coopmat(has_coopmat)
  set(rows ${PROJECT_SOURCE_DIR}/shaders/modules.def)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${rows})
  set(directory ${CMAKE_BINARY_DIR}/shaders)
  file(MAKE_DIRECTORY ${directory})
  file(STRINGS ${rows} lines REGEX "^WEFT_SHADER")
  set(words "")
  set(arrays "")
  set(table "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^WEFT_SHADER(_COOPMAT)?\\(([a-z0-9_]+), *\"([^\"]*)\", *\"([^\"]*)\"\\)" matched "${line}")
    if(NOT matched)
      message(FATAL_ERROR "shaders/modules.def: not a row: ${line}")
    endif()
    set(coopmat ${CMAKE_MATCH_1})
    set(id ${CMAKE_MATCH_2})
    set(file ${PROJECT_SOURCE_DIR}/shaders/${CMAKE_MATCH_3})
    separate_arguments(defines UNIX_COMMAND "${CMAKE_MATCH_4}")
    set(output ${directory}/${id}.inc)
    if(coopmat AND NOT has_coopmat)
      string(APPEND table "    { \"${id}\", 0, 0 },\n")
      continue()
    endif()
    set(environment vulkan1.2)
    set(check --check)
    if(coopmat)
      set(environment vulkan1.3)
      if(WEFT_COOPMAT_UNCHECKED)
        set(check "")
      endif()
    endif()
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -E env GLSLANG=${WEFT_GLSLANG_TOOL} SPIRV_VAL=${WEFT_SPIRV_VAL_TOOL}
        SPIRV_OPT=${WEFT_SPIRV_OPT_TOOL} sh ${PROJECT_SOURCE_DIR}/shaders/compile.sh ${environment} ${file} ${output}
        ${check} -- -I${PROJECT_SOURCE_DIR}/shaders ${defines}
      DEPENDS ${file} ${PROJECT_SOURCE_DIR}/shaders/compile.sh ${rows}
      DEPFILE ${output}.d
      COMMENT "Shader ${id}" VERBATIM)
    list(APPEND words ${output})
    string(APPEND arrays "static const uint32_t ${id}[] = {\n#include \"${id}.inc\"\n};\n")
    string(APPEND table "    { \"${id}\", ${id}, sizeof ${id} / 4 },\n")
  endforeach()
  set(source ${directory}/shaders.c)
  file(CONFIGURE OUTPUT ${source} CONTENT "/* Generated from shaders/modules.def. */
#include \"backends/vulkan/shaders.h\"
\n@arrays@\nconst weft_shader weft__shaders[WEFT_SHADER_COUNT] = {\n@table@};\n" @ONLY)
  set_property(SOURCE ${source} APPEND PROPERTY OBJECT_DEPENDS "${words}")
  set(${out_source} ${source} PARENT_SCOPE)
endfunction()
