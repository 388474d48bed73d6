#include "import/csv.h"

#include <algorithm>
#include <istream>
#include <iterator>

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

}  // namespace

std::string utf8_text(std::istream& stream, const std::string& name, const char* what) {
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  const std::size_t bad = std::min(invalid_utf8(text), text.find('\0'));
  ATTUNE_CHECK(bad == text.npos, DataError, "{}:{}: is no text in UTF-8; save it as {}", name,
               1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'),
               what);
  return text;
}

Csv::Csv(std::istream& stream, const std::string& name)
    : text_(utf8_text(stream, name, "CSV UTF-8")), name_(name) {
  auto header = record();
  ATTUNE_CHECK(header, DataError, "{} is empty: its first line must name its columns", name);
  ATTUNE_CHECK(!join(*header, "").empty(), DataError,
               "{}:1: is blank: the first line must name the columns", name);
  header_ = std::move(*header);
}

std::optional<std::size_t> Csv::column(const std::string& column, const char* what,
                                       bool needed) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  if (found != header_.end()) {
    ATTUNE_CHECK(std::count(found, header_.end(), column) == 1, DataError,
                 "{} has two columns '{}': rename the one that is not the {}", name_, column, what);
    return static_cast<std::size_t>(found - header_.begin());
  }
  ATTUNE_CHECK(!needed, DataError,
               "{} has no column '{}'; it has {}. Say which one it is with --columns {}=NAME",
               name_, column, join(header_), what);
  return std::nullopt;
}

std::optional<std::vector<std::string>> Csv::next() {
  for (;;) {
    first_line_ = lines_ + 1;
    auto fields = record();
    if (!fields) return std::nullopt;
    if (fields->size() == 1 && fields->front().empty()) continue;
    ATTUNE_CHECK(fields->size() == header_.size(), DataError,
                 "{}:{}: has {} fields, the header names {} columns", name_, first_line_,
                 fields->size(), header_.size());
    return fields;
  }
}

std::optional<std::vector<std::string>> Csv::record() {
  std::vector<std::string> fields(1);
  bool quoted = false, was_quoted = false, any = false;
  const std::size_t start = lines_ + 1;
  const auto close = [&] {
    if (!was_quoted) fields.back() = trimmed(fields.back());
    was_quoted = false;
  };
  for (int c = text_.get(); c != EOF; c = text_.get()) {
    any = true;
    if (c == '\r' && text_.peek() == '\n') continue;
    if (c == '\r') c = '\n';
    if (c == '\n') ++lines_;
    if (quoted) {
      if (c != '"') {
        fields.back() += static_cast<char>(c);
      } else if (text_.peek() == '"') {
        fields.back() += static_cast<char>(text_.get());
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
  ATTUNE_CHECK(!quoted, DataError, "{}:{}: a quote is opened and never closed", name_, start);
  if (!any) return std::nullopt;
  close();
  ++lines_;
  return fields;
}

}  // namespace attune
