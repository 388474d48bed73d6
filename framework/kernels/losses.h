#pragma once

#include "tensor/view.h"

// Losses that compare reals element by element: means over all elements, 0 of none. Operands have
// equally many elements, else a ShapeError. Summed in double, by chunks fixed by shape, added in
// order; NaN passes. An absent gradient is skipped.
namespace attune::kernels {

// mean (prediction − target)².
template <class Real>
double mean_squared_error(View<const Real> prediction, View<const Real> target);

// dprediction += 2 dloss / N · (prediction − target), dtarget −= the same.
template <class Real>
void mean_squared_error_backward(Real dloss, View<const Real> prediction, View<const Real> target,
                                 View<Real> dprediction, View<Real> dtarget);

// mean −t log σ(x) − (1 − t) log(1 − σ(x)) of logits x and targets t in [0, 1], as
// max(x, 0) − x t + log(1 + e^−|x|), which neither overflows nor cancels.
template <class Real>
double binary_cross_entropy(View<const Real> logits, View<const Real> targets);

// dlogits += dloss / N · (σ(x) − t), dtargets −= dloss / N · x.
template <class Real>
void binary_cross_entropy_backward(Real dloss, View<const Real> logits, View<const Real> targets,
                                   View<Real> dlogits, View<Real> dtargets);

}  // namespace attune::kernels
