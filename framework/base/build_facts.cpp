#include "base/build_facts.h"

#include <fmt/format.h>

namespace attune {

// build_facts() itself is written by cmake/write_build_facts.cmake.

std::string version_text(const BuildFacts& facts) {
  if (facts.git_commit.empty()) return std::string(facts.version);
  return fmt::format("{} ({}{})", facts.version, facts.git_commit.substr(0, 12),
                     facts.git_dirty ? ", modified" : "");
}

}  // namespace attune
