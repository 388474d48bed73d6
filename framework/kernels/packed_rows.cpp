#include "kernels/packed_rows.h"

#include "kernels/lanes.h"
#include "kernels/parallel.h"

namespace attune::kernels {

void check_offsets(const char* kernel, View<const std::int32_t> offsets, Index n_rows) {
  ATTUNE_CHECK(offsets.rank() == 1 && offsets.dim(0) > 0, ShapeError,
               "[{}] offsets is {}, but must be [examples + 1].", kernel, offsets.shape().text());
  const Index n_examples = offsets.dim(0) - 1;
  ATTUNE_CHECK(offsets[0] == 0, ShapeError, "[{}] offsets[0] is {}, but must be 0.", kernel,
               offsets[0]);
  for (Index e = 0; e < n_examples; ++e) {
    ATTUNE_CHECK(offsets[e] <= offsets[e + 1], ShapeError,
                 "[{}] offsets[{}] is {} and offsets[{}] is {}: offsets must not fall.", kernel, e,
                 offsets[e], e + 1, offsets[e + 1]);
  }
  ATTUNE_CHECK(offsets[n_examples] == n_rows, ShapeError,
               "[{}] offsets end at {}, but there are {} rows.", kernel, offsets[n_examples],
               n_rows);
}

void row_coordinates(View<const std::int32_t> offsets, View<const std::int32_t> example,
                     View<std::int32_t> example_of_row, View<std::int32_t> index_in_example) {
  const Index n = example_of_row.size();
  check_offsets("row_coordinates", offsets, n);
  check_shape("row_coordinates", "example", example, {offsets.dim(0) - 1}, "offsets");
  check_shape("row_coordinates", "index_in_example", index_in_example, {n}, "example_of_row");
  for_each_row(offsets, 0, n, [&](Index e, Index index, Index row) {
    example_of_row[row] = example[e];
    index_in_example[row] = static_cast<std::int32_t>(index);
  });
}

template <class Real>
void insert_cls(View<const Real> x, View<const std::int32_t> offsets, View<const Real> cls,
                View<Real> y, View<std::int32_t> new_offsets) {
  check_rank("insert_cls", "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_offsets("insert_cls", offsets, n);
  const Index n_examples = offsets.dim(0) - 1;
  check_shape("insert_cls", "cls", cls, {d}, "x's columns");
  check_shape("insert_cls", "y", y, {n + n_examples, d}, "x with a row more an example");
  check_shape("insert_cls", "new_offsets", new_offsets, offsets.shape(), "offsets");
  for (Index e = 0; e <= n_examples; ++e) {
    new_offsets[e] = offsets[e] + static_cast<std::int32_t>(e);
  }
  parallel_for("insert_cls", n_examples, static_cast<double>(y.size()) * 0.2, [&](Index e) {
    Real* out = std::copy(cls.begin(), cls.end(), y.data() + new_offsets[e] * d);
    std::copy(x.data() + offsets[e] * d, x.data() + offsets[e + 1] * d, out);
  });
}

template <class Real>
void insert_cls_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx,
                         View<Real> dcls) {
  check_rank("insert_cls_backward", "dy", dy, 2);
  check_rank("insert_cls_backward", "offsets", offsets, 1);
  const Index n_examples = offsets.dim(0) - 1, n = dy.dim(0) - n_examples, d = dy.dim(1);
  check_offsets("insert_cls_backward", offsets, n);
  if (dx) {
    check_shape("insert_cls_backward", "dx", dx, {n, d}, "dy without a row an example");
    parallel_for("insert_cls_backward", n_examples, static_cast<double>(n * d) * 0.3, [&](Index e) {
      const Real* from = dy.data() + (offsets[e] + e + 1) * d;
      Real* to = dx.data() + offsets[e] * d;
      for_lanes<Real>((offsets[e + 1] - offsets[e]) * d, [&](Index i, auto lanes) {
        lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i));
      });
    });
  }
  if (dcls) {
    check_shape("insert_cls_backward", "dcls", dcls, {d}, "dy's columns");
    for_lanes<Real>(d, [&](Index j, auto lanes) {
      Vec<Real> total = lanes.load(dcls.data() + j);
      for (Index e = 0; e < n_examples; ++e) {
        total += lanes.load(dy.data() + (offsets[e] + e) * d + j);
      }
      lanes.store(dcls.data() + j, total);
    });
  }
}

template void insert_cls(View<const float>, View<const std::int32_t>, View<const float>,
                         View<float>, View<std::int32_t>);
template void insert_cls_backward(View<const float>, View<const std::int32_t>, View<float>,
                                  View<float>);
template void insert_cls(View<const double>, View<const std::int32_t>, View<const double>,
                         View<double>, View<std::int32_t>);
template void insert_cls_backward(View<const double>, View<const std::int32_t>, View<double>,
                                  View<double>);

}  // namespace attune::kernels
