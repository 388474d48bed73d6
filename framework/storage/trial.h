#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"

namespace attune {

// One run as a value: row × seed × fold × stop step × repeat. Running it is a function of this
// value, the data and the binary alone.
struct Trial {
  std::string study;              // the study's name
  std::string row = "reference";  // which config of the study
  std::string kind;               // "train", …
  Index seed = 0;
  std::optional<Index> fold;
  std::optional<Index> stop_step;
  std::optional<Index> repeat;
  std::vector<ConfigLeaf> config;  // resolved, every leaf, paths as written
  // YAML that reads back to the leaves of role result, paths by file name only: it stands in the
  // run file, whose bytes may depend on nothing else.
  std::string config_yaml;
  std::string data_sha256;  // content of the dataset; empty where there is none
  std::string init_sha256;  // content of the file that weights start from (train.init_from); empty
                            // where there is none

  // What a run file says of the config: the leaves of role result, but for `name` and `doc`, which
  // may change without changing a number; paths by file name only.
  std::vector<ConfigLeaf> recorded_config() const;

  // The text that identity() hashes: "attune.identity@1", then the recorded config, sorted by key,
  // as "config.key=value" in the notation of to_text(), then kind, seed, fold, stop_step, repeat
  // ("null" where none), data_sha256 and, unless empty, init_sha256; every line ends in a newline.
  // Neither the build nor an operation key enters.
  std::string canonical_text() const;
  // SHA-256 of canonical_text(), 64 hex digits.
  std::string identity() const;
  // <row>-s<seed>[-f<fold>][-r<repeat>]: where it stands in its study. Rows over 60 characters are
  // cut, with a hash; what a file name should not hold becomes '_'.
  std::string place() const;
  // <place>-<first 8 digits of identity>
  std::string stem() const;
};

// The place in a stem.
std::string place_in(const std::string& stem);

}  // namespace attune
