#include "base/quantity.h"

#include <gmock/gmock.h>

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Literal scalar(std::string text) { return {{std::move(text)}, false}; }

std::vector<Index> seeds(const Literal& literal) {
  std::vector<Index> out;
  EXPECT_EQ(parse_seeds(literal, out), "");
  return out;
}

std::string complaint(const Literal& literal) {
  std::vector<Index> out{42};
  std::string wrong = parse_seeds(literal, out);
  EXPECT_THAT(out, ElementsAre(42)) << "a refused text must leave the value alone";
  return wrong;
}

TEST(Seeds, RangesCountsAndListsAreTheSeedsTheyName) {
  EXPECT_THAT(seeds(scalar("0-3")), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(seeds(scalar("1000-1001")), ElementsAre(1000, 1001));
  EXPECT_THAT(seeds(scalar("n=3")), ElementsAre(0, 1, 2));
  EXPECT_THAT(seeds(scalar("7,0")), ElementsAre(7, 0));
  EXPECT_THAT(seeds(scalar("0-1, 9")), ElementsAre(0, 1, 9));
  EXPECT_THAT(seeds({{"5"}, true}), ElementsAre(5));
  EXPECT_THAT(seeds({{"0", "2-3"}, true}), ElementsAre(0, 2, 3));
}

TEST(Seeds, ABareNumberIsRefusedAndSaysBothReadings) {
  const std::string wrong = complaint(scalar("5"));
  EXPECT_EQ(wrong, "could mean 5 seeds or the seed 5: write n=5 for seeds 0 to 4, or 5-5");
  EXPECT_THAT(seeds(scalar("5-5")), ElementsAre(5));
}

TEST(Seeds, WhatIsNoSeedIsNamed) {
  EXPECT_THAT(complaint(scalar("0,x")), HasSubstr("'x'"));
  EXPECT_THAT(complaint(scalar("9-0")), HasSubstr("backwards"));
  EXPECT_THAT(complaint(scalar("-3")), HasSubstr("'-3'"));
  EXPECT_THAT(complaint(scalar("0,,1")), HasSubstr("''"));
  EXPECT_THAT(complaint(scalar("n=0")), HasSubstr("from 1"));
  EXPECT_THAT(complaint(scalar("n=1.5")), HasSubstr("whole number"));
  EXPECT_THAT(complaint(scalar("0-2,1")), HasSubstr("seed 1 twice"));
  EXPECT_THAT(complaint(scalar("0-99999999")), HasSubstr("more than"));
  EXPECT_THAT(complaint({{}, true}), HasSubstr("empty"));
}

double seconds(std::string_view text) {
  double out = -1;
  EXPECT_EQ(parse_duration(text, out), "");
  return out;
}

TEST(Duration, UnitsAddUpToSeconds) {
  EXPECT_EQ(seconds("90s"), 90);
  EXPECT_EQ(seconds("30m"), 1800);
  EXPECT_EQ(seconds("12h"), 43200);
  EXPECT_EQ(seconds("1h30m"), 5400);
  EXPECT_EQ(seconds("1.5h"), 5400);
  EXPECT_EQ(seconds("500ms"), 0.5);
}

TEST(Duration, WhatIsNoneSaysHowToWriteOne) {
  double out = 0;
  EXPECT_EQ(parse_duration("30", out), "has no unit; write 30s, 30m or 30h");
  EXPECT_THAT(parse_duration("soon", out), HasSubstr("is no duration"));
  EXPECT_THAT(parse_duration("-3m", out), HasSubstr("is no duration"));
  EXPECT_THAT(parse_duration("3 weeks", out), HasSubstr("'weeks'"));
  EXPECT_THAT(parse_duration("0s", out), HasSubstr("more than 0"));
  EXPECT_THAT(parse_duration("", out), HasSubstr("empty"));
}

TEST(Duration, IsShownInTheUnitsThatPeopleUse) {
  EXPECT_EQ(duration_text(1.94), "1.9 s");
  EXPECT_EQ(duration_text(59.7), "1 min 0 s");
  EXPECT_EQ(duration_text(125), "2 min 5 s");
  EXPECT_EQ(duration_text(4800), "1 h 20 min");
}

}  // namespace
}  // namespace attune
