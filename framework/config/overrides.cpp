#include "config/overrides.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/text.h"
#include "config/yaml.h"

namespace attune {
namespace {

bool is_key(std::string_view key) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  };
  bool after_part = false;
  for (char c : key) {
    const bool separator = c == '.' || c == '/';
    if (!separator && !is_part(c)) return false;
    if (separator && !after_part) return false;
    after_part = !separator;
  }
  return after_part;
}

// What is wrong with the token as a whole, or nothing.
std::string complaint(const std::string& token) {
  const auto equals = token.find('=');
  const std::string key = token.substr(0, equals);
  if (invalid_utf8(token) != std::string::npos) return "an argument is no UTF-8";
  if (const auto bare = key.find_first_not_of("+~"); bare != 0 && bare != std::string::npos) {
    const std::string instead =
        equals == std::string::npos ? key.substr(bare) + "=VALUE" : token.substr(bare);
    return fmt::format("'{}': + and ~ are not read, since every key is known; write {}", token,
                       instead);
  }
  if (equals == std::string::npos)
    return fmt::format("'{0}' is no key=value; write {0}=VALUE", token);
  if (!is_key(key))
    return fmt::format(
        "'{}' is no key; keys are words with dots between them, as in model.d_model=64", key);
  if (trim(std::string_view(token).substr(equals + 1)).empty()) {
    return fmt::format(
        "{0}= has no value; write {0}=null for none, or {0}='\"\"' for an empty text", key);
  }
  return {};
}

}  // namespace

std::shared_ptr<Source> command_line(const std::vector<std::string>& arguments, std::string cwd) {
  auto source = std::make_shared<Source>();
  source->kind = Source::Kind::command_line;
  source->name = "command line";
  source->folder = std::move(cwd);
  source->lines = arguments;
  source->order = source->layer = std::numeric_limits<int>::max();
  return source;
}

std::vector<Override> parse_overrides(const std::shared_ptr<Source>& source,
                                      Diagnostics& diagnostics) {
  std::vector<Override> overrides;
  for (std::size_t i = 0; i < source->lines.size(); ++i) {
    const std::string& token = source->lines[i];
    const Origin at{source, static_cast<int>(i) + 1, 0};
    if (std::string wrong = complaint(token); !wrong.empty()) {
      diagnostics.error({.at = at, .message = std::move(wrong)});
      continue;
    }
    const auto equals = token.find('=');
    if (auto value = parse_value(token.substr(equals + 1), token, at, diagnostics)) {
      overrides.push_back({token.substr(0, equals), std::move(*value)});
    }
  }
  return overrides;
}

}  // namespace attune
