#include "train/logistic.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/error.h"
#include "kernels/math.h"

namespace attune {
namespace {

constexpr Index kLanes = 8;
constexpr int kPairs = 20;
constexpr int kMostIterations = 10'000;

// Σ a_i b_i by eight partial sums, which a compiler may keep in vectors without changing the order.
double dot(const double* a, const double* b, Index n) {
  double lane[kLanes] = {};
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (Index l = 0; l < kLanes; ++l) lane[l] += a[i + l] * b[i + l];
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double part : lane) sum += part;
  return sum;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return dot(a.data(), b.data(), static_cast<Index>(a.size()));
}

void add(std::vector<double>& y, double scale, const std::vector<double>& x) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += scale * x[i];
}

// W x + b, class by class: [classes, n].
std::vector<double> logits_by_class(const LogisticModel& m, const Features& x) {
  std::vector<double> z(static_cast<std::size_t>(m.n_classes * x.n));
  for (Index c = 0; c < m.n_classes; ++c) {
    double* out = z.data() + c * x.n;
    std::fill(out, out + x.n, m.intercept[static_cast<std::size_t>(c)]);
    for (Index j = 0; j < x.d; ++j) {
      const double w = m.weight[static_cast<std::size_t>(c * x.d + j)];
      const double* column = x.column(j);
      for (Index i = 0; i < x.n; ++i) out[i] += w * column[i];
    }
  }
  return z;
}

// The two halves of a parameter vector, as logistic_objective lays them out.
void set_parameters(LogisticModel& m, const std::vector<double>& p) {
  const auto middle = p.begin() + static_cast<std::ptrdiff_t>(m.weight.size());
  std::copy(p.begin(), middle, m.weight.begin());
  std::copy(middle, p.end(), m.intercept.begin());
}

std::vector<double> parameters_of(const LogisticModel& m) {
  std::vector<double> p = m.weight;
  p.insert(p.end(), m.intercept.begin(), m.intercept.end());
  return p;
}

// The inverse Hessian of the last steps, applied by two loops (Nocedal & Wright 2006, alg. 7.4).
class History {
 public:
  void add_pair(std::vector<double> s, std::vector<double> y) {
    const double curvature = dot(s, y);
    if (!(curvature > 0)) return;
    pairs_.push_back({std::move(s), std::move(y), curvature});
    if (pairs_.size() > kPairs) pairs_.pop_front();
  }
  void forget() { pairs_.clear(); }
  std::vector<double> direction(const std::vector<double>& gradient) const {
    std::vector<double> q = gradient;
    std::vector<double> alpha(pairs_.size());
    for (std::size_t k = pairs_.size(); k-- > 0;) {
      alpha[k] = dot(pairs_[k].s, q) / pairs_[k].curvature;
      add(q, -alpha[k], pairs_[k].y);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      const double scale = last.curvature / dot(last.y, last.y);
      for (double& x : q) x *= scale;
    }
    for (std::size_t k = 0; k < pairs_.size(); ++k)
      add(q, alpha[k] - dot(pairs_[k].y, q) / pairs_[k].curvature, pairs_[k].s);
    for (double& x : q) x = -x;
    return q;
  }

 private:
  struct Pair {
    std::vector<double> s, y;
    double curvature;
  };
  std::deque<Pair> pairs_;
};

}  // namespace

Standardiser::Standardiser(const Features& from) {
  for (Index j = 0; j < from.d; ++j) {
    const double* x = from.column(j);
    const double n = static_cast<double>(from.n);
    double mean = 0, squares = 0;
    for (Index i = 0; i < from.n; ++i) mean += x[i] / n;
    for (Index i = 0; i < from.n; ++i) squares += (x[i] - mean) * (x[i] - mean) / n;
    mean_.push_back(mean);
    // Rounding alone makes a constant vary in its last digits.
    const bool varies = squares > 1e-20 * (1 + mean * mean);
    scale_.push_back(varies ? 1 / std::sqrt(squares) : 0);
  }
}

void Standardiser::apply(Features& x) const {
  for (Index j = 0; j < x.d; ++j) {
    double* column = x.column(j);
    const double mean = mean_[static_cast<std::size_t>(j)];
    const double scale = scale_[static_cast<std::size_t>(j)];
    for (Index i = 0; i < x.n; ++i) column[i] = (column[i] - mean) * scale;
  }
}

std::vector<double> LogisticModel::logits(const Features& x) const {
  const std::vector<double> z = logits_by_class(*this, x);
  std::vector<double> out(z.size());
  for (Index c = 0; c < n_classes; ++c)
    for (Index i = 0; i < x.n; ++i)
      out[static_cast<std::size_t>(i * n_classes + c)] = z[static_cast<std::size_t>(c * x.n + i)];
  return out;
}

LogisticModel zero_model(Index n_classes, Index d) {
  return {n_classes, d, std::vector<double>(static_cast<std::size_t>(n_classes * d)),
          std::vector<double>(static_cast<std::size_t>(n_classes))};
}

double logistic_objective(const LogisticModel& model, const Features& x,
                          std::span<const std::int32_t> target, double lambda,
                          std::vector<double>& gradient) {
  const Index n = x.n, classes = model.n_classes;
  std::vector<double> z = logits_by_class(model, x);
  const auto at = [n](Index c, Index i) { return static_cast<std::size_t>(c * n + i); };
  double loss = 0;
  for (Index i = 0; i < n; ++i) {  // z becomes (softmax − one-hot) / n
    double high = z[at(0, i)];
    for (Index c = 1; c < classes; ++c) high = std::max(high, z[at(c, i)]);
    const auto label = static_cast<Index>(target[static_cast<std::size_t>(i)]);
    const double of_target = z[at(label, i)] - high;
    double total = 0;
    for (Index c = 0; c < classes; ++c) total += z[at(c, i)] = kernels::exp(z[at(c, i)] - high);
    loss += kernels::log(total) - of_target;
    for (Index c = 0; c < classes; ++c)
      z[at(c, i)] = (z[at(c, i)] / total - (c == label ? 1 : 0)) / static_cast<double>(n);
  }
  gradient.resize(model.weight.size() + model.intercept.size());
  std::size_t p = 0;
  for (Index c = 0; c < classes; ++c)
    for (Index j = 0; j < x.d; ++j, ++p)
      gradient[p] = dot(z.data() + c * n, x.column(j), n) + lambda * model.weight[p];
  for (Index c = 0; c < classes; ++c, ++p) {
    gradient[p] = 0;
    for (Index i = 0; i < n; ++i) gradient[p] += z[at(c, i)];
  }
  return loss / static_cast<double>(n) + 0.5 * lambda * dot(model.weight, model.weight);
}

LogisticModel fit_logistic(const Features& x, std::span<const std::int32_t> target, double lambda,
                           LogisticModel model) {
  std::vector<double> p = parameters_of(model), gradient, next_gradient;
  double value = logistic_objective(model, x, target, lambda, gradient);
  History history;
  for (int iteration = 0; iteration < kMostIterations; ++iteration) {
    const double norm = std::sqrt(dot(gradient, gradient));
    if (norm <= kLogisticTolerance) return model;
    std::vector<double> direction = history.direction(gradient);
    double slope = dot(gradient, direction);
    if (!(slope < 0)) {  // rounding has spoilt the pairs: steepest descent begins anew
      history.forget();
      direction = history.direction(gradient);
      slope = -norm * norm;
    }
    // Armijo's rule, with room for the rounding of f: near the minimum f stops before its gradient.
    const double slack = 1e-14 * std::abs(value);
    double step = iteration == 0 ? std::min(1.0, 1 / norm) : 1.0, next_value = 0;
    std::vector<double> next;
    for (;; step /= 2) {
      next = p;
      add(next, step, direction);
      set_parameters(model, next);
      next_value = logistic_objective(model, x, target, lambda, next_gradient);
      if (next_value <= value + 1e-4 * step * slope + slack || step < 1e-10) break;
    }
    std::vector<double> s = next, y = next_gradient;
    add(s, -1, p);
    add(y, -1, gradient);
    history.add_pair(std::move(s), std::move(y));
    p = std::move(next);
    std::swap(gradient, next_gradient);
    value = next_value;
  }
  throw NumericError(fmt::format(
      "[logistic regression] {} iterations on {} examples of {} features leave a gradient of norm "
      "{:.2g}, and {:.0e} is wanted: are there values that are not finite?",
      kMostIterations, x.n, x.d, std::sqrt(dot(gradient, gradient)), kLogisticTolerance));
}

}  // namespace attune
