#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// Offsets [B + 1] of a pack must start at 0, never fall, and end at n rows; else a ShapeError
// that names `kernel`, the place and the value.
void check_offsets(const char* kernel, View<const std::int32_t> offsets, Index n_rows);

// f(example, index in the example, row) for rows [begin, end) of a pack with valid offsets.
template <class F>
void for_each_row(View<const std::int32_t> offsets, Index begin, Index end, F&& f) {
  if (begin >= end) return;
  // The last example that starts at or before `begin` and isn't empty.
  Index e = std::upper_bound(offsets.begin(), offsets.end(), begin) - offsets.begin() - 1;
  for (Index row = begin; row < end; ++row) {
    while (row >= offsets[e + 1]) ++e;
    f(e, row - offsets[e], row);
  }
}

// Of each row of a pack: the logical id of its example and its index in that example.
//   offsets [B + 1], example [B] -> example_of_row, index_in_example [n]
void row_coordinates(View<const std::int32_t> offsets, View<const std::int32_t> example,
                     View<std::int32_t> example_of_row, View<std::int32_t> index_in_example);

// Puts the learned row `cls` [d] in front of every example (Devlin et al. 2019).
//   x [n, d], offsets [B + 1] -> y [n + B, d]; new_offsets [B + 1] = offsets[e] + e
template <class Real>
void insert_cls(View<const Real> x, View<const std::int32_t> offsets, View<const Real> cls,
                View<Real> y, View<std::int32_t> new_offsets);

// Adds to dx, and to dcls the sum over examples in their order. `offsets` are those of x.
template <class Real>
void insert_cls_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx,
                         View<Real> dcls);

}  // namespace attune::kernels
