#include "cli/table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Align = Table::Align;
using Over = MetricEstimate::Over;

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

TEST(Table, FitsANarrowScreenByCuttingWords) {
  Table table({{"key", Align::left}, {"value", Align::left}, {"from", Align::left}});
  table.row({"results.save_parameters", "[chosen]", "configs/vit_medical/first.yaml:12:3"});
  table.row({"model.n_heads", "4", "command line"});
  const std::string text = table.text(40);
  for (const std::string_view line : split(text, '\n')) EXPECT_LE(display_width(line), 40U) << line;
  EXPECT_THAT(
      text, AllOf(HasSubstr("\nmodel.n_he  4 "), HasSubstr("[chosen]"), HasSubstr("command line")));
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
    m.estimate = {e.n, e.mean, e.interval, e.n == 1 ? Over::one_seed : Over::seeds, std::nullopt};
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

std::string flat(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

TEST(ClosingTable, SaysWhatItsIntervalsAreOver) {
  RowOutcome r =
      row("reference", {{"test/auc", {0.5, 0.6}, {}, {}}, {"val/auc", {0.5, 0.6}, {}, {}}});
  r.metrics[0].estimate.over = Over::seeds_and_groups;
  r.metrics[0].estimate.group_share = 0.8;
  const std::string pooled = flat(closing_table({r}, {"test/auc"}));
  EXPECT_THAT(pooled, HasSubstr("Mean over n seeds; 95 % intervals are over seeds and test groups, "
                                "for new groups given these training data. Of reference's variance "
                                "test groups are: 80 % for test/auc."));
  EXPECT_THAT(flat(closing_table({r}, {"test/auc", "val/auc"})),
              HasSubstr("95 % intervals of val/auc are Student-t over seeds; those of test/auc are "
                        "over seeds and test groups, for"));
  r.metrics[1].estimate.over = Over::seeds_and_groups;
  EXPECT_THAT(flat(closing_table({r}, {"val/auc"})), HasSubstr("over seeds and val groups,"));
  EXPECT_THAT(flat(closing_table({r}, {"val/auc", "test/auc"})),
              HasSubstr("over seeds and groups,"));
}

// One seed says nothing of others, one group nothing of others: neither is claimed.
TEST(ClosingTable, ClaimsNeitherSeedsNorGroupsOfWhichThereIsOne) {
  RowOutcome r = row("reference", {{"test/accuracy", {0.5}, {}, {}}, {"test/auc", {0.5}, {}, {}}});
  r.metrics[0].estimate.interval = Interval{0.4, 0.6};
  r.metrics[0].estimate.over = Over::groups;
  r.metrics[1].estimate.over = Over::one_group;
  EXPECT_THAT(flat(closing_table({r}, {"test/accuracy", "test/auc"})),
              HasSubstr("95 % intervals of test/auc cannot be had from one seed where one group "
                        "holds all, or all of a class; those of test/accuracy are over test "
                        "groups, for new groups given these training data and this seed only."));
  RowOutcome two = row("reference", {{"test/auc", {0.5, 0.6}, {}, {}}});
  two.metrics[0].estimate.over = Over::these_examples;
  EXPECT_THAT(flat(closing_table({two}, {"test/auc"})),
              HasSubstr("Student-t over seeds, for these examples only: one group holds all"));
  RowOutcome one = row("reference", {{"test/auc", {0.5}, {}, {}}});
  EXPECT_THAT(flat(closing_table({one}, {"test/auc"})),
              HasSubstr("95 % intervals cannot be had from one seed."));
}

TEST(ClosingTable, NamesTheRowWhoseIntervalsAreOthers) {
  RowOutcome all = row("reference", {{"test/loss", {0.5, 0.6}, {}, {}}}),
             one = row("post", {{"test/loss", {0.5}, {}, {}}});
  all.metrics[0].estimate.over = Over::seeds_and_groups;
  one.metrics[0].estimate.over = Over::groups;  // its other seed diverged
  EXPECT_THAT(flat(closing_table({all, one}, {"test/loss"})),
              AllOf(HasSubstr("intervals of test/loss in post are over test groups,"),
                    HasSubstr("those of test/loss in reference are over seeds and test groups")));
}

TEST(ClosingTable, SaysWhatFoldsBecome) {
  RowOutcome r =
      row("reference", {{"test/loss", {0.5, 0.6}, {}, {}}, {"val/loss", {1, 2}, {}, {}}});
  r.folds = {2, {0, 1}};
  r.metrics[0].estimate.over = Over::seeds_and_groups;
  EXPECT_THAT(flat(closing_table({r}, {"test/loss", "val/loss"})),
              HasSubstr("Mean over n seeds, each of the pooled test predictions of its folds, of "
                        "other splits each the mean over its folds; 95 % intervals of val/loss are "
                        "Student-t over seeds; those"));
  EXPECT_THAT(flat(closing_table({r}, {"val/loss"})),
              HasSubstr("Mean over n seeds, each the mean over its folds; 95 % intervals are "
                        "Student-t over seeds."));
}

TEST(FoldTable, HasALineARowSeedAndFold) {
  RowOutcome r =
      row("reference", {{"test/loss", {0.45, 0.6}, {{0.5, 0.4}, {0.7, std::nullopt}}, {}}});
  r.folds = {3, {0, 2}};
  EXPECT_EQ(fold_table({r}, {"test/loss"}),
            "row        seed  fold  test/loss\n"
            "reference     0     0        0.5\n"
            "reference     0     2        0.4\n"
            "reference     1     0        0.7\n"
            "reference     1     2          -\n");
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
