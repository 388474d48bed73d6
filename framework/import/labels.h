#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace attune {

// Which columns of a labels CSV hold what; `group` may be absent from the file.
struct LabelColumns {
  std::string file = "file", label = "label", group = "group";
};

struct LabelRow {
  std::string file, label, group;  // group is empty where the CSV has no such column
  std::size_t line = 0;
};

// A CSV with a header line, as RFC 4180 has it: quoted fields may hold commas, line breaks and
// doubled quotes; a byte-order mark, lines that end in CRLF or CR, and spaces around unquoted
// fields are fine, blank lines behind the header are skipped. DataError with the line where a row
// has another number of fields than the header, where a file stands twice, where a file, label or
// group is empty, or where the text is no UTF-8. `name` stands in errors.
std::vector<LabelRow> read_labels(std::istream& stream, const LabelColumns& columns,
                                  const std::string& name);

}  // namespace attune
