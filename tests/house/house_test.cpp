// The tree itself: directions of #include, lengths, fast-math, and what the pages name. Each rule
// is shown a planted violation.
#include "house_rules.h"

#include <gmock/gmock.h>

namespace attune::house {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRoot = ATTUNE_SOURCE_DIR;

Rooms real_rooms() {
  for (const Source& s : sources(kRoot, {"framework"}, {"CMakeLists.txt"}))
    if (s.path == "framework/CMakeLists.txt") {
      Rooms rooms = rooms_of(s.text);
      // Programs of their own, which are no attune_room.
      rooms["experiments"] = rooms["train"];
      rooms["experiments"].insert("experiments");
      rooms["import"] = rooms["datasets"];
      rooms["import"].insert("import");
      for (const auto& [name, used] : Rooms(rooms)) rooms["cli"].insert(name);
      return rooms;
    }
  return {};
}

template <class Rule>
std::vector<std::string> over(const std::vector<Source>& files, Rule rule) {
  std::vector<std::string> all;
  for (const Source& s : files)
    for (std::string& v : rule(s)) all.push_back(std::move(v));
  return all;
}

TEST(House, IncludesFollowTheDirectionOfTheRooms) {
  const Rooms rooms = real_rooms();
  ASSERT_GE(rooms.size(), 15U);
  const auto files = sources(kRoot, {"framework", "experiments"}, {".h", ".cpp"});
  ASSERT_GE(files.size(), 20U);
  EXPECT_THAT(over(files, [&](const Source& s) { return include_violations(s, rooms); }),
              IsEmpty());
}

TEST(House, AnIncludeAgainstTheDirectionIsNamedWithItsLine) {
  const Rooms rooms = rooms_of(
      "attune_room(base)\nattune_room(tensor USES base)\nattune_room(nn\n  USES tensor LIBRARIES "
      "TBB::tbb)");
  EXPECT_THAT(rooms.at("nn"), ElementsAre("base", "nn", "tensor"));
  const Source upward{"framework/tensor/arena.cpp",
                      "#include \"base/error.h\"\n#include <vector>\n#include \"nn/mlp.h\"\n"};
  EXPECT_THAT(include_violations(upward, rooms),
              ElementsAre(HasSubstr("arena.cpp:3: room 'tensor' may not include \"nn/mlp.h\"")));
}

TEST(House, AThirdPartyHeaderOutsideItsRoomIsNamed) {
  const Rooms rooms = rooms_of("attune_room(kernels)");
  EXPECT_THAT(
      include_violations({"framework/kernels/gemm.cpp", "#include <tbb/parallel_for.h>\n"}, rooms),
      ElementsAre(HasSubstr("<tbb/parallel_for.h> is not allowed")));
  EXPECT_THAT(include_violations(
                  {"framework/kernels/parallel.cpp", "#include <tbb/parallel_for.h>\n"}, rooms),
              IsEmpty());
  EXPECT_THAT(
      include_violations({"framework/kernels/gemm.cpp", "#include <torch/torch.h>\n"}, rooms),
      ElementsAre(HasSubstr("in no row of the table")));
  EXPECT_THAT(include_violations({"framework/cellar/x.cpp", ""}, rooms),
              ElementsAre(HasSubstr("'cellar' has no attune_room()")));
}

TEST(House, NoFileIsLongerThan500Lines) {
  EXPECT_THAT(over(sources(kRoot, {"framework", "experiments", "tests", "cmake", "scripts"},
                           {".h", ".cpp", ".cmake", ".py", ".sh"}),
                   length_violations),
              IsEmpty());
  EXPECT_THAT(length_violations({"long.cpp", std::string(501, '\n')}),
              ElementsAre(HasSubstr("501 lines")));
}

TEST(House, NothingAsksForFastMath) {
  auto files =
      sources(kRoot, {"framework", "experiments", "cmake"}, {".h", ".cpp", ".cmake", ".txt"});
  EXPECT_THAT(over(files, fast_math_violations), IsEmpty());
  EXPECT_THAT(fast_math_violations({"flags.cmake", "target_compile_options(x -O3 -ffast-math)"}),
              ElementsAre(HasSubstr("fast-math")));
}

TEST(House, WhatThePagesNameExists) {
  const auto pages = sources(kRoot, {"docs"}, {".md"});
  EXPECT_THAT(over(pages, [](const Source& s) { return page_violations(s, kRoot); }), IsEmpty());
}

TEST(House, APageThatNamesWhatIsNotThereIsCaught) {
  const Source page{
      "docs/x.md",
      "The dump is `leaves()` in `framework/base/fields.cpp`.\n"
      "Not here: `vanish()` in `framework/base/fields.cpp`, nor `framework/base/gone.h`.\n"};
  EXPECT_THAT(page_violations(page, kRoot),
              ElementsAre(HasSubstr("x.md:2: names framework/base/gone.h"),
                          HasSubstr("x.md:2: names vanish()")));
}

}  // namespace
}  // namespace attune::house
