#include "kernels/gru.h"

#include <algorithm>
#include <numeric>

#include "kernels/gemm.h"
#include "kernels/lanes.h"
#include "kernels/linear.h"
#include "kernels/math.h"
#include "kernels/packed_rows.h"
#include "kernels/parallel.h"
#include "kernels/pointwise.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kSequencesPerBlock = 8;

// Which row each sequence reads at a step. Sequences are put in order of falling length, so that
// those that have not ended at a step are the first few; `place` counts in this order.
class Schedule {
 public:
  Schedule(View<const std::int32_t> offsets, bool reverse, Scratch& scratch)
      : offsets_(offsets),
        reverse_(reverse),
        order_(scratch.view<std::int32_t>({offsets.size() - 1})) {
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(), [this](std::int32_t a, std::int32_t b) {
      return length(a) != length(b) ? length(a) > length(b) : a < b;
    });
  }

  Index n_sequences() const { return order_.size(); }
  Index n_steps() const { return n_sequences() == 0 ? 0 : length(order_[0]); }
  Index running(Index step) const {
    const auto ended = [&](std::int32_t e) { return length(e) <= step; };
    return std::find_if(order_.begin(), order_.end(), ended) - order_.begin();
  }
  Index sequence(Index place) const { return order_[place]; }
  Index row(Index place, Index step) const {
    const Index e = order_[place];
    return reverse_ ? offsets_[e + 1] - 1 - step : offsets_[e] + step;
  }

 private:
  Index length(Index e) const { return offsets_[e + 1] - offsets_[e]; }

  View<const std::int32_t> offsets_;
  bool reverse_;
  View<std::int32_t> order_;
};

template <class Real>
void check(const char* kernel, View<const Real> x, View<const std::int32_t> offsets,
           View<const Real> h0, const GruWeights<const Real>& w, View<const Real> y) {
  check_rank(kernel, "x", x, 2);
  check_rank(kernel, "w_hh", w.w_hh, 2);
  const Index h = w.w_hh.dim(1);
  check_offsets(kernel, offsets, x.dim(0));
  check_shape(kernel, "w_hh", w.w_hh, {3 * h, h}, "its own columns: three gates a unit");
  check_shape(kernel, "w_ih", w.w_ih, {3 * h, x.dim(1)}, "w_hh and x");
  check_shape(kernel, "b_ih", w.b_ih, {3 * h}, "w_hh");
  check_shape(kernel, "b_hh", w.b_hh, {3 * h}, "w_hh");
  check_shape(kernel, "y", y, {x.dim(0), h}, "x and w_hh");
  if (h0) check_shape(kernel, "h0", h0, {offsets.size() - 1, h}, "offsets and w_hh");
}

// One row's state from what x and the state say to its gates, [3h] each; `gates` [4h] or null.
template <class Real>
void cell(Index h, const Real* of_x, const Real* of_state, Real* state, Real* y, Real* gates) {
  for_lanes<Real>(h, [&](Index j, auto lanes) {
    const Vec<Real> heard = lanes.load(of_state + 2 * h + j);
    const Vec<Real> r = sigmoid(lanes.load(of_x + j) + lanes.load(of_state + j));
    const Vec<Real> z = sigmoid(lanes.load(of_x + h + j) + lanes.load(of_state + h + j));
    const Vec<Real> n = tanh(fma(r, heard, lanes.load(of_x + 2 * h + j)));
    const Vec<Real> next = fma(z, lanes.load(state + j) - n, n);
    lanes.store(state + j, next);
    lanes.store(y + j, next);
    if (gates == nullptr) return;
    lanes.store(gates + j, r);
    lanes.store(gates + h + j, z);
    lanes.store(gates + 2 * h + j, n);
    lanes.store(gates + 3 * h + j, heard);
  });
}

// The gradients of both [3h] from that of the row's state, dy (or null) + carry; carry becomes the
// part of the state before that did not pass through a gate.
template <class Real>
void cell_backward(Index h, const Real* dy, const Real* gates, const Real* before, Real* carry,
                   Real* d_of_x, Real* d_of_state) {
  for_lanes<Real>(h, [&](Index j, auto lanes) {
    const Vec<Real> one(Real(1));
    const Vec<Real> r = lanes.load(gates + j), z = lanes.load(gates + h + j),
                    n = lanes.load(gates + 2 * h + j), heard = lanes.load(gates + 3 * h + j);
    Vec<Real> d = lanes.load(carry + j);
    if (dy != nullptr) d += lanes.load(dy + j);
    const Vec<Real> keep = one - z;
    const Vec<Real> d_n = d * keep * (one - n * n);
    const Vec<Real> d_z = d * (lanes.load(before + j) - n) * z * keep;
    const Vec<Real> d_r = d_n * heard * r * (one - r);
    lanes.store(carry + j, d * z);
    lanes.store(d_of_x + j, d_r);
    lanes.store(d_of_x + h + j, d_z);
    lanes.store(d_of_x + 2 * h + j, d_n);
    lanes.store(d_of_state + j, d_r);
    lanes.store(d_of_state + h + j, d_z);
    lanes.store(d_of_state + 2 * h + j, d_n * r);
  });
}

// f(place) for the sequences that run, of h units each.
template <class F>
void for_running(const char* kernel, Index running, Index h, F&& f) {
  parallel_ranges(kernel, running, kSequencesPerBlock, 2.0 * static_cast<double>(running * h),
                  [&](Index begin, Index end) {
                    for (Index place = begin; place < end; ++place) f(place);
                  });
}

}  // namespace

template <class Real>
void gru(View<const Real> x, View<const std::int32_t> offsets, View<const Real> h0,
         const GruWeights<const Real>& weights, bool reverse, View<Real> y, View<Real> h_n,
         View<Real> gates) {
  check<Real>("gru", x, offsets, h0, weights, y);
  const Index n = x.dim(0), h = y.dim(1), n_sequences = offsets.size() - 1;
  check_shape("gru", "h_n", h_n, {n_sequences, h}, "offsets and w_hh");
  if (gates) check_shape("gru", "gates", gates, {n, 4 * h}, "y");

  Scratch scratch;
  const Schedule schedule(offsets, reverse, scratch);
  const auto of_x = scratch.view<Real>({n, 3 * h});
  linear<Real>(x, weights.w_ih, weights.b_ih, of_x);
  const auto state = scratch.view<Real>({n_sequences, h});
  for (Index place = 0; place < n_sequences; ++place) {
    Real* const to = state.data() + place * h;
    if (h0) {
      std::copy_n(h0.data() + schedule.sequence(place) * h, h, to);
    } else {
      std::fill_n(to, h, Real(0));
    }
  }
  const auto of_state = scratch.view<Real>({n_sequences, 3 * h});
  for (Index step = 0; step < schedule.n_steps(); ++step) {
    const Index running = schedule.running(step);
    linear<Real>(state.rows(0, running), weights.w_hh, weights.b_hh, of_state.rows(0, running));
    for_running("gru", running, h, [&](Index place) {
      const Index row = schedule.row(place, step);
      cell(h, of_x.data() + row * 3 * h, of_state.data() + place * 3 * h, state.data() + place * h,
           y.data() + row * h, gates ? gates.data() + row * 4 * h : nullptr);
    });
  }
  for (Index place = 0; place < n_sequences; ++place)
    std::copy_n(state.data() + place * h, h, h_n.data() + schedule.sequence(place) * h);
}

template <class Real>
void gru_backward(View<const Real> dy, View<const Real> dh_n, View<const Real> x,
                  View<const std::int32_t> offsets, View<const Real> h0,
                  const GruWeights<const Real>& weights, bool reverse, View<const Real> y,
                  View<const Real> gates, View<Real> dx, View<Real> dh0,
                  const GruWeights<Real>& dweights) {
  const char* const kernel = "gru_backward";
  check<Real>(kernel, x, offsets, h0, weights, y);
  const Index n = x.dim(0), h = y.dim(1), n_sequences = offsets.size() - 1;
  check_shape(kernel, "gates", gates, {n, 4 * h}, "y");

  Scratch scratch;
  const Schedule schedule(offsets, reverse, scratch);
  const auto before = scratch.view<Real>({n, h});  // the state that each row found
  const auto d_of_x = scratch.view<Real>({n, 3 * h}), d_of_state = scratch.view<Real>({n, 3 * h});
  const auto d_step = scratch.view<Real>({n_sequences, 3 * h});
  const auto carry = scratch.view<Real>({n_sequences, h});
  for (Index place = 0; place < n_sequences; ++place) {
    Real* const to = carry.data() + place * h;
    if (dh_n) {
      std::copy_n(dh_n.data() + schedule.sequence(place) * h, h, to);
    } else {
      std::fill_n(to, h, Real(0));
    }
  }
  for (Index step = schedule.n_steps() - 1; step >= 0; --step) {
    const Index running = schedule.running(step);
    for_running(kernel, running, h, [&](Index place) {
      const Index row = schedule.row(place, step);
      Real* const found = before.data() + row * h;
      if (step > 0) {
        std::copy_n(y.data() + schedule.row(place, step - 1) * h, h, found);
      } else if (h0) {
        std::copy_n(h0.data() + schedule.sequence(place) * h, h, found);
      } else {
        std::fill_n(found, h, Real(0));
      }
      Real* const of_state = d_of_state.data() + row * 3 * h;
      cell_backward<Real>(h, dy ? dy.data() + row * h : nullptr, gates.data() + row * 4 * h, found,
                          carry.data() + place * h, d_of_x.data() + row * 3 * h, of_state);
      std::copy_n(of_state, 3 * h, d_step.data() + place * 3 * h);
    });
    linear_backward_input<Real>(d_step.rows(0, running), weights.w_hh, carry.rows(0, running));
  }
  for (Index place = 0; dh0 && place < n_sequences; ++place) {
    const Index e = schedule.sequence(place);
    accumulate<Real>({carry.data() + place * h, {h}}, {dh0.data() + e * h, {h}});
  }
  if (dx) linear_backward_input<Real>(d_of_x, weights.w_ih, dx);
  linear_backward_weight<Real>(d_of_x, x, dweights.w_ih, dweights.b_ih);
  linear_backward_weight<Real>(d_of_state, before, dweights.w_hh, dweights.b_hh);
}

template void gru(View<const float>, View<const std::int32_t>, View<const float>,
                  const GruWeights<const float>&, bool, View<float>, View<float>, View<float>);
template void gru(View<const double>, View<const std::int32_t>, View<const double>,
                  const GruWeights<const double>&, bool, View<double>, View<double>, View<double>);
template void gru_backward(View<const float>, View<const float>, View<const float>,
                           View<const std::int32_t>, View<const float>,
                           const GruWeights<const float>&, bool, View<const float>,
                           View<const float>, View<float>, View<float>, const GruWeights<float>&);
template void gru_backward(View<const double>, View<const double>, View<const double>,
                           View<const std::int32_t>, View<const double>,
                           const GruWeights<const double>&, bool, View<const double>,
                           View<const double>, View<double>, View<double>,
                           const GruWeights<double>&);

}  // namespace attune::kernels
