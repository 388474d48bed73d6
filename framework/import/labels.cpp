#include "import/labels.h"

#include <algorithm>
#include <filesystem>
#include <istream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/text.h"

namespace attune {
namespace {

// Without the spaces around it, which people type behind commas.
std::string trimmed(const std::string& text) {
  constexpr const char* kSpaces = " \t";
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// The next record; nothing at the end of the text. `line` counts the lines taken.
std::optional<std::vector<std::string>> next_record(std::istream& csv, std::size_t& line,
                                                    const std::string& name) {
  std::vector<std::string> fields(1);
  bool quoted = false, was_quoted = false, any = false;
  const std::size_t start = line + 1;
  const auto close = [&] {
    if (!was_quoted) fields.back() = trimmed(fields.back());
    was_quoted = false;
  };
  for (int c = csv.get(); c != EOF; c = csv.get()) {
    any = true;
    if (c == '\r' && csv.peek() == '\n') continue;
    if (c == '\r') c = '\n';
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        fields.back() += static_cast<char>(c);
      } else if (csv.peek() == '"') {
        fields.back() += static_cast<char>(csv.get());
      } else {
        quoted = false;
      }
    } else if (c == '"' && !was_quoted && trimmed(fields.back()).empty()) {
      fields.back().clear();
      quoted = was_quoted = true;
    } else if (c == ',') {
      close();
      fields.emplace_back();
    } else if (c == '\n') {
      close();
      return fields;
    } else {
      fields.back() += static_cast<char>(c);
    }
  }
  ATTUNE_CHECK(!quoted, DataError, "{}:{}: a quote is opened and never closed", name, start);
  if (!any) return std::nullopt;
  close();
  ++line;
  return fields;
}

}  // namespace

std::vector<LabelRow> read_labels(std::istream& stream, const LabelColumns& columns,
                                  const std::string& name) {
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  const std::size_t bad = std::min(invalid_utf8(text), text.find('\0'));
  ATTUNE_CHECK(bad == text.npos, DataError,
               "{}:{}: is no text in UTF-8; save the table as CSV UTF-8", name,
               1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'));
  std::istringstream csv(std::move(text));
  std::size_t line = 0;
  auto header = next_record(csv, line, name);
  ATTUNE_CHECK(header, DataError, "{} is empty: its first line must name its columns", name);
  ATTUNE_CHECK(!join(*header, "").empty(), DataError,
               "{}:1: is blank: the first line must name the columns", name);
  const auto place = [&](const std::string& column,
                         const char* what) -> std::optional<std::size_t> {
    const auto found = std::find(header->begin(), header->end(), column);
    if (found != header->end()) {
      ATTUNE_CHECK(std::count(found, header->end(), column) == 1, DataError,
                   "{} has two columns '{}': rename the one that is not the {}", name, column,
                   what);
      return static_cast<std::size_t>(found - header->begin());
    }
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
