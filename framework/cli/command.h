#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/shape.h"
#include "cli/options.h"

namespace attune {

int machine_cores();  // that are online

// A command line that was understood.
struct Command {
  const Verb* verb = nullptr;                  // none: `attune --help`, `attune --version`
  std::vector<std::string> operands;           // as typed; paths are relative to the current folder
  std::vector<std::string> overrides;          // "a.b=1"
  std::map<std::string, std::string> options;  // by long name; "" for a switch

  bool has(const std::string& option) const { return options.contains(option); }
  std::optional<std::string> text(const std::string& option) const;
  std::optional<Index> integer(const std::string& option) const;
  std::optional<double> seconds(const std::string& option) const;            // "30m"
  std::optional<std::vector<Index>> seeds(const std::string& option) const;  // "0-9"
  int threads() const;  // --threads, else machine_cores()
};

// The verb comes first; options and key=value stand in any order after it; `--` ends the options.
// InvalidConfig lists everything that is wrong, with suggestions, and ends "nothing was run.".
Command parse_command(const std::vector<std::string>& arguments);

// Throws what is wrong with a command line that was understood, in the same form.
[[noreturn]] void refuse_command(const std::string& what);

// "1 error, nothing was run.", "2 errors, …".
std::string nothing_was_run(std::size_t errors);

}  // namespace attune
