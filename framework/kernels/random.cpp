#include "kernels/random.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kBlock = 4096;  // elements a task, even
constexpr double kTwoPi = 0x1.921fb54442d18p2;

struct Pair {
  Vec<double> even, odd;
};

Pair box_muller(Vec<double> u, Vec<double> v) {
  const Vec<double> radius = sqrt(Vec<double>(-2) * log(u));
  const Vec<double> angle = Vec<double>(kTwoPi) * v;
  return {radius * cos(angle), radius * sin(angle)};
}

}  // namespace

double normal(const Stream& stream, std::uint64_t i, std::uint32_t a, std::uint32_t b) {
  const std::uint64_t first = i & ~std::uint64_t{1};
  const Pair z = box_muller(stream.uniform(first, a, b), stream.uniform(first + 1, a, b));
  return i == first ? z.even[0] : z.odd[0];
}

template <class Real>
void fill_normal(const Stream& stream, double std, View<Real> y) {
  const Index n = y.size();
  parallel_ranges(
      "fill_normal", n, kBlock, static_cast<double>(n) * 10.0, [&](Index begin, Index end) {
        constexpr Index kPairs = kLanes<double>;
        for (Index i = begin; i < end; i += 2 * kPairs) {
          double u[kPairs], v[kPairs];
          for (Index k = 0; k < kPairs; ++k) {
            u[k] = stream.uniform(static_cast<std::uint64_t>(i + 2 * k));
            v[k] = stream.uniform(static_cast<std::uint64_t>(i + 2 * k + 1));
          }
          const Pair z = box_muller(load(u), load(v));
          for (Index j = 0; j < std::min(2 * kPairs, end - i); ++j) {
            const int lane = static_cast<int>(j / 2);
            y[i + j] = static_cast<Real>(std * (j % 2 == 0 ? z.even[lane] : z.odd[lane]));
          }
        }
      });
}

template <class Real>
void fill_uniform(const Stream& stream, double low, double high, View<Real> y) {
  const Index n = y.size();
  parallel_ranges(
      "fill_uniform", n, kBlock, static_cast<double>(n) * 5.0, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          y[i] =
              static_cast<Real>(low + (high - low) * stream.uniform(static_cast<std::uint64_t>(i)));
        }
      });
}

template <class Real>
void fill_orthogonal(const Stream& stream, View<Real> y) {
  const Index m = y.dim(0), d = y.dim(1);
  Scratch scratch;
  const View<double> rows = scratch.view<double>({m, d}),
                     lengths = scratch.view<double>({2 * m, d});
  fill_normal(stream, 1, lengths);  // the first half makes directions
  const auto product = [d](const double* a, const double* b) {
    double total = 0;
    for (Index j = 0; j < d; ++j) total += a[j] * b[j];
    return total;
  };
  for (Index i = 0; i < m; ++i) {
    double* const row = rows.row(i);
    std::copy_n(lengths.row(i), d, row);
    for (int pass = 0; pass < 2; ++pass) {  // once more for what rounding left
      for (Index of_block = i / d * d; of_block < i; ++of_block) {
        const double along = product(row, rows.row(of_block));
        for (Index j = 0; j < d; ++j) row[j] -= along * rows(of_block, j);
      }
    }
    const double unit = 1 / std::sqrt(product(row, row));
    for (Index j = 0; j < d; ++j) row[j] *= unit;
    const double length = std::sqrt(product(lengths.row(m + i), lengths.row(m + i)));
    for (Index j = 0; j < d; ++j) y(i, j) = static_cast<Real>(length * row[j]);
  }
}

template void fill_orthogonal(const Stream&, View<float>);
template void fill_orthogonal(const Stream&, View<double>);
template void fill_normal(const Stream&, double, View<float>);
template void fill_uniform(const Stream&, double, double, View<float>);
template void fill_normal(const Stream&, double, View<double>);
template void fill_uniform(const Stream&, double, double, View<double>);

}  // namespace attune::kernels
