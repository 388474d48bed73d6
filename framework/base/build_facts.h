#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune {

// How this binary was made. Regenerated at build time when a source that can reach a run file, a
// flag or the commit changes (cmake/build_facts.cmake).
struct BuildFacts {
  std::string_view version;
  // 16 hex digits over the sources and flags that can reach a byte of a run file: not cli, config,
  // study, docs, tests.
  std::string_view build_id;
  std::string_view git_commit;   // 40 hex digits; empty outside of a git checkout
  bool git_dirty = false;        // framework/, experiments/ or cmake/ differ from the commit
  std::string_view git_changes;  // the files that do, as `git status --porcelain` lists them
  std::string_view git_diff;     // `git diff HEAD`; over 64 KiB its SHA-256 alone
  std::string_view compiler, flags, isa, build_type;
  std::vector<std::pair<std::string_view, std::string_view>> libraries;  // name, version
};

const BuildFacts& build_facts();

// "0.1.0 (1a2b3c4d5e6f, modified)"
std::string version_text(const BuildFacts& facts);

}  // namespace attune
