#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "config/keys.h"

namespace attune {

// The keys that a study of one kind has.
struct KindKeys {
  std::string kind;
  KeyIndex index;
};

// What `attune explain` says of a key: every meaning that it has in any kind; of a group, its keys;
// of no key, the groups and keys at the top. ConfigError with a suggestion for an unknown key.
std::string explain_text(const std::vector<KindKeys>& kinds, const std::string& key,
                         std::size_t width);
Json explain_json(const std::vector<KindKeys>& kinds, const std::string& key);

}  // namespace attune
