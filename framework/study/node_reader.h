#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "config/document.h"

namespace attune {

// Reads maps of a study's file that no struct binds, key by key; what is wrong goes to the
// diagnostics.
class NodeReader {
 public:
  explicit NodeReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void error(const Origin& at, std::string message, std::string hint = {});
  // Errors for keys of a map that are not known; `what` has them ("a claim").
  void check_keys(const Node& map, const std::vector<std::string>& known, const std::string& what);
  // Empty where there is none.
  std::string text(const Node& map, const char* key);
  std::optional<double> number(const Node& map, const char* key);
  // A word, or a list of them.
  static std::vector<std::string> words(const Node& node);

  Diagnostics& diagnostics() { return diagnostics_; }

 private:
  Diagnostics& diagnostics_;
};

}  // namespace attune
