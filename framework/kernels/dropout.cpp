#include "kernels/dropout.h"

#include <algorithm>
#include <type_traits>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/philox_simd.h"
#include "kernels/pointwise.h"

namespace attune::kernels {
namespace {

constexpr double kNsPerElement = 0.6;
constexpr std::uint32_t kDraws = 65536;

// f(i, lanes, kept) for every vector of x [n, d], i its place in memory.
template <class Real, class F>
void for_draws(const char* kernel, const DropoutOptions& options, View<const std::int32_t> example,
               View<const std::int32_t> token, const Shape& shape, F f) {
  const Index n = shape[0], d = shape[1];
  check_shape(kernel, "example", example, {n}, "the rows");
  check_shape(kernel, "token", token, {n}, "the rows");
  ATTUNE_CHECK(d <= Index{8} << 20, ShapeError,
               "[{}] rows have {} columns; the counter of a draw counts up to {}.", kernel, d,
               Index{8} << 20);
  const std::uint32_t threshold = options.threshold();
  constexpr Index kColumns = DropoutDraws::kColumns;
  parallel_ranges(
      kernel, n, kRowsPerBlock, static_cast<double>(n * d) * kNsPerElement,
      [&](Index begin, Index end) {
        const PhiloxKeys keys(options.stream_key);
        const F local = f;  // a copy that no store can reach
        const Index groups = (d + kColumns - 1) / kColumns, n_groups = (end - begin) * groups;
        // A few groups' draws side by side; they go on into the next rows.
        const auto of_groups = [&](Index first, auto count) {
          constexpr int kN = count.value;
          Index row[kN], column[kN];
          Index r = first / groups, g = first - r * groups;
          for (int i = 0; i < kN; ++i) {
            row[i] = begin + r;
            column[i] = g * kColumns;
            if (++g == groups) g = 0, ++r;
          }
          DropoutDraws draws[kN];
          DropoutDraws::make(
              keys,
              [&](int i) {
                return DropoutDraws::Place{0, static_cast<std::uint32_t>(token[row[i]]),
                                           static_cast<std::uint32_t>(example[row[i]]),
                                           options.step, column[i] / kColumns};
              },
              draws);
          for (int i = 0; i < kN; ++i) {
            const auto of_vector = [&](Index j, auto lanes) {
              local(row[i] * d + column[i] + j, lanes,
                    draws[i].template kept<Real>(static_cast<int>(j / kLanes<Real>), threshold));
            };
            if (d - column[i] >= kColumns) {  // unrolled, draws stay in registers
#pragma GCC unroll 8
              for (Index j = 0; j < kColumns; j += kLanes<Real>) of_vector(j, AllLanes<Real>{});
            } else {
              for_lanes<Real>(d - column[i], of_vector);
            }
          }
        };
        Index t = 0;
        for (; t + kPhiloxAtOnce <= n_groups; t += kPhiloxAtOnce) {
          of_groups(t, std::integral_constant<int, kPhiloxAtOnce>{});
        }
        for (; t < n_groups; ++t) of_groups(t, std::integral_constant<int, 1>{});
      });
}

}  // namespace

std::uint32_t DropoutOptions::threshold() const {
  const double draws = p * kDraws + 0.5;
  ATTUNE_CHECK(draws >= 0.5 && draws < kDraws, ConfigError,
               "[dropout] p={} is outside 0 … {}: something must be kept.", p, 1 - 1.0 / kDraws);
  return static_cast<std::uint32_t>(draws);
}

double DropoutOptions::keep_scale() const {
  return static_cast<double>(kDraws) / static_cast<double>(kDraws - threshold());
}

template <class Real>
void dropout(const DropoutOptions& options, View<const std::int32_t> example,
             View<const std::int32_t> token, View<const Real> x, View<Real> y) {
  check_rank("dropout", "x", x, 2);
  check_shape("dropout", "y", y, x.shape(), "x");
  if (options.threshold() == 0) {
    std::copy(x.begin(), x.end(), y.begin());
    return;
  }
  const Vec<Real> keep = static_cast<Real>(options.keep_scale());
  for_draws<Real>("dropout", options, example, token, x.shape(),
                  [=](Index i, auto lanes, Mask<Real> kept) {
                    const Vec<Real> scaled = lanes.load(x.data() + i) * keep;
                    lanes.store(y.data() + i, select(kept, scaled, Vec<Real>(0)));
                  });
}

template <class Real>
void dropout_backward(const DropoutOptions& options, View<const std::int32_t> example,
                      View<const std::int32_t> token, View<const Real> dy, View<Real> dx,
                      bool fresh) {
  if (!dx) return;
  check_rank("dropout_backward", "dy", dy, 2);
  check_shape("dropout_backward", "dx", dx, dy.shape(), "dy");
  if (options.threshold() == 0) return accumulate(dy, dx, fresh);
  const Vec<Real> keep = static_cast<Real>(options.keep_scale());
  for_draws<Real>("dropout_backward", options, example, token, dy.shape(),
                  [=](Index i, auto lanes, Mask<Real> kept) {
                    const Vec<Real> old = fresh ? Vec<Real>(Real(0)) : lanes.load(dx.data() + i);
                    lanes.store(dx.data() + i,
                                select(kept, fma(lanes.load(dy.data() + i), keep, old), old));
                  });
}

template <class Real>
void dropout_residual(const DropoutOptions& options, View<const std::int32_t> example,
                      View<const std::int32_t> token, View<const Real> x, View<const Real> branch,
                      View<Real> y) {
  check_rank("dropout_residual", "x", x, 2);
  check_shape("dropout_residual", "branch", branch, x.shape(), "x");
  check_shape("dropout_residual", "y", y, x.shape(), "x");
  if (options.threshold() == 0) return add(x, branch, y);
  const Vec<Real> keep = static_cast<Real>(options.keep_scale());
  for_draws<Real>("dropout_residual", options, example, token, x.shape(),
                  [=](Index i, auto lanes, Mask<Real> kept) {
                    const Vec<Real> through = lanes.load(x.data() + i);
                    lanes.store(
                        y.data() + i,
                        select(kept, fma(lanes.load(branch.data() + i), keep, through), through));
                  });
}

template <class Real>
void dropout_residual_backward(const DropoutOptions& options, View<const std::int32_t> example,
                               View<const std::int32_t> token, View<const Real> dy, View<Real> dx,
                               View<Real> dbranch, bool fresh_dx, bool fresh_dbranch) {
  if (dx) accumulate(dy, dx, fresh_dx);
  dropout_backward(options, example, token, dy, dbranch, fresh_dbranch);
}

template void dropout(const DropoutOptions&, View<const std::int32_t>, View<const std::int32_t>,
                      View<const float>, View<float>);
template void dropout_backward(const DropoutOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, View<const float>, View<float>, bool);
template void dropout_residual(const DropoutOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, View<const float>, View<const float>,
                               View<float>);
template void dropout_residual_backward(const DropoutOptions&, View<const std::int32_t>,
                                        View<const std::int32_t>, View<const float>, View<float>,
                                        View<float>, bool, bool);
template void dropout(const DropoutOptions&, View<const std::int32_t>, View<const std::int32_t>,
                      View<const double>, View<double>);
template void dropout_backward(const DropoutOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, View<const double>, View<double>, bool);
template void dropout_residual(const DropoutOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, View<const double>, View<const double>,
                               View<double>);
template void dropout_residual_backward(const DropoutOptions&, View<const std::int32_t>,
                                        View<const std::int32_t>, View<const double>, View<double>,
                                        View<double>, bool, bool);

}  // namespace attune::kernels
