#pragma once

#include "kernels/attention/packed_blocks.h"
#include "kernels/attention/strip.h"
#include "kernels/lanes.h"
#include "kernels/math.h"

// s_ij = scale · w_h · tanh(q_i + k_j) (Bahdanau et al. 2015, with their W_a s and U_a h as q and
// k).
namespace attune::kernels {

inline double additive_key_factor(const AttentionOptions&) { return 1; }

template <class Real>
void additive_scores(const Head<Real>& h, Rows<const Real> q, const Real* packed, Index begin,
                     Index end, Real* s, Index stride) {
  const Vec<Real> scale = static_cast<Real>(h.options->scale);
  for (Index r = 0; r < q.n; ++r) {
    for (Index t = begin; t < end; t += kLanes<Real>) {
      const Real* const keys = packed + t / kBlock * kBlock * q.width + t % kBlock;
      Vec<Real> total = Real(0);
      for (Index c = 0; c < q.width; ++c)
        total = fma(Vec<Real>(h.w[c]), tanh(q.row(r)[c] + load(keys + c * kBlock)), total);
      store(s + r * stride + t, total * scale);
    }
  }
}

// With x = tanh(q_i + k_j): dw += Σ_ij ds_ij x, and what both dq_i and dk_j get is ds_ij w (1 −
// x²).
template <class Real>
void additive_gradient_of_keys(const Head<Real>& h, Index i, const KeySet& keys, const Real* ds,
                               const HeadGradient<Real>& gradient) {
  const Real* const q = h.q.row(i);
  Real* const dq = gradient.q.row(i);
  for (Index t = 0; t < keys.count; ++t) {
    const Real* const k = h.k.row(keys[t]);
    Real* const dk = gradient.k.row(keys[t]);
    const Vec<Real> d = ds[t];
    for_lanes<Real>(h.q.width, [&](Index c, auto lanes) {
      const Vec<Real> x = tanh(lanes.load(q + c) + lanes.load(k + c));
      const Vec<Real> inner = d * lanes.load(h.w + c) * fma(-x, x, Vec<Real>(Real(1)));
      lanes.store(dq + c, lanes.load(dq + c) + inner);
      lanes.store(dk + c, lanes.load(dk + c) + inner);
      if (gradient.w != nullptr) lanes.store(gradient.w + c, fma(d, x, lanes.load(gradient.w + c)));
    });
  }
}

template <class Real>
void additive_gradient_of_strip(const Head<Real>& h, const Strip& strip, const Real* ds,
                                const HeadGradient<Real>& gradient) {
  for (Index r = 0; r < strip.n; ++r) {
    additive_gradient_of_keys(h, strip.first + r, strip.keys[static_cast<std::size_t>(r)],
                              ds + strip.begin(r), gradient);
  }
}

}  // namespace attune::kernels
