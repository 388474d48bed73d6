#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

struct CrossEntropyOptions {
  double label_smoothing = 0;        // ε in [0, 1] (Szegedy et al. 2016)
  std::int32_t ignore_index = -100;  // rows with this target don't count
};

// Mean over the rows that count of −Σ_j q_j log softmax(logits)_j, q = (1 − ε)·onehot(target) +
// ε/c; with weights Σ w_i loss_i / Σ w_i. 0 if no row counts, or if their weights add to 0.
//   logits [n, c]; targets [n]; weights [n], ≥ 0, or absent; lse [n]: log Σ exp, kept for the
//   backward
// Summed in double, by chunks of 64 rows added in order. NaN passes. A target outside [0, c) that
// is not ignore_index is a ShapeError naming row and value.
template <class Real>
double cross_entropy(const CrossEntropyOptions& options, View<const Real> logits,
                     View<const std::int32_t> targets, View<const Real> weights, View<Real> lse);

// dlogits += dloss · w_i / Σ w · (softmax(logits) − q), in rows that count.
template <class Real>
void cross_entropy_backward(const CrossEntropyOptions& options, Real dloss, View<const Real> logits,
                            View<const std::int32_t> targets, View<const Real> weights,
                            View<const Real> lse, View<Real> dlogits);

}  // namespace attune::kernels
