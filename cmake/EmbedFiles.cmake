# kshot_embed_files(TARGET DIR folder HEADER file FUNCTION name): embeds folder/*.json in the program, so that it
# works from anywhere. The header declares `std::span<const EmbeddedFile> name()`.
function(kshot_embed_files target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIR;HEADER;FUNCTION" "")
  set(output ${KSHOT_GENERATED_DIR}/${arg_FUNCTION}.cpp)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${arg_DIR} ${arg_DIR}/*.json)
  list(SORT files)
  list(TRANSFORM files PREPEND ${arg_DIR}/ OUTPUT_VARIABLE paths)
  list(JOIN files "|" names)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DDIR=${arg_DIR} "-DFILES=${names}" -DHEADER=${arg_HEADER} -DFUNCTION=${arg_FUNCTION}
      -DOUTPUT=${output} -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    COMMENT "Embedding ${arg_FUNCTION}"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
