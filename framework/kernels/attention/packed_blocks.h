#pragma once

#include "kernels/attention_tile.h"

// Rows packed so that lanes are rows: block b holds rows 64 b … as [width][64]. Scores of any query
// with them are then products of the micro-kernel, without a sum across lanes.
namespace attune::kernels {

inline Index whole_blocks(Index n) { return (n + kBlock - 1) / kBlock * kBlock; }

// The rows of `keys`, times `factor`; room for whole_blocks(keys.count) · rows.width.
template <class Real>
void pack_rows(Rows<const Real> rows, const KeySet& keys, Real factor, Real* packed) {
  Scratch scratch;
  Real* const gathered = keys.list ? scratch.allocate<Real>(kBlock * rows.width) : nullptr;
  for (Index t = 0; t < keys.count; t += kBlock) {
    const Index n = std::min(kBlock, keys.count - t);
    Rows<const Real> block(rows.row(keys[t]), n, rows.width, keys.step * rows.stride);
    if (keys.list != nullptr) {
      for (Index r = 0; r < n; ++r)
        std::copy_n(rows.row(keys[t + r]), rows.width, gathered + r * rows.width);
      block = {gathered, n, rows.width, rows.width};
    }
    transpose_block(block, factor, packed + t * rows.width);
  }
}

// products[r][t] = rows_r · packed_t for begin ≤ t < end, in whole vectors; begin is a multiple of
// kLanes. Rows of products are `stride` apart, with room for whole_blocks(end).
template <class Real>
void packed_products(Rows<const Real> rows, const Real* packed, Index begin, Index end,
                     Real* products, Index stride) {
  const auto zeros = operand(static_cast<const Real*>(nullptr), Fixed<0>{});
  for (Index t = begin; t < end;) {
    const Index block = t / kBlock * kBlock, n = std::min(block + kBlock, end) - t;
    const Index vectors = (n + kLanes<Real> - 1) / kLanes<Real>;
    multiply<Real>(rows.n, vectors * kLanes<Real>, rows.width, operand(rows.data, rows.stride),
                   operand(packed + block * rows.width + (t - block), Fixed<kBlock>{}), zeros,
                   operand(products + t, stride));
    t = block + kBlock;
  }
}

}  // namespace attune::kernels
