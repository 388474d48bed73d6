// What stands in a study's folder is of one study, and is what was written: whoever comes with
// another one, or finds other bytes, is told so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "tests/process/kills.h"
#include "tests/process/process.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// A final of the run file, as it stands in its bytes, becomes another number.
void change_a_final(const std::string& path) {
  const Finished show = run_attune({"show", path, "--json"});
  const double value = *Json::parse(show.out, "show").find("final")->find("test/accuracy")->real();
  const auto bytes_of = [](double x) {
    return std::string(reinterpret_cast<const char*>(&x), sizeof x);
  };
  std::string bytes = read_file(path);
  std::size_t changed = 0;
  for (std::size_t at = 0; (at = bytes.find(bytes_of(value), at)) != bytes.npos; at += 8, ++changed)
    bytes.replace(at, 8, bytes_of(0.25));
  ASSERT_GT(changed, 0U);
  std::ofstream(path, std::ios::binary) << bytes;
}

// HDF5 has no checksum of a scalar: without a look at all bytes the false number is believed.
TEST(Standing, ARunFileOfOtherBytesStandsInNoTable) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a")).code, 0);
  const std::string path = files(folder / "a", ".h5")[1];
  change_a_final(path);
  const std::string name = std::filesystem::path(path).filename().string();
  for (const Words& words : {small_run(folder / "a"), Words{"show", folder / "a/quickstart"}}) {
    const Finished told = run_attune(words);
    EXPECT_EQ(told.code, 6) << words.front();
    EXPECT_THAT(told.err, AllOf(HasSubstr(name), HasSubstr("SHA-256"), HasSubstr("remove it")));
    EXPECT_THAT(told.out, IsEmpty());
  }
  const Finished status = run_attune({"status", folder / "a/quickstart"});
  EXPECT_EQ(status.code, 6);
  EXPECT_THAT(status.out, AllOf(HasSubstr("1 of 2 finished, 1 damaged"), HasSubstr("SHA-256")));
}

TEST(Standing, OfTwoStartsWithTwoConfigsOneIsRefused) {
  for (int round = 0; round < 3; ++round) {
    const TestFolder folder;
    Started one(small_run(folder / "a", {"optim.lr=0.001"}));
    Started two(small_run(folder / "a", {"optim.lr=0.002"}));
    ASSERT_TRUE(one.wait(60));
    ASSERT_TRUE(two.wait(60));
    EXPECT_EQ(std::min(one.code(), two.code()), 0);
    EXPECT_EQ(std::max(one.code(), two.code()), 5);
    EXPECT_THAT(files(folder / "a", ".h5"), SizeIs(2));
    EXPECT_THAT(files(folder / "a/quickstart", ".yaml"), SizeIs(1));
  }
}

// Run files hold their configs: these count when study.yaml is gone.
TEST(Standing, WithoutTheFrozenStudyFinishedTrialsSayWhatTheConfigWas) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a")).code, 0);
  std::filesystem::remove(folder / "a/quickstart/study.yaml");
  for (const char* seeds : {"seeds=[0, 1]", "seeds=[5]"}) {  // also when no seed is the same
    const Finished other = run_attune(small_run(folder / "a", {seeds, "optim.lr=0.1"}));
    EXPECT_EQ(other.code, 5);
    EXPECT_THAT(other.err, HasSubstr("optim.lr: 0.003 then, 0.1 now"));
  }
  EXPECT_THAT(files(folder / "a", ".h5"), SizeIs(2));
  EXPECT_EQ(run_attune(small_run(folder / "a", {"seeds=[0, 1, 2]"})).code, 0);
}

// What was interrupted goes on only as it began.
TEST(Standing, AnInterruptedTrialOfOtherWeightsIsNamed) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "w", {"seeds=[0, 1]"})).code, 0);
  const auto weights = files(folder / "w", ".h5");
  const std::string from = folder / "from.h5";
  std::filesystem::copy_file(weights[0], from);
  const Words words = small_run(folder / "a", {"seeds=[0]", "train.steps=100000",
                                               "train.eval_every=1000", "train.init_from=" + from});
  Words stopped = words;
  stopped.insert(stopped.end(), {"--max-time", "1s"});
  ASSERT_EQ(run_attune(stopped).code, 85);
  const auto running = [&] { return files(folder / "a/quickstart/running", "/trial"); };
  ASSERT_THAT(running(), SizeIs(1));
  EXPECT_THAT(run_attune({"status", folder / "a/quickstart"}).out, HasSubstr("goes on here"));
  std::filesystem::copy_file(weights[1], from, std::filesystem::copy_options::overwrite_existing);
  const Finished again = run_attune(stopped);
  EXPECT_EQ(again.code, 5);
  EXPECT_THAT(again.err, AllOf(HasSubstr("train.init_from holds other weights"),
                               HasSubstr("running/reference-s0-"), HasSubstr("remove")));
  EXPECT_THAT(running(), SizeIs(1));
  const Finished status = run_attune({"status", folder / "a/quickstart"});
  EXPECT_THAT(status.out, AllOf(Not(HasSubstr("goes on here")), HasSubstr("cannot go on")));
}

}  // namespace
}  // namespace attune
