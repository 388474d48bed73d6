#include "kernels/heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// What a head's x̂ = (x − mean) · r is made with.
template <class Real>
struct Statistics {
  Real mean, r;
};

// 1 / |x|, 0 for a vector of zeros; where squares of x are too small or too large for a Real, from
// x times a power of two.
template <class Real>
Real inverse_length(const Real* x, Index d, Real sum_of_squares) {
  using Limits = std::numeric_limits<Real>;
  if (std::isnan(sum_of_squares) ||
      (sum_of_squares > Limits::min() / Limits::epsilon() && sum_of_squares <= Limits::max()))
    return Real(1) / std::sqrt(sum_of_squares);
  Real largest = 0;
  for (Index j = 0; j < d; ++j) largest = std::max(largest, std::abs(x[j]));
  if (largest == Real(0) || std::isinf(largest)) return Real(0);
  const Real scale = std::ldexp(Real(1), -std::ilogb(largest));
  Real squares = 0;
  for (Index j = 0; j < d; ++j) squares += scale * x[j] * (scale * x[j]);
  return scale / std::sqrt(squares);
}

template <class Real>
Statistics<Real> statistics(HeadNorm kind, const Real* x, Index d, Real eps) {
  const auto count = static_cast<Real>(d);
  Vec<Real> total = Real(0), squares = Real(0);
  Real mean = 0;
  if (kind == HeadNorm::layer) {
    for_lanes<Real>(d, [&](Index j, auto lanes) { total += lanes.load(x + j); });
    mean = sum(total) / count;
  }
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> v = lanes.keep(lanes.load(x + j) - Vec<Real>(mean), Real(0));
    squares = fma(v, v, squares);
  });
  const Real sum_of_squares = sum(squares);
  if (kind != HeadNorm::unit) return {mean, Real(1) / std::sqrt(sum_of_squares / count + eps)};
  return {mean, inverse_length(x, d, sum_of_squares)};
}

template <class Real, class Lanes>
Vec<Real> gain_at(const Real* gain, Index j, Lanes lanes) {
  return gain == nullptr ? Vec<Real>(Real(1)) : lanes.load(gain + j);
}

// Adds one head's share to dx and to the chunk's dgain; each may be null.
template <class Real>
void backward_of_head(HeadNorm kind, const Real* dy, const Real* x, const Real* gain, Index d,
                      Real eps, Real* dx, Real* dgain) {
  const Statistics<Real> s = statistics(kind, x, d, eps);
  const auto hat = [&](Index j, auto lanes) {
    return (lanes.load(x + j) - Vec<Real>(s.mean)) * Vec<Real>(s.r);
  };
  Vec<Real> sum_g = Real(0), sum_gx = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> upstream = lanes.load(dy + j), g = upstream * gain_at(gain, j, lanes);
    const Vec<Real> x_hat = lanes.keep(hat(j, lanes), Real(0));
    sum_g += lanes.keep(g, Real(0));
    sum_gx = fma(lanes.keep(g, Real(0)), x_hat, sum_gx);
    if (dgain != nullptr) lanes.store(dgain + j, fma(upstream, x_hat, lanes.load(dgain + j)));
  });
  if (dx == nullptr) return;
  const auto count = static_cast<Real>(d);
  const Vec<Real> along = sum(sum_gx) / (kind == HeadNorm::unit ? Real(1) : count);
  const Vec<Real> mean = kind == HeadNorm::layer ? sum(sum_g) / count : Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> g = lanes.load(dy + j) * gain_at(gain, j, lanes);
    const Vec<Real> inner = g - mean - hat(j, lanes) * along;
    lanes.store(dx + j, fma(Vec<Real>(s.r), inner, lanes.load(dx + j)));
  });
}

template <class T>
void check_rows(const char* kernel, const char* operand, const Rows<T>& rows, Index n,
                Index columns) {
  ATTUNE_CHECK(rows.n == n && rows.width == columns, ShapeError,
               "[{}] {} is [{}, {}], but must be [{}, {}] to fit x.", kernel, operand, rows.n,
               rows.width, n, columns);
}

// f(chunk's sums, row begin, row end) over chunks of rows, whose sums [size] are then added to y.
template <class Real, class F>
void by_chunks(const char* kernel, Index n, double cost, View<Real> y, F&& f) {
  Scratch scratch;
  const Index size = y.size();
  Real* const sums = scratch.allocate<Real>(row_blocks(n) * size);
  parallel_ranges(kernel, n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    Real* const chunk = sums + begin / kRowsPerBlock * size;
    std::fill_n(chunk, size, Real(0));
    f(y ? chunk : nullptr, begin, end);
  });
  if (y) add_chunks(sums, row_blocks(n), size, y);
}

}  // namespace

void check_heads(const char* kernel, const char* operand, const HeadColumns& heads, Index columns) {
  ATTUNE_CHECK(heads.n_heads >= 1, ShapeError, "[{}] n_heads={} must be at least 1", kernel,
               heads.n_heads);
  if (!heads.widths) {
    ATTUNE_CHECK(columns >= heads.n_heads && columns % heads.n_heads == 0, ShapeError,
                 "[{}] {} has {} columns, which {} heads do not divide; heads of different widths "
                 "need these",
                 kernel, operand, columns, heads.n_heads);
    return;
  }
  check_shape(kernel, "widths", heads.widths, {heads.n_heads}, "n_heads");
  Index total = 0;
  for (Index h = 0; h < heads.n_heads; ++h) {
    ATTUNE_CHECK(heads.widths[h] >= 1, ShapeError, "[{}] widths[{}] = {} must be at least 1",
                 kernel, h, heads.widths[h]);
    total += heads.widths[h];
  }
  ATTUNE_CHECK(total == columns, ShapeError, "[{}] {} has {} columns, widths make {}", kernel,
               operand, columns, total);
}

template <class Real>
void head_norm(HeadNorm kind, const HeadColumns& heads, Rows<const Real> x, View<const Real> gain,
               Real eps, Rows<Real> y) {
  check_heads("head_norm", "x", heads, x.width);
  if (gain) check_shape("head_norm", "gain", gain, {x.width}, "x's columns");
  check_rows("head_norm", "y", y, x.n, x.width);
  const double cost = 0.4 * static_cast<double>(x.n * x.width);
  parallel_ranges("head_norm", x.n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      heads.for_each(x.width, [&](Index, Index first, Index d) {
        const Real* const from = x.row(i) + first;
        const Statistics<Real> s = statistics(kind, from, d, eps);
        for_lanes<Real>(d, [&](Index j, auto lanes) {
          const Vec<Real> x_hat = (lanes.load(from + j) - Vec<Real>(s.mean)) * Vec<Real>(s.r);
          lanes.store(y.row(i) + first + j, x_hat * gain_at(gain.data(), first + j, lanes));
        });
      });
    }
  });
}

template <class Real>
void head_norm_backward(HeadNorm kind, const HeadColumns& heads, Rows<const Real> dy,
                        Rows<const Real> x, View<const Real> gain, Real eps, Rows<Real> dx,
                        View<Real> dgain) {
  const char* const kernel = "head_norm_backward";
  check_heads(kernel, "x", heads, x.width);
  check_rows(kernel, "dy", dy, x.n, x.width);
  if (gain) check_shape(kernel, "gain", gain, {x.width}, "x's columns");
  if (dx.data != nullptr) check_rows(kernel, "dx", dx, x.n, x.width);
  if (dgain) check_shape(kernel, "dgain", dgain, {x.width}, "x's columns");
  by_chunks(kernel, x.n, 0.8 * static_cast<double>(x.n * x.width), dgain,
            [&](Real* chunk, Index begin, Index end) {
              for (Index i = begin; i < end; ++i) {
                heads.for_each(x.width, [&](Index, Index first, Index d) {
                  backward_of_head<Real>(kind, dy.row(i) + first, x.row(i) + first,
                                         gain ? gain.data() + first : nullptr, d, eps,
                                         dx.data != nullptr ? dx.row(i) + first : nullptr,
                                         chunk != nullptr ? chunk + first : nullptr);
                });
              }
            });
}

template <class Real>
void scale_heads(const HeadColumns& heads, Rows<const Real> x, View<const Real> gain,
                 Rows<Real> y) {
  check_heads("scale_heads", "x", heads, x.width);
  check_shape("scale_heads", "gain", gain, {heads.n_heads}, "n_heads");
  check_rows("scale_heads", "y", y, x.n, x.width);
  const double cost = 0.3 * static_cast<double>(x.n * x.width);
  parallel_ranges("scale_heads", x.n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if (x.width == heads.n_heads) {  // of one column each
        for_lanes<Real>(x.width, [&](Index j, auto lanes) {
          lanes.store(y.row(i) + j, lanes.load(x.row(i) + j) * lanes.load(gain.data() + j));
        });
        continue;
      }
      heads.for_each(x.width, [&](Index h, Index first, Index d) {
        for_lanes<Real>(d, [&](Index j, auto lanes) {
          lanes.store(y.row(i) + first + j, lanes.load(x.row(i) + first + j) * Vec<Real>(gain[h]));
        });
      });
    }
  });
}

template <class Real>
void scale_heads_backward(const HeadColumns& heads, Rows<const Real> dy, Rows<const Real> x,
                          View<const Real> gain, Rows<Real> dx, View<Real> dgain) {
  const char* const kernel = "scale_heads_backward";
  check_heads(kernel, "x", heads, x.width);
  check_rows(kernel, "dy", dy, x.n, x.width);
  check_shape(kernel, "gain", gain, {heads.n_heads}, "n_heads");
  if (dx.data != nullptr) check_rows(kernel, "dx", dx, x.n, x.width);
  if (dgain) check_shape(kernel, "dgain", dgain, {heads.n_heads}, "n_heads");
  const double cost = 0.5 * static_cast<double>(x.n * x.width);
  by_chunks(kernel, x.n, cost, dgain, [&](Real* chunk, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if (x.width == heads.n_heads) {
        for_lanes<Real>(x.width, [&](Index j, auto lanes) {
          const Vec<Real> upstream = lanes.load(dy.row(i) + j), g = lanes.load(gain.data() + j);
          if (dx.data != nullptr)
            lanes.store(dx.row(i) + j, fma(g, upstream, lanes.load(dx.row(i) + j)));
          if (chunk != nullptr)
            lanes.store(chunk + j, fma(upstream, lanes.load(x.row(i) + j), lanes.load(chunk + j)));
        });
        continue;
      }
      heads.for_each(x.width, [&](Index h, Index first, Index d) {
        Vec<Real> total = Real(0);
        for_lanes<Real>(d, [&](Index j, auto lanes) {
          const Vec<Real> upstream = lanes.load(dy.row(i) + first + j);
          total = fma(upstream, lanes.load(x.row(i) + first + j), total);
          if (dx.data == nullptr) return;
          Real* const to = dx.row(i) + first + j;
          lanes.store(to, fma(Vec<Real>(gain[h]), upstream, lanes.load(to)));
        });
        if (chunk != nullptr) chunk[h] += sum(total);
      });
    }
  });
}

namespace {

// How often x's columns stand in y.
template <class Real>
Index times_in(const char* kernel, View<const Real> x, View<const Real> y) {
  check_rank(kernel, "x", x, 2);
  check_rank(kernel, "y", y, 2);
  ATTUNE_CHECK(x.dim(0) == y.dim(0) && x.dim(1) > 0 && y.dim(1) % x.dim(1) == 0, ShapeError,
               "[{}] y is {}: it must hold the columns of x {} a whole number of times.", kernel,
               y.shape().text(), x.shape().text());
  return y.dim(1) / x.dim(1);
}

}  // namespace

template <class Real>
void repeat_columns(View<const Real> x, View<Real> y) {
  const Index times = times_in<Real>("repeat_columns", x, y), d = x.dim(1);
  const double cost = 0.2 * static_cast<double>(y.size());
  parallel_ranges("repeat_columns", x.dim(0), kRowsPerBlock, cost, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      for (Index t = 0; t < times; ++t) std::copy_n(x.row(i), d, y.row(i) + t * d);
  });
}

template <class Real>
void repeat_columns_backward(View<const Real> dy, View<Real> dx) {
  const char* const kernel = "repeat_columns_backward";
  const Index times = times_in<Real>(kernel, dx, dy), d = dx.dim(1);
  const double cost = 0.3 * static_cast<double>(dy.size());
  parallel_ranges(kernel, dx.dim(0), kRowsPerBlock, cost, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for_lanes<Real>(d, [&](Index j, auto lanes) {
        Vec<Real> total = lanes.load(dx.row(i) + j);
        for (Index t = 0; t < times; ++t) total += lanes.load(dy.row(i) + t * d + j);
        lanes.store(dx.row(i) + j, total);
      });
    }
  });
}

template void repeat_columns(View<const float>, View<float>);
template void repeat_columns_backward(View<const float>, View<float>);
template void repeat_columns(View<const double>, View<double>);
template void repeat_columns_backward(View<const double>, View<double>);
template void head_norm(HeadNorm, const HeadColumns&, Rows<const float>, View<const float>, float,
                        Rows<float>);
template void head_norm_backward(HeadNorm, const HeadColumns&, Rows<const float>, Rows<const float>,
                                 View<const float>, float, Rows<float>, View<float>);
template void scale_heads(const HeadColumns&, Rows<const float>, View<const float>, Rows<float>);
template void scale_heads_backward(const HeadColumns&, Rows<const float>, Rows<const float>,
                                   View<const float>, Rows<float>, View<float>);
template void head_norm(HeadNorm, const HeadColumns&, Rows<const double>, View<const double>,
                        double, Rows<double>);
template void head_norm_backward(HeadNorm, const HeadColumns&, Rows<const double>,
                                 Rows<const double>, View<const double>, double, Rows<double>,
                                 View<double>);
template void scale_heads(const HeadColumns&, Rows<const double>, View<const double>, Rows<double>);
template void scale_heads_backward(const HeadColumns&, Rows<const double>, Rows<const double>,
                                   View<const double>, Rows<double>, View<double>);

}  // namespace attune::kernels
