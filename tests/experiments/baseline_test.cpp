#include "experiments/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "config/config.h"
#include "experiments/kinds.h"
#include "study/study_config.h"
#include "tests/small_images.h"
#include "tests/storage/sample.h"
#include "train/metrics.h"

namespace attune {
namespace {

const std::string kNames[] = {"pixels_logistic", "size_only", "nearest_neighbours"};

// Runs a study's first trial as the launcher does, in memory.
RunContent run(const std::string& data, const std::string& name, int n_threads = 1) {
  LoadOptions load;
  load.path = "t.yaml";
  load.text =
      "schema: attune/experiment@1\nname: t\nkind: baseline\nseeds: [2]\nbaseline: {name: " + name +
      "}\ndata: " + data + "\n";
  const Study study = load_study(load, all_kinds());
  const Trial trial = plan_trials(study).front();
  Recorder recorder;
  kernels::Threads threads(n_threads);
  RunContext context{recorder, threads};
  study.row_of(trial).kind().run(trial, study.row_of(trial).kind_options(), context);
  return recorder.content();
}

double final_value(const RunContent& content, const std::string& path) {
  for (const FinalMetric& m : content.final)
    if (m.split + "/" + m.name == path) return m.value;
  ADD_FAILURE() << path;
  return 0;
}

// Stretched copies of phantoms and their sizes know nothing of the class; 2,000 test images put
// chance within 4 · √(.25 / 2000) = .045 of ½.
TEST(Baselines, AreAtChanceOnPhantoms) {
  const std::string data =
      "{kind: phantoms, n_train: 600, n_val: 200, n_test: 2000, min_side: 16, max_side: 48}";
  for (const std::string& name : kNames)
    EXPECT_NEAR(final_value(run(data, name), "test/accuracy"), 0.5, 0.045) << name;
}

class BaselineFiles : public testing::Test {
 protected:
  BaselineFiles() { write_small_images(folder_ / "small.h5", 60); }
  std::string data() const {
    return "{kind: images, file: " + (folder_ / "small.h5") + ", split: {scheme: kfold, count: 3}}";
  }
  TemporaryFolder folder_;
};

TEST_F(BaselineFiles, PixelsTellWhatIsInThePixelsAndSizesDoNot) {
  EXPECT_GT(final_value(run(data(), "pixels_logistic"), "test/accuracy"), 0.9);
  EXPECT_GT(final_value(run(data(), "nearest_neighbours"), "test/accuracy"), 0.8);
  EXPECT_LT(final_value(run(data(), "size_only"), "test/auc"), 0.75);
}

TEST_F(BaselineFiles, LeaveFinalsSeriesAndPredictionsOfValAndTest) {
  for (const std::string& name : kNames) {
    const RunContent content = run(data(), name);
    EXPECT_EQ(content.status, "finished");
    EXPECT_EQ(content.steps, 0);
    for (const char* split : {"val", "test"}) {
      const Predictions& p = content.predictions.at(split);
      const Scored scored{p.n_outputs, p.output, p.target};
      const MetricTable& table = content.metrics.at(split);
      EXPECT_EQ(table.step, std::vector<Index>{0});
      ASSERT_EQ(table.info.size(), 4U);
      for (std::size_t m = 0; m < table.info.size(); ++m) {
        const double value = *classification_metric(table.info[m].name, scored);
        EXPECT_EQ(table.values[m], std::vector<double>{value});
        EXPECT_EQ(final_value(content, std::string(split) + "/" + table.info[m].name), value);
        EXPECT_TRUE(std::isfinite(value));
      }
    }
  }
}

TEST_F(BaselineFiles, LeaveTheSameBitsForAnyThreads) {
  for (const std::string& name : kNames) {
    const RunContent one = run(data(), name, 1), three = run(data(), name, 3);
    EXPECT_EQ(one.predictions.at("test").output, three.predictions.at("test").output) << name;
    EXPECT_EQ(one.predictions.at("val").output, three.predictions.at("val").output) << name;
  }
}

// The chosen penalty stands in the file.
TEST_F(BaselineFiles, SayHowTheyWereChosen) {
  EXPECT_THAT(run(data(), "size_only").final.front().how,
              testing::MatchesRegex("L2 penalty [0-9.]+, of least val/loss"));
  EXPECT_EQ(run(data(), "nearest_neighbours").final.front().how, "3 nearest neighbours");
}

}  // namespace
}  // namespace attune
