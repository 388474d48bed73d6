#pragma once

#include "kernels/pointwise.h"

namespace attune::kernels {

// The feed-forward sublayer: y = GELU(x W1ᵀ + b1) W2ᵀ + b2, a block of rows at a time, so that what
// stands between the two products stays in cache.
//   x [n, d_in], w1 [d_hidden, d_in], w2 [d_out, d_hidden], biases [d_hidden], [d_out] or absent
template <class T>
struct FeedForward {
  View<T> w1, b1, w2, b2;
};

// hidden, slope [n, d_hidden]: GELU and its derivative, kept for the backward; both may be absent.
// The bits are those of linear(), gelu() and linear(). Operands that don't fit are a ShapeError.
template <class Real>
void feed_forward(GeluForm form, View<const Real> x, const FeedForward<const Real>& weights,
                  View<Real> hidden, View<Real> slope, View<Real> y);

// Adds to those gradients that are there; dx where fresh_dx is written. What `slope` holds is lost:
// the gradient before GELU takes its place.
template <class Real>
void feed_forward_backward(View<const Real> dy, View<const Real> x,
                           const FeedForward<const Real>& weights, View<const Real> hidden,
                           View<Real> slope, View<Real> dx, bool fresh_dx,
                           const FeedForward<Real>& gradients);

}  // namespace attune::kernels
