#include "config/interpolation.h"

#include <algorithm>

#include "base/text.h"
#include "config/yaml.h"

namespace attune {
namespace {

constexpr std::size_t kMostChained = 32;
constexpr int kMostLookUps = 10'000;
constexpr std::size_t kMostBytes = 4096;

bool is_key(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

// The value as written, in quotes of some kind.
std::string quoted(const Node& node) {
  return node.quoted ? node.shown() : fmt::format("'{}'", node.shown());
}

}  // namespace

void Resolver::refuse(const Node& node, std::string message) {
  diagnostics_.error({.at = node.at, .message = std::move(message)});
}

std::optional<Node> Resolver::resolve(const Node& node) {
  if (node.is_scalar())
    return node.text.find("${") == std::string::npos ? node : resolve_text(node);
  if (node.kind != Node::Kind::list) return node;
  Node list = node;
  for (Node& item : list.items) {
    auto resolved = resolve(item);
    if (!resolved) return std::nullopt;
    item = std::move(*resolved);
  }
  return list;
}

std::optional<Node> Resolver::resolve_text(const Node& node) {
  const std::string_view text = node.text;
  Node out = node;
  out.text.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t dollar = std::min(text.find("${", at), text.size());
    const bool escaped = dollar > at && dollar < text.size() && text[dollar - 1] == '\\';
    out.text += text.substr(at, dollar - at - (escaped ? 1 : 0));
    if (dollar == text.size()) break;
    if (escaped) {
      out.text += "${";
      at = dollar + 2;
      continue;
    }
    const std::size_t close = text.find('}', dollar);
    const std::string_view key = text.substr(dollar + 2, std::min(close, text.size()) - dollar - 2);
    if (close == std::string_view::npos || !is_key(key)) {
      refuse(node, fmt::format("{} is no reference to a key; write one as in ${{model.d_model}}",
                               quoted(node)));
      return std::nullopt;
    }
    auto value = look_up(key, node);
    if (!value) return std::nullopt;
    const bool alone = dollar == 0 && close + 1 == text.size();
    if (alone) {
      value->at = node.at;
      return value;
    }
    if (value->kind == Node::Kind::list) {
      refuse(node,
             fmt::format("{}: {} is a list, which cannot stand inside a text", quoted(node), key));
      return std::nullopt;
    }
    out.text += value->text;
    if (out.text.size() > kMostBytes) {
      refuse(node, fmt::format("{} grows over {} bytes", quoted(node), kMostBytes));
      return std::nullopt;
    }
    at = close + 1;
  }
  return out;
}

std::optional<Node> Resolver::look_up(std::string_view key, const Node& referrer) {
  const std::string name(key);
  if (std::find(chain_.begin(), chain_.end(), name) != chain_.end()) {
    refuse(referrer, fmt::format("{} leads back to itself: {} -> {}", quoted(referrer),
                                 join(chain_, " -> "), name));
    return std::nullopt;
  }
  if (chain_.size() == kMostChained || ++look_ups_ > kMostLookUps) {
    refuse(referrer, fmt::format("{}: more than {} references in a chain, or {} in all",
                                 quoted(referrer), kMostChained, kMostLookUps));
    return std::nullopt;
  }
  const Node* found = document_.find(name);
  if (!found) return default_of(name, referrer);
  if (found->is_map()) {
    refuse(referrer,
           fmt::format("{}: {} is a group of keys; refer to one of them", quoted(referrer), name));
    return std::nullopt;
  }
  if (found->is_scalar() && found->text == "???") {
    refuse(referrer, fmt::format("{}: {} must be set", quoted(referrer), name));
    return std::nullopt;
  }
  chain_.push_back(name);
  auto value = resolve(*found);
  chain_.pop_back();
  return value;
}

bool Resolver::holds(const std::string& conditions) {
  std::string_view rest = conditions;
  while (!rest.empty()) {
    constexpr std::string_view kAnd = " and ";
    const auto end = std::min(rest.find(kAnd), rest.size());
    const std::string_view one = rest.substr(0, end);
    const std::string_view key = one.substr(0, one.find('=')), kind = one.substr(one.find('=') + 1);
    const auto written = document_.scalar(key);
    const auto known = index_.find(key);
    if ((written ? *written : known.empty() ? "" : known.front()->value) != kind) return false;
    rest.remove_prefix(std::min(end + kAnd.size(), rest.size()));
  }
  return true;
}

bool Resolver::in_force(const KeyInfo& key) {
  return key.kinds.empty() || std::any_of(key.kinds.begin(), key.kinds.end(),
                                          [this](const std::string& c) { return holds(c); });
}

std::optional<Node> Resolver::default_of(const std::string& key, const Node& referrer) {
  for (const KeyInfo* known : index_.find(key)) {
    if (!in_force(*known) || known->value.empty()) continue;
    return parse_value(known->value, referrer.text, referrer.at, diagnostics_);
  }
  const KeyInfo* near = index_.find(key).empty() ? index_.did_you_mean(key) : nullptr;
  refuse(referrer, fmt::format("{}: {} is not set{}", quoted(referrer), key,
                               near ? fmt::format("; did you mean '{}'?", near->key) : ""));
  return std::nullopt;
}

}  // namespace attune
