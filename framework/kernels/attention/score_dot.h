#pragma once

#include <cmath>

#include "kernels/attention/packed_blocks.h"
#include "kernels/attention/strip.h"
#include "kernels/lanes.h"

// s_ij = scale · q_i · k_j (Vaswani et al. 2017, eq. 1, where scale = 1/√d_k).
namespace attune::kernels {

// Keys carry the scale, so that it costs nothing a score.
inline double dot_key_factor(const AttentionOptions& o) { return o.scale; }

template <class Real>
void dot_scores(const Head<Real>&, Rows<const Real> q, const Real* packed, Index begin, Index end,
                Real* s, Index stride) {
  packed_products(q, packed, begin, end, s, stride);
}

// y += factor · x.
template <class Real>
inline void add_row(Real factor, const Real* x, Index width, Real* y) {
  for_lanes<Real>(width, [&](Index c, auto lanes) {
    lanes.store(y + c, fma(Vec<Real>(factor), lanes.load(x + c), lanes.load(y + c)));
  });
}

// ds holds scale · ds, here and below.
template <class Real>
void dot_gradient_of_strip(const Head<Real>& h, const Strip& strip, const Real* ds,
                           const HeadGradient<Real>& gradient) {
  add_by_queries<Real>(strip, ds, h.k, part(gradient.q, strip.first, strip.n));
  add_by_keys<Real>(strip, ds, part(h.q, strip.first, strip.n), gradient.k);
}

template <class Real>
void dot_gradient_of_keys(const Head<Real>& h, Index i, const KeySet& keys, const Real* ds,
                          const HeadGradient<Real>& gradient) {
  for (Index t = 0; t < keys.count; ++t) {
    add_row(ds[t], h.k.row(keys[t]), h.k.width, gradient.q.row(i));
    add_row(ds[t], h.q.row(i), h.q.width, gradient.k.row(keys[t]));
  }
}

}  // namespace attune::kernels
