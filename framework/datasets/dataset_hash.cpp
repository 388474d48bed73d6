#include "datasets/dataset_hash.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace attune {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are hashed as they lie in memory");

template <class T>
void column(Sha256& hash, std::string_view name, const std::vector<T>& values) {
  hash.update(name);
  hash.update("\n");
  hash.update(values.data(), values.size() * sizeof(T));
}

}  // namespace

DatasetHash::DatasetHash(const ImageTable& table) {
  hash_.update("attune.dataset@1 images\nclass_names\n");
  for (const std::string& name : table.class_names) hash_.update(name + "\n");
  column(hash_, "height", table.height);
  column(hash_, "width", table.width);
  column(hash_, "label", table.label);
  column(hash_, "group", table.group);
  if (!table.split.empty()) column(hash_, "split", table.split);
  if (!table.spacing.empty()) column(hash_, "spacing", table.spacing);
  hash_.update("pixels\n");
}

void complete(ImageTable& table) {
  if (table.group.empty()) {
    table.group.resize(table.height.size());
    std::iota(table.group.begin(), table.group.end(), 0);
  }
  if (table.class_names.empty() && !table.label.empty()) {
    const std::int32_t last = *std::max_element(table.label.begin(), table.label.end());
    for (std::int32_t c = 0; c <= last; ++c) table.class_names.push_back(std::to_string(c));
  }
}

}  // namespace attune
