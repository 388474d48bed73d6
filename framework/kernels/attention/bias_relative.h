#pragma once

#include "kernels/attention/head.h"
#include "kernels/lanes.h"

// s_j += table[i − j], with i − j clipped to ±max_distance (Shaw et al. 2018; one number a head, as
// in Raffel et al. 2020).
namespace attune::kernels {

// Keys without a list fall into three runs, [0, far) before i − max_distance and [near, count)
// beyond i + max_distance, which read one entry each, and those between.
struct RelativeRuns {
  Index far, near;

  RelativeRuns(const KeySet& keys, Index i, Index max_distance) {
    const auto before = [&](Index j) {  // keys below j
      return std::clamp((j - keys.first + keys.step - 1) / keys.step, Index{0}, keys.count);
    };
    far = keys.list == nullptr ? before(i - max_distance) : 0;
    near = keys.list == nullptr ? before(i + max_distance + 1) : keys.count;
  }
};

template <class Real>
Index relative_entry(const Head<Real>& h, Index i, Index j) {
  return std::clamp(i - j, -h.max_distance, h.max_distance);
}

template <class Real>
void relative_bias(const Head<Real>& h, Index i, const KeySet& keys, Real* s) {
  const RelativeRuns runs(keys, i, h.max_distance);
  const auto add = [&](Index from, Index to, Real x) {
    for_lanes<Real>(to - from, [&](Index t, auto lanes) {
      lanes.store(s + from + t, lanes.load(s + from + t) + Vec<Real>(x));
    });
  };
  add(0, runs.far, h.table[h.max_distance]);
  for (Index t = runs.far; t < runs.near; ++t) s[t] += h.table[relative_entry(h, i, keys[t])];
  add(runs.near, keys.count, h.table[-h.max_distance]);
}

// dtable[i − j] += ds_j; a run of one entry is summed first.
template <class Real>
void relative_bias_gradient(const Head<Real>& h, Index i, const KeySet& keys, const Real* ds,
                            const HeadGradient<Real>& gradient) {
  if (gradient.table == nullptr) return;
  const RelativeRuns runs(keys, i, h.max_distance);
  const auto total = [&](Index from, Index to) {
    Vec<Real> sums = Real(0);
    for_lanes<Real>(to - from, [&](Index t, auto lanes) { sums += lanes.load(ds + from + t); });
    return sum(sums);
  };
  gradient.table[h.max_distance] += total(0, runs.far);
  for (Index t = runs.far; t < runs.near; ++t)
    gradient.table[relative_entry(h, i, keys[t])] += ds[t];
  gradient.table[-h.max_distance] += total(runs.near, keys.count);
}

}  // namespace attune::kernels
