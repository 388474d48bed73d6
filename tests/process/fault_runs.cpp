#include "tests/process/fault_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace attune {

Fault::Fault(const TestFolder& folder, const std::string& what)
    : log_(folder / "strikes"),
      preload_("LD_PRELOAD", ATTUNE_FAULTS),
      what_("ATTUNE_FAULT", what),
      where_("ATTUNE_FAULT_LOG", log_) {
  remove_file(log_);
}

Index Fault::strikes() const {
  return file_exists(log_) ? static_cast<Index>(read_file(log_).size()) : 0;
}

void expect_a_kill_changes_nothing(const std::string& what,
                                   const std::vector<std::pair<std::string, std::string>>& whole) {
  const TestFolder folder;
  const Words words = small_sweep(folder, "a", {"-j", "2"});
  {
    const Fault fault(folder, what);
    const Finished killed = run_attune(words);
    EXPECT_GE(fault.strikes(), 1) << what << " never came";
    EXPECT_THAT(killed.code, testing::AnyOf(1, 3, 137)) << what << ": " << killed.err;
    if (killed.code != 137) {
      EXPECT_THAT(killed.err, testing::AllOf(testing::HasSubstr("the worker of"),
                                             testing::HasSubstr("The same command goes on")))
          << what;
    }
  }
  if (file_exists(folder / "a/small/study.yaml")) {
    const Finished fsck = run_attune({"fsck", folder / "a/small"});
    EXPECT_EQ(fsck.code, 0) << what << ": " << fsck.out;
  }
  const Finished again = run_attune(words);
  EXPECT_EQ(again.code, 0) << what << ": " << again.err;
  EXPECT_EQ(whole, run_file_bytes_in(folder / "a")) << what;
  EXPECT_THAT(files(folder / "a/small/running", ""), testing::IsEmpty()) << what;
  const Finished fsck = run_attune({"fsck", folder / "a/small", "--json"});
  EXPECT_THAT(fsck.out, testing::HasSubstr("\"findings\": []")) << what;
}

}  // namespace attune
