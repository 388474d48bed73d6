#include "cli/table.h"

#include <gmock/gmock.h>

#include <cmath>

namespace attune {
namespace {

using testing::HasSubstr;
using Align = Table::Align;

TEST(Table, PadsToTheWidestCellAndEndsLinesWithoutSpaces) {
  Table table({{"row", Align::left}, {"n", Align::right}, {"what", Align::left}});
  table.row({"reference", "3", "x"});
  table.row({"b", "12"});
  EXPECT_EQ(table.text(),
            "row         n  what\n"
            "reference   3  x\n"
            "b          12\n");
}

TEST(Table, CountsColumnsOfTheTerminalNotBytes) {
  Table table({{"", Align::left}, {"", Align::left}});
  table.row({"größe", "1"});
  table.row({"日本", "2"});
  EXPECT_EQ(table.text(), "größe  1\n日本   2\n");
}

TEST(Table, WrapsALongLastColumnUnderItself) {
  Table table({{"key", Align::left}, {"meaning", Align::left}});
  table.row({"lr", "the step size of every update after the warm-up"});
  EXPECT_EQ(table.text(30),
            "key  meaning\n"
            "lr   the step size of every\n"
            "     update after the warm-up\n");
}

EstimateText shown(const std::vector<double>& values) {
  return estimate_text(mean_with_t_interval(values));
}

TEST(Estimate, ShowsTwoDigitsOfItsHalfWidth) {
  EXPECT_EQ(shown({0.953, 0.941, 0.962}).mean, "0.952");
  EXPECT_EQ(shown({0.953, 0.941, 0.962}).interval, "[0.926, 0.978]");
  EXPECT_EQ(shown({1200, 1300}).mean, "1250");
  EXPECT_EQ(shown({1200, 1300}).interval, "[615, 1885]");
  EXPECT_EQ(shown({1e-9, 1.1e-9}).mean, "1.050e-09");
  EXPECT_EQ(shown({0.5}).interval, "");
  EXPECT_EQ(shown({1, 1}).interval, "[1, 1]");
}

TEST(ClosingTable, HasMeanAndIntervalOfEveryMetric) {
  EXPECT_EQ(
      closing_table(
          {{"reference", 0, 0, {{"test/accuracy", {0.953, 0.941, 0.962}}, {"test/loss", {0.5}}}}}),
      "row        n  metric          mean  95 % interval\n"
      "reference  3  test/accuracy  0.952  [0.926, 0.978]\n"
      "           1  test/loss        0.5\n"
      "Student-t intervals over n seeds.\n");
}

TEST(ClosingTable, SaysWhichTrialsAreNotInTheMeans) {
  EXPECT_THAT(closing_table({{"post", 2, 1, {{"test/loss", {0.5}}}}}),
              HasSubstr("Not in these means: post: 2 diverged; post: 1 not finished."));
}

TEST(Sparkline, RisesWithItsValuesAndLeavesGaps) {
  EXPECT_EQ(sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 20), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline({0, NAN, 1}, 20), "▁ █");
  EXPECT_EQ(sparkline({2, 2, 2}, 20), "▅▅▅");
  EXPECT_EQ(sparkline({}, 20), "");
  EXPECT_EQ(sparkline({NAN}, 20), " ");
  EXPECT_EQ(sparkline(std::vector<double>(1000, 1.0), 30),
            sparkline(std::vector<double>(30, 1.0), 30));
}

}  // namespace
}  // namespace attune
