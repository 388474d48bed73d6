#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune {

// Rows (tokens) of several examples, one behind the other, without padding.
//   offsets [n_examples + 1]: example e owns rows offsets[e] .. offsets[e+1]-1 (none is legal)
//   example [n_examples]: logical id of each example, the same wherever it is packed (keys dropout
//   masks) grid    [n_examples, 2]: rows and columns of patches of an image; absent for sequences
struct PackedRows {
  View<const std::int32_t> offsets;
  View<const std::int32_t> example;
  View<const std::int32_t> grid;

  Index n_examples() const { return offsets ? offsets.dim(0) - 1 : 0; }
  Index n_rows() const { return offsets && n_examples() >= 0 ? offsets[n_examples()] : 0; }
};

}  // namespace attune
