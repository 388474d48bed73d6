#include "kernels/softmax_rows.h"

#include <algorithm>
#include <string>

#include "kernels/attention/parts.h"
#include "kernels/parallel.h"

namespace attune::kernels {
namespace {

constexpr std::array backward_names{"softmax_backward", "sparsemax_backward", "entmax15_backward"};
static_assert(backward_names.size() == normaliser_words.size());

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
void normalise_rows(Normaliser normaliser, View<const Real> x, View<const std::int32_t> lengths,
                    Real temperature, View<Real> y) {
  const char* const name = part_of(normaliser_words, normaliser).word.data();
  const NormaliserPart<Real>& part = part_of(normaliser_parts<Real>, normaliser);
  check_rank(name, "x", x, 2);
  check_shape(name, "y", y, x.shape(), "x");
  const Index n = x.dim(0), c = x.dim(1);
  check_lengths(name, lengths, n, c);
  check_temperature(name, temperature);
  parallel_ranges(name, n, kRowsPerBlock, static_cast<double>(n * c), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index length = lengths ? lengths[i] : c;
      Real* const row = y.data() + i * c;
      part.weights(x.data() + i * c, length, Real(1) / temperature, row);
      std::fill(row + length, row + c, Real(0));
    }
  });
}

template <class Real>
void normalise_rows_backward(Normaliser normaliser, View<const Real> dy, View<const Real> y,
                             View<const std::int32_t> lengths, Real temperature, View<Real> dx) {
  const char* const name = part_of(backward_names, normaliser);
  const NormaliserPart<Real>& part = part_of(normaliser_parts<Real>, normaliser);
  check_rank(name, "y", y, 2);
  check_shape(name, "dy", dy, y.shape(), "y");
  check_shape(name, "dx", dx, y.shape(), "y");
  const Index n = y.dim(0), c = y.dim(1);
  check_lengths(name, lengths, n, c);
  check_temperature(name, temperature);
  parallel_ranges(name, n, kRowsPerBlock, static_cast<double>(n * c) * 0.5,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      part.jacobian(y.data() + i * c, dy.data() + i * c, lengths ? lengths[i] : c,
                                    Real(1) / temperature, dx.data() + i * c);
                    }
                  });
}

template <class Real>
void softmax_rows(View<const Real> x, View<const std::int32_t> lengths, Real temperature,
                  View<Real> y) {
  normalise_rows(Normaliser::softmax, x, lengths, temperature, y);
}

template <class Real>
void softmax_rows_backward(View<const Real> dy, View<const Real> y,
                           View<const std::int32_t> lengths, Real temperature, View<Real> dx) {
  normalise_rows_backward(Normaliser::softmax, dy, y, lengths, temperature, dx);
}

template void normalise_rows(Normaliser, View<const float>, View<const std::int32_t>, float,
                             View<float>);
template void normalise_rows(Normaliser, View<const double>, View<const std::int32_t>, double,
                             View<double>);
template void normalise_rows_backward(Normaliser, View<const float>, View<const float>,
                                      View<const std::int32_t>, float, View<float>);
template void normalise_rows_backward(Normaliser, View<const double>, View<const double>,
                                      View<const std::int32_t>, double, View<double>);
template void softmax_rows(View<const float>, View<const std::int32_t>, float, View<float>);
template void softmax_rows_backward(View<const float>, View<const float>, View<const std::int32_t>,
                                    float, View<float>);
template void softmax_rows(View<const double>, View<const std::int32_t>, double, View<double>);
template void softmax_rows_backward(View<const double>, View<const double>,
                                    View<const std::int32_t>, double, View<double>);

}  // namespace attune::kernels
