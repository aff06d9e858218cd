# Copies the header IN to OUT with the folder taken out of includes of Weft's own files.
file(READ ${IN} text)
string(REGEX REPLACE "#include \"(graph|backends|models)/([a-z_]+/)*" "#include \"" text "${text}")
file(WRITE ${OUT} "${text}")
