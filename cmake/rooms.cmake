# attune_room(NAME [USES room…] [LIBRARIES target…]): framework/NAME as one static library that may include its own
# headers and those of the rooms it uses, nothing else; the libraries stay private to the room.
function(attune_room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBRARIES;PUBLIC_LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")  # a program's entry is no part of its library
  if(NOT sources)
    return()
  endif()
  add_library(attune_${name} STATIC ${sources})
  target_include_directories(attune_${name} PUBLIC ${PROJECT_SOURCE_DIR}/framework)
  target_link_libraries(attune_${name} PRIVATE attune_flags ${ROOM_LIBRARIES} PUBLIC ${ROOM_PUBLIC_LIBRARIES})
  foreach(used ${ROOM_USES})
    if(TARGET attune_${used})
      target_link_libraries(attune_${name} PUBLIC attune_${used})
    endif()
  endforeach()
endfunction()

# attune_test(ROOM [LIBRARIES target…]): tests/ROOM/*.cpp as one GoogleTest program, each test known to ctest.
function(attune_test room)
  cmake_parse_arguments(TEST "" "" "USES;LIBRARIES;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cpp)
  if(NOT sources OR NOT TARGET attune_${room})
    return()
  endif()
  add_executable(test_${room} ${sources})
  target_include_directories(test_${room} PRIVATE ${PROJECT_SOURCE_DIR})
  # What is tested is compiled as it is used; the tests themselves compile faster like this.
  target_compile_options(test_${room} PRIVATE -O1)
  target_link_libraries(test_${room} PRIVATE attune_flags attune_${room} ${TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
  foreach(used ${TEST_USES})
    target_link_libraries(test_${room} PRIVATE attune_${used})
  endforeach()
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${TEST_LABELS}" ${ATTUNE_TEST_PROPERTIES})
endfunction()
