#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/shape.h"
#include "datasets/dataset_file.h"

namespace attune {

// Files whose pixels are the same while they are of different groups or labels: a model may meet a
// test image in training, or learn two answers to one question.
struct Duplicates {
  struct Image {
    std::string file, group, label;
    Index slice = 0, n_slices = 1;
  };
  std::vector<Image> images;  // two or more
  bool across_groups = false, across_labels = false;
};

// What an import has written.
struct ImportReport {
  std::string output;
  ImageTable table;
  bool has_groups = false;  // of people's choice, rather than a file each
  Index n_files = 0;
  std::map<std::string, Index> formats;  // files
  bool mixed_units = false;              // shares of white beside values in units of their own
  std::vector<std::string> no_row, no_file, no_image;  // left out: see Selection
  std::vector<Duplicates> duplicates;
};

// Tables for people, and the same counts and lists as one JSON object.
std::string report_text(const ImportReport& report);
Json report_json(const ImportReport& report);

}  // namespace attune
