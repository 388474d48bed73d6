#pragma once

#include <string>

#include "tests/process/kills.h"

namespace attune {

// What struck, and how often (tests/process/faults.cpp): every process that a command makes while
// this lives.
class Fault {
 public:
  // "kill rename ckpt.tmp 2"
  Fault(const TestFolder& folder, const std::string& what);
  Index strikes() const;

 private:
  std::string log_;
  Environment preload_, what_, where_;
};

// Runs small_sweep() with -j 2 and kills at `what` in every process that comes to it, lets `fsck`
// mend what is left, then runs the same command undisturbed: expects the bytes of `whole`.
void expect_a_kill_changes_nothing(const std::string& what,
                                   const std::vector<std::pair<std::string, std::string>>& whole);

}  // namespace attune
