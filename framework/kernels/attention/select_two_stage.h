#pragma once

#include <cmath>

#include "kernels/attention/head.h"
#include "kernels/attention/parts.h"
#include "kernels/attention/select_top_k.h"

// Top-k in two stages: whole blocks of keys by the score of their mean key, then the k largest
// scores among the keys of the chosen blocks. The first stage is the gate of MoBA (Lu et al. 2025):
// mean-pooled keys, no parameters, and a block that a query sees in part (under a causal pattern
// its own) is always chosen, so that no mean holds a key which the query doesn't see. Means are
// scored without bias, and no gradient goes through the choice.
namespace attune::kernels {

// Blocks of √n_k keys; a dilated pattern sees every r-th key, so that each residue modulo r has
// blocks of its own. Row `residue · per_residue + b` of the means is block b of that residue.
struct MeanGrid {
  Index n_k, step, block, per_residue;

  MeanGrid(const AttentionOptions& o, Index n_keys)
      : n_k(n_keys),
        step(o.pattern == Pattern::dilated ? std::min(o.dilation, std::max<Index>(n_keys, 1)) : 1),
        block(std::max<Index>(
            1, static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(n_keys)))))),
        per_residue(((n_keys + step - 1) / step + block - 1) / block) {}

  Index rows() const { return step * per_residue; }
  Index keys_of(Index residue) const { return (n_k - residue + step - 1) / step; }
};

// means [grid.rows(), d_k] of keys [n_k, d_k].
template <class Real>
void mean_keys(const MeanGrid& grid, Rows<const Real> keys, Rows<Real> means) {
  for (Index row = 0; row < grid.rows(); ++row) {
    const Index residue = row / grid.per_residue, first = row % grid.per_residue * grid.block;
    const Index last = std::min(first + grid.block, grid.keys_of(residue));
    const Real share = Real(1) / static_cast<Real>(std::max<Index>(last - first, 1));
    for_lanes<Real>(keys.width, [&](Index c, auto lanes) {
      Vec<Real> total = Real(0);
      for (Index u = first; u < last; ++u)
        total += lanes.load(keys.row(residue + u * grid.step) + c);
      lanes.store(means.row(row) + c, total * Vec<Real>(share));
    });
  }
}

// What the first stage does for a query with these keys. Places count the keys of its residue.
struct Stage {
  MeanGrid grid;
  Index step = 1, residue = 0, begin = 0, end = 0;  // keys residue + step · place
  Index first_block = 0, n_blocks = 0;              // seen as a whole
  Index chosen = 0;  // blocks to take: twice the keys that are wanted, and one more

  Stage(const AttentionOptions& o, Index n_k, const KeySet& keys)
      : grid(o, n_k),
        step(keys.step),
        residue(keys.first % keys.step),
        begin(keys.first / keys.step),
        end(begin + keys.count) {
    first_block = (begin + grid.block - 1) / grid.block;
    // The last block of a sequence may be shorter.
    const bool to_the_end = keys.count > 0 && end == grid.keys_of(residue);
    n_blocks = (to_the_end ? (end + grid.block - 1) / grid.block : end / grid.block) - first_block;
    chosen = (2 * o.k + grid.block - 1) / grid.block + 1;
  }
  // Whether there is anything to choose.
  bool needed() const { return n_blocks > chosen; }
  Index first_mean() const { return residue * grid.per_residue + first_block; }
  // Keys outside the blocks seen as a whole.
  Index rest() const {
    return end - begin -
           (std::min((first_block + n_blocks) * grid.block, end) - first_block * grid.block);
  }
  Index most_candidates() const {
    return needed() ? std::min(rest() + chosen * grid.block, end - begin) : end - begin;
  }

  // The keys of the blocks in `blocks` (of those seen as a whole) and of the rest, rising.
  Index candidates(const std::int32_t* blocks, std::int32_t* keys) const {
    Index n = 0;
    const auto take = [&](Index from, Index to) {
      for (Index u = from; u < std::min(to, end); ++u)
        keys[n++] = static_cast<std::int32_t>(residue + step * u);
    };
    take(begin, first_block * grid.block);
    for (Index c = 0; c < chosen; ++c)
      take((first_block + blocks[c]) * grid.block, (first_block + blocks[c] + 1) * grid.block);
    take((first_block + n_blocks) * grid.block, end);
    return n;
  }
};

}  // namespace attune::kernels
