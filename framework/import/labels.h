#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace attune {

// Which columns of a CSV hold what; `group`, and in tables `split`, may be absent from the file.
struct LabelColumns {
  std::string file = "file", label = "label", group = "group", tokens = "tokens", split = "split";
  std::string input = "input", answer = "answer";  // of pairs
};

struct LabelRow {
  std::string file, label, group;  // group is empty where the CSV has no such column
  std::size_t line = 0;
};

// The rows of a CSV (csv.h) of images. DataError with the line where a file stands twice, or where
// a file, label or group is empty. `name` stands in errors.
std::vector<LabelRow> read_labels(std::istream& stream, const LabelColumns& columns,
                                  const std::string& name);

}  // namespace attune
