#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace attune::kernels {

// A dropout mask is a function of the site's stream, the training step and logical coordinates
// (example, row in the example, column): the same wherever the example is packed. An element is
// kept iff its 16-bit draw (DropoutDraws, head 0) is at least round(65536 p).
struct DropoutOptions {
  double p = 0;                  // probability of dropping, 0 ≤ p ≤ 1 − 2⁻¹⁶
  std::uint64_t stream_key = 0;  // Stream(seed, "dropout", name).key
  std::uint32_t step = 0;

  // round(65536 p); a p out of range is a ConfigError.
  std::uint32_t threshold() const;
  // 1 / (1 − p̂), p̂ = threshold / 65536 the probability that is really used.
  double keep_scale() const;
};

// y = M ∘ x / (1 − p̂), M in {0, 1} (Srivastava et al. 2014, in the "inverted" form).
//   x, y [n, d]; example, token [n]: logical id of each row's example and the row's index in it
//   (row_coordinates makes them); p = 0 copies, and reads neither
// A dropped element is 0 even where x is NaN or infinite. Operands that don't fit are a ShapeError,
// here and below; an absent gradient is skipped.
template <class Real>
void dropout(const DropoutOptions& options, View<const std::int32_t> example,
             View<const std::int32_t> token, View<const Real> x, View<Real> y);

// dx += M ∘ dy / (1 − p̂).
template <class Real>
void dropout_backward(const DropoutOptions& options, View<const std::int32_t> example,
                      View<const std::int32_t> token, View<const Real> dy, View<Real> dx,
                      bool fresh = false);

// y = x + dropout(branch), in one pass. x, branch, y [n, d].
template <class Real>
void dropout_residual(const DropoutOptions& options, View<const std::int32_t> example,
                      View<const std::int32_t> token, View<const Real> x, View<const Real> branch,
                      View<Real> y);

// dx += dy, dbranch += M ∘ dy / (1 − p̂).
template <class Real>
void dropout_residual_backward(const DropoutOptions& options, View<const std::int32_t> example,
                               View<const std::int32_t> token, View<const Real> dy, View<Real> dx,
                               View<Real> dbranch, bool fresh_dx = false,
                               bool fresh_dbranch = false);

}  // namespace attune::kernels
