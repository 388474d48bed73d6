# cmake -DPARAMETERS=FILE -DOUTPUT=FILE.cpp -P write_build_facts.cmake: see build_facts.cmake.
include(${PARAMETERS})

# build_id: names and contents of the sources, in order, and all that the compiler was told.
set(text "${COMPILER}\n${FLAGS}\n${ISA_HASH}\n${LIBRARIES}\n")
foreach(room ${ROOMS})
  file(GLOB_RECURSE files RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/${room}/*.cpp ${SOURCE_DIR}/${room}/*.h)
  list(SORT files)
  foreach(file ${files})
    file(SHA256 ${SOURCE_DIR}/${file} hash)
    string(APPEND text "${file} ${hash}\n")
  endforeach()
endforeach()
string(SHA256 build_id "${text}")
string(SUBSTRING ${build_id} 0 16 build_id)

function(git output)
  execute_process(COMMAND git ${ARGN} WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE text ERROR_QUIET
                  RESULT_VARIABLE failed)
  if(failed)
    set(text "")
  endif()
  string(REGEX REPLACE "\n$" "" text "${text}")
  set(${output} "${text}" PARENT_SCOPE)
endfunction()
set(watched framework experiments cmake CMakeLists.txt CMakePresets.json)
git(commit rev-parse HEAD)
git(changes status --porcelain -- ${watched})
set(dirty false)
if(NOT changes STREQUAL "")
  set(dirty true)
endif()

# A diff may hold any byte, so it goes into the source as escapes, through a file that CMake reads as hexadecimal.
execute_process(COMMAND git diff HEAD -- ${watched} WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_FILE ${OUTPUT}.diff ERROR_QUIET)
file(SIZE ${OUTPUT}.diff bytes)
if(bytes GREATER 65536)
  file(SHA256 ${OUTPUT}.diff hash)
  file(WRITE ${OUTPUT}.diff "${bytes} bytes, sha256 ${hash}")
endif()
file(READ ${OUTPUT}.diff diff HEX)
file(REMOVE ${OUTPUT}.diff)
string(REGEX REPLACE "(..)" "\\\\x\\1" diff "${diff}")

set(libraries "")
foreach(pair ${LIBRARIES})
  string(REGEX REPLACE "^(.*)=(.*)$" "{\"\\1\", \"\\2\"}, " pair "${pair}")
  string(APPEND libraries "${pair}")
endforeach()

set(content "// Written by cmake/write_build_facts.cmake.
#include \"base/build_facts.h\"

namespace attune {

const BuildFacts& build_facts() {
  static const BuildFacts facts = {
      \"${VERSION}\", \"${build_id}\", \"${commit}\", ${dirty},
      R\"changes(${changes})changes\",
      \"${diff}\",
      R\"x(${COMPILER})x\", R\"x(${FLAGS})x\", R\"x(${ISA})x\", \"${BUILD_TYPE}\",
      {${libraries}}};
  return facts;
}

}  // namespace attune
")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT old STREQUAL content)
  file(WRITE ${OUTPUT} "${content}")
endif()
