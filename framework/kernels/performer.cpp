#include "kernels/performer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lanes.h"
#include "kernels/linear.h"
#include "kernels/math.h"
#include "kernels/packed_rows.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

struct Sizes {
  Index n, n_heads, d, m;
  double root;  // d^¼
};

template <class Real>
Sizes check(const char* kernel, View<const std::int32_t> offsets, View<const Real> x,
            View<const Real> directions, View<const Real> y) {
  check_rank(kernel, "x", x, 2);
  check_rank(kernel, "directions", directions, 2);
  const Index n = x.dim(0), m = directions.dim(0), d = directions.dim(1);
  ATTUNE_CHECK(m >= 1 && d >= 1 && x.dim(1) % d == 0, ShapeError,
               "[{}] x is {}, directions {}: x must be made of heads as wide as they, {} columns",
               kernel, x.shape().text(), directions.shape().text(), d);
  check_offsets(kernel, offsets, n);
  const Index n_heads = x.dim(1) / d;
  check_shape(kernel, "y", y, {n, n_heads * m}, "x and directions");
  return {n, n_heads, d, m, std::sqrt(std::sqrt(static_cast<double>(d)))};
}

// f(sequence's first row, its rows, head) for every sequence and head.
template <class F>
void for_each_head(const char* kernel, const Sizes& s, View<const std::int32_t> offsets, F&& f) {
  const double cost = 1.5 * static_cast<double>(s.n * s.n_heads * s.m);
  parallel_for(kernel, (offsets.size() - 1) * s.n_heads, cost, [&](Index task) {
    const Index e = task / s.n_heads;
    f(Index{offsets[e]}, Index{offsets[e + 1]}, task % s.n_heads);
  });
}

template <class Real>
Real largest_of(const Real* x, Index n) {
  constexpr Real kLeast = -std::numeric_limits<Real>::infinity();
  Vec<Real> top = kLeast;  // max() returns its second operand for NaN
  for_lanes<Real>(
      n, [&](Index j, auto lanes) { top = max(lanes.keep(lanes.load(x + j), kLeast), top); });
  return largest(top);
}

template <class Real>
Real half_square(const Real* x, Index d, Real inverse_root) {
  Vec<Real> squares = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> v = lanes.load(x + j) * Vec<Real>(inverse_root);
    squares = fma(v, v, squares);
  });
  return sum(squares) / 2;
}

}  // namespace

template <class Real>
void performer_features(FeatureShift shift, View<const std::int32_t> offsets, View<const Real> x,
                        View<const Real> directions, View<Real> y) {
  const Sizes s = check<Real>("performer_features", offsets, x, directions, y);
  const auto inverse_root = static_cast<Real>(1 / s.root);
  const auto norm = static_cast<Real>(1 / std::sqrt(static_cast<double>(s.m)));
  const Shape by_head{s.n * s.n_heads, s.d};
  linear<Real>(x.reshaped(by_head), directions, {}, y.reshaped({s.n * s.n_heads, s.m}));
  for_each_head("performer_features", s, offsets, [&](Index begin, Index end, Index h) {
    Real top = shift == FeatureShift::none ? Real(0) : -std::numeric_limits<Real>::infinity();
    const auto exponents = [&](Index i) { return y.row(i) + h * s.m; };
    for (Index i = begin; i < end; ++i) {
      const Real half = half_square(x.row(i) + h * s.d, s.d, inverse_root);
      for_lanes<Real>(s.m, [&](Index j, auto lanes) {
        Real* const at = exponents(i) + j;
        lanes.store(at, fma(lanes.load(at), Vec<Real>(inverse_root), Vec<Real>(-half)));
      });
      if (shift == FeatureShift::sequence) top = std::max(top, largest_of(exponents(i), s.m));
    }
    for (Index i = begin; i < end; ++i) {
      if (shift == FeatureShift::row) top = largest_of(exponents(i), s.m);
      for_lanes<Real>(s.m, [&](Index j, auto lanes) {
        Real* const at = exponents(i) + j;
        lanes.store(at, exp(lanes.load(at) - Vec<Real>(top)) * Vec<Real>(norm));
      });
    }
  });
}

template <class Real>
void performer_features_backward(FeatureShift shift, View<const std::int32_t> offsets,
                                 View<const Real> dy, View<const Real> x,
                                 View<const Real> directions, View<const Real> y, View<Real> dx,
                                 View<Real> ddirections) {
  const char* const kernel = "performer_features_backward";
  const Sizes s = check<Real>(kernel, offsets, x, directions, y);
  check_shape(kernel, "dy", dy, y.shape(), "y");
  const auto inverse_root = static_cast<Real>(1 / s.root);
  Scratch scratch;
  const View<Real> da = scratch.view<Real>(y.shape());  // times d^-¼, by which ω · x̂ has x
  for_each_head(kernel, s, offsets, [&](Index begin, Index end, Index h) {
    Real total = 0;                  // over the shift's scope so far
    Index top_row = begin, top = 0;  // the first of the largest
    Real largest_so_far = -std::numeric_limits<Real>::infinity();
    const auto of_head = [&](const auto& view, Index i) { return view.row(i) + h * s.m; };
    const auto close = [&] {
      if (shift != FeatureShift::none) of_head(da, top_row)[top] -= total;
      total = 0;
    };
    for (Index i = begin; i < end; ++i) {
      const Real *const phi = of_head(y, i), *const upstream = of_head(dy, i);
      Real* const a = of_head(da, i);
      Vec<Real> of_row = Real(0);
      for_lanes<Real>(s.m, [&](Index f, auto lanes) {
        const Vec<Real> g = lanes.load(phi + f) * lanes.load(upstream + f);
        of_row += g;
        lanes.store(a + f, g);
      });
      total += sum(of_row);
      if (shift == FeatureShift::none) continue;
      const Real of_this = largest_of(phi, s.m);
      if (shift == FeatureShift::row || of_this > largest_so_far) {
        const Index place = std::find(phi, phi + s.m, of_this) - phi;
        top_row = i, top = place < s.m ? place : 0;  // NaN is nowhere
        largest_so_far = of_this;
      }
      if (shift == FeatureShift::row) close();
    }
    if (shift == FeatureShift::sequence && begin < end) close();
    for (Index i = begin; i < end; ++i) {
      Real* const a = of_head(da, i);
      Vec<Real> sums = Real(0);
      for_lanes<Real>(s.m, [&](Index j, auto lanes) {
        sums += lanes.load(a + j);
        lanes.store(a + j, lanes.load(a + j) * Vec<Real>(inverse_root));
      });
      if (!dx) continue;
      const Vec<Real> factor = -sum(sums) * inverse_root * inverse_root;
      for_lanes<Real>(s.d, [&](Index j, auto lanes) {
        Real* const to = dx.row(i) + h * s.d + j;
        lanes.store(to, fma(factor, lanes.load(x.row(i) + h * s.d + j), lanes.load(to)));
      });
    }
  });
  const Shape by_head{s.n * s.n_heads, s.d};
  const View<const Real> rows = da.reshaped({s.n * s.n_heads, s.m});
  if (dx) linear_backward_input<Real>(rows, directions, dx.reshaped(by_head));
  if (ddirections) linear_backward_weight<Real>(rows, x.reshaped(by_head), ddirections);
}

template void performer_features(FeatureShift, View<const std::int32_t>, View<const float>,
                                 View<const float>, View<float>);
template void performer_features_backward(FeatureShift, View<const std::int32_t>, View<const float>,
                                          View<const float>, View<const float>, View<const float>,
                                          View<float>, View<float>);
template void performer_features(FeatureShift, View<const std::int32_t>, View<const double>,
                                 View<const double>, View<double>);
template void performer_features_backward(FeatureShift, View<const std::int32_t>,
                                          View<const double>, View<const double>,
                                          View<const double>, View<const double>, View<double>,
                                          View<double>);

}  // namespace attune::kernels
