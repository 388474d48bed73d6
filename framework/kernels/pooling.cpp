#include "kernels/pooling.h"

#include "kernels/packed_rows.h"
#include "kernels/parallel.h"
#include "kernels/softmax_row.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

struct Sizes {
  Index n, d, n_examples;
};

template <class T, class U>
Sizes check_pool(const char* kernel, View<T> rows, const char* rows_name,
                 View<const std::int32_t> offsets, View<U> pooled, const char* pooled_name) {
  check_rank(kernel, rows_name, rows, 2);
  check_offsets(kernel, offsets, rows.dim(0));
  const Sizes s{rows.dim(0), rows.dim(1), offsets.dim(0) - 1};
  check_shape(kernel, pooled_name, pooled, {s.n_examples, s.d}, "offsets and columns");
  return s;
}

// f(first row, end row, example), in parallel by example.
template <class F>
void for_examples(const char* kernel, View<const std::int32_t> offsets, double cost, F f) {
  parallel_for(kernel, offsets.dim(0) - 1, cost,
               [&](Index e) { f(Index{offsets[e]}, Index{offsets[e + 1]}, e); });
}

// to += factor · from, d elements.
template <class Real>
void add_scaled(const Real* from, Real factor, Index d, Real* to) {
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    lanes.store(to + j, fma(Vec<Real>(factor), lanes.load(from + j), lanes.load(to + j)));
  });
}

// pooled_e += Σ_i rows_i over the example's rows.
template <class Real>
void add_sums(const char* kernel, View<const Real> rows, View<const std::int32_t> offsets,
              View<Real> pooled) {
  const Index d = rows.dim(1);
  for_examples(kernel, offsets, static_cast<double>(rows.size()) * 0.3,
               [&](Index begin, Index end, Index e) {
                 for_lanes<Real>(d, [&](Index j, auto lanes) {
                   Vec<Real> total = lanes.load(pooled.data() + e * d + j);
                   for (Index i = begin; i < end; ++i) total += lanes.load(rows.data() + i * d + j);
                   lanes.store(pooled.data() + e * d + j, total);
                 });
               });
}

}  // namespace

template <class Real>
void sum_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y) {
  check_pool("sum_pool", x, "x", offsets, y, "y");
  std::fill(y.begin(), y.end(), Real(0));
  add_sums("sum_pool", x, offsets, y);
}

template <class Real>
void sum_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx) {
  if (!dx) return;
  const Sizes s = check_pool("sum_pool_backward", dx, "dx", offsets, dy, "dy");
  for_examples("sum_pool_backward", offsets, static_cast<double>(s.n * s.d) * 0.3,
               [&](Index begin, Index end, Index e) {
                 for (Index i = begin; i < end; ++i) {
                   add_scaled(dy.data() + e * s.d, Real(1), s.d, dx.data() + i * s.d);
                 }
               });
}

template <class Real>
void repeat_rows(View<const Real> x, View<const std::int32_t> offsets, View<Real> y) {
  const Sizes s = check_pool("repeat_rows", y, "y", offsets, x, "x");
  for_examples("repeat_rows", offsets, static_cast<double>(s.n * s.d) * 0.2,
               [&](Index begin, Index end, Index e) {
                 for (Index i = begin; i < end; ++i) {
                   std::copy_n(x.data() + e * s.d, s.d, y.data() + i * s.d);
                 }
               });
}

template <class Real>
void repeat_rows_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx) {
  if (!dx) return;
  check_pool("repeat_rows_backward", dy, "dy", offsets, dx, "dx");
  add_sums("repeat_rows_backward", dy, offsets, dx);
}

template <class Real>
void mean_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y) {
  const Sizes s = check_pool("mean_pool", x, "x", offsets, y, "y");
  for_examples("mean_pool", offsets, static_cast<double>(s.n * s.d) * 0.3,
               [&](Index begin, Index end, Index e) {
                 const Vec<Real> count = static_cast<Real>(std::max<Index>(end - begin, 1));
                 for_lanes<Real>(s.d, [&](Index j, auto lanes) {
                   Vec<Real> total = Real(0);
                   for (Index i = begin; i < end; ++i) {
                     total += lanes.load(x.data() + i * s.d + j);
                   }
                   lanes.store(y.data() + e * s.d + j, total / count);
                 });
               });
}

template <class Real>
void mean_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx) {
  if (!dx) return;
  const Sizes s = check_pool("mean_pool_backward", dx, "dx", offsets, dy, "dy");
  for_examples("mean_pool_backward", offsets, static_cast<double>(s.n * s.d) * 0.3,
               [&](Index begin, Index end, Index e) {
                 const Real share = Real(1) / static_cast<Real>(std::max<Index>(end - begin, 1));
                 for (Index i = begin; i < end; ++i) {
                   add_scaled(dy.data() + e * s.d, share, s.d, dx.data() + i * s.d);
                 }
               });
}

template <class Real>
void first_pool(View<const Real> x, View<const std::int32_t> offsets, View<Real> y) {
  const Sizes s = check_pool("first_pool", x, "x", offsets, y, "y");
  for_examples("first_pool", offsets, static_cast<double>(y.size()) * 0.3,
               [&](Index begin, Index end, Index e) {
                 Real* out = y.data() + e * s.d;
                 if (begin == end) {
                   std::fill(out, out + s.d, Real(0));
                 } else {
                   std::copy(x.data() + begin * s.d, x.data() + (begin + 1) * s.d, out);
                 }
               });
}

template <class Real>
void first_pool_backward(View<const Real> dy, View<const std::int32_t> offsets, View<Real> dx) {
  if (!dx) return;
  const Sizes s = check_pool("first_pool_backward", dx, "dx", offsets, dy, "dy");
  for_examples("first_pool_backward", offsets, static_cast<double>(dy.size()) * 0.3,
               [&](Index begin, Index end, Index e) {
                 if (begin < end) {
                   add_scaled(dy.data() + e * s.d, Real(1), s.d, dx.data() + begin * s.d);
                 }
               });
}

template <class Real>
void attention_pool(View<const Real> x, View<const Real> scores, View<const std::int32_t> offsets,
                    View<Real> weights, View<Real> y) {
  const Sizes s = check_pool("attention_pool", x, "x", offsets, y, "y");
  check_shape("attention_pool", "scores", scores, {s.n}, "x's rows");
  check_shape("attention_pool", "weights", weights, {s.n}, "x's rows");
  for_examples("attention_pool", offsets, static_cast<double>(s.n * s.d) * 0.3,
               [&](Index begin, Index end, Index e) {
                 softmax_row(scores.data() + begin, end - begin, Real(1), weights.data() + begin);
                 for_lanes<Real>(s.d, [&](Index j, auto lanes) {
                   Vec<Real> total = Real(0);
                   for (Index i = begin; i < end; ++i) {
                     total = fma(Vec<Real>(weights[i]), lanes.load(x.data() + i * s.d + j), total);
                   }
                   lanes.store(y.data() + e * s.d + j, total);
                 });
               });
}

template <class Real>
void attention_pool_backward(View<const Real> dy, View<const Real> x, View<const Real> weights,
                             View<const std::int32_t> offsets, View<Real> dx, View<Real> dscores) {
  const char* const kernel = "attention_pool_backward";
  const Sizes s = check_pool(kernel, x, "x", offsets, dy, "dy");
  check_shape(kernel, "weights", weights, {s.n}, "x's rows");
  if (dx) check_shape(kernel, "dx", dx, x.shape(), "x");
  if (dscores) check_shape(kernel, "dscores", dscores, {s.n}, "x's rows");
  Scratch scratch;
  Real* dweights = scratch.allocate<Real>(s.n);
  for_examples(
      kernel, offsets, static_cast<double>(s.n * s.d) * 0.6, [&](Index begin, Index end, Index e) {
        const Real* upstream = dy.data() + e * s.d;
        for (Index i = begin; i < end; ++i) {
          if (dx) add_scaled(upstream, weights[i], s.d, dx.data() + i * s.d);
          Vec<Real> products = Real(0);
          for_lanes<Real>(s.d, [&](Index j, auto lanes) {
            products = fma(lanes.load(x.data() + i * s.d + j), lanes.load(upstream + j), products);
          });
          dweights[i] = sum(products);
        }
        if (dscores) {
          softmax_row_backward(dweights + begin, weights.data() + begin, end - begin, Real(1),
                               dscores.data() + begin);
        }
      });
}

template void sum_pool(View<const float>, View<const std::int32_t>, View<float>);
template void sum_pool_backward(View<const float>, View<const std::int32_t>, View<float>);
template void repeat_rows(View<const float>, View<const std::int32_t>, View<float>);
template void repeat_rows_backward(View<const float>, View<const std::int32_t>, View<float>);
template void mean_pool(View<const float>, View<const std::int32_t>, View<float>);
template void mean_pool_backward(View<const float>, View<const std::int32_t>, View<float>);
template void first_pool(View<const float>, View<const std::int32_t>, View<float>);
template void first_pool_backward(View<const float>, View<const std::int32_t>, View<float>);
template void attention_pool(View<const float>, View<const float>, View<const std::int32_t>,
                             View<float>, View<float>);
template void attention_pool_backward(View<const float>, View<const float>, View<const float>,
                                      View<const std::int32_t>, View<float>, View<float>);
template void sum_pool(View<const double>, View<const std::int32_t>, View<double>);
template void sum_pool_backward(View<const double>, View<const std::int32_t>, View<double>);
template void repeat_rows(View<const double>, View<const std::int32_t>, View<double>);
template void repeat_rows_backward(View<const double>, View<const std::int32_t>, View<double>);
template void mean_pool(View<const double>, View<const std::int32_t>, View<double>);
template void mean_pool_backward(View<const double>, View<const std::int32_t>, View<double>);
template void first_pool(View<const double>, View<const std::int32_t>, View<double>);
template void first_pool_backward(View<const double>, View<const std::int32_t>, View<double>);
template void attention_pool(View<const double>, View<const double>, View<const std::int32_t>,
                             View<double>, View<double>);
template void attention_pool_backward(View<const double>, View<const double>, View<const double>,
                                      View<const std::int32_t>, View<double>, View<double>);

}  // namespace attune::kernels
