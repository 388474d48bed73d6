#pragma once

#include <iosfwd>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace attune {

// A CSV with a header line, as RFC 4180 has it: quoted fields may hold commas, line breaks and
// doubled quotes; a byte-order mark, lines that end in CRLF or CR, and spaces around unquoted
// fields are fine, blank lines behind the header are skipped. DataError with the line where the
// text is no UTF-8, a quote stays open, or a row has another number of fields than the header.
// `name` stands in errors.
class Csv {
 public:
  Csv(std::istream& stream, const std::string& name);

  const std::vector<std::string>& header() const { return header_; }
  // The place of a column. Absent when the header lacks it and it may be absent; DataError where it
  // is needed, or named twice. `what` is how --columns calls it.
  std::optional<std::size_t> column(const std::string& column, const char* what, bool needed) const;

  // The next row's fields; none at the end.
  std::optional<std::vector<std::string>> next();
  std::size_t line() const { return first_line_; }  // where the row that next() gave begins

 private:
  std::optional<std::vector<std::string>> record();

  std::istringstream text_;
  std::string name_;
  std::vector<std::string> header_;
  std::size_t lines_ = 0, first_line_ = 1;
};

// DataError with the line unless it is text in UTF-8; without its byte-order mark. `what` it should
// be saved as, "CSV UTF-8".
std::string utf8_text(std::istream& stream, const std::string& name, const char* what);

}  // namespace attune
