#include "datasets/dataset_hash.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace attune {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are hashed as they lie in memory");

}  // namespace

DatasetHash::DatasetHash(const ImageTable& table) {
  hash_.update("attune.dataset@1 images\n");
  hash_texts(hash_, "class_names", table.class_names);
  hash_column(hash_, "height", table.height);
  hash_column(hash_, "width", table.width);
  hash_column(hash_, "label", table.label);
  hash_column(hash_, "group", table.group);
  if (!table.split.empty()) hash_column(hash_, "split", table.split);
  if (!table.spacing.empty()) hash_column(hash_, "spacing", table.spacing);
  hash_.update("pixels\n");
}

void hash_texts(Sha256& hash, std::string_view name, const std::vector<std::string>& texts) {
  hash.update(name);
  hash.update("\n");
  for (const std::string& text : texts) hash.update(text + "\n");
}

void complete(ExampleColumns& columns, Index n) {
  if (columns.group.empty()) {
    columns.group.resize(static_cast<std::size_t>(n));
    std::iota(columns.group.begin(), columns.group.end(), 0);
  }
  if (columns.class_names.empty() && !columns.label.empty()) {
    const std::int32_t last = *std::max_element(columns.label.begin(), columns.label.end());
    for (std::int32_t c = 0; c <= last; ++c) columns.class_names.push_back(std::to_string(c));
  }
}

}  // namespace attune
