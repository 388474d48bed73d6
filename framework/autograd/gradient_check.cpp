#include "autograd/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/philox.h"

namespace attune {
namespace {

using Function = std::function<Var(Tape<double>&, std::span<const Var>)>;

struct Leaves {
  std::vector<std::vector<double>> grads;
  std::vector<Var> vars;
};

Leaves make_leaves(Tape<double>& tape, const std::vector<CheckedInput>& inputs) {
  static const double kNothing = 0;
  Leaves leaves;
  for (const CheckedInput& input : inputs) {
    const double* data = input.values.empty() ? &kNothing : input.values.data();
    leaves.grads.emplace_back(input.values.size() + 1, 0.0);  // never null, even when empty
    leaves.vars.push_back(
        tape.parameter({data, input.shape}, {leaves.grads.back().data(), input.shape}));
  }
  return leaves;
}

double projected(const Function& f, const std::vector<CheckedInput>& inputs,
                 const std::vector<double>& r) {
  Arena arena;
  Tape<double> tape(arena);
  const Leaves leaves = make_leaves(tape, inputs);
  const auto y = tape.value(f(tape, leaves.vars));
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += y[i] * r[static_cast<std::size_t>(i)];
  return sum;
}

}  // namespace

double GradientCheck::worst() const {
  double w = 0;
  for (const Entry& e : entries) w = std::isnan(e.worst) ? e.worst : std::max(w, e.worst);
  return w;
}

double GradientCheck::smallest_norm() const {
  double n = entries.empty() ? 0 : entries[0].gradient_norm;
  for (const Entry& e : entries) n = std::min(n, e.gradient_norm);
  return n;
}

CheckedInput random_input(std::string name, const Shape& shape, std::uint64_t seed, double scale) {
  CheckedInput input{std::move(name), shape, {}};
  const Stream stream(seed, "check", input.name);
  for (Index i = 0; i < shape.size(); ++i)
    input.values.push_back(scale * (2 * stream.uniform(static_cast<std::uint64_t>(i)) - 1));
  return input;
}

GradientCheck check_gradients(const Function& f, std::vector<CheckedInput> inputs, double h,
                              std::uint64_t seed) {
  Arena arena;
  Tape<double> tape(arena);
  const Leaves leaves = make_leaves(tape, inputs);
  const Var y = f(tape, leaves.vars);
  const Shape shape = tape.shape(y);
  std::vector<double> r = random_input("projection", shape, seed).values;
  r.push_back(0);
  const Tape<double>::Seed projection{y, {r.data(), shape}};
  tape.backward(std::span(&projection, 1));

  GradientCheck result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    double largest = 0, difference = 0, squares = 0;
    for (std::size_t j = 0; j < inputs[i].values.size(); ++j) {
      const double x = inputs[i].values[j], step = h * std::max(1.0, std::abs(x));
      inputs[i].values[j] = x + step;
      const double up = projected(f, inputs, r);
      inputs[i].values[j] = x - step;
      const double down = projected(f, inputs, r);
      inputs[i].values[j] = x;
      const double numeric = (up - down) / (2 * step), analytic = leaves.grads[i][j];
      const double gap = std::abs(numeric - analytic);
      difference = std::isnan(gap) ? gap : std::max(difference, gap);
      if (std::isnan(gap)) break;
      largest = std::max({largest, std::abs(numeric), std::abs(analytic)});
      squares += analytic * analytic;
    }
    const double worst = difference == 0 ? 0 : difference / std::max(largest, 1e-300);
    result.entries.push_back({inputs[i].name, worst, std::sqrt(squares)});
  }
  return result;
}

}  // namespace attune
