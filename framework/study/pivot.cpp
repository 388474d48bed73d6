#include "study/pivot.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "study/selector.h"

namespace attune {
namespace {

void require_key(const Study& study, const std::string& key, const std::string& what) {
  const bool known = std::any_of(study.rows.begin(), study.rows.end(),
                                 [&](const Row& row) { return !value_in(row, key).empty(); });
  ATTUNE_CHECK(known, ConfigError,
               "report: {}={} is neither a key nor a factor of any row of {}; varied are {}", what,
               key, study.name(), study.varied.empty() ? "its factors" : join(study.varied));
}

std::size_t place_of(std::vector<std::string>& values, const std::string& value) {
  const auto found = std::find(values.begin(), values.end(), value);
  if (found != values.end()) return static_cast<std::size_t>(found - values.begin());
  values.push_back(value);
  return values.size() - 1;
}

}  // namespace

std::optional<Pivot> pivot_asked(const Study& study, const std::optional<std::string>& rows,
                                 const std::optional<std::string>& columns,
                                 const std::optional<std::string>& cells) {
  const auto said = [&](const char* key) {
    const Node::Entry* entry = study.said.report.find(key);
    return entry ? entry->value.text : std::string();
  };
  Pivot pivot{rows.value_or(said("rows")), columns.value_or(said("columns")),
              cells.value_or(said("cells"))};
  if (rows && !columns) pivot.columns.clear();
  if (pivot.rows.empty()) {
    ATTUNE_CHECK(!columns && !cells, ConfigError, "--columns and --cells need --rows KEY");
    return std::nullopt;
  }
  if (pivot.cells.empty()) {
    const auto shown = study.reference().kind_options().shown_metrics();
    pivot.cells = shown.empty() ? "" : shown.front();
  }
  require_key(study, pivot.rows, "rows");
  if (!pivot.columns.empty()) require_key(study, pivot.columns, "columns");
  std::string why;
  ATTUNE_CHECK(parse_scalar(pivot.cells, why), ConfigError, "report: cells='{}' {}", pivot.cells,
               why);
  return pivot;
}

PivotTable pivot_table(const Study& study, const Results& results, const Pivot& pivot) {
  PivotTable table;
  table.of = pivot;
  std::string why;
  const Scalar scalar = parse_scalar(pivot.cells, why).value();
  std::map<std::pair<std::size_t, std::size_t>, std::vector<const Row*>> in_cell;
  for (const Row& row : study.rows) {
    const std::string r = value_in(row, pivot.rows),
                      c = pivot.columns.empty() ? pivot.cells : value_in(row, pivot.columns);
    if (r.empty() || c.empty()) continue;
    const std::size_t at = place_of(table.rows, r), column = place_of(table.columns, c);
    in_cell[{at, column}].push_back(&row);
  }
  table.cells.assign(table.rows.size(), {});
  for (auto& row : table.cells) row.resize(table.columns.size());
  std::set<std::string> averaged;
  for (const auto& [place, rows] : in_cell) {
    for (const std::string& key : study.varied)
      if (key != pivot.rows && key != pivot.columns)
        for (const Row* row : rows)
          if (value_in(*row, key) != value_in(*rows.front(), key)) averaged.insert(key);
    std::map<Index, std::pair<double, std::size_t>> by_seed;  // sum, number
    bool whole = true;
    for (const Row* row : rows) {
      const RowRuns& runs = results.of(*row);
      const std::vector<RowRuns::Value> values = runs.values(scalar);
      for (std::size_t i = 0; i < values.size(); ++i) {
        whole = whole && values[i].state != RowRuns::Value::State::missing;
        if (values[i].state != RowRuns::Value::State::measured) continue;
        auto& [sum, n] = by_seed[runs.replicates()[i].seed];
        sum += values[i].value;
        ++n;
      }
    }
    std::vector<double> means;
    for (const auto& [seed, sum] : by_seed)
      if (sum.second >= rows.size()) means.push_back(sum.first / static_cast<double>(sum.second));
    if (whole && !means.empty())
      table.cells[place.first][place.second] = mean_with_t_interval(means);
  }
  table.averaged.assign(averaged.begin(), averaged.end());
  return table;
}

}  // namespace attune
