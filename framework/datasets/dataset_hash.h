#pragma once

#include "base/hash.h"
#include "datasets/dataset_file.h"

namespace attune {

// The content hash that dataset_file.h defines, made in one pass: the table first, then the pixels.
class DatasetHash {
 public:
  explicit DatasetHash(const ImageTable& table);
  void pixels(const void* data, std::size_t bytes) { hash_.update(data, bytes); }
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

// Fills in absent groups and class names. Labels must be in range.
void complete(ImageTable& table);

}  // namespace attune
