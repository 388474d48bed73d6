#pragma once

#include "kernels/attention/parts.h"
#include "kernels/dropout.h"
#include "kernels/dropout_cells.h"
#include "kernels/part_clock.h"

namespace attune::kernels {

// factors[t] of the weight of the query's key number t: 0 where it is dropped, else 1 / (1 − p̂).
template <class Real>
void dropout_factors(const Head<Real>& h, Index query, const KeySet& keys, std::uint32_t* draws,
                     Real* factors) {
  const AttentionOptions& o = *h.options;
  const DropoutOptions dropout = o.weight_dropout();
  const std::uint32_t threshold = dropout.threshold();
  const auto keep = static_cast<Real>(dropout.keep_scale());
  const auto cells = [&](Index t) {
    Words row{};
    const Index n =
        keys.list ? std::clamp<Index>(keys.count - t, 0, kPhiloxLanes) : Index{kPhiloxLanes};
    for (Index l = 0; l < n; ++l) row[l] = static_cast<std::uint32_t>(keys[t + l]);
    return DropoutCells{Words{} + static_cast<std::uint64_t>(h.head), row,
                        Words{} + static_cast<std::uint32_t>(query), Words{} + h.example};
  };
  dropout_cells(PhiloxKeys(o.stream_key), o.step, cells, keys.count, draws);
  for (Index t = 0; t < keys.count; ++t) factors[t] = draws[t] >= threshold ? keep : Real(0);
}

// x *= y.
template <class Real>
void multiply_row(const Real* y, Index n, Real* x) {
  for_lanes<Real>(
      n, [&](Index t, auto lanes) { lanes.store(x + t, lanes.load(x + t) * lanes.load(y + t)); });
}

// The keys of one query whose weight is not 0, and these weights: what select and normaliser make
// of a row of scores.
template <class Real>
class Support {
 public:
  // Of rows of at most `widest` scores.
  Support(const Head<Real>& head, Index widest, Scratch& scratch)
      : options_(*head.options),
        normaliser_(part_of(normaliser_parts<Real>, options_.normaliser)),
        places_(scratch.allocate<std::int32_t>(widest)),
        keys_(scratch.allocate<std::int32_t>(widest)),
        chosen_(scratch.allocate<Real>(widest)),
        weights_(scratch.allocate<Real>(widest)) {}

  // Gives the softmax's lse.
  Real find(const KeySet& keys, const Real* scores) {
    Index n = keys.count;
    const bool all = options_.select == Select::all || options_.k >= n;
    if (!all) {
      PartClock::enter(PartClock::Part::select);
      n = top_k(scores, n, options_.k, places_);
      for (Index t = 0; t < n; ++t) chosen_[t] = scores[places_[t]];
      scores = chosen_;
    }
    PartClock::enter(PartClock::Part::normalise);
    const auto inverse_temperature = static_cast<Real>(1 / options_.temperature);
    const Real lse = normaliser_.weights(scores, n, inverse_temperature, weights_);
    size_ = 0;
    for_each_where<Real>(
        n, [&](Index t, auto lanes) { return lanes.load(weights_ + t) != Vec<Real>(Real(0)); },
        [&](Index t) {
          keys_[size_] = static_cast<std::int32_t>(keys[all ? t : places_[t]]);
          weights_[size_++] = weights_[t];
        });
    return lse;
  }
  KeySet keys() const { return {0, size_, 1, keys_}; }
  Real* weights() const { return weights_; }

 private:
  const AttentionOptions& options_;
  const NormaliserPart<Real>& normaliser_;
  std::int32_t *places_, *keys_;
  Real *chosen_, *weights_;
  Index size_ = 0;
};

// y = Σ_t weights_t rows_(keys_t), in the order of keys.
template <class Real>
void weighted_sum(const KeySet& keys, const Real* weights, Rows<const Real> rows, Real* y) {
  constexpr Index kWide = 4 * kLanes<Real>;
  Index c = 0;
  for (; c + kWide <= rows.width; c += kWide) {
    Vec<Real> sums[4] = {Real(0), Real(0), Real(0), Real(0)};
    for (Index t = 0; t < keys.count; ++t) {
      const Real* const x = rows.row(keys[t]) + c;
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v)
        sums[v] = fma(Vec<Real>(weights[t]), load(x + v * kLanes<Real>), sums[v]);
    }
    for (int v = 0; v < 4; ++v) store(y + c + v * kLanes<Real>, sums[v]);
  }
  for_lanes<Real>(rows.width - c, [&](Index d, auto lanes) {
    Vec<Real> sum = Real(0);
    for (Index t = 0; t < keys.count; ++t)
      sum = fma(Vec<Real>(weights[t]), lanes.load(rows.row(keys[t]) + c + d), sum);
    lanes.store(y + c + d, sum);
  });
}

// x · y.
template <class Real>
Real dot(const Real* x, const Real* y, Index n) {
  Vec<Real> total = Real(0);
  for_lanes<Real>(
      n, [&](Index c, auto lanes) { total = fma(lanes.load(x + c), lanes.load(y + c), total); });
  return sum(total);
}

}  // namespace attune::kernels
