#include <gtest/gtest.h>

#include <cmath>

#include "optim/optimiser.h"
#include "optim/schedule.h"

namespace attune {
namespace {

TEST(Schedule, WarmsUpLinearlyThenFallsByHalfACosine) {
  ScheduleOptions s;
  s.cosine.warmup = 10;
  s.cosine.final_lr = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(s, 1.0, 0, 110), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 1.0, 9, 110), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(s, 1.0, 10, 110), 1.0);
  EXPECT_NEAR(learning_rate(s, 1.0, 60, 110), 0.55, 1e-15);  // half way down
  for (Index t = 10; t < 110; ++t)
    EXPECT_NEAR(learning_rate(s, 1.0, t, 110),
                0.1 + 0.45 * (1 + std::cos(M_PI * static_cast<double>(t - 10) / 100)), 1e-15);
}

TEST(Schedule, ConstantStaysAfterItsWarmUp) {
  ScheduleOptions s;
  s.kind = "constant";
  s.constant.warmup = 4;
  EXPECT_DOUBLE_EQ(learning_rate(s, 2.0, 1, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(s, 2.0, 99, 100), 2.0);
}

TEST(Schedule, AWarmUpLongerThanTheRunOnlyRises) {
  ScheduleOptions s;
  s.cosine.warmup = 50;
  EXPECT_DOUBLE_EQ(learning_rate(s, 1.0, 19, 20), 0.4);
}

TEST(Schedule, ALineFallsEvenly) {
  ScheduleOptions s;
  s.kind = "linear";
  s.linear.warmup = 10;
  s.linear.final_lr = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate(s, 2.0, 4, 110), 1.0);
  for (Index t = 10; t < 110; ++t)
    EXPECT_NEAR(learning_rate(s, 2.0, t, 110), 2.0 - 1.5 * static_cast<double>(t - 10) / 100,
                1e-15);
}

// Vaswani et al. 2017, eq. 3, scaled to reach lr at the end of the warm-up: min(t^-½, t·w^-3/2)·√w.
TEST(Schedule, TheInverseRootIsThatOfVaswani) {
  ScheduleOptions s;
  s.kind = "inverse_sqrt";
  s.inverse_sqrt.warmup = 40;
  for (Index step = 0; step < 400; ++step) {
    const auto t = static_cast<double>(step + 1);
    const double expected = std::min(1 / std::sqrt(t), t * std::pow(40.0, -1.5)) * std::sqrt(40.0);
    EXPECT_NEAR(learning_rate(s, 1.0, step, 50), expected, 1e-15);
  }
  s.inverse_sqrt.warmup = 0;
  EXPECT_DOUBLE_EQ(learning_rate(s, 3.0, 0, 50), 3.0);
  EXPECT_DOUBLE_EQ(learning_rate(s, 3.0, 8, 50), 1.0);
}

class OptimiserTest : public testing::Test {
 protected:
  OptimiserTest() {
    weight = registry.parameter("w", {2, 3}, Initialiser::zeros(), Decay::yes);
    bias = registry.parameter("b", {3}, Initialiser::zeros(), Decay::no);
    registry.finish();
  }
  Registry registry;
  ParameterId weight, bias;
};

// Three updates of algorithm 2 of Loshchilov & Hutter written out for one number at a time.
TEST_F(OptimiserTest, FollowsThePublishedUpdate) {
  OptimOptions o;
  o.adamw.weight_decay = 0.1;
  Optimiser<double> adamw(registry, o);
  ParameterBlock<double> values(registry), grads(registry);
  double theta_w = 0.5, theta_b = -0.25, m_w = 0, v_w = 0, m_b = 0, v_b = 0;
  for (double& x : values[weight]) x = theta_w;
  for (double& x : values[bias]) x = theta_b;
  for (Index t = 0; t < 3; ++t) {
    const double g_w = 0.3 + 0.1 * static_cast<double>(t), g_b = -0.7, lr = 0.01;
    for (double& x : grads[weight]) x = g_w;
    for (double& x : grads[bias]) x = g_b;
    const double norm = adamw.step(values.all(), grads.all(), lr, t);
    EXPECT_NEAR(norm, std::sqrt(6 * g_w * g_w + 3 * g_b * g_b), 1e-14);
    const auto update = [&](double& theta, double& m, double& v, double g, double decay) {
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      const double mh = m / (1 - std::pow(0.9, static_cast<double>(t + 1)));
      const double vh = v / (1 - std::pow(0.999, static_cast<double>(t + 1)));
      theta = theta * (1 - lr * decay) - lr * mh / (std::sqrt(vh) + 1e-8);
    };
    update(theta_w, m_w, v_w, g_w, 0.1);
    update(theta_b, m_b, v_b, g_b, 0.0);
    for (const double x : values[weight]) EXPECT_NEAR(x, theta_w, 1e-13);
    for (const double x : values[bias]) EXPECT_NEAR(x, theta_b, 1e-13);
  }
}

TEST_F(OptimiserTest, ClipsTheWholeGradientToItsNorm) {
  OptimOptions o;
  o.adamw.clip_norm = 1.0;
  Optimiser<double> adamw(registry, o);
  ParameterBlock<double> values(registry), grads(registry);
  for (double& x : grads[weight]) x = 10;
  for (double& x : grads[bias]) x = -10;
  EXPECT_NEAR(adamw.step(values.all(), grads.all(), 0.01, 0), 30, 1e-12);
  double squares = 0;
  for (const double x : grads.all()) squares += x * x;
  EXPECT_NEAR(squares, 1, 1e-12);
  for (double& x : grads[weight]) x = 0.1;
  for (double& x : grads[bias]) x = 0;
  adamw.step(values.all(), grads.all(), 0.01, 1);
  EXPECT_EQ(grads[weight][0], 0.1);  // below the limit nothing is scaled
}

// Kingma & Ba 2015, algorithm 1, of g + decay·θ.
TEST_F(OptimiserTest, AdamPutsTheDecayIntoTheGradient) {
  OptimOptions o;
  o.kind = "adam";
  o.adam.weight_decay = 0.1;
  Optimiser<double> adam(registry, o);
  ParameterBlock<double> values(registry), grads(registry);
  double theta[] = {0.5, -0.25}, m[2] = {}, v[2] = {};
  for (double& x : values[weight]) x = theta[0];
  for (double& x : values[bias]) x = theta[1];
  for (Index t = 0; t < 3; ++t) {
    const double g[] = {0.3 + 0.1 * static_cast<double>(t), -0.7};
    for (double& x : grads[weight]) x = g[0];
    for (double& x : grads[bias]) x = g[1];
    adam.step(values.all(), grads.all(), 0.01, t);
    const auto power = static_cast<double>(t + 1);
    for (int i = 0; i < 2; ++i) {
      const double decayed = g[i] + (i == 0 ? 0.1 * theta[i] : 0);
      m[i] = 0.9 * m[i] + 0.1 * decayed;
      v[i] = 0.999 * v[i] + 0.001 * decayed * decayed;
      theta[i] -= 0.01 * m[i] / (1 - std::pow(0.9, power)) /
                  (std::sqrt(v[i] / (1 - std::pow(0.999, power))) + 1e-8);
    }
    for (const double x : values[weight]) EXPECT_NEAR(x, theta[0], 1e-13);
    for (const double x : values[bias]) EXPECT_NEAR(x, theta[1], 1e-13);
  }
}

TEST_F(OptimiserTest, SgdKeepsAVelocityOnlyWithMomentum) {
  for (const double momentum : {0.0, 0.8}) {
    OptimOptions o;
    o.kind = "sgd";
    o.sgd.momentum = momentum;
    o.sgd.weight_decay = 0.1;
    Optimiser<double> sgd(registry, o);
    EXPECT_EQ(sgd.moments().size(), momentum > 0 ? 1U : 0U);
    ParameterBlock<double> values(registry), grads(registry);
    double theta[] = {0.5, -0.25}, velocity[2] = {};
    for (double& x : values[weight]) x = theta[0];
    for (double& x : values[bias]) x = theta[1];
    for (Index t = 0; t < 3; ++t) {
      const double g[] = {0.3, -0.7};
      for (double& x : grads[weight]) x = g[0];
      for (double& x : grads[bias]) x = g[1];
      sgd.step(values.all(), grads.all(), 0.05, t);
      for (int i = 0; i < 2; ++i) {
        velocity[i] = momentum * velocity[i] + g[i] + (i == 0 ? 0.1 * theta[i] : 0);
        theta[i] -= 0.05 * velocity[i];
      }
      for (const double x : values[weight]) EXPECT_NEAR(x, theta[0], 1e-14);
      for (const double x : values[bias]) EXPECT_NEAR(x, theta[1], 1e-14);
    }
  }
}

}  // namespace
}  // namespace attune
