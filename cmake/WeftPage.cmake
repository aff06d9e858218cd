# The HTML page: tools/viewer/ and the layout library dagre become one C array, `weft_page` of tools/page.h. Where dagre is
# not found the array is empty and `--format html` says so. WEFT_DAGRE names another dagre.min.js than Debian's. The server's
# page, tools/serve/page/, becomes `serve_page` likewise.
set(WEFT_DAGRE "" CACHE FILEPATH "dagre.min.js; empty: that of the package node-dagre-layout")

# weft_page_files(out): the C files of the page, for the program and for its test. The generated one is made in the folder
# that asks for it.
function(weft_page_files out)
  set(viewer ${PROJECT_SOURCE_DIR}/tools/viewer)
  set(scripts dom.js util.js model.js layout.js draw.js panel.js table.js roofline.js memory.js spans.js timeline.js timeline_paint.js svg.js export.js events.js address.js main.js)
  list(TRANSFORM scripts PREPEND ${viewer}/)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/page_data)
  set(dagre ${WEFT_DAGRE})
  if(NOT dagre)
    find_file(WEFT_DAGRE_FILE dagre.min.js PATHS /usr/share/nodejs/dagre/dist /usr/share/javascript/dagre NO_DEFAULT_PATH)
    mark_as_advanced(WEFT_DAGRE_FILE)
    set(dagre ${WEFT_DAGRE_FILE})
  endif()
  if(NOT EXISTS "${dagre}")
    message(STATUS "The HTML page is not built; missing: dagre.min.js (node-dagre-layout)")
    file(CONFIGURE OUTPUT ${page}.c CONTENT "/* Generated: built without the page. */
#include \"tools/page.h\"\n
const unsigned char weft_page[1] = { 0 };\nconst size_t weft_page_size = 0;\n" @ONLY)
  else()
    set(inputs ${viewer}/page.html ${viewer}/style.css ${viewer}/licences.txt ${dagre} ${scripts}
      ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake)
    list(JOIN scripts "," script_list)
    add_custom_command(OUTPUT ${page}.c ${page}.html
      COMMAND ${CMAKE_COMMAND} -DFOLDER=${viewer} -DDAGRE=${dagre} -DSCRIPTS=${script_list} -DOUT=${page}
        -DNAME=weft_page -DHEADER=tools/page.h -P ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake
      DEPENDS ${inputs}
      COMMENT "HTML page" VERBATIM)
  endif()
  set(${out} ${PROJECT_SOURCE_DIR}/tools/page.c ${page}.c PARENT_SCOPE)
endfunction()

# weft_serve_page_files(out): the C file of the server's page.
function(weft_serve_page_files out)
  set(folder ${PROJECT_SOURCE_DIR}/tools/serve/page)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/serve_page)
  set(scripts ${PROJECT_SOURCE_DIR}/tools/viewer/dom.js ${folder}/page.js)
  list(JOIN scripts "," script_list)
  add_custom_command(OUTPUT ${page}.c ${page}.html
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DSCRIPTS=${script_list} -DOUT=${page} -DNAME=serve_page
      -DHEADER=tools/serve/page.h -P ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake
    DEPENDS ${folder}/page.html ${folder}/style.css ${scripts} ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake
    COMMENT "The server's page" VERBATIM)
  set(${out} ${page}.c PARENT_SCOPE)
endfunction()
