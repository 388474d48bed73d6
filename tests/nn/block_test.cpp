// The residual wiring against closed forms, with a sublayer whose answer is known: f(x) = 2x. A
// pre-LN that normalises the sublayer's output (as flashlight's did) or normalises twice fails
// here.
#include "nn/block.h"

#include <gtest/gtest.h>

#include <cmath>

namespace attune {
namespace {

constexpr Index kRows = 3, kWidth = 5;

std::vector<double> input() {
  std::vector<double> x;
  for (Index i = 0; i < kRows * kWidth; ++i)
    x.push_back(std::sin(1.0 + 1.7 * static_cast<double>(i)));
  return x;
}

// Plain layer normalisation with gain 1 and bias 0.
std::vector<double> normalised(const std::vector<double>& x) {
  std::vector<double> y(x.size());
  for (Index r = 0; r < kRows; ++r) {
    double mean = 0, var = 0;
    for (Index j = 0; j < kWidth; ++j) mean += x[r * kWidth + j] / kWidth;
    for (Index j = 0; j < kWidth; ++j) var += std::pow(x[r * kWidth + j] - mean, 2) / kWidth;
    for (Index j = 0; j < kWidth; ++j)
      y[r * kWidth + j] = (x[r * kWidth + j] - mean) / std::sqrt(var + 1e-5);
  }
  return y;
}

std::vector<double> combine(double a, const std::vector<double>& x, double b,
                            const std::vector<double>& y) {
  std::vector<double> z(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) z[i] = a * x[i] + b * y[i];
  return z;
}

std::vector<double> wired(NormPlacement placement) {
  Registry registry;
  const Residual residual(registry, "norm1", "branch", kWidth, placement, NormKind::layer, 0.0);
  registry.finish();
  ParameterBlock<double> values(registry), grads(registry);
  initialise(registry, 1, values);
  Arena arena;
  Tape<double> tape(arena);
  std::vector<Var> vars;
  for (std::size_t i = 0; i < registry.parameters().size(); ++i) {
    const ParameterId id{static_cast<int>(i)};
    vars.push_back(tape.parameter(values[id], grads[id]));
  }
  const std::vector<std::uint64_t> streams{1};
  const Pass<double> pass{tape, vars, streams, {}, {}, false, 0};
  const std::vector<double> x = input();
  const Var y = residual(pass, tape.constant({x.data(), {kRows, kWidth}}),
                         [](const Pass<double>& p, Var v) { return add(p.tape, v, v); });
  const auto out = tape.value(y);
  return {out.begin(), out.end()};
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12) << i;
}

TEST(Residual, PreNormalisesTheSublayersInput) {
  const auto x = input();
  expect_near(wired(NormPlacement::pre), combine(1, x, 2, normalised(x)));
}

TEST(Residual, PostNormalisesTheSum) {
  expect_near(wired(NormPlacement::post), normalised(combine(3, input(), 0, input())));
}

TEST(Residual, ResPostNormalisesTheBranch) {
  const auto x = input();
  expect_near(wired(NormPlacement::res_post), combine(1, x, 1, normalised(combine(2, x, 0, x))));
}

TEST(Residual, SandwichNormalisesTheBranchOnBothSides) {
  const auto x = input();
  expect_near(wired(NormPlacement::sandwich),
              combine(1, x, 1, normalised(combine(2, normalised(x), 0, x))));
}

TEST(Residual, NoneOnlyAdds) {
  expect_near(wired(NormPlacement::none), combine(3, input(), 0, input()));
}

TEST(Encoder, EndsInANormExactlyWhereTheStreamIsNotNormalised) {
  for (const auto& [placement, wants] : {std::pair{NormPlacement::pre, true},
                                         {NormPlacement::post, false},
                                         {NormPlacement::res_post, true},
                                         {NormPlacement::sandwich, true},
                                         {NormPlacement::none, false}}) {
    Registry registry;
    EncoderOptions options;
    options.norm = placement;
    const Encoder encoder(registry, "encoder", options);
    bool found = false;
    for (const auto& p : registry.parameters()) found = found || p.name == "encoder.norm.gain";
    EXPECT_EQ(found, wants);
  }
}

}  // namespace
}  // namespace attune
