#pragma once

#include <string>
#include <vector>

#include "datasets/dataset_file.h"

namespace attune {

// `attune.dataset@1`, vectors. Of n examples:
//   /x [n, d] finite reals    /label [n], an index into /class_names [c] text
//   /group [n], /split [n] as of images    /feature_names [d] text, optional
// with the attributes schema, kind ("vectors") and sha256, which may be absent.
//
// sha256 is over the text "attune.dataset@1 vectors\n" and then feature_names, class_names, label,
// group, split, x (float32), as dataset_file.h has it for images; absent feature_names and split
// are left out.
struct VectorTable : ExampleColumns {
  Index width = 0;       // d
  std::vector<float> x;  // [n, d]
  std::vector<std::string> feature_names;
  Index size() const { return static_cast<Index>(label.size()); }
};

struct VectorFile {
  VectorTable table;   // whole, defaults filled in
  std::string sha256;  // of the content as it is
};

// DataError with every fault, a line each.
VectorFile read_vector_file(const std::string& path);

// Under a temporary name beside it, then renamed into place.
void write_vector_file(const std::string& path, VectorTable table);

std::vector<std::string> vector_file_faults(const std::string& path);

}  // namespace attune
