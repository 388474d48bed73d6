#include "kernels/softmax_rows.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/softmax_row.h"

namespace attune::kernels {
namespace {

void check_lengths(const char* kernel, View<const std::int32_t> lengths, Index n, Index c) {
  if (!lengths) return;
  check_shape(kernel, "lengths", lengths, {n}, "the rows");
  for (Index i = 0; i < n; ++i) {
    ATTUNE_CHECK(lengths[i] >= 0 && lengths[i] <= c, ShapeError,
                 "[{}] lengths[{}] is {}, but rows have {} elements.", kernel, i, lengths[i], c);
  }
}

template <class Real>
void check_temperature(const char* kernel, Real temperature) {
  ATTUNE_CHECK(temperature > 0, ConfigError, "[{}] temperature={} must be above 0.", kernel,
               temperature);
}

}  // namespace

template <class Real>
void softmax_rows(View<const Real> x, View<const std::int32_t> lengths, Real temperature,
                  View<Real> y) {
  check_rank("softmax", "x", x, 2);
  check_shape("softmax", "y", y, x.shape(), "x");
  const Index n = x.dim(0), c = x.dim(1);
  check_lengths("softmax", lengths, n, c);
  check_temperature("softmax", temperature);
  parallel_ranges("softmax", n, kRowsPerBlock, static_cast<double>(n * c),
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      const Index length = lengths ? lengths[i] : c;
                      Real* row = y.data() + i * c;
                      softmax_row(x.data() + i * c, length, Real(1) / temperature, row);
                      std::fill(row + length, row + c, Real(0));
                    }
                  });
}

template <class Real>
void softmax_rows_backward(View<const Real> dy, View<const Real> y,
                           View<const std::int32_t> lengths, Real temperature, View<Real> dx) {
  check_rank("softmax_backward", "y", y, 2);
  check_shape("softmax_backward", "dy", dy, y.shape(), "y");
  check_shape("softmax_backward", "dx", dx, y.shape(), "y");
  const Index n = y.dim(0), c = y.dim(1);
  check_lengths("softmax_backward", lengths, n, c);
  check_temperature("softmax_backward", temperature);
  parallel_ranges("softmax_backward", n, kRowsPerBlock, static_cast<double>(n * c) * 0.5,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      softmax_row_backward(dy.data() + i * c, y.data() + i * c,
                                           lengths ? lengths[i] : c, Real(1) / temperature,
                                           dx.data() + i * c);
                    }
                  });
}

template void softmax_rows(View<const float>, View<const std::int32_t>, float, View<float>);
template void softmax_rows_backward(View<const float>, View<const float>, View<const std::int32_t>,
                                    float, View<float>);
template void softmax_rows(View<const double>, View<const std::int32_t>, double, View<double>);
template void softmax_rows_backward(View<const double>, View<const double>,
                                    View<const std::int32_t>, double, View<double>);

}  // namespace attune::kernels
