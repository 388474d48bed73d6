// What is stored changes behind attune's back: fsck says what, and the same command goes on.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "base/philox.h"
#include "tests/process/kills.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void flip(const std::string& path, std::size_t byte, int bit = 0) {
  std::string bytes = read_file(path);
  bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  write_bytes(path, bytes);
}

// A trial that was stopped half-way, with two checkpoints.
class Stopped : public testing::Test {
 protected:
  void SetUp() override {
    Started run(words("a"));
    while (checkpoints().size() < 2) ASSERT_FALSE(run.wait(0.002));
    run.signal(SIGKILL);
    ASSERT_TRUE(run.wait(10));
    for (const std::string& path : files(study() + "/running", ""))
      if (path.ends_with("/journal")) journal_ = path;
    ASSERT_NE(journal_, "");
    ASSERT_EQ(run_attune(words("whole")).code, 0);
  }
  Words words(const std::string& out) const {
    return small_run(folder_ / out, {"seeds=[0]", "train.steps=200"});
  }
  std::string study() const { return folder_ / "a/quickstart"; }
  std::vector<std::string> checkpoints() const {
    std::vector<std::string> found;
    for (const std::string& path : files(study() + "/running", ""))
      if (path.find("/ckpt-") != path.npos) found.push_back(path);
    return found;
  }
  Finished fsck() const { return run_attune({"fsck", study()}); }
  // Whatever was lost, the same command ends in the same bytes, and then all is well.
  void goes_on() const {
    const Finished again = run_attune(words("a"));
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(run_file_bytes_in(folder_ / "a"), run_file_bytes_in(folder_ / "whole"));
    const Finished after = fsck();
    EXPECT_EQ(after.code, 0);
    EXPECT_THAT(after.out, HasSubstr("all is well"));
  }
  TestFolder folder_;
  std::string journal_;
};

TEST_F(Stopped, ATornJournalIsCutAndToldOnce) {
  const std::string bytes = read_file(journal_);
  // A record of 64 bytes of which six were written.
  write_bytes(journal_, bytes + std::string("\x40\0\0\0\0\x05", 6));
  const Finished first = fsck();
  EXPECT_EQ(first.code, 0);
  EXPECT_THAT(first.out, AllOf(HasSubstr("repaired: " + journal_), HasSubstr("incomplete")));
  EXPECT_LE(read_file(journal_).size(), bytes.size());
  EXPECT_THAT(fsck().out, Not(HasSubstr("journal")));
  goes_on();
}

TEST_F(Stopped, AFlippedBitInTheJournalIsDamageThatTheSameCommandGetsOver) {
  for (const std::size_t at : {std::size_t{3}, read_file(journal_).size() / 2}) {
    flip(journal_, at);
    const Finished told = fsck();
    EXPECT_EQ(told.code, 6) << at;
    EXPECT_THAT(told.out, AllOf(HasSubstr("damaged: " + journal_), HasSubstr("same run command")));
    flip(journal_, at);
  }
  flip(journal_, read_file(journal_).size() / 2);
  goes_on();
}

TEST_F(Stopped, AJournalOfNothingBeginsTheTrialAgain) {
  write_bytes(journal_, "");
  EXPECT_EQ(fsck().code, 6);  // its checkpoints have lost their journal
  goes_on();
}

TEST_F(Stopped, ADamagedCheckpointIsNamedAndTheOneBeforeIsUsed) {
  const auto all = checkpoints();
  ASSERT_FALSE(all.empty());
  flip(all.back(), read_file(all.back()).size() / 3, 5);
  const Finished told = fsck();
  EXPECT_EQ(told.code, 6);
  EXPECT_THAT(told.out, AllOf(HasSubstr("damaged: " + all.back()), HasSubstr("1 damaged")));
  EXPECT_THAT(checkpoints(), SizeIs(all.size()));
  goes_on();
}

TEST_F(Stopped, CheckpointsThatAreAllTruncatedBeginTheTrialAgain) {
  for (const std::string& path : checkpoints()) write_bytes(path, read_file(path).substr(0, 100));
  EXPECT_EQ(fsck().code, 6);
  goes_on();
}

TEST_F(Stopped, WhatKillsLeaveIsRemoved) {
  const std::string running = std::filesystem::path(journal_).parent_path();
  const std::string stem = std::filesystem::path(running).filename();
  std::filesystem::create_directories(study() + "/trials");
  const std::vector<std::string> left = {running + "/ckpt.tmp", study() + "/.study.1.yaml.tmp",
                                         study() + "/trials/." + stem + ".h5.tmp"};
  for (const std::string& path : left) write_bytes(path, "half");
  const Finished told = fsck();
  EXPECT_EQ(told.code, 0);
  for (const std::string& path : left) {
    EXPECT_THAT(told.out, HasSubstr("repaired: " + path));
    EXPECT_FALSE(std::filesystem::exists(path)) << path;
  }
  goes_on();
}

// A running trial is nobody's to look into.
TEST(Fsck, LeavesWhatIsTrainedNowAlone) {
  const TestFolder folder;
  const Words words =
      small_run(folder / "a", {"seeds=[0]", "train.steps=100000", "train.eval_every=10000"});
  Started run(words);
  while (files(folder / "a", "/attempts").empty()) ASSERT_FALSE(run.wait(0.002));
  run.wait(0.2);
  for (int i = 0; i < 5; ++i) {
    const Finished told = run_attune({"fsck", folder / "a/quickstart"});
    EXPECT_EQ(told.code, 0) << told.out;
    EXPECT_THAT(told.out, AllOf(HasSubstr("1 is trained now"), HasSubstr("all is well")));
  }
  run.signal(SIGTERM);
  ASSERT_TRUE(run.wait(20));
  EXPECT_EQ(run.code(), 143);
}

class FinishedStudy : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run_attune(small_run(folder_ / "a")).code, 0);
    runs_ = files(folder_ / "a", ".h5");
    ASSERT_THAT(runs_, SizeIs(2));
  }
  std::string study() const { return folder_ / "a/quickstart"; }
  std::string metadata(std::size_t i) const {
    return runs_[i].substr(0, runs_[i].size() - 3) + ".meta.json";
  }
  Finished fsck(const Words& more = {}) const {
    Words words = {"fsck", study()};
    words.insert(words.end(), more.begin(), more.end());
    return run_attune(words);
  }
  TestFolder folder_;
  std::vector<std::string> runs_;
};

// The first and last byte and forty at random; and every length that a cut may leave.
TEST_F(FinishedStudy, AnyFlippedBitOfARunFileIsFound) {
  const std::string whole = read_file(runs_[0]);
  const Stream draw(3, "test", "bits");
  for (std::uint64_t i = 0; i < 42; ++i) {
    const std::size_t at = i == 0   ? 0
                           : i == 1 ? whole.size() - 1
                                    : draw.below(static_cast<std::uint32_t>(whole.size()), i);
    flip(runs_[0], at, static_cast<int>(draw.below(8, i, 1)));
    const Finished told = fsck();
    EXPECT_EQ(told.code, 6) << "byte " << at;
    EXPECT_THAT(told.out, AllOf(HasSubstr("damaged: " + runs_[0]), HasSubstr("emove it"),
                                HasSubstr("2 run files"), HasSubstr("1 damaged")));
    write_bytes(runs_[0], whole);
  }
  for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(runs_[0], whole.substr(0, size));
    EXPECT_EQ(fsck().code, 6) << size;
  }
  write_bytes(runs_[0], whole);
  EXPECT_EQ(fsck().code, 0);
}

// The advice is followed: the file is removed, and the same command trains it again.
TEST_F(FinishedStudy, ADamagedRunFileThatIsRemovedIsTrainedAgain) {
  const std::string whole = read_file(runs_[0]);
  flip(runs_[0], whole.size() / 2);
  EXPECT_EQ(fsck().code, 6);
  EXPECT_TRUE(std::filesystem::remove(runs_[0]));
  const Finished told = fsck();
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.out, AllOf(HasSubstr("note"), HasSubstr("counts for nothing")));
  ASSERT_EQ(run_attune(small_run(folder_ / "a")).code, 0);
  EXPECT_EQ(read_file(runs_[0]), whole);
  EXPECT_THAT(fsck().out, HasSubstr("all is well"));
}

TEST_F(FinishedStudy, DamagedMetadataIsFoundAndAbsentOnesAreNoDamage) {
  const std::string whole = read_file(metadata(0));
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"run_file_sha256", "run_file_sha257"},
        {"\"identity\"", "\"identitx\""},
        {"attune.meta@1", "attune.meta@9"},
        {"{", "["}}) {
    std::string bytes = whole;
    write_bytes(metadata(0), bytes.replace(bytes.find(from), from.size(), to));
    const Finished told = fsck();
    EXPECT_EQ(told.code, 6) << to;
    EXPECT_THAT(told.out, HasSubstr("damaged: " + metadata(0))) << to;
  }
  std::filesystem::remove(metadata(0));
  const Finished alone = fsck();
  EXPECT_EQ(alone.code, 0);
  EXPECT_THAT(alone.out, AllOf(HasSubstr("note"), HasSubstr("no metadata beside it")));
}

TEST_F(FinishedStudy, AFileUnderAnotherTrialsNameIsFound) {
  std::filesystem::copy_file(runs_[0], runs_[1], std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(metadata(0), metadata(1),
                             std::filesystem::copy_options::overwrite_existing);
  const Finished told = fsck();
  EXPECT_EQ(told.code, 6);
  EXPECT_THAT(told.out, AllOf(HasSubstr(runs_[1]), HasSubstr("renamed or copied over")));
}

TEST_F(FinishedStudy, ADamagedFrozenStudyIsFoundAndAnAbsentOneIsNoDamage) {
  const std::string frozen = study() + "/study.yaml";
  write_bytes(frozen, "kind: [");
  const Finished told = fsck({"--json"});
  EXPECT_EQ(told.code, 6);
  const Json json = Json::parse(told.out, "fsck");
  ASSERT_THAT(*json.find("findings")->list(), SizeIs(1));
  const Json& finding = json.find("findings")->list()->front();
  EXPECT_EQ(*finding.find("state")->text(), "damaged");
  EXPECT_EQ(*finding.find("path")->text(), frozen);
  std::filesystem::remove(frozen);
  EXPECT_EQ(fsck().code, 0);
  EXPECT_EQ(run_attune({"fsck", folder_ / "nowhere"}).code, 2);
}

}  // namespace
}  // namespace attune
