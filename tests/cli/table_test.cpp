#include "cli/table.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/text.h"

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
  const MeanEstimate estimate = mean_with_t_interval(values);
  return estimate_text(estimate.mean, estimate.interval);
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

RowOutcome row(const std::string& name, std::vector<RowOutcome::Metric> metrics) {
  RowOutcome r;
  r.row = name;
  r.n_trials = static_cast<Index>(metrics[0].values.size());
  for (Index seed = 0; seed < r.n_trials; ++seed) r.seeds.push_back(seed);
  for (RowOutcome::Metric& m : metrics) {
    if (m.values.empty()) continue;
    const MeanEstimate e = mean_with_t_interval(m.values);
    m.estimate = {e.n, e.mean, e.interval, std::nullopt};
  }
  r.metrics = std::move(metrics);
  return r;
}

TEST(ClosingTable, HasALineARowWithMeanAndIntervalOfEveryMetric) {
  EXPECT_EQ(closing_table({row("reference", {{"test/accuracy", {0.953, 0.941, 0.962}, {}, {}},
                                             {"test/loss", {0.5, 0.5, 0.5}, {}, {}}}),
                           row("size_only", {{"test/accuracy", {0.5}, {}, {}}})},
                          {"test/accuracy", "test/loss"}),
            "row        n  test/accuracy         test/loss\n"
            "reference  3  0.952 [0.926, 0.978]  0.5 [0.5, 0.5]\n"
            "size_only  1  0.5                   -\n"
            "Mean and 95 % Student-t interval over n seeds.\n");
}

TEST(ClosingTable, PutsInBlocksWhatEightyColumnsCannotHold) {
  const std::vector<double> values = {0.953, 0.941, 0.962};
  const std::vector<std::string> metrics = {"test/accuracy", "test/balanced_accuracy", "test/auc"};
  std::vector<RowOutcome::Metric> measured;
  for (const std::string& path : metrics) measured.push_back({path, values, {}, {}});
  const std::string text = closing_table({row("nearest_neighbours", measured)}, metrics);
  for (const std::string_view line : split(text, '\n')) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_THAT(text, HasSubstr("\n\nrow                 n  test/auc\n"));
}

// A mean of survivors is no estimate of anything.
TEST(ClosingTable, SaysOfARowWhatIsMissingInPlaceOfNumbers) {
  RowOutcome missing = row("post", {{"test/loss", {}, {}, {}}});
  missing.n_missing = 2;
  missing.n_trials = 15;
  EXPECT_EQ(
      closing_table({row("reference", {{"test/loss", {0.5}, {}, {}}}), missing}, {"test/loss"}),
      "row        n  test/loss\n"
      "reference  1  0.5\n"
      "post       0  2 of 15 trials missing\n"
      "Mean and 95 % Student-t interval over n seeds.\n");
}

TEST(ClosingTable, SaysWhichTrialsAreNotInTheMeans) {
  RowOutcome diverged = row("post", {{"test/loss", {0.5}, {}, {}}});
  diverged.n_diverged = 2;
  diverged.n_trials = 3;
  EXPECT_THAT(closing_table({diverged}, {"test/loss"}),
              HasSubstr("Not in these means: post: 2 of 3 trials diverged."));
}

TEST(ClosingTable, LabelsFoldsThatAreNotAll) {
  RowOutcome r = row("reference", {{"test/loss", {0.5}, {{0.5}}, {}}});
  r.folds = {5, {0}};
  EXPECT_THAT(closing_table({r}, {"test/loss"}), testing::StartsWith("row (fold 0 of 5 only)  n"));
  r.folds = {5, {0, 2}};
  EXPECT_THAT(closing_table({r}, {"test/loss"}), HasSubstr("(folds 0, 2 of 5 only)"));
  r.folds = {2, {0, 1}};
  EXPECT_THAT(closing_table({r}, {"test/loss"}), testing::StartsWith("row        n"));
}

TEST(ClosingTable, SaysWhatItsIntervalsAreOver) {
  RowOutcome r =
      row("reference", {{"test/auc", {0.5, 0.6}, {}, {}}, {"val/auc", {0.5, 0.6}, {}, {}}});
  r.metrics[0].estimate.group_share = 0.8;
  const std::string pooled = closing_table({r}, {"test/auc"});
  EXPECT_THAT(pooled, HasSubstr("intervals over seeds and test groups"));
  EXPECT_THAT(pooled, testing::Not(HasSubstr("Student")));
  EXPECT_THAT(closing_table({r}, {"test/auc", "val/auc"}), HasSubstr("Student-t over seeds."));
}

TEST(FoldTable, HasALineARowSeedAndFold) {
  RowOutcome r = row("reference", {{"test/loss", {0.45, 0.6}, {{0.5, 0.4}, {0.7, 0.5}}, {}}});
  r.folds = {3, {0, 2}};
  EXPECT_EQ(fold_table({r}, {"test/loss"}),
            "row        seed  fold  test/loss\n"
            "reference     0     0        0.5\n"
            "reference     0     2        0.4\n"
            "reference     1     0        0.7\n"
            "reference     1     2        0.5\n");
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
