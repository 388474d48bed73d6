#include "train/trainer.h"
#include "nn/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "datasets/phantoms.h"
#include "tests/storage/sample.h"
#include "train/trial_recorder.h"

namespace attune {
namespace {

using testing::ElementsAre;

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() {
    options.model.kind = "vit";
    auto& vit = static_cast<VitOptions&>(options.model.find("vit"));
    vit.patch = 8;
    vit.d_model = 16;
    vit.n_layers = 1;
    vit.n_heads = 2;
    vit.dropout = 0.1;
    options.train.steps = 12;
    options.train.batch_tokens = 400;
    options.train.eval_every = 4;
    options.results.save_parameters = {"initial", "chosen", "3", "last"};
    options.results.hash_every = 5;
    options.probes.gradient_norms.emplace().every = 3;
    options.probes.update_ratios.emplace().every = 3;
    options.probes.residual_norms.emplace().every = 3;
    options.probes.attention_entropy.emplace().every = 4;
    options.probes.max_logit.emplace().every = 5;
    options.probes.attention_maps.emplace().steps = {"0", "4", "last"};
    PhantomsOptions phantoms;
    phantoms.n_train = 32;
    phantoms.n_val = phantoms.n_test = 16;
    data = phantoms.open({vit.patch, 0});
  }

  RunContent run() const {
    Recorder recorder;
    Trainer(options, *data, 5, recorder).run();
    return recorder.content();
  }
  static double final_value(const RunContent& content, const std::string& split,
                            const std::string& name) {
    for (const FinalMetric& m : content.final)
      if (m.split == split && m.name == name) return m.value;
    ADD_FAILURE() << split << "_" << name << " is missing";
    return 0;
  }

  TrainerOptions options;
  std::unique_ptr<Dataset> data;
};

void expect_same(const RunContent& a, const RunContent& b) {
  EXPECT_EQ(run_file_bytes(sample_trial(), a, "b"), run_file_bytes(sample_trial(), b, "b"));
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.hash_step, b.hash_step);
  EXPECT_EQ(a.hash, b.hash);
  for (const auto& [split, table] : a.metrics) {
    EXPECT_EQ(table.step, b.metrics.at(split).step) << split;
    EXPECT_EQ(table.values, b.metrics.at(split).values) << split;
  }
  ASSERT_EQ(a.final.size(), b.final.size());
  for (std::size_t i = 0; i < a.final.size(); ++i) {
    EXPECT_EQ(a.final[i].value, b.final[i].value) << a.final[i].name;
    EXPECT_EQ(a.final[i].how, b.final[i].how);
  }
  for (const auto& [split, p] : a.predictions) {
    EXPECT_EQ(p.output, b.predictions.at(split).output);
    EXPECT_EQ(p.example, b.predictions.at(split).example);
  }
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (std::size_t i = 0; i < a.weights.size(); ++i) {
    EXPECT_EQ(a.weights[i].which, b.weights[i].which);
    EXPECT_EQ(a.weights[i].step, b.weights[i].step);
    for (std::size_t t = 0; t < a.weights[i].tensors.size(); ++t)
      EXPECT_EQ(a.weights[i].tensors[t].values, b.weights[i].tensors[t].values);
  }
}

// Stopped before, at and behind the evaluations and the kept step: moments, data order, the chosen
// and the kept parameters and every series come back.
void expect_same_after_stops(const TrainerOptions& options, const Dataset& data,
                             const RunContent& whole, const std::vector<Index>& stops) {
  for (const Index stop_at : stops) {
    std::string folder = (std::filesystem::temp_directory_path() / "trainer-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    {
      StopRequest stop;
      const auto sink = [&](const Event& event) {
        const auto* stepped = std::get_if<Stepped>(&event);
        if (stepped && stepped->step == stop_at) stop.request(ExitCode::run_again);
      };
      TrialRecorder recorder(folder, std::string(64, 'a'), "b", options.train.steps, sink, &stop);
      EXPECT_THROW(Trainer(options, data, 5, recorder).run(), InterruptedError);
    }
    TrialRecorder recorder(folder, std::string(64, 'a'), "b", options.train.steps);
    EXPECT_EQ(recorder.resumes_at(), stop_at);
    Trainer(options, data, 5, recorder).run();
    expect_same(recorder.content(), whole);
    remove_tree(folder);
  }
}

TEST_F(TrainerTest, GoesOnAfterAnyStopWithTheSameBits) {
  const RunContent whole = run();
  EXPECT_THAT(whole.hash_step, ElementsAre(0, 5, 10, 12));
  EXPECT_EQ(whole.weights.size(), 4U);
  expect_same_after_stops(options, *data, whole, {1, 3, 4, 5, 11});
}

class EarlyStopTest : public TrainerTest {
 protected:
  EarlyStopTest() {
    options.train.steps = 60;
    options.train.eval_every = 2;
    options.optim.adamw.lr = 0.02;  // too large to get better for long
    options.probes.attention_maps.reset();
    options.results.save_parameters = {"chosen", "last"};
  }
  // The first evaluated step at which none of the metrics has been better than ever before for
  // `patience` steps, read off the series of a run that goes to its end.
  Index expected_end(const MetricTable& val, const StopOptions& stop) const {
    std::map<std::string, double> best;
    Index improved_at = 0;
    for (std::size_t e = 0; e < val.step.size(); ++e) {
      for (std::size_t m = 0; m < val.info.size(); ++m) {
        const std::string path = "val/" + val.info[m].name;
        if (std::count(stop.metrics.begin(), stop.metrics.end(), path) == 0) continue;
        const double score = val.values[m][e] * (val.info[m].goal == "minimize" ? -1 : 1);
        if (best.count(path) && score <= best[path]) continue;
        best[path] = score;
        improved_at = val.step[e];
      }
      if (val.step[e] - improved_at >= stop.patience) return val.step[e];
    }
    return options.train.steps;
  }
};

TEST_F(EarlyStopTest, TrainsUntilPatienceIsOverForEveryMetric) {
  const RunContent whole = run();
  ASSERT_EQ(whole.status, "finished");
  std::set<Index> ends;
  for (const auto& metrics : std::vector<std::vector<std::string>>{
           {"val/loss"}, {"val/accuracy"}, {"val/loss", "val/accuracy"}}) {
    for (const Index patience : {1, 6, 7, 1000}) {
      options.train.stop = StopOptions{metrics, patience};
      const Index end = expected_end(whole.metrics.at("val"), *options.train.stop);
      const RunContent stopped = run();
      EXPECT_EQ(stopped.steps, end) << metrics.front() << " patience " << patience;
      EXPECT_EQ(stopped.status, "finished");
      EXPECT_EQ(stopped.metrics.at("train").step.back(), end);
      EXPECT_EQ(stopped.hash_step.back(), end);
      EXPECT_EQ(stopped.weights.back().which, "last");
      EXPECT_EQ(stopped.weights.back().step, end);
      ends.insert(end);
      // Up to there nothing is different.
      const auto& val = stopped.metrics.at("val").values.front();
      const auto& all = whole.metrics.at("val").values.front();
      EXPECT_EQ(val, std::vector<double>(all.begin(), all.begin() + std::ssize(val)));
    }
  }
  EXPECT_GE(ends.size(), 3U);  // else the test tells rules apart that agree here
}

TEST_F(EarlyStopTest, GoesOnAfterAnyStopWithTheSameBits) {
  options.train.stop = StopOptions{{"val/loss"}, 12};
  const RunContent whole = run();
  ASSERT_LT(whole.steps, 60);
  ASSERT_GT(whole.steps, 14);
  expect_same_after_stops(options, *data, whole, {1, 2, 9, 12, 13, whole.steps - 1});
}

TEST_F(EarlyStopTest, TheLastStepIsTheOneWhereItStopped) {
  options.train.stop = StopOptions{{"val/loss"}, 6};
  options.probes.attention_maps.emplace().steps = {"last"};
  options.probes.residual_norms.emplace().every = 1000;
  const RunContent stopped = run();
  ASSERT_LT(stopped.steps, 60);
  for (const ProbeTable& probe : stopped.probes) {
    const bool of_states = probe.name == "attention_maps" || probe.name == "residual_norms";
    if (!of_states) continue;
    EXPECT_EQ(probe.dimensions.front().numbers.back(), stopped.steps) << probe.name;
  }
}

TEST_F(TrainerTest, TokenEfficiencyIsTheFilledShareOfEachStepsBudget) {
  const MetricTable train = run().metrics.at("train");
  ASSERT_EQ(train.info.back().name, "token_efficiency");
  const std::vector<Index> lengths = data->lengths(Split::train);
  BatchSequence batches(Packer(lengths, {400, 0}, 5));
  for (const double value : train.values.back()) {
    Index tokens = 0;
    for (const Index i : batches.next()) tokens += lengths[static_cast<std::size_t>(i)];
    EXPECT_DOUBLE_EQ(value, static_cast<double>(tokens) / 400);
  }
}

TEST_F(TrainerTest, WithoutABudgetOfTokensThereIsNoTokenEfficiency) {
  options.train.batch_size = 4;
  const MetricTable train = run().metrics.at("train");
  EXPECT_EQ(train.values.size(), 4U);
  for (const MetricInfo& m : train.info) EXPECT_NE(m.name, "token_efficiency");
}

// Nothing but training sees them: the run begins with the same loss on validation data, and ends
// with another.
TEST_F(TrainerTest, AugmentationChangesTrainingImagesAlone) {
  options.train.eval_every = 1;
  options.train.steps = 2;
  options.optim.adamw.lr = 1e-8;  // parameters stay: what differs is what was read
  const RunContent plain = run();
  PhantomsOptions phantoms;
  phantoms.n_train = 32;
  phantoms.n_val = phantoms.n_test = 16;
  phantoms.augment.flip = true;
  data = phantoms.open({options.model.chosen().patch_side(), 0});
  const RunContent changed = run();
  EXPECT_NE(plain.metrics.at("train").values[0][0], changed.metrics.at("train").values[0][0]);
  EXPECT_NEAR(plain.metrics.at("val").values[0][0], changed.metrics.at("val").values[0][0], 1e-6);
  EXPECT_NEAR(final_value(plain, "test", "loss"), final_value(changed, "test", "loss"), 1e-6);
}

// The finals are those of the step that validation chose, not of the last; the saved weights are
// that step's too.
TEST_F(TrainerTest, TestsTheStepThatValidationChose) {
  options.optim.adamw.lr = 0.05;  // unsteady: the last step is seldom the best
  const RunContent content = run();
  const MetricTable& val = content.metrics.at("val");
  EXPECT_THAT(val.step, ElementsAre(4, 8, 12));
  const auto& loss = val.values[0];
  const auto best = std::min_element(loss.begin(), loss.end());
  const Index step = val.step[static_cast<std::size_t>(best - loss.begin())];
  EXPECT_EQ(final_value(content, "val", "loss"), *best);
  EXPECT_THAT(content.metrics.at("test").step, ElementsAre(step));
  EXPECT_EQ(content.weights[1].which, "chosen");
  EXPECT_EQ(content.weights[1].step, step);
}

// The last update may break what the last training batch did not see.
TEST_F(TrainerTest, ValidationThatIsNoNumberIsDivergence) {
  options.train.steps = 1;
  options.optim.adamw.lr = 1e30;
  options.schedule.kind = "constant";
  const RunContent content = run();
  EXPECT_TRUE(std::isfinite(content.metrics.at("train").values[0].back()));
  EXPECT_FALSE(std::isfinite(content.metrics.at("val").values[0].back()));
  EXPECT_EQ(content.status, "diverged");
  EXPECT_EQ(content.steps, 1);
  EXPECT_TRUE(std::isnan(final_value(content, "test", "accuracy")));
}

TEST_F(TrainerTest, ALossThatIsNoNumberIsDivergenceAtItsStep) {
  options.optim.adamw.lr = 1e30;
  options.schedule.kind = "constant";
  const RunContent content = run();
  EXPECT_EQ(content.status, "diverged");
  EXPECT_EQ(content.steps, 2);
  EXPECT_THAT(content.metrics.at("train").step, ElementsAre(1, 2));
  EXPECT_TRUE(std::isnan(content.metrics.at("train").values[1].back()));  // accuracy of NaN
  for (const auto& [split, table] : content.metrics)
    for (const MetricInfo& m : table.info)
      EXPECT_TRUE(std::isnan(final_value(content, split, m.name))) << split << m.name;
}

// select.by=val/accuracy with the default goal would test the worst step and say "best".
TEST_F(TrainerTest, AGoalThatChoosesTheWorstStepIsAComplaint) {
  SelectOptions select;
  FieldList f;
  select.fields(f);
  EXPECT_FALSE(f.rules()[0]());
  select.by = "val/accuracy";
  ASSERT_TRUE(f.rules()[0]());
  EXPECT_EQ(f.rules()[0]()->message,
            "goal=minimize would choose the step with the worst val/accuracy");
  EXPECT_EQ(f.rules()[0]()->hint, "set select.goal=maximize");
  select.goal = SelectOptions::Goal::maximize;
  EXPECT_FALSE(f.rules()[0]());
}

// Zero steps measure the initial parameters.
TEST_F(TrainerTest, ZeroStepsMeasureTheBeginning) {
  options.train.steps = 0;
  options.results.save_parameters = {"initial", "last"};
  const RunContent content = run();
  EXPECT_EQ(content.status, "finished");
  EXPECT_THAT(content.metrics.at("val").step, ElementsAre(0));
  EXPECT_NEAR(final_value(content, "test", "loss"), std::log(2.0), 0.5);
  ASSERT_EQ(content.weights.size(), 2U);
  EXPECT_EQ(content.weights[0].tensors[0].values, content.weights[1].tensors[0].values);
}

// What is measured does not depend on how the evaluation is batched.
TEST_F(TrainerTest, EvaluatesTheSameInBatchesOfAnySize) {
  options.train.steps = 0;
  const RunContent by_tokens = run();
  options.train.batch_size = 3;
  const RunContent by_examples = run();
  EXPECT_EQ(by_tokens.predictions.at("test").output, by_examples.predictions.at("test").output);
  EXPECT_EQ(by_tokens.predictions.at("test").example, by_examples.predictions.at("test").example);
}

}  // namespace
}  // namespace attune
