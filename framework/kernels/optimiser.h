#pragma once

#include <cstdint>
#include <span>

#include "tensor/view.h"

// Updates of one block of parameters, all of them at once: value, grad and moments [n] lie side by
// side in memory. An element's bits depend on that element alone.
namespace attune::kernels {

// Elements [begin, end) of a block decay by `weight_decay`; those in no range don't.
struct DecayRange {
  Index begin = 0, end = 0;
  double weight_decay = 0;
};

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = true;  // AdamW
  std::int64_t step = 1;  // of this update, from 1
};

// AdamW (Loshchilov and Hutter 2019, algorithm 2) with the roundings of PyTorch:
//   p ← p · (1 − lr·decay),   m ← m + (g − m)·(1 − β₁),   v ← β₂·v + (1 − β₂)·g²,
//   p ← p − lr/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps).
// Adam (Kingma and Ba 2015), where not decoupled: g ← g + decay·p first, and p does not shrink.
// Ranges ascend and don't overlap (else a ShapeError).
template <class Real>
void adam(const AdamOptions& options, std::span<const DecayRange> decay, View<const Real> grad,
          View<Real> value, View<Real> m, View<Real> v);

struct SgdOptions {
  double lr = 0.1, momentum = 0;
};

// g' = g + decay·p,   velocity ← momentum·velocity + g',   p ← p − lr·velocity  (Sutskever et al.
// 2013, as PyTorch writes it). velocity may be absent without momentum.
template <class Real>
void sgd(const SgdOptions& options, std::span<const DecayRange> decay, View<const Real> grad,
         View<Real> value, View<Real> velocity);

// Σ x², in double: squares in fixed lanes, chunks of 16384 added in order.
template <class Real>
double squared_norm(View<const Real> x);

}  // namespace attune::kernels
