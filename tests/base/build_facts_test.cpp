#include "base/build_facts.h"

#include <gmock/gmock.h>

namespace attune {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(BuildFacts, SayWhatReachesANumber) {
  const BuildFacts& facts = build_facts();
  EXPECT_THAT(std::string(facts.build_id), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_THAT(std::string(facts.git_commit), MatchesRegex("([0-9a-f]{40})?"));
  EXPECT_THAT(facts.flags, HasSubstr("-ffp-contract=fast"));
  EXPECT_THAT(facts.flags, testing::Not(HasSubstr("-Wall")));
  EXPECT_THAT(facts.compiler, HasSubstr("GNU 1"));
  EXPECT_FALSE(facts.isa.empty());
  for (const auto& [name, version] : facts.libraries) EXPECT_FALSE(version.empty()) << name;
}

TEST(BuildFacts, TheVersionNamesTheCommitAndWhetherItWasModified) {
  BuildFacts facts;
  facts.version = "1.2.3";
  EXPECT_EQ(version_text(facts), "1.2.3");
  facts.git_commit = "0123456789abcdef0123456789abcdef01234567";
  EXPECT_EQ(version_text(facts), "1.2.3 (0123456789ab)");
  facts.git_dirty = true;
  EXPECT_EQ(version_text(facts), "1.2.3 (0123456789ab, modified)");
}

}  // namespace
}  // namespace attune
