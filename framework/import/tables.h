#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/shape.h"
#include "datasets/dataset_file.h"
#include "import/labels.h"

namespace attune {

struct TableOptions {
  std::string source;  // a CSV with a row an example (csv.h)
  std::string output;  // the dataset file
  LabelColumns columns;
};

// Rows of equal content, of pairs of equal inputs, that are of different groups or labels.
struct EqualRows {
  std::vector<std::size_t> lines;  // two or more
  bool across_groups = false, across_labels = false;
};

// What the import of a table has written.
struct TableReport {
  std::string output, kind;  // tokens | vectors | pairs
  ExampleColumns columns;
  bool has_groups = false, has_split = false;  // of people's choice
  std::vector<Index> lengths;                  // of the sequences; none of vectors
  Index vocabulary = 0;                        // names of tokens
  std::vector<Index> answer_lengths;           // of pairs, whose inputs the two above are of
  Index answer_vocabulary = 0;
  std::vector<std::string> features, left_out;  // columns of vectors: read, and no numbers
  std::vector<std::string> uneven;              // features far wider than others, warned of
  std::vector<EqualRows> equal;
};

// Sequences of tokens into a tokens file (token_file.h). A source whose name ends in .csv has a
// column `tokens`, in which spaces separate them, and may have columns label, group and split
// (train, val, test or 0, 1, 2); any other is a text in UTF-8, one sequence, whose tokens are its
// characters, line ends included. The vocabulary holds each token once, in order, by number when
// all of them are numbers. Groups become hashes of their names; without that column each sequence
// is its own. DataError lists faulty lines, refuses an output that is the source; then nothing is
// written.
TableReport import_tokens(const TableOptions& options);

// A CSV into a vectors file (vector_file.h): columns label, and perhaps group and split, as above;
// all others that hold numbers are features, in their order, and such as hold no number are left
// out. DataError lists the lines where a feature is no finite number.
TableReport import_vectors(const TableOptions& options);

// A CSV into a pairs file (pair_file.h): columns input and answer, in which spaces separate tokens,
// and perhaps group and split, as above.
TableReport import_pairs(const TableOptions& options);

// Tables for people, and the same counts and lists as one JSON object.
std::string table_report_text(const TableReport& report);
Json table_report_json(const TableReport& report);

}  // namespace attune
