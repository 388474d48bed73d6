#include "study/selector.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "study/points.h"

namespace attune {
namespace {

bool has(const Row& row, const std::string& key, const std::vector<std::string>& values) {
  const std::string is = value_in(row, key);
  return !is.empty() && std::any_of(values.begin(), values.end(), [&](const std::string& value) {
    return same_value(value, is);
  });
}

std::vector<std::string> values_of(const Study& study, const std::string& key) {
  std::vector<std::string> values;
  for (const Row& row : study.rows) {
    std::string is = value_in(row, key);
    if (!is.empty() && std::find(values.begin(), values.end(), is) == values.end())
      values.push_back(std::move(is));
  }
  return values;
}

std::vector<std::string> known_keys(const Study& study) {
  std::set<std::string> keys = {"row"};
  for (const Row& row : study.rows) {
    for (const auto& [factor, level] : row.factors) keys.insert(factor);
    for (const BoundLeaf& bound : row.binding.leaves) keys.insert(bound.leaf.key);
  }
  return {keys.begin(), keys.end()};
}

void check(const Node::Entry& entry, const std::vector<std::string>& wanted, const Study& study,
           Diagnostics& diagnostics) {
  const std::vector<std::string> values = values_of(study, entry.key);
  if (values.empty()) {
    const auto meant = did_you_mean(entry.key, known_keys(study));
    diagnostics.error(
        {.at = entry.at,
         .message = fmt::format("{} is neither a factor nor a key of any row{}", entry.key,
                                meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
         .hints = {"a selector is `reference`, {row: NAME}, {FACTOR: LEVEL} or {dotted.key: "
                   "value}"}});
    return;
  }
  for (const std::string& value : wanted)
    if (std::none_of(values.begin(), values.end(),
                     [&](const std::string& is) { return same_value(value, is); }))
      diagnostics.error({.at = entry.value.at,
                         .message = fmt::format("no row has {}={}", entry.key, value),
                         .hints = {fmt::format("rows have {}: {}", entry.key, join(values))}});
}

}  // namespace

std::string value_in(const Row& row, const std::string& key) {
  if (key == "row") return row.name;
  const auto factor = row.factors.find(key);
  if (factor != row.factors.end()) return factor->second;
  const BoundLeaf* bound = row.binding.find(key);
  return bound ? to_text(bound->leaf.value) : std::string();
}

Selector read_selector(const Node& node, const Study& study, Diagnostics& diagnostics) {
  Selector selector;
  selector.at = node.at;
  if (node.is_scalar() && node.text == kReferenceRow) {
    selector.reference = true;
    selector.text = kReferenceRow;
    if (study.varied.empty()) return selector;
    diagnostics.error({.at = node.at,
                       .message = "a sweep has no reference row",
                       .hints = {"name rows by the keys that are varied: " + join(study.varied)}});
    return selector;
  }
  if (!node.is_map() || node.entries.empty()) {
    diagnostics.error(
        {.at = node.at,
         .message = fmt::format("{} selects no row", node.shown()),
         .hints = {"a selector is `reference`, {row: NAME}, {FACTOR: LEVEL} or {dotted.key: "
                   "value}"}});
    return selector;
  }
  for (const Node::Entry& entry : node.entries) {
    std::vector<std::string> wanted;
    if (entry.value.kind == Node::Kind::list)
      for (const Node& item : entry.value.items) wanted.push_back(item.text);
    else
      wanted.push_back(entry.value.kind == Node::Kind::null ? "null" : entry.value.text);
    const std::string part = entry.key == "row" ? join(wanted)
                             : wanted.size() == 1
                                 ? fmt::format("{}={}", entry.key, wanted.front())
                                 : fmt::format("{} in {{{}}}", entry.key, join(wanted));
    selector.text += (selector.text.empty() ? "" : ", ") + part;
    check(entry, wanted, study, diagnostics);
    selector.where.emplace_back(entry.key, std::move(wanted));
  }
  return selector;
}

Selector both(const Selector& a, const Selector& b) {
  Selector result = a.selects_all() ? b : a;
  if (a.selects_all() || b.selects_all()) return result;
  result.text = a.text + ", " + b.text;
  result.reference = a.reference || b.reference;
  result.where.insert(result.where.end(), b.where.begin(), b.where.end());
  return result;
}

std::vector<const Row*> selected(const Selector& selector, const Study& study) {
  std::vector<const Row*> rows;
  for (const Row& row : study.rows) {
    if (selector.reference && row.name != kReferenceRow) continue;
    if (std::all_of(selector.where.begin(), selector.where.end(),
                    [&](const auto& part) { return has(row, part.first, part.second); }))
      rows.push_back(&row);
  }
  return rows;
}

}  // namespace attune
