#include "kernels/pointwise.h"

#include "kernels/lanes.h"
#include "kernels/math.h"
#include "kernels/parallel.h"

namespace attune::kernels {
namespace {

constexpr Index kBlock = 16384;  // elements a task

// f(i, lanes) over the vectors of n elements, in parallel.
template <class Real, class F>
void for_elements(const char* kernel, Index n, double ns_per_element, F f) {
  parallel_ranges(
      kernel, n, kBlock, static_cast<double>(n) * ns_per_element, [&](Index begin, Index end) {
        const F local = f;  // a copy that no store can reach
        for_lanes<Real>(end - begin, [=](Index i, auto lanes) { local(begin + i, lanes); });
      });
}

// y = value(x), and slope = its derivative if asked for; f gives both, and the compiler drops what
// nobody stores. f is a type of its own, not a pointer to a function, so that it is inlined.
template <class Real, class F>
void map_with_slope(const char* kernel, View<const Real> x, View<Real> y, View<Real> slope,
                    double ns_per_element, F f) {
  check_shape(kernel, "y", y, x.shape(), "x");
  if (!slope) {
    for_elements<Real>(kernel, x.size(), ns_per_element, [=](Index i, auto lanes) {
      lanes.store(y.data() + i, f(lanes.load(x.data() + i)).value);
    });
    return;
  }
  check_shape(kernel, "slope", slope, x.shape(), "x");
  for_elements<Real>(kernel, x.size(), ns_per_element, [=](Index i, auto lanes) {
    const auto out = f(lanes.load(x.data() + i));
    lanes.store(y.data() + i, out.value);
    lanes.store(slope.data() + i, out.slope);
  });
}

template <class Real>
struct ValueAndSlope {
  Vec<Real> value, slope;
};

template <class Real>
ValueAndSlope<Real> silu_of(Vec<Real> x) {
  const Logistic<Real> s = logistic(x);
  const Vec<Real> y = x * s.value;
  return {y, fma(y, s.complement, s.value)};
}

template <class Real>
ValueAndSlope<Real> gelu_erf_of(Vec<Real> x) {
  const Normal<Real> n = normal(x);
  return {x * n.cdf, fma(x, n.density, n.cdf)};
}

// ½ (1 + tanh u) = σ(2u), 2u = x · (a + b x²); y' = σ + x σ (1 − σ) (a + 3 b x²).
template <class Real>
ValueAndSlope<Real> gelu_tanh_of(Vec<Real> x) {
  using V = Vec<Real>;
  constexpr Real a = Real(1.5957691216057308), b = Real(0.044715 * 1.5957691216057308);
  const V square = x * x;
  const Logistic<Real> s = logistic(x * fma(square, V(b), V(a)));
  const V y = x * s.value;
  return {y, fma(y * s.complement, fma(square, V(3 * b), V(a)), s.value)};
}

template <class Real>
ValueAndSlope<Real> elu_plus_one_of(Vec<Real> x) {
  const auto below = x <= Vec<Real>(Real(0));
  const Vec<Real> power = exp(min(x, Vec<Real>(Real(0)))), one = Real(1);
  return {select(below, power, x + one), select(below, power, one)};
}

// Accurate near 0, which elu_plus_one less 1 would not be.
template <class Real>
ValueAndSlope<Real> elu_of(Vec<Real> x) {
  const auto below = x <= Vec<Real>(Real(0));
  const Vec<Real> z = min(x, Vec<Real>(Real(0)));
  return {select(below, expm1(z), x), select(below, exp(z), Vec<Real>(Real(1)))};
}

}  // namespace

template <class Real>
void fill(Real value, View<Real> y) {
  for_elements<Real>("fill", y.size(), 0.1,
                     [=](Index i, auto lanes) { lanes.store(y.data() + i, Vec<Real>(value)); });
}

template <class Real>
void add(View<const Real> a, View<const Real> b, View<Real> y) {
  check_shape("add", "b", b, a.shape(), "a");
  check_shape("add", "y", y, a.shape(), "a");
  for_elements<Real>("add", y.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(y.data() + i, lanes.load(a.data() + i) + lanes.load(b.data() + i));
  });
}

template <class Real>
void accumulate(View<const Real> x, View<Real> y, bool fresh) {
  check_shape("accumulate", "y", y, x.shape(), "x");
  if (fresh)
    return for_elements<Real>("accumulate", y.size(), 0.3, [=](Index i, auto lanes) {
      lanes.store(y.data() + i, lanes.load(x.data() + i));
    });
  for_elements<Real>("accumulate", y.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(y.data() + i, lanes.load(y.data() + i) + lanes.load(x.data() + i));
  });
}

template <class Real>
void scale(Real factor, View<const Real> x, View<Real> y) {
  check_shape("scale", "y", y, x.shape(), "x");
  for_elements<Real>("scale", y.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(y.data() + i, Vec<Real>(factor) * lanes.load(x.data() + i));
  });
}

template <class Real>
void scale_backward(Real factor, View<const Real> dy, View<Real> dx) {
  check_shape("scale", "dx", dx, dy.shape(), "dy");
  for_elements<Real>("scale_backward", dx.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(dx.data() + i,
                fma(Vec<Real>(factor), lanes.load(dy.data() + i), lanes.load(dx.data() + i)));
  });
}

template <class Real>
void chain(View<const Real> slope, View<const Real> dy, View<Real> dx, bool fresh) {
  check_shape("chain", "dy", dy, slope.shape(), "slope");
  check_shape("chain", "dx", dx, slope.shape(), "slope");
  if (fresh)
    return for_elements<Real>("chain", dx.size(), 0.3, [=](Index i, auto lanes) {
      lanes.store(dx.data() + i, lanes.load(slope.data() + i) * lanes.load(dy.data() + i));
    });
  for_elements<Real>("chain", dx.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(dx.data() + i, fma(lanes.load(slope.data() + i), lanes.load(dy.data() + i),
                                   lanes.load(dx.data() + i)));
  });
}

template <class Real>
void relu(View<const Real> x, View<Real> y) {
  check_shape("relu", "y", y, x.shape(), "x");
  for_elements<Real>("relu", y.size(), 0.3, [=](Index i, auto lanes) {
    lanes.store(y.data() + i, max(Vec<Real>(0), lanes.load(x.data() + i)));
  });
}

template <class Real>
void relu_backward(View<const Real> dy, View<const Real> y, View<Real> dx) {
  check_shape("relu", "y", y, dy.shape(), "dy");
  check_shape("relu", "dx", dx, dy.shape(), "dy");
  for_elements<Real>("relu_backward", dx.size(), 0.3, [=](Index i, auto lanes) {
    const Vec<Real> old = lanes.load(dx.data() + i);
    const auto off = lanes.load(y.data() + i) <= Vec<Real>(0);
    lanes.store(dx.data() + i, select(off, old, old + lanes.load(dy.data() + i)));
  });
}

template <class Real>
void silu(View<const Real> x, View<Real> y, View<Real> slope) {
  map_with_slope("silu", x, y, slope, 0.7, [](auto v) { return silu_of<Real>(v); });
}

template <class Real>
void gelu(GeluForm form, View<const Real> x, View<Real> y, View<Real> slope) {
  if (form == GeluForm::erf) {
    map_with_slope("gelu", x, y, slope, 0.8, [](auto v) { return gelu_erf_of<Real>(v); });
  } else {
    map_with_slope("gelu", x, y, slope, 0.8, [](auto v) { return gelu_tanh_of<Real>(v); });
  }
}

template <class Real>
void tanh(View<const Real> x, View<Real> y) {
  check_shape("tanh", "y", y, x.shape(), "x");
  for_elements<Real>("tanh", y.size(), 0.7, [=](Index i, auto lanes) {
    lanes.store(y.data() + i, tanh(lanes.load(x.data() + i)));
  });
}

template <class Real>
void tanh_backward(View<const Real> dy, View<const Real> y, View<Real> dx) {
  check_shape("tanh", "y", y, dy.shape(), "dy");
  check_shape("tanh", "dx", dx, dy.shape(), "dy");
  for_elements<Real>("tanh_backward", dx.size(), 0.3, [=](Index i, auto lanes) {
    const Vec<Real> t = lanes.load(y.data() + i), slope = fma(-t, t, Vec<Real>(Real(1)));
    lanes.store(dx.data() + i, fma(slope, lanes.load(dy.data() + i), lanes.load(dx.data() + i)));
  });
}

template <class Real>
void elu_plus_one(View<const Real> x, View<Real> y, View<Real> slope) {
  map_with_slope("elu_plus_one", x, y, slope, 0.5, [](auto v) { return elu_plus_one_of<Real>(v); });
}

template <class Real>
void elu(View<const Real> x, View<Real> y, View<Real> slope) {
  map_with_slope("elu", x, y, slope, 0.6, [](auto v) { return elu_of<Real>(v); });
}

template void elu(View<const float>, View<float>, View<float>);
template void elu(View<const double>, View<double>, View<double>);
template void tanh(View<const float>, View<float>);
template void tanh(View<const double>, View<double>);
template void tanh_backward(View<const float>, View<const float>, View<float>);
template void tanh_backward(View<const double>, View<const double>, View<double>);
template void elu_plus_one(View<const float>, View<float>, View<float>);
template void elu_plus_one(View<const double>, View<double>, View<double>);
template void fill(float, View<float>);
template void add(View<const float>, View<const float>, View<float>);
template void accumulate(View<const float>, View<float>, bool);
template void scale(float, View<const float>, View<float>);
template void scale_backward(float, View<const float>, View<float>);
template void chain(View<const float>, View<const float>, View<float>, bool);
template void relu(View<const float>, View<float>);
template void relu_backward(View<const float>, View<const float>, View<float>);
template void silu(View<const float>, View<float>, View<float>);
template void gelu(GeluForm, View<const float>, View<float>, View<float>);
template void fill(double, View<double>);
template void add(View<const double>, View<const double>, View<double>);
template void accumulate(View<const double>, View<double>, bool);
template void scale(double, View<const double>, View<double>);
template void scale_backward(double, View<const double>, View<double>);
template void chain(View<const double>, View<const double>, View<double>, bool);
template void relu(View<const double>, View<double>);
template void relu_backward(View<const double>, View<const double>, View<double>);
template void silu(View<const double>, View<double>, View<double>);
template void gelu(GeluForm, View<const double>, View<double>, View<double>);

}  // namespace attune::kernels
