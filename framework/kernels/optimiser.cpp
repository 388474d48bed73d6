#include "kernels/optimiser.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kBlock = 16384;  // elements a task

void check_ranges(const char* kernel, std::span<const DecayRange> decay, Index n) {
  Index at = 0;
  for (const DecayRange& range : decay) {
    ATTUNE_CHECK(at <= range.begin && range.begin <= range.end && range.end <= n, ShapeError,
                 "[{}] decay range [{}, {}) must ascend, start at {} or later and end within {}.",
                 kernel, range.begin, range.end, at, n);
    at = range.end;
  }
}

// f(begin, end, weight_decay) over [0, n) cut into blocks and by the ranges, in parallel.
template <class F>
void for_decay(const char* kernel, std::span<const DecayRange> decay, Index n, double cost, F f) {
  check_ranges(kernel, decay, n);
  parallel_ranges(kernel, n, kBlock, cost, [&](Index begin, Index end) {
    Index at = begin;
    for (const DecayRange& range : decay) {
      const Index from = std::clamp(range.begin, at, end), to = std::clamp(range.end, from, end);
      if (at < from) f(at, from, 0.0);
      if (from < to) f(from, to, range.weight_decay);
      at = to;
    }
    if (at < end) f(at, end, 0.0);
  });
}

}  // namespace

template <class Real>
void adam(const AdamOptions& options, std::span<const DecayRange> decay, View<const Real> grad,
          View<Real> value, View<Real> m, View<Real> v) {
  check_shape("adam", "value", value, grad.shape(), "grad");
  check_shape("adam", "m", m, grad.shape(), "grad");
  check_shape("adam", "v", v, grad.shape(), "grad");
  ATTUNE_CHECK(options.step >= 1, ConfigError, "[adam] step={} must count from 1.", options.step);
  using V = Vec<Real>;
  const auto t = static_cast<double>(options.step);
  // libm's pow runs once an update and in double; its last bit is rounded away in float.
  const double correction1 = 1 - std::pow(options.beta1, t);
  const double correction2 = 1 - std::pow(options.beta2, t);
  const V rest1 = static_cast<Real>(1 - options.beta1), beta2 = static_cast<Real>(options.beta2);
  // Numerator and denominator times sqrt(correction2), which spares a division an element.
  const double root = std::sqrt(correction2);
  const V rest2 = static_cast<Real>(1 - options.beta2), eps = static_cast<Real>(options.eps * root);
  const V step_size = static_cast<Real>(options.lr * root / correction1);
  for_decay("adam", decay, grad.size(), static_cast<double>(grad.size()) * 0.8,
            [&](Index begin, Index end, double weight_decay) {
              const bool coupled = !options.decoupled && weight_decay > 0;
              const V rate = static_cast<Real>(weight_decay);
              const V shrink = static_cast<Real>(coupled ? 1 : 1 - options.lr * weight_decay);
              for_lanes<Real>(end - begin, [&](Index j, auto lanes) {
                const Index i = begin + j;
                const V old_p = lanes.load(value.data() + i), old_m = lanes.load(m.data() + i);
                V g = lanes.load(grad.data() + i);
                if (coupled) g = fma(rate, old_p, g);
                const V new_m = fma(rest1, g - old_m, old_m);
                const V new_v = fma(rest2 * g, g, beta2 * lanes.load(v.data() + i));
                const V denominator = sqrt(new_v) + eps;
                const V p = old_p * shrink;
                lanes.store(m.data() + i, new_m);
                lanes.store(v.data() + i, new_v);
                lanes.store(value.data() + i, fma(-step_size, new_m / denominator, p));
              });
            });
}

template <class Real>
void sgd(const SgdOptions& options, std::span<const DecayRange> decay, View<const Real> grad,
         View<Real> value, View<Real> velocity) {
  check_shape("sgd", "value", value, grad.shape(), "grad");
  ATTUNE_CHECK(velocity || options.momentum == 0, ShapeError,
               "[sgd] momentum={} needs a velocity, which is absent.", options.momentum);
  if (velocity) check_shape("sgd", "velocity", velocity, grad.shape(), "grad");
  using V = Vec<Real>;
  const V lr = static_cast<Real>(options.lr), momentum = static_cast<Real>(options.momentum);
  for_decay("sgd", decay, grad.size(), static_cast<double>(grad.size()) * 0.5,
            [&](Index begin, Index end, double weight_decay) {
              const V rate = static_cast<Real>(weight_decay);
              for_lanes<Real>(end - begin, [&](Index j, auto lanes) {
                const Index i = begin + j;
                const V p = lanes.load(value.data() + i);
                V direction = fma(rate, p, lanes.load(grad.data() + i));
                if (velocity) {
                  direction = fma(momentum, lanes.load(velocity.data() + i), direction);
                  lanes.store(velocity.data() + i, direction);
                }
                lanes.store(value.data() + i, fma(-lr, direction, p));
              });
            });
}

template <class Real>
double squared_norm(View<const Real> x) {
  const Index n = x.size();
  Scratch scratch;
  const auto chunks = scratch.view<double>({(n + kBlock - 1) / kBlock});
  parallel_ranges("squared_norm", n, kBlock, static_cast<double>(n) * 0.2,
                  [&](Index begin, Index end) {
                    constexpr Index kWide = kLanes<double>;
                    Vec<double> total = 0.0;
                    for (Index i = begin; i < end; i += kWide) {
                      const Vec<double> value = widened(x.data() + i, end - i);
                      total = fma(value, value, total);
                    }
                    chunks[begin / kBlock] = sum(total);
                  });
  double total = 0;
  for (double chunk : chunks) total += chunk;
  return total;
}

template void adam(const AdamOptions&, std::span<const DecayRange>, View<const float>, View<float>,
                   View<float>, View<float>);
template void sgd(const SgdOptions&, std::span<const DecayRange>, View<const float>, View<float>,
                  View<float>);
template double squared_norm(View<const float>);
template void adam(const AdamOptions&, std::span<const DecayRange>, View<const double>,
                   View<double>, View<double>, View<double>);
template void sgd(const SgdOptions&, std::span<const DecayRange>, View<const double>, View<double>,
                  View<double>);
template double squared_norm(View<const double>);

}  // namespace attune::kernels
