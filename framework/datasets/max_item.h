#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: max. Max retrieval (Veličković et al. 2024, "Softmax is not enough for sharp
// out-of-distribution"): a set of items, each with a priority, uniform on (0, 1), and a category;
// the class is the category of the item with the highest priority. A row is the priority, then the
// category as a one-hot vector. The number of items is uniform on min_items … max_items.
struct MaxOptions : GeneratedOptions {
  Index min_items = 1, max_items = 16, n_classes = 4;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
