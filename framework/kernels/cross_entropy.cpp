#include "kernels/cross_entropy.h"

#include <limits>

#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// Checks operands; the sum of the weights of the rows that count.
template <class Real>
double check_targets(const char* kernel, const CrossEntropyOptions& options,
                     View<const Real> logits, View<const std::int32_t> targets,
                     View<const Real> weights, View<const Real> lse) {
  check_rank(kernel, "logits", logits, 2);
  const Index n = logits.dim(0), c = logits.dim(1);
  check_shape(kernel, "targets", targets, {n}, "the rows of logits");
  check_shape(kernel, "lse", lse, {n}, "the rows of logits");
  if (weights) check_shape(kernel, "weights", weights, {n}, "the rows of logits");
  ATTUNE_CHECK(options.label_smoothing >= 0 && options.label_smoothing <= 1, ConfigError,
               "[{}] label_smoothing={} is outside 0 … 1.", kernel, options.label_smoothing);
  double total = 0;
  for (Index i = 0; i < n; ++i) {
    if (targets[i] == options.ignore_index) continue;
    ATTUNE_CHECK(targets[i] >= 0 && targets[i] < c, ShapeError,
                 "[{}] targets[{}] is {}, but logits have classes 0 … {} (and {} is ignored).",
                 kernel, i, targets[i], c - 1, options.ignore_index);
    total += weights ? static_cast<double>(weights[i]) : 1.0;
  }
  return total;
}

// −Σ q log softmax(x) of a row. Differences from the maximum keep their digits when lse would not.
template <class Real>
double row_loss(const Real* x, Index c, Index target, double smoothing, Real& lse) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  Vec<Real> top = -infinity;
  for_lanes<Real>(
      c, [&](Index j, auto lanes) { top = max(top, lanes.keep(lanes.load(x + j), -infinity)); });
  const Real highest = largest(top);
  Vec<Real> exponentials = Real(0), below = Real(0);
  for_lanes<Real>(c, [&](Index j, auto lanes) {
    const Vec<Real> difference = lanes.load(x + j) - Vec<Real>(highest);
    exponentials += lanes.keep(exp(difference), 0);
    below -= lanes.keep(difference, 0);
  });
  const double log_sum = log(static_cast<double>(sum(exponentials)));
  lse = static_cast<Real>(static_cast<double>(highest) + log_sum);
  const double loss = log_sum + static_cast<double>(highest - x[target]);
  if (smoothing == 0) return loss;
  const double uniform = log_sum + static_cast<double>(sum(below)) / static_cast<double>(c);
  return (1 - smoothing) * loss + smoothing * uniform;
}

}  // namespace

template <class Real>
double cross_entropy(const CrossEntropyOptions& options, View<const Real> logits,
                     View<const std::int32_t> targets, View<const Real> weights, View<Real> lse) {
  const double total = check_targets<Real>("cross_entropy", options, logits, targets, weights, lse);
  const Index n = logits.dim(0), c = logits.dim(1);
  Scratch scratch;
  const auto chunks = scratch.view<double>({row_blocks(n)});
  parallel_ranges("cross_entropy", n, kRowsPerBlock, static_cast<double>(n * c) * 1.2,
                  [&](Index begin, Index end) {
                    double chunk = 0;
                    for (Index i = begin; i < end; ++i) {
                      lse[i] = 0;
                      if (targets[i] == options.ignore_index) continue;
                      const double loss = row_loss(logits.data() + i * c, c, targets[i],
                                                   options.label_smoothing, lse[i]);
                      chunk += weights ? static_cast<double>(weights[i]) * loss : loss;
                    }
                    chunks[begin / kRowsPerBlock] = chunk;
                  });
  double loss = 0;
  for (double chunk : chunks) loss += chunk;
  return total == 0 ? 0 : loss / total;
}

template <class Real>
void cross_entropy_backward(const CrossEntropyOptions& options, Real dloss, View<const Real> logits,
                            View<const std::int32_t> targets, View<const Real> weights,
                            View<const Real> lse, View<Real> dlogits) {
  const char* const kernel = "cross_entropy_backward";
  const double total = check_targets<Real>(kernel, options, logits, targets, weights, lse);
  check_shape(kernel, "dlogits", dlogits, logits.shape(), "logits");
  if (total == 0) return;
  const Index n = logits.dim(0), c = logits.dim(1);
  const double off = options.label_smoothing / static_cast<double>(c);
  const Vec<Real> q_off = static_cast<Real>(off);
  const Vec<Real> q_target = static_cast<Real>(1 - options.label_smoothing + off);
  parallel_ranges(
      kernel, n, kRowsPerBlock, static_cast<double>(n * c) * 1.2, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          if (targets[i] == options.ignore_index) continue;
          const double weight = weights ? static_cast<double>(weights[i]) : 1.0;
          const Vec<Real> share = static_cast<Real>(static_cast<double>(dloss) * weight / total);
          const Real* x = logits.data() + i * c;
          Real* dx = dlogits.data() + i * c;
          for_lanes<Real>(c, [&](Index j, auto lanes) {
            using Int = typename Vec<Real>::Int;
            const Mask<Real> is_target{lane_numbers<Real>() == static_cast<Int>(targets[i] - j)};
            const Vec<Real> p = exp(lanes.load(x + j) - Vec<Real>(lse[i]));
            const Vec<Real> error = p - select(is_target, q_target, q_off);
            lanes.store(dx + j, fma(share, error, lanes.load(dx + j)));
          });
        }
      });
}

template double cross_entropy(const CrossEntropyOptions&, View<const float>,
                              View<const std::int32_t>, View<const float>, View<float>);
template void cross_entropy_backward(const CrossEntropyOptions&, float, View<const float>,
                                     View<const std::int32_t>, View<const float>, View<const float>,
                                     View<float>);
template double cross_entropy(const CrossEntropyOptions&, View<const double>,
                              View<const std::int32_t>, View<const double>, View<double>);
template void cross_entropy_backward(const CrossEntropyOptions&, double, View<const double>,
                                     View<const std::int32_t>, View<const double>,
                                     View<const double>, View<double>);

}  // namespace attune::kernels
