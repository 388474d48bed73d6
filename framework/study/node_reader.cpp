#include "study/node_reader.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "study/points.h"

namespace attune {

void NodeReader::error(const Origin& at, std::string message, std::string hint) {
  Diagnostic d{.at = at, .message = std::move(message)};
  if (!hint.empty()) d.hints = {std::move(hint)};
  diagnostics_.error(std::move(d));
}

void NodeReader::check_keys(const Node& map, const std::vector<std::string>& known,
                            const std::string& what) {
  for (const Node::Entry& entry : map.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const auto meant = did_you_mean(entry.key, known);
    error(entry.at,
          fmt::format("unknown key '{}' of {}{}", entry.key, what,
                      meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
          "its keys are: " + join(known));
  }
}

std::string NodeReader::text(const Node& map, const char* key) {
  const Node::Entry* found = map.find(key);
  if (!found) return {};
  if (found->value.is_scalar()) return found->value.text;
  error(found->at, fmt::format("{}={} is no text", key, found->value.shown()));
  return {};
}

std::optional<double> NodeReader::number(const Node& map, const char* key) {
  const Node::Entry* found = map.find(key);
  if (!found) return std::nullopt;
  const auto value = number_of(found->value);
  if (!value || !std::isfinite(*value))
    error(found->at, fmt::format("{}={} is no number", key, found->value.shown()));
  return value;
}

std::vector<std::string> NodeReader::words(const Node& node) {
  std::vector<std::string> words;
  if (node.is_scalar()) words.push_back(node.text);
  for (const Node& item : node.items) words.push_back(item.text);
  return words;
}

}  // namespace attune
