// What a file system can do to a study: kills at chosen calls, no locks, no room, no writing.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "tests/process/fault_runs.h"
#include "tests/small_disk.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(Faults, AKillInTheMiddleOfAJournalACheckpointOrARunFileChangesNoByte) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_sweep(folder, "whole", {"-j", "2"})).code, 0);
  const auto whole = run_file_bytes_in(folder / "whole");
  ASSERT_THAT(whole, SizeIs(4));
  for (const char* what : {"tear write /journal 100", "tear write ckpt.tmp 3",
                           "kill rename ckpt.tmp 3", "kill rename .h5.tmp 1"})
    expect_a_kill_changes_nothing(what, whole);
}

TEST(Faults, AFileSystemWithoutLocksIsRefusedAndCanBeReadFrom) {
  const TestFolder folder;
  {
    const Fault fault(folder, std::to_string(ENOLCK) + " flock / 1");
    const Finished run = run_attune(small_sweep(folder, "a", {"-j", "2"}));
    EXPECT_EQ(run.code, 1);
    EXPECT_THAT(run.err, AllOf(HasSubstr("/a/small/.lock"), HasSubstr("cannot be locked"),
                               HasSubstr("has no locks"), HasSubstr("-o DIR")));
    EXPECT_THAT(files(folder / "a", ".h5"), IsEmpty());
    const Finished doctor = run_attune({"doctor", "-o", folder.path()});
    EXPECT_EQ(doctor.code, 1);
    EXPECT_THAT(doctor.out, HasSubstr("lock"));
  }
  ASSERT_EQ(run_attune(small_sweep(folder, "a", {"-j", "2"})).code, 0);
  const Fault fault(folder, std::to_string(ENOLCK) + " flock / 1");
  for (const char* verb : {"status", "show", "fsck", "verify"}) {
    const Finished read = run_attune({verb, folder / "a/small"});
    EXPECT_EQ(read.code, verb == std::string("verify") ? 1 : 0) << verb << read.out << read.err;
  }
}

// A disk that is full in the middle of a sweep: workers and parent tell it once, and nothing that
// was finished is lost.
TEST(Faults, ADiskThatFillsUpDuringASweepLosesNothing) {
  const TestFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  be_allowed_to_mount();
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=900k"), 0) << std::strerror(errno);
  const Finished full = run_attune(small_sweep(folder, "disk/a", {"-j", "2"}));
  EXPECT_EQ(full.code, 1) << full.err;
  EXPECT_THAT(full.err, AllOf(HasSubstr("No space left on device"), HasSubstr("Make room")));
  for (const std::string& path : files(disk, ".h5"))
    EXPECT_EQ(run_attune({"check", path}).code, 0) << path;
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=30m"), 0);
  EXPECT_EQ(run_attune({"fsck", disk + "/a/small"}).code, 0);
  const Finished after = run_attune(small_sweep(folder, "disk/a", {"-j", "2"}));
  EXPECT_EQ(after.code, 0) << after.err;
  ASSERT_EQ(run_attune(small_sweep(folder, "whole", {"-j", "2"})).code, 0);
  EXPECT_EQ(run_file_bytes_in(disk), run_file_bytes_in(folder / "whole"));
  umount(disk.c_str());
}

TEST(Faults, AReadOnlyFileSystemIsToldAndCanBeReadFrom) {
  const TestFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  be_allowed_to_mount();
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=30m"), 0) << std::strerror(errno);
  ASSERT_EQ(run_attune(small_sweep(folder, "disk/a", {"seeds=[0]"})).code, 0);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=30m"), 0);
  const Finished more = run_attune(small_sweep(folder, "disk/a", {"-j", "2"}));
  EXPECT_EQ(more.code, 1);
  EXPECT_THAT(more.err, AllOf(HasSubstr("Read-only file system"), HasSubstr("-o DIR")));
  // Nothing to do is no reason to write.
  EXPECT_EQ(run_attune(small_sweep(folder, "disk/a", {"seeds=[0]"})).code, 0);
  for (const char* verb : {"status", "show", "fsck", "verify"})
    EXPECT_EQ(run_attune({verb, disk + "/a/small"}).code, 0) << verb;
  umount(disk.c_str());
}

// A worker that gets no memory says so, its trial fails alone, and the same command tries again.
TEST(Faults, AWorkerWithoutMemoryCostsItsTrialAlone) {
  const TestFolder folder;
  const std::string path = folder / "sweep.yaml";
  Words words =
      small_run(folder / "a", {"seeds=[0]", "train.steps=4", "train.eval_every=2",
                               "schedule.warmup=0", "results.save_parameters=[]", "-j", "2"});
  write_atomically(path, "schema: attune/sweep@1\nname: small\nbase: " + quickstart() +
                             "\nmethod: grid\nparameters:\n"
                             "  model.mlp_ratio: {values: [2.0, 60000.0]}\n");
  words[1] = path;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  rlimit less = before;
  less.rlim_cur = rlim_t{1} << 30;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &less), 0);
  const Finished run = run_attune(words);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(run.code, 3) << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("mlp_ratio=60000"), HasSubstr("ran out of memory")));
  EXPECT_THAT(files(folder / "a", ".h5"), SizeIs(1));
}

// Three starters of a sweep, each with workers: every trial is trained once.
TEST(Faults, StartersOfASweepTrainEveryTrialOnce) {
  const TestFolder folder;
  const Words words = small_sweep(folder, "a", {"-j", "2", "train.steps=200"});
  {
    Started one(words), two(words), three(words);
    for (Started* run : {&one, &two, &three}) {
      ASSERT_TRUE(run->wait(120));
      EXPECT_THAT(run->code(), testing::AnyOf(0, 75));
    }
  }
  const auto metadata = files(folder / "a", ".meta.json");
  EXPECT_THAT(metadata, SizeIs(4));
  for (const std::string& path : metadata) {
    const Json json = Json::parse(read_file(path), path);
    EXPECT_EQ(*json.find("attempts")->integer(), 1) << path;
    EXPECT_EQ(*json.find("executed_steps")->integer(), 200) << path;
  }
  EXPECT_THAT(files(folder / "a/small/running", ""), IsEmpty());
  EXPECT_THAT(run_attune({"status", folder / "a/small"}).out, HasSubstr("4 of 4 finished"));
}

}  // namespace
}  // namespace attune
