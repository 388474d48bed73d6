#include "import/labels.h"

#include <algorithm>
#include <filesystem>
#include <istream>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace attune {
namespace {

// The next record; nothing at the end of the text. `line` counts the lines taken.
std::optional<std::vector<std::string>> next_record(std::istream& csv, std::size_t& line,
                                                    const std::string& name) {
  std::vector<std::string> fields(1);
  bool quoted = false, any = false;
  const std::size_t start = line + 1;
  for (int c = csv.get(); c != EOF; c = csv.get()) {
    any = true;
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        fields.back() += static_cast<char>(c);
      } else if (csv.peek() == '"') {
        fields.back() += static_cast<char>(csv.get());
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      return fields;
    } else if (c != '\r' || csv.peek() != '\n') {
      fields.back() += static_cast<char>(c);
    }
  }
  ATTUNE_CHECK(!quoted, DataError, "{}:{}: a quote is opened and never closed", name, start);
  if (!any) return std::nullopt;
  ++line;
  return fields;
}

}  // namespace

std::vector<LabelRow> read_labels(std::istream& csv, const LabelColumns& columns,
                                  const std::string& name) {
  std::size_t line = 0;
  auto header = next_record(csv, line, name);
  ATTUNE_CHECK(header, DataError, "{} is empty: its first line must name its columns", name);
  if (header->front().starts_with("\xef\xbb\xbf")) header->front().erase(0, 3);
  const auto place = [&](const std::string& column,
                         const char* what) -> std::optional<std::size_t> {
    const auto found = std::find(header->begin(), header->end(), column);
    if (found != header->end()) return static_cast<std::size_t>(found - header->begin());
    ATTUNE_CHECK(column == "group", DataError,
                 "{} has no column '{}'; it has {}. Say which one it is with --columns {}=NAME",
                 name, column, join(*header), what);
    return std::nullopt;
  };
  const auto file = place(columns.file, "file"), label = place(columns.label, "label"),
             group = place(columns.group, "group");

  std::vector<LabelRow> rows;
  std::map<std::string, std::size_t> seen;
  for (std::size_t first = line + 1; const auto record = next_record(csv, line, name);
       first = line + 1) {
    if (record->size() == 1 && record->front().empty()) continue;
    ATTUNE_CHECK(record->size() == header->size(), DataError,
                 "{}:{}: has {} fields, the header names {} columns", name, first, record->size(),
                 header->size());
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
  return rows;
}

}  // namespace attune
