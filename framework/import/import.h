#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <utility>

#include "import/labels.h"

namespace attune {

struct ImportOptions {
  std::string source;  // a folder; its images are found in all folders below
  std::string output;  // the dataset file
  std::string labels;  // CSV whose files are relative to source
  LabelColumns columns;
  // DICOM and NIfTI values are clipped to it and scaled to 0 … 1.
  std::optional<std::pair<double, double>> window;
  bool skip_unlabelled = false;
};

// Decodes every labelled image of a folder into a dataset file (dataset_file.h), in the order of
// their paths, of which nothing enters the file. Pixels are uint8 when all images are PNG or JPEG
// of 8 bit, else float32: PNG and JPEG in 0 … 1, DICOM and NIfTI in their own units unless
// windowed. Groups become hashes of their names; without a group column each image is its own
// group. Prints counts by label, group and size. Memory: the largest image. DataError lists all
// files that cannot be read, or that lack a row or a row that lacks a file (unless skipped); then
// nothing is written.
void import_images(const ImportOptions& options, std::ostream& report);

}  // namespace attune
