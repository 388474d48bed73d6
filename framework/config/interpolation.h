#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/keys.h"

namespace attune {

// Replaces ${a.b} in values: alone it takes the other key's value or list as it is, inside a text
// its letters. A key that the document does not give has its default. `\${` is a plain `${`. Nodes
// keep the place they were written at.
class Resolver {
 public:
  Resolver(const Document& document, const KeyIndex& index, Diagnostics& diagnostics)
      : document_(document), index_(index), diagnostics_(diagnostics) {}

  // The node without references, or nothing after an error: an unknown key, a group, a key that
  // must be set, references that lead back to themselves, more than 32 in a chain or 10,000 in all,
  // a text over 4 KB.
  std::optional<Node> resolve(const Node& node);
  // Whether the document's kinds are such that the key exists.
  bool in_force(const KeyInfo& key);

 private:
  std::optional<Node> resolve_text(const Node& node);
  // The value of a key, for the node that refers to it.
  std::optional<Node> look_up(std::string_view key, const Node& referrer);
  std::optional<Node> default_of(const std::string& key, const Node& referrer);
  bool holds(const std::string& conditions);
  void refuse(const Node& node, std::string message);

  const Document& document_;
  const KeyIndex& index_;
  Diagnostics& diagnostics_;
  std::vector<std::string> chain_;  // keys being looked up, outermost first
  int look_ups_ = 0;
};

}  // namespace attune
