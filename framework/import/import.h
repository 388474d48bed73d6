#pragma once

#include <optional>
#include <string>
#include <utility>

#include "import/labels.h"
#include "import/report.h"

namespace attune {

struct ImportOptions {
  std::string source;  // a folder; its images are found in all folders below
  std::string output;  // the dataset file
  std::string labels;  // CSV whose files are relative to source; empty: folders name the classes
  LabelColumns columns;
  // Values of all formats but PNG and JPEG are clipped to it and scaled to 0 … 1.
  std::optional<std::pair<double, double>> window;
  bool skip_unlabelled = false;
};

// Decodes every labelled image of a folder into a dataset file (dataset_file.h), in the order of
// their paths, of which nothing enters the file; the slices of a volume are images behind each
// other, of the file's label and group. Pixels are uint8 when all images are PNG or JPEG of 8 bit,
// else float32, with values as decode.h says unless windowed. MONOCHROME1 is inverted so that more
// is brighter: 1 − windowed, or without a window mirror − value (decode.h). Groups become hashes of
// their names; without a column of groups each file is its own group. Memory: the largest slice, in
// the decoder the largest file. DataError lists all files that cannot be read, or that lack a row
// or a row that lacks a file (unless skipped), or labels that are no line of UTF-8, and refuses an
// output that is an input; then nothing is written.
ImportReport import_images(const ImportOptions& options);

}  // namespace attune
