#include "kernels/project_rows.h"

#include "kernels/gemm.h"
#include "kernels/lanes.h"
#include "kernels/packed_rows.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

template <class Real>
void check(const char* kernel, View<const Real> x, View<const Real> weight,
           View<const std::int32_t> offsets, View<const Real> y) {
  check_rank(kernel, "x", x, 2);
  check_rank(kernel, "weight", weight, 2);
  check_offsets(kernel, offsets, x.dim(0));
  check_shape(kernel, "y", y, {(offsets.size() - 1) * weight.dim(0), x.dim(1)},
              "the sequences and weight");
  for (Index e = 0; e + 1 < offsets.size(); ++e) {
    const Index n = offsets[e + 1] - offsets[e];
    ATTUNE_CHECK(n <= weight.dim(1), ShapeError,
                 "[{}] sequence {} has {} rows, and weight {} serves sequences of up to {}", kernel,
                 e, n, weight.shape().text(), weight.dim(1));
  }
}

}  // namespace

template <class Real>
void project_rows(View<const Real> x, View<const Real> weight, View<const std::int32_t> offsets,
                  View<Real> y) {
  check<Real>("project_rows", x, weight, offsets, y);
  const Index k = weight.dim(0), length = weight.dim(1), d = x.dim(1);
  for (Index e = 0; e + 1 < offsets.size(); ++e) {
    gemm<Real>("project_rows", k, d, offsets[e + 1] - offsets[e], {weight.data(), length, 1},
               {x.data() + offsets[e] * d, d, 1}, {nullptr, 0, 1}, {y.data() + e * k * d, d, 1});
  }
}

template <class Real>
void project_rows_backward(View<const Real> dy, View<const Real> x, View<const Real> weight,
                           View<const std::int32_t> offsets, View<Real> dx, View<Real> dweight) {
  const char* const kernel = "project_rows_backward";
  check<Real>(kernel, x, weight, offsets, dy);
  const Index k = weight.dim(0), length = weight.dim(1), d = x.dim(1);
  Scratch scratch;
  const View<Real> turned = scratch.view<Real>({dx ? length : 0, k});
  for (Index j = 0; j < turned.dim(0); ++j)
    for (Index i = 0; i < k; ++i) turned(j, i) = weight(i, j);
  for (Index e = 0; e + 1 < offsets.size(); ++e) {
    const Index n = offsets[e + 1] - offsets[e];
    const Matrix<const Real> from{dy.data() + e * k * d, d, 1};
    if (dx) {
      Real* const to = dx.data() + offsets[e] * d;
      gemm<Real>(kernel, n, d, k, {turned.data(), k, 1}, from, {to, d, 1}, {to, d, 1});
    }
    if (dweight) {
      gemm<Real>(kernel, k, n, d, from, {x.data() + offsets[e] * d, 1, d},
                 {dweight.data(), length, 1}, {dweight.data(), length, 1});
    }
  }
}

template void project_rows(View<const float>, View<const float>, View<const std::int32_t>,
                           View<float>);
template void project_rows_backward(View<const float>, View<const float>, View<const float>,
                                    View<const std::int32_t>, View<float>, View<float>);
template void project_rows(View<const double>, View<const double>, View<const std::int32_t>,
                           View<double>);
template void project_rows_backward(View<const double>, View<const double>, View<const double>,
                                    View<const std::int32_t>, View<double>, View<double>);

}  // namespace attune::kernels
