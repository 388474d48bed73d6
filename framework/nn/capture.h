#pragma once

#include <vector>

#include "autograd/ops.h"

namespace attune {

// One attention of a pass: what its weights follow from.
template <class Real>
struct CapturedAttention {
  Var q, k;
  AttentionVars learned;
  kernels::AttentionRows rows;
  View<const std::int32_t> widths;
  AttentionOptions options;
  // Attention of features has these options, and of `rows` the offsets alone.
  bool of_features = false;
  LinearAttentionOptions of_sums = {};

  // Weights by sequence, head and query (kernels/attention_weights.h).
  void read(const Tape<Real>& tape, const kernels::WeightReader<Real>& reader) const {
    if (of_features) {
      linear_attention_weights(tape, q, k, rows.q_offsets, rows.k_offsets, of_sums, reader);
    } else {
      attention_weights(tape, q, k, learned, rows, options, widths, reader);
    }
  }
};

// What a forward pass shows of itself to who asks (Pass::capture): nodes of its tape, which are
// valid until the tape is reset. One entry a residual block, from the first on.
template <class Real>
struct Capture {
  struct Block {
    Var input, output;  // the residual stream that enters it, and that leaves it
  };
  std::vector<Block> blocks;
  std::vector<Var> branches;  // what is added to the stream: attention's and mlp's of each block
  std::vector<CapturedAttention<Real>> attention;

  void clear() {
    blocks.clear();
    branches.clear();
    attention.clear();
  }
};

}  // namespace attune
