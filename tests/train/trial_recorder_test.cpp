#include "train/trial_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"

namespace attune {
namespace {

using testing::ElementsAre;

const std::string kIdentity(64, 'a');

class TrialRecorderTest : public testing::Test {
 protected:
  TrialRecorderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "recorder-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~TrialRecorderTest() override { remove_tree(folder); }

  // Declares what a run would, and says where it goes on from.
  static Index begin(TrialRecorder& recorder) {
    recorder.declare("train", {{"loss", "nat", "", ""}, {"lr", "1", "", ""}});
    ProbeTable probe{"norms", {{"step", {}, {}}, {"layer", {0, 1}, {}}}, {}};
    probe.quantities = {{"block", "1", "", {}}, {"mlp", "1", "", {}}};
    recorder.declare_probe(probe);
    const auto state = recorder.restore();
    return state ? state->step : 0;
  }
  static void steps(TrialRecorder& recorder, Index from, Index to) {
    for (Index s = from; s < to; ++s) {
      const double norms[] = {1.0 * static_cast<double>(s), 2, 3, 4};
      if (s % 4 == 0) recorder.probe_row("norms", s, norms);
      const double row[] = {1.0 / static_cast<double>(s + 1), 0.5};
      recorder.row("train", s + 1, row);
      if (s % 5 == 0) recorder.hash(s, static_cast<std::uint64_t>(s) << 40);
    }
  }
  std::string folder;
};

// What stands in memory after a kill and a resume is what an undisturbed run has there.
TEST_F(TrialRecorderTest, RowsUpToTheCheckpointComeBackAndLaterOnesAreForgotten) {
  {
    TrialRecorder first(folder, kIdentity, "b1", 20);
    EXPECT_EQ(begin(first), 0);
    steps(first, 0, 10);
    first.checkpoint({10, {{"values", "bytes of step 10"}}});
    steps(first, 10, 13);  // lost with the kill
  }
  TrialRecorder second(folder, kIdentity, "b1", 20);
  EXPECT_EQ(second.resumes_at(), 10);
  EXPECT_EQ(begin(second), 10);
  steps(second, 10, 20);

  const auto& train = second.content().metrics.at("train");
  EXPECT_EQ(train.step.size(), 20U);
  for (Index s = 0; s < 20; ++s) {
    EXPECT_EQ(train.step[static_cast<std::size_t>(s)], s + 1);
    EXPECT_EQ(train.values[0][static_cast<std::size_t>(s)], 1.0 / static_cast<double>(s + 1));
  }
  EXPECT_THAT(second.content().hash_step, ElementsAre(0, 5, 10, 15));
  EXPECT_THAT(second.content().probes[0].dimensions[0].numbers, ElementsAre(0, 4, 8, 12, 16));
  EXPECT_THAT(second.content().probes[0].quantities[0].values,
              ElementsAre(0, 2, 4, 2, 8, 2, 12, 2, 16, 2));
  EXPECT_EQ(second.attempts(), 2);
  EXPECT_EQ(second.executed_steps(), 23);  // three steps were executed twice
}

// Another build's numbers may differ: the trial begins again, and the old checkpoints, though of
// higher steps, never come back.
TEST_F(TrialRecorderTest, AnotherBuildBeginsAnewAndStaysThere) {
  {
    TrialRecorder old(folder, kIdentity, "b1", 20);
    begin(old);
    steps(old, 0, 15);
    old.checkpoint({15, {}});
  }
  {
    TrialRecorder fresh(folder, kIdentity, "b2", 20);
    EXPECT_EQ(begin(fresh), 0);
    steps(fresh, 0, 7);
    fresh.checkpoint({7, {}});
  }
  TrialRecorder again(folder, kIdentity, "b2", 20);
  EXPECT_EQ(begin(again), 7);
}

TEST_F(TrialRecorderTest, AJournalThatIsNoneIsSaidAndTheTrialBeginsAgain) {
  std::ofstream(folder + "/journal") << "not a journal at all";
  std::vector<std::string> notices;
  TrialRecorder r(folder, kIdentity, "b1", 20, [&](const Event& e) {
    if (const auto* n = std::get_if<Notice>(&e)) notices.push_back(n->text);
  });
  EXPECT_EQ(begin(r), 0);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices[0], testing::HasSubstr("the trial begins again"));
  steps(r, 0, 3);
  EXPECT_EQ(r.content().metrics.at("train").step.size(), 3U);
}

}  // namespace
}  // namespace attune
