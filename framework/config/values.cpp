#include "config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "base/text.h"

namespace attune {
namespace {

constexpr double kExactIntegers =
    0x1p53;  // a real below it that is integral is the integer it was written as

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The digits without `_` between them (1_000, as Hydra reads it) and without a leading plus.
std::string plain_digits(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between =
        i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (text[i] == '_' && between) continue;
    if (text[i] == '+' && i == 0 && !text.starts_with("+-")) continue;
    out += text[i];
  }
  return out;
}

std::optional<double> as_infinity(const std::string& text) {
  for (const char* word : {".inf", ".Inf", ".INF"}) {
    if (text == word || text == std::string("+") + word)
      return std::numeric_limits<double>::infinity();
    if (text == std::string("-") + word) return -std::numeric_limits<double>::infinity();
  }
  return std::nullopt;
}

// A number, or the phrase that says why not.
struct Number {
  double real = 0;
  Index integer = 0;
  bool is_integer = false;
  std::string wrong;
};

Number refused(std::string wrong) {
  Number n;
  n.wrong = std::move(wrong);
  return n;
}

Number parse_number(const Node& node, const char* wanted) {
  const std::string no_number = fmt::format("is no {}", wanted);
  if (node.quoted) return refused(no_number + " but a text; write it without quotes");
  if (has_leading_zero(node.text))
    return refused("has a leading zero, which some YAML readers take for octal");
  Number n;
  if (const auto infinity = as_infinity(node.text)) {
    n.real = *infinity;
    return n;
  }
  if (node.text == ".nan" || node.text == ".NaN" || node.text == ".NAN")
    return refused("is not a number");
  const std::string digits = plain_digits(node.text);
  const char* const end = digits.data() + digits.size();
  const auto first = std::min(digits.find_first_not_of('-'), digits.size());
  const bool starts =
      first <= 1 && first < digits.size() && (is_digit(digits[first]) || digits[first] == '.');
  if (!starts) return refused(no_number);
  if (const auto [stop, failed] = std::from_chars(digits.data(), end, n.integer); stop == end) {
    if (failed != std::errc()) return refused("is more than 64 bits hold");
    n.is_integer = true;
    n.real = static_cast<double>(n.integer);
    return n;
  }
  const auto [stop, failed] = std::from_chars(digits.data(), end, n.real);
  if (stop != end) return refused(no_number);
  if (failed != std::errc()) return refused("is more, or less, than a double holds");
  n.is_integer = std::trunc(n.real) == n.real && std::abs(n.real) <= kExactIntegers;
  if (n.is_integer) n.integer = static_cast<Index>(n.real);
  return n;
}

std::string outside(const Field& field, double x) {
  if (x >= field.range.low && x <= field.range.high) return {};
  return fmt::format("is out of range; allowed: {}", range_text(field.range));
}

using Parsed = std::pair<FieldValue, std::string>;

Parsed parse_integer(const Field& field, const Node& node) {
  Number n = parse_number(node, "integer");
  if (n.wrong.empty() && !n.is_integer) n.wrong = "is no integer";
  if (n.wrong.empty()) n.wrong = outside(field, n.real);
  return {n.integer, n.wrong};
}

Parsed parse_real(const Field& field, const Node& node) {
  Number n = parse_number(node, "number");
  if (n.wrong.empty()) n.wrong = outside(field, n.real);
  return {n.real, n.wrong};
}

// Texts whose letters mean something else to other readers of the file; on the command line there
// are no others.
std::string ambiguous(const Node& node) {
  if (node.quoted || node.at.on_command_line()) return {};
  if (is_yaml11_boolean(node.text))
    return fmt::format("is a boolean to YAML readers; use another word, or quote it: '{}'",
                       node.text);
  if (has_leading_zero(node.text))
    return fmt::format("is an octal number to some YAML readers; quote it: '{}'", node.text);
  return {};
}

Parsed parse_text(const Node& node) { return {node.text, ambiguous(node)}; }

Parsed parse_choice(const Field& field, const Node& node) {
  const auto& choices = field.choices;
  if (std::find(choices.begin(), choices.end(), node.text) != choices.end())
    return parse_text(node);
  std::string wrong = fmt::format("is none of {}", join(choices));
  if (const auto near = did_you_mean(node.text, choices))
    wrong += fmt::format("; did you mean '{}'?", *near);
  return {std::monostate(), wrong};
}

Parsed parse_path(const Node& node) {
  if (node.text.empty()) return {std::monostate(), "is empty; name a file"};
  const std::filesystem::path folder = node.at.source ? node.at.source->folder : "";
  return {(folder / node.text).lexically_normal().string(), ambiguous(node)};
}

Parsed parse_scalar(const Field& field, const Node& node) {
  switch (field.type) {
    case FieldType::boolean:
      if (!node.quoted && (node.text == "true" || node.text == "false"))
        return {node.text == "true", ""};
      return {std::monostate(), "is no bool; write true or false"};
    case FieldType::integer:
    case FieldType::integers:
      return parse_integer(field, node);
    case FieldType::real:
    case FieldType::reals:
      return parse_real(field, node);
    case FieldType::path:
      return parse_path(node);
    case FieldType::choice:
      return parse_choice(field, node);
    default:
      return parse_text(node);
  }
}

template <class T>
std::string set_list(const Field& field, const Node& list) {
  std::vector<T> values;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Node& item = list.items[i];
    const auto [value, wrong] = item.is_scalar() ? parse_scalar(field, item)
                                                 : Parsed{std::monostate(), "is no single value"};
    if (!wrong.empty()) return fmt::format("has a bad item {}: {} {}", i + 1, item.shown(), wrong);
    values.push_back(std::get<T>(value));
  }
  return field.set(values);
}

std::string set_custom(const Field& field, const Node& node) {
  Literal literal;
  literal.is_list = node.kind == Node::Kind::list;
  if (node.is_scalar()) literal.items.push_back(node.text);
  for (const Node& item : node.items) {
    if (!item.is_scalar()) return fmt::format("must be {}", field.form);
    literal.items.push_back(item.text);
  }
  const Node* const first = node.is_scalar() ? &node : node.items.data();
  for (std::size_t i = 0; i < literal.items.size(); ++i) {
    if (std::string wrong = ambiguous(first[i]); !wrong.empty()) return wrong;
  }
  return field.set_literal(literal);
}

}  // namespace

std::string type_text(const Field& field) {
  switch (field.type) {
    case FieldType::boolean:
      return "bool";
    case FieldType::integer:
      return "int";
    case FieldType::real:
      return "real";
    case FieldType::text:
      return "text";
    case FieldType::path:
      return "path";
    case FieldType::choice:
      return join(field.choices, " | ");
    case FieldType::integers:
      return "list of ints";
    case FieldType::reals:
      return "list of reals";
    case FieldType::texts:
      return "list of texts";
    case FieldType::custom:
      return field.form;
  }
  return {};
}

std::string range_text(const Range& range) {
  const auto text = [](double x) {
    std::string s = fmt::format("{}", x);
    if (const auto zero = s.find("e-0"); zero != std::string::npos) s.erase(zero + 2, 1);
    return s;
  };
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high) return text(range.low) + ".." + text(range.high);
  if (low) return ">= " + text(range.low);
  if (high) return "<= " + text(range.high);
  return {};
}

bool is_yaml11_boolean(const std::string& text) {
  static constexpr std::array<std::string_view, 6> kWords{"on", "off",  "yes",
                                                          "no", "true", "false"};
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

bool has_leading_zero(const std::string& text) {
  const std::size_t first = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  if (text.size() < first + 2 || text[first] != '0' || !is_digit(text[first + 1])) return false;
  return text.find_first_not_of("0123456789_.eE+-", first) == std::string::npos;
}

std::string set_value(const Field& field, const Node& node) {
  const bool takes_list = field.type == FieldType::integers || field.type == FieldType::reals ||
                          field.type == FieldType::texts;
  if (node.kind == Node::Kind::null) {
    if (field.nullable && field.type == FieldType::custom) return field.set_literal({});
    if (field.nullable) return field.set(std::monostate());
    return node.text.empty() ? "has no value" : "may not be null";
  }
  if (node.is_map())
    return fmt::format("is a map of keys, but a value is wanted: {}", type_text(field));
  if (field.type == FieldType::custom) return set_custom(field, node);
  if (takes_list && node.is_scalar())
    return fmt::format("is a single value; write a list: [{}]", node.text);
  if (!takes_list && !node.is_scalar())
    return fmt::format("is a list, but one value is wanted: {}", type_text(field));
  switch (field.type) {
    case FieldType::integers:
      return set_list<Index>(field, node);
    case FieldType::reals:
      return set_list<double>(field, node);
    case FieldType::texts:
      return set_list<std::string>(field, node);
    default:
      break;
  }
  const auto [value, wrong] = parse_scalar(field, node);
  return wrong.empty() ? field.set(value) : wrong;
}

}  // namespace attune
