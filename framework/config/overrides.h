#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/document.h"

namespace attune {

// One `key=value` of the command line.
struct Override {
  std::string key;  // dotted; a group may be written model/attention
  Node value;

  // Whether it may pick a group file: a bare word.
  bool is_word() const { return value.is_scalar() && !value.quoted; }
};

// The arguments as a source whose "lines" they are.
std::shared_ptr<Source> command_line(const std::vector<std::string>& arguments, std::string cwd);

// Parses all of them; what is no key=value is an error, and left out.
std::vector<Override> parse_overrides(const std::shared_ptr<Source>& source,
                                      Diagnostics& diagnostics);

}  // namespace attune
