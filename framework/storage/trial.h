#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"

namespace attune {

// One run as a value: row × seed × fold × stop step × repeat. Running it is a function of this value, the data and the
// binary alone.
struct Trial {
  std::string study;                 // the study's name
  std::string row = "reference";     // which config of the study
  std::string kind;                  // "train", …
  Index seed = 0;
  std::optional<Index> fold;
  std::optional<Index> stop_step;
  std::optional<Index> repeat;
  std::vector<ConfigLeaf> config;    // resolved, every leaf, paths as written
  std::string config_yaml;           // the same as YAML, which reads back to it
  std::string data_sha256;           // content of the dataset; empty where there is none

  // SHA-256 over the result leaves (paths by file name only), seed, fold, stop step, repeat and data; neither name, doc,
  // operation keys nor the build enter. 64 hex digits.
  std::string identity() const;
  // <row>-s<seed>[-f<fold>][-r<repeat>]-<first 8 digits of identity>; rows over 60 characters are cut, with a hash.
  std::string stem() const;
};

}  // namespace attune
