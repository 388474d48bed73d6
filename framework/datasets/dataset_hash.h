#pragma once

#include <string>
#include <vector>

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

// What tokens and vectors have in common with it: a column is its name, a newline, its values as
// little-endian bytes; absent ones are left out.
template <class T>
void hash_column(Sha256& hash, std::string_view name, const std::vector<T>& values) {
  hash.update(name);
  hash.update("\n");
  hash.update(values.data(), values.size() * sizeof(T));
}
void hash_texts(Sha256& hash, std::string_view name, const std::vector<std::string>& texts);

// Fills in absent groups, and class names where there are labels, which must be in range.
void complete(ExampleColumns& columns, Index n);

}  // namespace attune
