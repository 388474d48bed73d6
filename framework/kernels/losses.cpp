#include "kernels/losses.h"

#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kBlock = 4096;  // elements a task, and a chunk of the sum

template <class A, class B>
void check_size(const char* kernel, const char* name, const View<A>& view, const View<B>& as) {
  ATTUNE_CHECK(view.size() == as.size(), ShapeError,
               "[{}] {} is {}, but must have as many elements as {}.", kernel, name,
               view.shape().text(), as.shape().text());
}

// The mean of f(a, b) over all elements.
template <class Real, class F>
double mean_of(const char* kernel, View<const Real> a, View<const Real> b, double ns_per_element,
               F f) {
  check_size(kernel, "the target", b, a);
  const Index n = a.size();
  Scratch scratch;
  const auto chunks = scratch.view<double>({(n + kBlock - 1) / kBlock});
  parallel_ranges(kernel, n, kBlock, static_cast<double>(n) * ns_per_element,
                  [&](Index begin, Index end) {
                    Vec<double> total = 0.0;
                    for (Index i = begin; i < end; i += kLanes<double>) {
                      const Vec<double> loss =
                          f(widened(a.data() + i, end - i), widened(b.data() + i, end - i));
                      total += select(first_lanes<double>(end - i), loss, 0.0);
                    }
                    chunks[begin / kBlock] = sum(total);
                  });
  double total = 0;
  for (const double chunk : chunks) total += chunk;
  return n == 0 ? 0 : total / static_cast<double>(n);
}

// da += dloss / N · f(a, b), where f(a, b) is by how much the loss of an element rises with a.
template <class Real, class F>
void add_slope(const char* kernel, Real dloss, View<const Real> a, View<const Real> b,
               View<Real> da, F f) {
  if (!da) return;
  check_size(kernel, "the target", b, a);
  check_size(kernel, "a gradient", da, a);
  const Index n = a.size();
  const Vec<Real> share = static_cast<Real>(static_cast<double>(dloss) / static_cast<double>(n));
  parallel_ranges(kernel, n, kBlock, static_cast<double>(n) * 0.8, [&](Index begin, Index end) {
    for_lanes<Real>(end - begin, [&](Index j, auto lanes) {
      const Index i = begin + j;
      const Vec<Real> slope = f(lanes.load(a.data() + i), lanes.load(b.data() + i));
      lanes.store(da.data() + i, fma(share, slope, lanes.load(da.data() + i)));
    });
  });
}

// log(1 + e) of e ≥ 0 (Goldberg 1991, theorem 4): what 1 + e rounds away is divided out again.
Vec<double> log1p(Vec<double> e) {
  const Vec<double> rounded = Vec<double>(1.0) + e, less = rounded - Vec<double>(1.0);
  return select(less == Vec<double>(0.0), e, log(rounded) * (e / less));
}

}  // namespace

template <class Real>
double mean_squared_error(View<const Real> prediction, View<const Real> target) {
  return mean_of("mean_squared_error", prediction, target, 0.4,
                 [](auto p, auto t) { return (p - t) * (p - t); });
}

template <class Real>
void mean_squared_error_backward(Real dloss, View<const Real> prediction, View<const Real> target,
                                 View<Real> dprediction, View<Real> dtarget) {
  const auto slope = [](auto x, auto y) { return Vec<Real>(Real(2)) * (x - y); };
  const char* const kernel = "mean_squared_error_backward";
  add_slope(kernel, dloss, prediction, target, dprediction, slope);
  add_slope(kernel, dloss, target, prediction, dtarget, slope);
}

template <class Real>
double binary_cross_entropy(View<const Real> logits, View<const Real> targets) {
  for (const Real t : targets)
    ATTUNE_CHECK(!(t < Real(0) || t > Real(1)), ShapeError,
                 "[binary_cross_entropy] a target is {}, and targets are probabilities, 0 … 1", t);
  return mean_of("binary_cross_entropy", logits, targets, 4, [](auto x, auto t) {
    const Vec<double> zero = 0.0;
    return max(zero, x) - x * t + log1p(exp(-detail::magnitude(x)));
  });
}

template <class Real>
void binary_cross_entropy_backward(Real dloss, View<const Real> logits, View<const Real> targets,
                                   View<Real> dlogits, View<Real> dtargets) {
  const char* const kernel = "binary_cross_entropy_backward";
  // σ − t = σ (1 − t) − (1 − σ) t keeps its digits where σ is near t.
  add_slope(kernel, dloss, logits, targets, dlogits, [](auto x, auto t) {
    const Logistic<Real> s = logistic(x);
    return fma(s.value, Vec<Real>(Real(1)) - t, -(s.complement * t));
  });
  add_slope(kernel, dloss, targets, logits, dtargets, [](auto, auto x) { return -x; });
}

template double mean_squared_error(View<const float>, View<const float>);
template double mean_squared_error(View<const double>, View<const double>);
template void mean_squared_error_backward(float, View<const float>, View<const float>, View<float>,
                                          View<float>);
template void mean_squared_error_backward(double, View<const double>, View<const double>,
                                          View<double>, View<double>);
template double binary_cross_entropy(View<const float>, View<const float>);
template double binary_cross_entropy(View<const double>, View<const double>);
template void binary_cross_entropy_backward(float, View<const float>, View<const float>,
                                            View<float>, View<float>);
template void binary_cross_entropy_backward(double, View<const double>, View<const double>,
                                            View<double>, View<double>);

}  // namespace attune::kernels
