#include "import/labels.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "import/csv.h"

namespace attune {

std::vector<LabelRow> read_labels(std::istream& stream, const LabelColumns& columns,
                                  const std::string& name) {
  Csv csv(stream, name);
  const auto file = csv.column(columns.file, "file", true),
             label = csv.column(columns.label, "label", true),
             group = csv.column(columns.group, "group", columns.group != "group");

  std::vector<LabelRow> rows;
  std::map<std::string, std::size_t> seen;
  while (const auto record = csv.next()) {
    const std::size_t first = csv.line();
    LabelRow row{std::filesystem::path((*record)[*file]).lexically_normal().string(),
                 (*record)[*label], group ? (*record)[*group] : "", first};
    ATTUNE_CHECK(!row.file.empty() && !row.label.empty(), DataError,
                 "{}:{}: file '{}' has label '{}': neither may be empty", name, first, row.file,
                 row.label);
    const auto [before, is_new] = seen.emplace(row.file, first);
    ATTUNE_CHECK(is_new, DataError, "{}:{}: {} has a row already, in line {}", name, first,
                 row.file, before->second);
    rows.push_back(std::move(row));
  }
  // Rows without a group would become one group, as if they were of one patient.
  const auto has_none = [](const LabelRow& row) { return row.group.empty(); };
  const auto none = std::find_if(rows.begin(), rows.end(), has_none);
  ATTUNE_CHECK(!group || none == rows.end(), DataError,
               "{}:{}: {} has no {} (nor have {} more): give each of them one, its own where it is "
               "not known",
               name, none->line, none->file, columns.group,
               std::count_if(none + 1, rows.end(), has_none));
  return rows;
}

}  // namespace attune
