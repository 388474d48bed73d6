#include "kernels/rope.h"

#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

enum class Turn { forth, back };

// Pairs (a_i, b_i) turned by angles of which cosines and sines are given.
template <Turn kTurn, class Real>
void turn_pairs(Index n, const Real* cosines, const Real* sines, const Real* a, const Real* b,
                Real* to_a, Real* to_b) {
  for_lanes<Real>(n, [&](Index i, auto lanes) {
    const Vec<Real> c = lanes.load(cosines + i), s = lanes.load(sines + i);
    const Vec<Real> x = lanes.load(a + i), y = lanes.load(b + i);
    if constexpr (kTurn == Turn::forth) {
      lanes.store(to_a + i, fma(x, c, -(y * s)));
      lanes.store(to_b + i, fma(y, c, x * s));
    } else {
      lanes.store(to_a + i, lanes.load(to_a + i) + fma(x, c, y * s));
      lanes.store(to_b + i, lanes.load(to_b + i) + fma(y, c, -(x * s)));
    }
  });
}

template <Turn kTurn, class Real>
void turn_rows(const char* kernel, Index n_heads, double base, View<const Real> x,
               View<const std::int32_t> positions, View<Real> y) {
  check_rank(kernel, "x", x, 2);
  check_shape(kernel, "y", y, x.shape(), "x");
  const Index n = x.dim(0), width = x.dim(1), n_axes = positions.rank();
  ATTUNE_CHECK(n_axes == 1 || (n_axes == 2 && positions.dim(1) == 2), ShapeError,
               "[{}] positions are {}, and must be [n], or [n, 2] of row and column.", kernel,
               positions.shape().text());
  ATTUNE_CHECK(positions.dim(0) == n, ShapeError, "[{}] x has {} rows, positions {}.", kernel, n,
               positions.dim(0));
  ATTUNE_CHECK(n_heads >= 1 && width % n_heads == 0, ShapeError,
               "[{}] x has {} columns, which {} heads do not divide.", kernel, width, n_heads);
  const Index d = width / n_heads;
  ATTUNE_CHECK(d % (2 * n_axes) == 0, ShapeError,
               "[{}] heads of width {} cannot be turned in pairs: with positions {} the width must "
               "be a multiple of {}.",
               kernel, d, positions.shape().text(), 2 * n_axes);
  ATTUNE_CHECK(base >= 1, ConfigError, "[{}] base={} must be at least 1.", kernel, base);

  const Index part = d / n_axes, pairs = part / 2;  // of a head and axis
  Scratch scratch;
  double* const frequencies = scratch.allocate<double>(pairs);
  const double log_base = log(base);
  for (Index i = 0; i < pairs; ++i)
    frequencies[i] = exp(-log_base * static_cast<double>(2 * i) / static_cast<double>(part));

  const double cost = static_cast<double>(n) * static_cast<double>(width * 1 + d * 4);
  parallel_ranges(kernel, n, kRowsPerBlock, cost, [&](Index begin, Index end) {
    Scratch own;
    Real* const cosines = own.allocate<Real>(pairs);
    Real* const sines = own.allocate<Real>(pairs);
    for (Index row = begin; row < end; ++row) {
      for (Index axis = 0; axis < n_axes; ++axis) {
        const double position = positions[row * n_axes + axis];
        for_lanes<double>(pairs, [&](Index i, auto lanes) {
          const Vec<double> angle = Vec<double>(position) * lanes.load(frequencies + i);
          const Vec<double> c = cos(angle), s = sin(angle);
          for (Index l = 0; l < std::min<Index>(pairs - i, kLanes<double>); ++l) {
            cosines[i + l] = static_cast<Real>(c[static_cast<int>(l)]);
            sines[i + l] = static_cast<Real>(s[static_cast<int>(l)]);
          }
        });
        for (Index at = row * width + axis * part; at < (row + 1) * width; at += d) {
          turn_pairs<kTurn>(pairs, cosines, sines, x.data() + at, x.data() + at + pairs,
                            y.data() + at, y.data() + at + pairs);
        }
      }
    }
  });
}

}  // namespace

template <class Real>
void rope(Index n_heads, double base, View<const Real> x, View<const std::int32_t> positions,
          View<Real> y) {
  turn_rows<Turn::forth>("rope", n_heads, base, x, positions, y);
}

template <class Real>
void rope_backward(Index n_heads, double base, View<const Real> dy,
                   View<const std::int32_t> positions, View<Real> dx) {
  turn_rows<Turn::back>("rope_backward", n_heads, base, dy, positions, dx);
}

template void rope(Index, double, View<const float>, View<const std::int32_t>, View<float>);
template void rope(Index, double, View<const double>, View<const std::int32_t>, View<double>);
template void rope_backward(Index, double, View<const float>, View<const std::int32_t>,
                            View<float>);
template void rope_backward(Index, double, View<const double>, View<const std::int32_t>,
                            View<double>);

}  // namespace attune::kernels
