// A trial that is killed, or whose disk is full, at each system call that changes a file, one after
// the other; then the same command again. The run file's bytes must be those of an undisturbed
// trial.

#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "storage/run_file.h"
#include "storage/study_folder.h"
#include "tests/storage/sample.h"

namespace {

enum class Fault { none, kill, torn_kill, disk_full };
Fault fault = Fault::none;  // set in children only
int calls_left = 0;         // until it strikes

// True when this call must fail; a killed process does not return.
bool strikes(int fd = -1, const void* data = nullptr, std::size_t size = 0) {
  if (fault == Fault::none || --calls_left > 0) return false;
  if (fault == Fault::torn_kill && data != nullptr) ::syscall(SYS_write, fd, data, size / 2);
  if (fault != Fault::disk_full) ::_exit(137);
  errno = ENOSPC;
  return true;
}

}  // namespace

// These stand in for libc's in the whole program.
extern "C" {
ssize_t write(int fd, const void* data, size_t size) {
  return strikes(fd, data, size) ? -1 : ::syscall(SYS_write, fd, data, size);
}
int fsync(int fd) { return strikes() ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return strikes() ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd)); }
int rename(const char* from, const char* to) noexcept {
  return strikes() ? -1 : static_cast<int>(::syscall(SYS_rename, from, to));
}
int unlink(const char* path) noexcept {
  if (fault != Fault::disk_full && strikes()) return -1;  // a full disk lets files go
  return static_cast<int>(::syscall(SYS_unlink, path));
}
}

namespace attune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Index kSteps = 10, kEvery = 3;
constexpr const char* kBuild = "build";

// Training in its smallest form: the parameter is one double, the loss its square. Returns the
// steps that were executed.
Index run(const std::string& path) {
  StudyFolder study(path);
  study.freeze("name: needle\n");
  study.clean();
  const Trial trial = sample_trial();
  if (study.find_finished(trial)) return 0;
  auto running = study.start(trial);
  if (!running) return 0;

  double parameter = 1;
  Index step = 0;
  const JournalContent left = read_journal(running->journal_path());
  const CheckpointSearch search =
      load_newest_valid(running->folder(), trial.identity(), kBuild, left.bytes);
  std::uint64_t journal_bytes = 0;
  if (search.checkpoint) {
    step = search.checkpoint->step;
    journal_bytes = search.checkpoint->journal_bytes;
    std::memcpy(&parameter, search.checkpoint->blobs.at("parameter").data(), sizeof parameter);
  }
  Journal journal(running->journal_path(), journal_bytes);
  Index executed = 0;
  while (step < kSteps) {
    parameter *= 0.7;
    ++step, ++executed;
    journal.append(MetricRecord{"train", "loss", step, parameter * parameter});
    if (step % kEvery == 0) {
      journal.sync();
      const std::string blob(reinterpret_cast<const char*>(&parameter), sizeof parameter);
      save_checkpoint(running->folder(),
                      {step, journal.size(), trial.identity(), kBuild, {{"parameter", blob}}});
    }
  }
  RunContent content;
  content.steps = step;
  MetricTable& table = content.metrics["train"];
  table.info = {{"loss", "", "", "minimize"}};
  table.values.resize(1);
  for (const JournalRecord& record : read_journal(running->journal_path()).records) {
    table.step.push_back(std::get<MetricRecord>(record).step);
    table.values[0].push_back(std::get<MetricRecord>(record).value);
  }
  running->finish(trial, content, {});
  return executed;
}

std::string stem_file(const TemporaryFolder& folder) {
  return StudyFolder(folder.path()).run_path(sample_trial().stem());
}

// Runs until the given call; 0 finished, 137 killed, 1 stopped with a StorageError, 2 with anything
// else.
int run_with_fault(const std::string& path, Fault kind, int call) {
  const pid_t child = ::fork();
  if (child == 0) {
    fault = kind;
    calls_left = call;
    int code = 0;
    try {
      run(path);
    } catch (const StorageError&) {
      code = 1;
    } catch (...) {
      code = 2;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

void expect_undisturbed(const TemporaryFolder& folder, const std::string& wanted, int call) {
  const std::string stem = sample_trial().stem();
  ASSERT_EQ(read_file(stem_file(folder)), wanted) << "call " << call;
  ASSERT_THAT(list_folder(folder / "trials"), ElementsAre(stem + ".h5", stem + ".meta.json"))
      << "call " << call;
  ASSERT_THAT(list_folder(folder / "running"), IsEmpty()) << "call " << call;
}

class Kill : public testing::Test {
 protected:
  Kill() {
    EXPECT_EQ(run(undisturbed_.path()), kSteps);
    wanted_ = read_file(stem_file(undisturbed_));
  }
  // At every call until one run gets through; returns how many there are.
  int at_every_call(Fault kind, int stopped) {
    for (int call = 1;; ++call) {
      const TemporaryFolder folder;
      const int code = run_with_fault(folder.path(), kind, call);
      if (code == 0) return call - 1;
      EXPECT_EQ(code, stopped) << "call " << call;
      const Index executed = run(folder.path());
      EXPECT_LE(executed, kSteps);
      expect_undisturbed(folder, wanted_, call);
      if (HasFatalFailure()) return call;
    }
  }
  TemporaryFolder undisturbed_;
  std::string wanted_;
};

TEST_F(Kill, AtAnyCallLeavesATrialThatEndsInTheSameBytes) {
  EXPECT_GT(at_every_call(Fault::kill, 137), 35);
}

TEST_F(Kill, InTheMiddleOfAnyWriteLeavesATrialThatEndsInTheSameBytes) {
  EXPECT_GT(at_every_call(Fault::torn_kill, 137), 35);
}

TEST_F(Kill, AFullDiskAtAnyCallIsOneStorageErrorAndLosesNothing) {
  EXPECT_GT(at_every_call(Fault::disk_full, 1), 30);
}

// Kills one after another in the same folder, each a little later: no more than one interval is
// repeated for each.
TEST_F(Kill, OverAndOverLosesNoMoreThanOneIntervalEach) {
  const TemporaryFolder folder;
  int kills = 0;
  while (run_with_fault(folder.path(), Fault::torn_kill, 9 + kills) == 137) ++kills;
  EXPECT_GE(kills, 3);
  expect_undisturbed(folder, wanted_, kills);
}

}  // namespace
}  // namespace attune
