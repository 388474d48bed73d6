#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/pass.h"
#include "tests/reference/kernel_checks.h"

namespace attune {

// A layer on a pack of rows: parameters drawn from a seed, forward, gradients.
template <class Real>
class LayerBench {
 public:
  using Array = testing::Array<Real>;

  explicit LayerBench(const std::vector<std::int32_t>& offsets,
                      const std::vector<std::int32_t>& grid = {})
      : offsets_(testing::ids(offsets)), grid_(testing::ids(grid)), example_({examples()}) {
    for (Index e = 0; e < examples(); ++e) example_[e] = static_cast<std::int32_t>(30 + 7 * e);
  }

  // layer = make(registry)
  template <class Make>
  auto build(Make&& make, std::uint64_t seed = 1) {
    auto layer = make(registry);
    registry.finish();
    values.emplace(registry);
    grads.emplace(registry);
    initialise(registry, seed, *values);
    streams_.assign(registry.streams().size(), 0);
    for (std::size_t i = 0; i < streams_.size(); ++i)
      streams_[i] = Stream(seed, "dropout", registry.streams()[i]).key;
    return layer;
  }

  Index examples() const { return offsets_.size() - 1; }
  Index n_rows() const { return offsets_[examples()]; }
  PackedRows rows() const {
    PackedRows rows;
    rows.offsets = offsets_.view();
    rows.example = example_.view();
    if (grid_.size() > 0) rows.grid = grid_.view().reshaped({grid_.size() / 2, 2});
    return rows;
  }
  View<Real> value(const std::string& name) {
    for (const ParameterId id : registry.by_name())
      if (registry[id].name == name) return (*values)[id];
    ADD_FAILURE() << "no parameter is named " << name;
    return {};
  }

  // f(pass, x), and with dy also the gradients of x and, in `grads`, of the parameters.
  struct Result {
    Array y, dx;
  };
  template <class F>
  Result run(F&& f, const Array& x, const Array* dy = nullptr, bool training = false) {
    Arena arena;
    Tape<Real> tape(arena, dy != nullptr);
    std::fill(grads->all().begin(), grads->all().end(), Real(0));
    std::vector<Var> vars;
    for (std::size_t i = 0; i < registry.parameters().size(); ++i) {
      const ParameterId id{static_cast<int>(i)};
      vars.push_back(tape.parameter((*values)[id], (*grads)[id]));
    }
    const Pass<Real> pass{tape, vars, streams_, rows(), coordinates_of(rows(), arena), training, 5};
    Result result{Array({0}), Array(x.shape())};
    const Var y = f(pass, tape.parameter(x.view(), result.dx.view()));
    result.y = Array(tape.shape(y));
    std::copy(tape.value(y).begin(), tape.value(y).end(), result.y.view().begin());
    if (dy != nullptr) {
      const typename Tape<Real>::Seed seed{y, dy->view()};
      tape.backward(std::span(&seed, 1));
    }
    return result;
  }

  Registry registry;
  std::optional<ParameterBlock<Real>> values, grads;

 private:
  testing::Ids offsets_, grid_, example_;
  std::vector<std::uint64_t> streams_;
};

// Gradients of f(pass, x [n, d]) along random directions, of x and of each learned parameter,
// against central differences with dropout on.
template <class F>
void expect_gradients(LayerBench<double>& bench, const F& f, Index d) {
  using Array = testing::Array<double>;
  const auto copy_of = [](View<const double> v) {
    Array copy(v.shape());
    std::copy(v.begin(), v.end(), copy.view().begin());
    return copy;
  };
  Array x = Array::random({bench.n_rows(), d}, 3);
  const Array dy = Array::random(bench.run(f, x, nullptr, true).y.shape(), 4);
  const auto analytic = bench.run(f, x, &dy, true);
  constexpr double kStep = 1e-6;
  double rounding = 0;  // of the objective, a few ulp of its terms, over the step
  for (Index i = 0; i < dy.size(); ++i)
    rounding += 4 * 2.2e-16 * std::abs(analytic.y[i] * dy[i]) / kStep;
  const auto check = [&](const std::string& of, View<double> at, View<const double> gradient) {
    const Array direction = Array::random(at.shape(), 8), old = copy_of(at);
    double wanted = 0, magnitude = 0;
    for (Index i = 0; i < at.size(); ++i) {
      wanted += gradient[i] * direction[i];
      magnitude += std::abs(gradient[i] * direction[i]);
    }
    const auto objective = [&](double step) {
      for (Index i = 0; i < at.size(); ++i) at[i] = old[i] + step * direction[i];
      return testing::dot(bench.run(f, x, nullptr, true).y, dy);
    };
    const double numeric = (objective(kStep) - objective(-kStep)) / (2 * kStep);
    objective(0);
    EXPECT_NEAR(numeric, wanted, 1e-7 * magnitude + rounding) << of;
  };
  std::vector<std::pair<ParameterId, Array>> gradients;
  for (const ParameterId id : bench.registry.by_name())
    gradients.emplace_back(id, copy_of((*bench.grads)[id]));
  check("x", x.view(), analytic.dx.view());
  for (const auto& [id, gradient] : gradients) {
    const std::string& name = bench.registry[id].name;
    if (!name.ends_with(".directions")) check(name, (*bench.values)[id], gradient.view());
  }
}

}  // namespace attune
