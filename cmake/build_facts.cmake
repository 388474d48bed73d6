# attune_build_facts(TARGET): gives TARGET the function build_facts() (base/build_facts.h), written anew when a source
# that can reach a byte of a run file, a flag or the commit has changed, so that it is right on incremental builds too.
set(ATTUNE_NUMERIC_ROOMS framework/base framework/tensor framework/kernels framework/autograd framework/nn
    framework/optim framework/h5 framework/datasets framework/storage framework/train experiments)

function(attune_build_facts target)
  get_target_property(options attune_flags INTERFACE_COMPILE_OPTIONS)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  string(JOIN " " flags ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}} -std=c++${CMAKE_CXX_STANDARD} ${options})
  string(REGEX REPLACE " -W[^ ]*" "" flags "${flags}")  # warnings reach no number

  # What "native" means here: the same sources on another machine type are another build.
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=${ATTUNE_ISA} -Q --help=target
                  OUTPUT_VARIABLE target_options ERROR_QUIET)
  string(SHA256 isa_hash "${target_options}")
  string(REGEX MATCH "-march=[ \t]+([^ \t\n]+)" unused "${target_options}")
  set(isa "${ATTUNE_ISA}")
  if(ATTUNE_ISA STREQUAL "native" AND CMAKE_MATCH_1)
    set(isa "native (${CMAKE_MATCH_1})")
  endif()

  set(libraries "")
  foreach(name TBB HDF5 OpenSSL Boost fmt yaml-cpp nlohmann_json)
    set(version "${${name}_VERSION}")
    if(NOT version)
      string(TOUPPER ${name} upper)
      set(version "${${upper}_VERSION}")
    endif()
    list(APPEND libraries "${name}=${version}")
  endforeach()

  # Parameters of the script, in a file of their own: a changed one is a changed dependency.
  set(parameters "")
  foreach(pair "VERSION=${PROJECT_VERSION}" "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
               "FLAGS=${flags}" "ISA=${isa}" "ISA_HASH=${isa_hash}" "BUILD_TYPE=${CMAKE_BUILD_TYPE}"
               "SOURCE_DIR=${PROJECT_SOURCE_DIR}")
    string(REGEX REPLACE "^([A-Z_]+)=(.*)$" "set(\\1 [==[\\2]==])\n" line "${pair}")
    string(APPEND parameters "${line}")
  endforeach()
  string(APPEND parameters "set(LIBRARIES [==[${libraries}]==])\nset(ROOMS [==[${ATTUNE_NUMERIC_ROOMS}]==])\n")
  set(parameter_file ${PROJECT_BINARY_DIR}/build_facts_parameters.cmake)
  file(CONFIGURE OUTPUT ${parameter_file} CONTENT "${parameters}" @ONLY)

  # Any room may make the checkout dirty; only the numeric ones enter build_id.
  set(globs ${PROJECT_SOURCE_DIR}/framework/*.cpp ${PROJECT_SOURCE_DIR}/framework/*.h
      ${PROJECT_SOURCE_DIR}/experiments/*.cpp ${PROJECT_SOURCE_DIR}/experiments/*.h)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${globs})
  set(head "")
  foreach(file HEAD logs/HEAD)
    execute_process(COMMAND git rev-parse --git-path ${file} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    get_filename_component(path "${path}" ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
    if(NOT failed AND EXISTS ${path})
      list(APPEND head ${path})
    endif()
  endforeach()

  set(output ${PROJECT_BINARY_DIR}/build_facts_generated.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/write_build_facts.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DPARAMETERS=${parameter_file} -DOUTPUT=${output} -P ${script}
    DEPENDS ${sources} ${head} ${parameter_file} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
