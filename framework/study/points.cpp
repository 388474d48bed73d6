#include "study/points.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "study/study_file.h"

namespace attune {
std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || std::from_chars(text.data(), end, value).ptr != end) return std::nullopt;
  return value;
}

std::optional<double> number_of(const Node& node) {
  return node.is_scalar() && !node.quoted ? number_of(node.text) : std::nullopt;
}

namespace {

double six_digits(double x) { return std::stod(fmt::format("{:.6g}", x)); }

Node scalar(const FieldValue& value, const Origin& at) {
  return {.kind = Node::Kind::scalar, .text = to_text(value), .entries = {}, .at = at};
}

constexpr std::string_view kForms =
    "{values: [a, b]}, {value: a} or {min: a, max: b, distribution: uniform | log_uniform_values | "
    "int_uniform | q_uniform, levels: n of a grid}";

const std::map<std::string, ValueRange::Law, std::less<>> kLaws = {
    {"uniform", ValueRange::Law::uniform},
    {"log_uniform_values", ValueRange::Law::log_uniform},
    {"int_uniform", ValueRange::Law::int_uniform},
    {"q_uniform", ValueRange::Law::q_uniform}};

}  // namespace

FieldValue ValueRange::at(double u) const {
  switch (law) {
    case Law::uniform:
      return six_digits(low + u * (high - low));
    case Law::log_uniform:
      return std::clamp(six_digits(low * std::pow(high / low, u)), low, high);
    case Law::int_uniform:
      return static_cast<Index>(low + std::floor(u * (high - low + 1)));
    case Law::q_uniform:
      break;
  }
  // Multiples of the step, each as likely as the others.
  const double first = std::ceil(low / step), last = std::floor(high / step);
  return six_digits((first + std::floor(u * (last - first + 1))) * step);
}

std::vector<FieldValue> ValueRange::levels() const {
  std::vector<FieldValue> values;
  const Index n = n_levels.value_or(1);
  for (Index i = 0; i < n; ++i) {
    const double t = n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0;
    FieldValue value;
    if (law == Law::log_uniform) {
      value = std::clamp(six_digits(low * std::pow(high / low, t)), low, high);
    } else {
      const double x = low + t * (high - low);
      value = law == Law::int_uniform ? FieldValue(static_cast<Index>(std::llround(x)))
              : law == Law::q_uniform ? FieldValue(six_digits(std::round(x / step) * step))
                                      : FieldValue(six_digits(x));
    }
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

SearchSpace::SearchSpace(const Node::Entry* parameters, const Node::Entry* zip, bool is_grid,
                         Diagnostics& diagnostics) {
  if (parameters && !parameters->value.is_map()) {
    refuse(diagnostics, *parameters, "parameters is a map of dotted keys to what they may be",
           fmt::format("optim.lr: {}", kForms));
  } else if (parameters) {
    for (const Node::Entry& entry : parameters->value.entries)
      read_parameter(entry, is_grid, diagnostics);
  }
  if (!zip) return;
  if (zip->value.kind != Node::Kind::list)
    refuse(diagnostics, *zip, "zip is a list of maps, whose columns are taken together",
           "zip: [{train.batch_size: [32, 64], optim.lr: [0.001, 0.002]}]");
  for (const Node& columns : zip->value.items) read_zip(columns, diagnostics);
}

void SearchSpace::add(Axis axis, Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < axis.keys.size(); ++i)
    if (const Origin before = origin(axis.keys[i]); !before.is_default())
      return diagnostics.error({.at = axis.origins[i],
                                .message = fmt::format("{} is varied twice", axis.keys[i]),
                                .notes = {{before, "the first time here"}}});
  axes_.push_back(std::move(axis));
}

void SearchSpace::read_parameter(const Node::Entry& entry, bool is_grid, Diagnostics& diagnostics) {
  Axis axis;
  axis.keys = {entry.key};
  axis.origins = {entry.at};
  if (!entry.value.is_map())
    return refuse(diagnostics, entry, fmt::format("{} says not what it may be", entry.key),
                  fmt::format("{}: {}", entry.key, kForms));
  static const std::vector<std::string> kKnown = {"values",       "value",  "min", "max",
                                                  "distribution", "levels", "q",   "when"};
  for (const Node::Entry& word : entry.value.entries) {
    if (std::find(kKnown.begin(), kKnown.end(), word.key) != kKnown.end()) continue;
    const auto meant = did_you_mean(word.key, kKnown);
    return refuse(diagnostics, word,
                  fmt::format("unknown word '{}' for {}{}", word.key, entry.key,
                              meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
                  fmt::format("{}: {}, each with when: {{OTHER: value}}", entry.key, kForms));
  }
  const Node::Entry* values = entry.value.find("values");
  const Node::Entry* value = entry.value.find("value");
  const bool ranged = entry.value.find("min") || entry.value.find("max");
  if ((values != nullptr) + (value != nullptr) + ranged != 1)
    return refuse(diagnostics, entry,
                  fmt::format("{} must have one of values, value, or min and max", entry.key),
                  fmt::format("{}: {}", entry.key, kForms));
  if (values) {
    if (values->value.kind != Node::Kind::list || values->value.items.empty())
      return refuse(diagnostics, *values,
                    fmt::format("{}.values must be a list with something in it", entry.key));
    for (const Node& each : values->value.items) axis.choices.push_back({each});
  } else if (value) {
    axis.choices = {{value->value}};
  } else {
    const std::size_t before = diagnostics.count();
    read_range(entry, is_grid, axis, diagnostics);
    if (diagnostics.count() > before) return;
  }
  if (const Node::Entry* when = entry.value.find("when")) {
    if (!when->value.is_map())
      return refuse(diagnostics, *when, "when is a map: when: {OTHER_KEY: value or [values]}");
    for (const Node::Entry& condition : when->value.entries)
      axis.when.push_back({condition.key, condition.value.kind == Node::Kind::list
                                              ? condition.value.items
                                              : std::vector<Node>{condition.value}});
  }
  add(std::move(axis), diagnostics);
}

void SearchSpace::read_range(const Node::Entry& entry, bool is_grid, Axis& axis,
                             Diagnostics& diagnostics) {
  ValueRange range;
  const auto wrong = [&](const std::string& what) {
    refuse(diagnostics, entry, fmt::format("{} {}", entry.key, what),
           fmt::format("{}: {}", entry.key, kForms));
  };
  const auto read = [&](const char* word) {
    const Node::Entry* given = entry.value.find(word);
    return given ? number_of(given->value) : std::nullopt;
  };
  const auto low = read("min"), high = read("max");
  if (!low || !high) return wrong("must have both min and max, as numbers");
  range.low = *low;
  range.high = *high;
  if (const Node::Entry* law = entry.value.find("distribution")) {
    const auto found = kLaws.find(law->value.text);
    if (found == kLaws.end())
      return wrong(
          fmt::format("has distribution={}, which is none of uniform, log_uniform_values, "
                      "int_uniform, q_uniform",
                      law->value.shown()));
    range.law = found->second;
  }
  if (!(range.low < range.high))
    return wrong(
        fmt::format("has min={} and max={}: min must be below max", range.low, range.high));
  if (range.law == ValueRange::Law::log_uniform && range.low <= 0)
    return wrong(fmt::format("has min={} and goes by ratios: min must be above 0", range.low));
  if (range.law == ValueRange::Law::int_uniform &&
      (range.low != std::floor(range.low) || range.high != std::floor(range.high)))
    return wrong("is int_uniform: min and max must be integers");
  if (range.law == ValueRange::Law::q_uniform) {
    range.step = read("q").value_or(0);
    if (!(range.step > 0) ||
        std::ceil(range.low / range.step) > std::floor(range.high / range.step))
      return wrong("is q_uniform: q must be above 0, with a multiple between min and max");
  }
  if (const Node::Entry* levels = entry.value.find("levels")) {
    const auto n = number_of(levels->value);
    constexpr double kMost = 10'000;
    if (!n || *n != std::floor(*n) || *n < 2 || *n > kMost)
      return wrong(fmt::format("has levels={}: an integer from 2 to 10000", levels->value.shown()));
    range.n_levels = static_cast<Index>(*n);
  }
  if (is_grid && !range.n_levels)
    return wrong("needs levels: n, since a grid tries n values of it");
  for (const FieldValue& value : range.levels()) axis.choices.push_back({scalar(value, entry.at)});
  axis.range = range;
}

void SearchSpace::read_zip(const Node& columns, Diagnostics& diagnostics) {
  Axis axis;
  const auto wrong = [&](std::string message) {
    diagnostics.error({.at = columns.at,
                       .message = std::move(message),
                       .hints = {"zip: [{train.batch_size: [32, 64], optim.lr: [0.001, 0.002]}]"}});
  };
  if (!columns.is_map() || columns.entries.empty())
    return wrong("each of zip's items is a map of keys to lists of the same length");
  for (const Node::Entry& column : columns.entries) {
    if (column.value.kind != Node::Kind::list || column.value.items.empty())
      return wrong(fmt::format("zip: {} must be a list with something in it", column.key));
    const std::size_t n = column.value.items.size();
    if (axis.keys.empty()) axis.choices.resize(n);
    if (n != axis.choices.size())
      return wrong(fmt::format("zip: {} has {} values, {} has {}", axis.keys.front(),
                               axis.choices.size(), column.key, n));
    axis.keys.push_back(column.key);
    axis.origins.push_back(column.at);
    for (std::size_t i = 0; i < n; ++i) axis.choices[i].push_back(column.value.items[i]);
  }
  add(std::move(axis), diagnostics);
}

std::vector<std::string> SearchSpace::keys() const {
  std::vector<std::string> keys;
  for (const Axis& axis : axes_) keys.insert(keys.end(), axis.keys.begin(), axis.keys.end());
  return keys;
}

Origin SearchSpace::origin(std::string_view key) const {
  for (const Axis& axis : axes_)
    for (std::size_t i = 0; i < axis.keys.size(); ++i)
      if (axis.keys[i] == key) return axis.origins[i];
  return {};
}

std::string SearchSpace::axis_name(Index axis) const {
  return join(axes_[static_cast<std::size_t>(axis)].keys, ",");
}

std::optional<Index> SearchSpace::grid_size() const {
  Index size = 1;
  for (const Axis& axis : axes_) {
    size *= static_cast<Index>(axis.choices.size());
    if (size > kMostPoints) return std::nullopt;
  }
  return size;
}

void SearchSpace::settle(const Axis& axis, Index choice, Point& point) const {
  for (std::size_t k = 0; k < axis.keys.size(); ++k)
    point.push_back(
        {axis.keys[k], axis.choices[static_cast<std::size_t>(choice)][k], axis.origins[k]});
}

Point SearchSpace::grid_point(Index i) const {
  std::vector<Index> choice(axes_.size());
  for (std::size_t a = axes_.size(); a-- > 0;) {
    const auto n = static_cast<Index>(axes_[a].choices.size());
    choice[a] = i % n;
    i /= n;
  }
  Point point;
  for (std::size_t a = 0; a < axes_.size(); ++a) settle(axes_[a], choice[a], point);
  return point;
}

Point SearchSpace::at(std::span<const double> u) const {
  Point point;
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    const Axis& axis = axes_[a];
    if (axis.range) {
      point.push_back({axis.keys.front(), scalar(axis.range->at(u[a]), axis.origins.front()),
                       axis.origins.front()});
    } else {
      const auto n = static_cast<double>(axis.choices.size());
      settle(axis, static_cast<Index>(std::min(std::floor(u[a] * n), n - 1)), point);
    }
  }
  return point;
}

bool same_value(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto x = number_of(a), y = number_of(b);
  return x && y && *x == *y;
}

void SearchSpace::keep_active(Point& point, const BaseValue& base) const {
  const auto holds = [&](const Condition& condition) {
    const auto set = std::find_if(point.begin(), point.end(),
                                  [&](const Setting& s) { return s.key == condition.key; });
    const std::optional<std::string> value =
        set != point.end() ? std::optional(set->value.text) : base(condition.key);
    return value && std::any_of(condition.values.begin(), condition.values.end(),
                                [&](const Node& node) { return same_value(node.text, *value); });
  };
  // One that goes may take others with it.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Axis& axis : axes_) {
      if (axis.when.empty() || std::all_of(axis.when.begin(), axis.when.end(), holds)) continue;
      changed |=
          std::erase_if(point, [&](const Setting& s) { return s.key == axis.keys.front(); }) > 0;
    }
  }
}

std::string point_name(const Point& point, std::span<const std::string> keys,
                       const std::function<std::string(const std::string& key)>& text) {
  const auto last = [](const std::string& key) { return key.substr(key.rfind('.') + 1); };
  std::string name;
  for (const Setting& setting : point) {
    const std::string part = last(setting.key);
    const bool shared = std::any_of(keys.begin(), keys.end(), [&](const std::string& other) {
      return other != setting.key && last(other) == part;
    });
    name += (name.empty() ? "" : ",") + (shared ? setting.key : part) + "=" + text(setting.key);
  }
  return name;
}

}  // namespace attune
