// The kind that measures what an op costs: counts are exact, figures are those of the metadata.
#include "experiments/op_cost.h"

#include <gmock/gmock.h>

#include <map>

#include "experiments/kinds.h"
#include "study/study_config.h"

namespace attune {
namespace {

Study study_of(const std::string& options) {
  LoadOptions load;
  load.path = "t.yaml";
  load.text = "schema: attune/experiment@1\nname: t\nseeds: [0]\nkind: op_cost\nop_cost: {" +
              options + "}\n";
  return load_study(load, all_kinds());
}

struct Cost {
  double scores = 0;
  std::map<std::string, double> measured;
};
Cost cost(const std::string& options, int n_threads = 1) {
  const Study study = study_of(options + ", seconds: 0.001");
  const Trial trial = plan_trials(study).front();
  Recorder recorder;
  kernels::Threads threads(n_threads);
  RunContext context{recorder, threads};
  study.reference().kind().run(trial, study.reference().kind_options(), context);
  Cost found;
  for (const FinalMetric& m : recorder.content().final)
    if (m.split == "count" && m.name == "scores") found.scores = m.value;
  for (const Measured& m : recorder.measured()) found.measured[m.name] = m.value;
  return found;
}

const std::string kSizes =
    "n: 40, batch: 2, n_heads: 3, d_head: 8, k: 5, window: 4, dilation: 3, "
    "block: 16, n_features: 8, attention: ";

// By loops over queries and keys.
double counted(const std::string& pattern) {
  double pairs = 0;
  for (Index i = 0; i < 40; ++i)
    for (Index j = 0; j < 40; ++j) {
      const Index apart = std::abs(i - j);
      pairs += pattern == "full"            ? 1
               : pattern == "causal"        ? j <= i
               : pattern == "window"        ? apart <= 4
               : pattern == "causal_window" ? j <= i && apart <= 4
               : pattern == "dilated"       ? apart % 3 == 0 && apart <= 4 * 3
                                            : i / 16 == j / 16;
    }
  return 2 * 3 * pairs;
}

TEST(OpCost, CountsTheScoresThatAreFormed) {
  for (const char* pattern : {"full", "causal", "window", "causal_window", "dilated", "block"})
    EXPECT_EQ(cost(kSizes + pattern).scores, counted(pattern)) << pattern;
  for (const char* all : {"top_k", "sparsemax", "entmax15"})  // which choose afterwards
    EXPECT_EQ(cost(kSizes + all).scores, counted("full")) << all;
  EXPECT_EQ(cost(kSizes + "linformer").scores, 2 * 3 * 40 * 5);
  EXPECT_EQ(cost(kSizes + "linear").scores, 0);
  EXPECT_EQ(cost(kSizes + "performer").scores, 0);
  EXPECT_LT(cost(kSizes + "two_stage_top_k").scores, counted("full"));
}

TEST(OpCost, MeasuresPassesAndTheirParts) {
  const Cost found = cost(kSizes + "top_k", 2);
  for (const char* name : {"time/total", "time/forward", "time/backward", "time/score",
                           "time/select", "time/normalise", "time/value", "memory/total"}) {
    ASSERT_TRUE(found.measured.contains(name)) << name;
    EXPECT_GT(found.measured.at(name), 0) << name;
  }
  EXPECT_EQ(cost(kSizes + "full").measured.at("time/select"), 0);
  const Cost forward = cost(kSizes + "linear, backward: false");
  EXPECT_FALSE(forward.measured.contains("time/backward"));
  EXPECT_FALSE(forward.measured.contains("time/score"));  // it has none
}

// How long it is measured is no part of what is measured.
TEST(OpCost, ItsSecondsAreInNoIdentity) {
  const auto identity = [](const std::string& options) {
    return plan_trials(study_of(options)).front().identity();
  };
  EXPECT_EQ(identity("n: 64, seconds: 1.0"), identity("n: 64, seconds: 2.0"));
  EXPECT_NE(identity("n: 64"), identity("n: 65"));
}

}  // namespace
}  // namespace attune
