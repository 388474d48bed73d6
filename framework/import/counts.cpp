#include "import/counts.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace attune {

Spread spread_of(std::vector<Index> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

Json json_of(const Spread& s) {
  return Json().set("min", s.least).set("median", s.median).set("max", s.most);
}

Counts count(const ExampleColumns& columns) {
  Counts counts;
  counts.of_class.resize(columns.class_names.size());
  std::vector<std::set<std::int32_t>> groups(columns.class_names.size());
  std::map<std::int32_t, Index> of_group;
  for (std::size_t i = 0; i < columns.group.size(); ++i) {
    ++of_group[columns.group[i]];
    if (columns.label.empty()) continue;
    const auto label = static_cast<std::size_t>(columns.label[i]);
    ++counts.of_class[label];
    groups[label].insert(columns.group[i]);
  }
  for (const auto& set : groups) counts.groups_of_class.push_back(static_cast<Index>(set.size()));
  for (const auto& [group, n] : of_group) counts.of_group.push_back(n);
  return counts;
}

std::string label_table(const ExampleColumns& columns, const Counts& counts,
                        const std::string& what) {
  std::size_t width = 5;
  for (const std::string& name : columns.class_names) width = std::max(width, display_width(name));
  const auto row = [&](const std::string& name, const std::string& examples,
                       const std::string& groups) {
    return fmt::format("{}  {}  {}\n", pad_right(name, width),
                       pad_left(examples, std::max<std::size_t>(6, what.size())),
                       pad_left(groups, 6));
  };
  std::string text = row("label", what, "groups");
  for (std::size_t c = 0; c < columns.class_names.size(); ++c)
    text += row(columns.class_names[c], std::to_string(counts.of_class[c]),
                std::to_string(counts.groups_of_class[c]));
  return text +
         row("all", std::to_string(columns.group.size()), std::to_string(counts.of_group.size()));
}

Json label_json(const ExampleColumns& columns, const Counts& counts, const std::string& what) {
  Json labels(Json::List{});
  for (std::size_t c = 0; c < columns.class_names.size(); ++c)
    labels.push(Json()
                    .set("name", columns.class_names[c])
                    .set(what, counts.of_class[c])
                    .set("groups", counts.groups_of_class[c]));
  return labels;
}

Json group_json(const Counts& counts, bool given) {
  return json_of(spread_of(counts.of_group))
      .set("count", static_cast<Index>(counts.of_group.size()))
      .set("given", given);
}

std::string spread_head() {
  return fmt::format("{:<16}  {:>6}  {:>6}  {:>6}\n", "", "least", "median", "most");
}

std::string spread_row(const std::string& name, const Spread& s) {
  return fmt::format("{:<16}  {:>6}  {:>6}  {:>6}\n", name, s.least, s.median, s.most);
}

}  // namespace attune
