#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune {

// Rows (tokens) of several examples, one behind the other, without padding.
//   offsets [n_examples + 1]: example e owns rows offsets[e] .. offsets[e+1]-1 (none is legal)
//   example [n_examples]: logical id of each example, the same wherever it is packed (keys dropout
//   masks)
//   grid    [n_examples, 2]: rows and columns of patches of an image; absent for sequences
struct PackedRows {
  View<const std::int32_t> offsets;
  View<const std::int32_t> example;
  View<const std::int32_t> grid;

  Index n_examples() const { return offsets ? offsets.dim(0) - 1 : 0; }
  Index n_rows() const { return offsets && n_examples() >= 0 ? offsets[n_examples()] : 0; }
};

// What the rows of a dataset are, and what is asked of a model that reads them.
struct RowSpec {
  enum class Kind {
    patches,  // of an image, [width] values, in a grid
    vectors,  // [width] values, in a sequence or set
    tokens,   // one id below `vocabulary`, in a sequence
  };
  Kind kind = Kind::patches;
  Index width = 0;
  Index vocabulary = 0;
  Index n_classes = 0;         // which a target is one of
  bool row_targets = false;    // every row has a target, or kNoTarget; else every example has one
  Index longest = 0;           // rows of the longest example
  bool targets_ahead = false;  // a row's target stands in the row behind it
};

// The target of a row that does not count.
inline constexpr std::int32_t kNoTarget = -100;

}  // namespace attune
