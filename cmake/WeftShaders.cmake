# Shaders: every row of shaders/modules.def becomes SPIR-V (glslangValidator), is validated, optimised and validated
# again (SPIRV-Tools), and is embedded in one C file as the table of backends/gpu/shaders.h.
#
# WEFT_VULKAN=AUTO builds the Vulkan backend where the tools and the headers are; OFF never; ON demands them. The loader
# is opened at run time: nothing is linked. WEFT_GLSLANG names another glslangValidator than the one in PATH; spirv-val and
# spirv-opt are then taken from its folder, if they are there.
#
# Cooperative matrices need glslang 13 or newer. With an older one the modules that use them are taken from shaders/shipped,
# where shaders/ship left them; those whose shaders have changed since are left out (and the test shaders_shipped fails).
# With an older SPIRV-Tools they are embedded as glslang makes them, which is said when the build is configured.
set(WEFT_VULKAN AUTO CACHE STRING "Build the Vulkan backend: AUTO, ON or OFF")
set(WEFT_GLSLANG "" CACHE FILEPATH "glslangValidator; empty: the one in PATH")

function(weft_find_vulkan out)
  set(${out} FALSE PARENT_SCOPE)
  if(NOT WEFT_VULKAN)
    return()
  endif()
  if(WEFT_GLSLANG)
    set(WEFT_GLSLANG_TOOL ${WEFT_GLSLANG} CACHE FILEPATH "" FORCE)
    get_filename_component(folder ${WEFT_GLSLANG} DIRECTORY)
    foreach(tool val opt)
      string(TOUPPER WEFT_SPIRV_${tool}_TOOL variable)
      if(EXISTS ${folder}/spirv-${tool})
        set(${variable} ${folder}/spirv-${tool} CACHE FILEPATH "" FORCE)
      endif()
    endforeach()
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

# weft_find_matrices(out): whether the tools build cooperative matrices: "yes", "unchecked" (not validated) or "no".
function(weft_find_matrices out)
  set(shader ${CMAKE_BINARY_DIR}/matrices.comp)
  file(WRITE ${shader} "#version 450
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
shared uvec4 tile[32];
void main()
{
    coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> a;
    coopMatLoad(a, tile, 0, 2, gl_CooperativeMatrixLayoutRowMajor);
    coopMatStore(a, tile, 0, 2, gl_CooperativeMatrixLayoutColumnMajor);
}
")
  set(${out} "no" PARENT_SCOPE)
  execute_process(COMMAND ${WEFT_GLSLANG_TOOL} --target-env vulkan1.2 -S comp ${shader} -o ${shader}.spv
    RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    message(STATUS "Vulkan: this glslang does not compile cooperative matrices: shaders/shipped has them")
    return()
  endif()
  set(${out} "yes" PARENT_SCOPE)
  execute_process(COMMAND ${WEFT_SPIRV_VAL_TOOL} --target-env vulkan1.2 ${shader}.spv
    RESULT_VARIABLE invalid OUTPUT_QUIET ERROR_QUIET)
  execute_process(COMMAND ${WEFT_SPIRV_OPT_TOOL} --target-env=vulkan1.2 -O ${shader}.spv -o ${shader}.opt
    RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(invalid OR failed)
    set(${out} "unchecked" PARENT_SCOPE)
    message(STATUS "Vulkan: this SPIRV-Tools does not know cooperative matrices: their modules are not validated")
  endif()
endfunction()

# weft_shaders(out_source): the C file with all modules.
function(weft_shaders out_source)
  weft_find_matrices(matrices)
  set(rows ${PROJECT_SOURCE_DIR}/shaders/modules.def)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${rows})
  set(directory ${CMAKE_BINARY_DIR}/shaders)
  file(MAKE_DIRECTORY ${directory})
  file(STRINGS ${rows} lines REGEX "^WEFT_(MATRIX_)?SHADER")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shaders/*.comp ${PROJECT_SOURCE_DIR}/shaders/*.glsl
    ${PROJECT_SOURCE_DIR}/shaders/*.h)
  set(words "")
  set(arrays "")
  set(table "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^WEFT_(MATRIX_)?SHADER\\(([a-z0-9_]+), *\"([^\"]*)\", *\"([^\"]*)\"\\)" matched "${line}")
    if(NOT matched)
      message(FATAL_ERROR "shaders/modules.def: not a row: ${line}")
    endif()
    set(id ${CMAKE_MATCH_2})
    set(file ${PROJECT_SOURCE_DIR}/shaders/${CMAKE_MATCH_3})
    separate_arguments(defines UNIX_COMMAND "${CMAKE_MATCH_4}")
    set(output ${directory}/${id}.inc)
    if(CMAKE_MATCH_1 AND matrices STREQUAL "no")
      add_custom_command(OUTPUT ${output}
        COMMAND sh ${PROJECT_SOURCE_DIR}/shaders/ship --embed ${id} ${output}
        DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/shaders/ship ${PROJECT_SOURCE_DIR}/shaders/shipped/${id}.inc ${rows}
        COMMENT "Shader ${id}, as shipped" VERBATIM)
    else()
      set(checked 1)
      if(CMAKE_MATCH_1 AND matrices STREQUAL "unchecked")
        set(checked 0)
      endif()
      add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -E env GLSLANG=${WEFT_GLSLANG_TOOL} SPIRV_VAL=${WEFT_SPIRV_VAL_TOOL}
          SPIRV_OPT=${WEFT_SPIRV_OPT_TOOL} CHECKED=${checked} sh ${PROJECT_SOURCE_DIR}/shaders/compile.sh ${file}
          ${output} -I${PROJECT_SOURCE_DIR}/shaders ${defines}
        DEPENDS ${file} ${PROJECT_SOURCE_DIR}/shaders/compile.sh ${rows}
        DEPFILE ${output}.d
        COMMENT "Shader ${id}" VERBATIM)
    endif()
    list(APPEND words ${output})
    string(APPEND arrays "static const uint32_t ${id}[] = {\n#include \"${id}.inc\"\n};\n")
    string(FIND "${CMAKE_MATCH_4}" "-DIN_PLACE=1" at)
    set(in_place false)
    if(NOT at EQUAL -1)
      set(in_place true)
    endif()
    string(APPEND table "    { \"${id}\", ${id}, N_WORDS(${id}), ${in_place} },\n")
  endforeach()
  set(source ${directory}/shaders.c)
  file(CONFIGURE OUTPUT ${source} CONTENT "/* Generated from shaders/modules.def. */
#include \"backends/gpu/shaders.h\"

/* What is left out is a single 0. */
#define N_WORDS(code) (sizeof code > 4 ? sizeof code / 4 : 0)
\n@arrays@\nconst weft_shader weft__shaders[WEFT_SHADER_COUNT] = {\n@table@};\n" @ONLY)
  set_property(SOURCE ${source} APPEND PROPERTY OBJECT_DEPENDS "${words}")
  set(${out_source} ${source} PARENT_SCOPE)
endfunction()
