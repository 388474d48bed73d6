#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/shape.h"

namespace attune {

// Real features of examples, one column a feature.
struct Features {
  Index n = 0, d = 0;
  std::vector<double> values;  // [d, n]: feature by feature
  double* column(Index j) { return values.data() + j * n; }
  const double* column(Index j) const { return values.data() + j * n; }
};

// x ↦ (x − mean) / sd by feature, measured on one set (its training examples) and applied to
// others. A feature that is constant there has scale 0: it says nothing.
class Standardiser {
 public:
  explicit Standardiser(const Features& from);
  void apply(Features& x) const;

 private:
  std::vector<double> mean_, scale_;
};

// Multinomial logistic regression with an L2 penalty: W [classes, d] and b [classes] minimise
//   f = (1/n) Σ_i −log softmax(W x_i + b)[y_i] + (λ/2) ‖W‖²,
// the intercepts unpenalised (Hastie, Tibshirani & Friedman 2009, section 4.4). Strictly convex in
// W; of the intercepts, which a common shift leaves as good, those with mean 0.
struct LogisticModel {
  Index n_classes = 0, d = 0;
  std::vector<double> weight;     // [classes, d]
  std::vector<double> intercept;  // [classes]
  // W x + b, [n, classes].
  std::vector<double> logits(const Features& x) const;
};

// f and its gradient, laid out as weight, then intercept.
double logistic_objective(const LogisticModel& model, const Features& x,
                          std::span<const std::int32_t> target, double lambda,
                          std::vector<double>& gradient);

// The minimum, by L-BFGS over all examples (Liu & Nocedal 1989; 20 pairs, backtracking), from
// `start` to a gradient of Euclidean norm kLogisticTolerance or less. Sums run in a fixed order, on
// one thread. NumericError when 10,000 iterations do not reach it.
inline constexpr double kLogisticTolerance = 1e-6;
LogisticModel fit_logistic(const Features& x, std::span<const std::int32_t> target, double lambda,
                           LogisticModel start);
LogisticModel zero_model(Index n_classes, Index d);

}  // namespace attune
