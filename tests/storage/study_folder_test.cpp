#include "storage/study_folder.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/hash.h"
#include "storage/journal.h"
#include "storage/run_file.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::ThrowsMessage;

std::string finish(StudyFolder& study, const Trial& trial) {
  return study.start(trial)->finish(trial, sample_content(), {});
}

TEST(StudyFolder, FreezesEachNewTextAndRepeatsNone) {
  const TemporaryFolder folder;
  StudyFolder study(folder / "results/needle");
  EXPECT_FALSE(study.exists());
  EXPECT_THAT(study.freeze("a: 1\n"), EndsWith("/study.yaml"));
  EXPECT_THAT(study.freeze("a: 1\n"), EndsWith("/study.yaml"));
  EXPECT_THAT(study.freeze("a: 2\n"), EndsWith("/study.1.yaml"));
  EXPECT_THAT(study.freeze("a: 1\n"), EndsWith("/study.2.yaml"));
  EXPECT_THAT(study.frozen(), SizeIs(3));
  EXPECT_EQ(read_file(study.frozen()[1]), "a: 2\n");
}

TEST(StudyFolder, AFinishedTrialIsItsRunFileAndItsMetadata) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  const Trial trial = sample_trial();
  EXPECT_FALSE(study.find_finished(trial));
  RunMetadata metadata;
  metadata.argv = {"attune", "run", "needle.yaml"};
  metadata.origins = {{"optim.lr", "needle.yaml:3:8"}};
  metadata.measured = {{"time/step", 0.25, "s"}};
  const std::string path = study.start(trial)->finish(trial, sample_content(), metadata);
  EXPECT_EQ(path, study.run_path(trial.stem()));
  EXPECT_THAT(list_folder(folder / "trials"),
              ElementsAre(trial.stem() + ".h5", trial.stem() + ".meta.json"));
  EXPECT_THAT(list_folder(folder / "running"), IsEmpty());

  const Json json = read_metadata(study.metadata_path(trial.stem()));
  EXPECT_EQ(*json.find("run_file_sha256")->text(), sha256(read_file(path)));
  EXPECT_EQ(*json.find("identity")->text(), trial.identity());
  EXPECT_EQ(*json.find("origins")->find("optim.lr")->text(), "needle.yaml:3:8");
  EXPECT_EQ(json.find("measured")->find("time/step")->find("value")->real(), 0.25);
  EXPECT_EQ(json.find("build")->find("build_id")->text()->size(), 16U);
}

// By identity, not by name: the row may be called otherwise now.
TEST(StudyFolder, AFinishedTrialIsFoundUnderAnotherRowsName) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  Trial trial = sample_trial();
  const std::string path = finish(study, trial);
  trial.row = "renamed";
  study.refresh();
  EXPECT_EQ(study.find_finished(trial), path);
  EXPECT_FALSE(study.start(trial));
  EXPECT_THAT(list_folder(folder / "running"), IsEmpty());
  trial.seed = 4;
  EXPECT_FALSE(study.find_finished(trial));
}

// The same eight digits are no proof: the whole identity stands in the file.
TEST(StudyFolder, TheFirstDigitsOfAnIdentityAreNotEnough) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  const Trial trial = sample_trial();
  const std::string path = finish(study, trial);
  Trial other = trial;
  other.seed = 4;
  std::filesystem::rename(path, study.run_path(other.stem()));
  study.refresh();
  EXPECT_FALSE(study.find_finished(other));
}

TEST(StudyFolder, ATrialIsHeldByOneProcessWhichIsNamed) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path()), second(folder.path());
  const Trial trial = sample_trial();
  auto held = study.start(trial);
  ASSERT_TRUE(held);
  EXPECT_THAT(
      [&] { second.start(trial); },
      ThrowsMessage<BusyError>(AllOf(
          HasSubstr(trial.stem()), HasSubstr(fmt::format("({} on {})", ::getpid(), host_name())))));
  held.reset();
  EXPECT_TRUE(second.start(trial));
}

// Two starters, many times: one trains, the other finds it finished or busy; nobody fails
// otherwise.
TEST(StudyFolder, StartersWhoMeetAtTheEndOfATrialDoNotDisturbEachOther) {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    StudyFolder study(folder.path());
    try {
      for (Index seed = 0; seed < 12; ++seed) {
        Trial trial = sample_trial();
        trial.seed = seed;
        try {
          if (auto running = study.start(trial)) running->finish(trial, empty_content(), {});
        } catch (const BusyError&) {
        }
      }
    } catch (const std::exception& error) {
      ::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  for (pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_THAT(StudyFolder(folder.path()).finished(), SizeIs(12));
  EXPECT_THAT(list_folder(folder / "running"), IsEmpty());
}

TEST(StudyFolder, UnfinishedTrialsSayHowFarTheyAre) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  const Trial trial = sample_trial();
  const auto running = study.start(trial);
  Journal journal(running->journal_path());
  journal.append(ProgressRecord{10, 300, 0.5});
  journal.append(ProgressRecord{20, 300, 0.25});
  const auto all = study.unfinished();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].stem, trial.stem());
  EXPECT_EQ(all[0].step, 20);
  EXPECT_EQ(all[0].n_steps, 300);
  EXPECT_TRUE(all[0].held);
  EXPECT_EQ(all[0].owner->pid, ::getpid());
}

TEST(StudyFolder, WhatKillsLeaveIsCleanedAndTheRestIsNot) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  Trial trial = sample_trial();
  finish(study, trial);
  make_folders(folder / ("running/" + trial.stem()));  // killed between rename and removal
  write_atomically(folder / ("running/" + trial.stem() + "/journal"), "x");
  trial.seed = 4;  // killed while it wrote its run file
  study.start(trial);
  write_atomically(folder / ("running/" + trial.stem() + "/ckpt-7"), "x");
  write_synced(temporary_name(study.run_path(trial.stem())), "half");
  Trial busy = sample_trial();
  busy.seed = 5;
  const auto held = study.start(busy);
  write_synced(temporary_name(study.run_path(busy.stem())), "half");

  study.refresh();
  study.clean();
  EXPECT_THAT(list_folder(folder / "running"), ElementsAre(trial.stem(), busy.stem()));
  EXPECT_TRUE(file_exists(folder / ("running/" + trial.stem() + "/ckpt-7")));
  EXPECT_FALSE(file_exists(temporary_name(study.run_path(trial.stem()))));
  EXPECT_TRUE(file_exists(temporary_name(study.run_path(busy.stem()))));
}

TEST(StudyFolder, ADamagedRunFileIsNotTakenForAnUnfinishedTrial) {
  const TemporaryFolder folder;
  StudyFolder study(folder.path());
  write_atomically(finish(study, sample_trial()), "not what it was");
  EXPECT_THROW(study.find_finished(sample_trial()), DamagedError);
}

}  // namespace
}  // namespace attune
