// Attention by sums of keys and values against its quadratic form, random features against the
// kernel that they estimate, projected rows against plain sums.
#include "kernels/linear_attention.h"

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/performer.h"
#include "kernels/pointwise.h"
#include "kernels/project_rows.h"
#include "kernels/random.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::Ids;
using testing::ids;
using testing::same_bits;

// Features in (0.1, 1.1), so that sums of weights stay clear of 0.
template <class Real>
Array<Real> features(const Shape& shape, std::uint64_t seed) {
  Array<Real> a(shape);
  const auto draws = Array<double>::random(shape, seed);
  for (Index i = 0; i < a.size(); ++i) a[i] = static_cast<Real>((draws[i] + 1) / 2 + 0.1);
  return a;
}

// Four query heads that share two heads of keys, d_k 5, d_v 3.
template <class Real>
struct Case {
  LinearAttentionOptions options{4, 2, false};
  Ids q_offsets, k_offsets;
  Array<Real> q, k, v, dy, y, z, dq, dk, dv;

  Case(bool causal, const std::vector<std::int32_t>& q_rows,
       const std::vector<std::int32_t>& k_rows)
      : q_offsets(ids(q_rows)),
        k_offsets(ids(k_rows)),
        q(features<Real>({q_rows.back(), 20}, 1)),
        k(features<Real>({k_rows.back(), 10}, 2)),
        v(Array<Real>::random({k_rows.back(), 6}, 3)),
        dy(Array<Real>::random({q_rows.back(), 12}, 4)),
        y(dy.shape()),
        z({q_rows.back(), 4}),
        dq(q.shape()),
        dk(k.shape()),
        dv(v.shape()) {
    options.causal = causal;
  }
  void forward() {
    linear_attention<Real>(options, q_offsets.view(), k_offsets.view(), q.view(), k.view(),
                           v.view(), y.view(), z.view());
  }
  void backward() {
    linear_attention_backward<Real>(options, q_offsets.view(), k_offsets.view(), dy.view(),
                                    q.view(), k.view(), v.view(), y.view(), z.view(), dq.view(),
                                    dk.view(), dv.view());
  }
};

// Σ_j (q_i · k_j) v_j / Σ_j q_i · k_j, pair by pair.
Array<double> quadratic_form(const Case<double>& c) {
  Array<double> y(c.y.shape());
  for (Index e = 0; e + 1 < c.q_offsets.size(); ++e) {
    for (Index h = 0; h < 4; ++h) {
      for (Index i = c.q_offsets[e]; i < c.q_offsets[e + 1]; ++i) {
        double total = 0, sums[3] = {};
        for (Index j = c.k_offsets[e]; j < c.k_offsets[e + 1]; ++j) {
          if (c.options.causal && j - c.k_offsets[e] > i - c.q_offsets[e]) continue;
          double weight = 0;
          for (Index x = 0; x < 5; ++x)
            weight += c.q[i * 20 + h * 5 + x] * c.k[j * 10 + h / 2 * 5 + x];
          total += weight;
          for (Index x = 0; x < 3; ++x) sums[x] += weight * c.v[j * 6 + h / 2 * 3 + x];
        }
        for (Index x = 0; x < 3 && total != 0; ++x) y[i * 12 + h * 3 + x] = sums[x] / total;
      }
    }
  }
  return y;
}

// Longer than two chunks of 64, a chunk and one more, one row, none.
const std::vector<std::int32_t> kRows{0, 150, 150, 151, 216};

Case<double> causal_case() { return {true, kRows, kRows}; }
Case<double> full_case() { return {false, {0, 70, 75, 75, 80}, {0, 130, 130, 140, 149}}; }

TEST(LinearAttention, IsItsQuadraticForm) {
  for (Case<double> c : {full_case(), causal_case()}) {
    c.forward();
    EXPECT_LE(error(c.y, quadratic_form(c)), 1e-13);
  }
}

TEST(LinearAttention, GradientsAreThoseOfTheQuadraticForm) {
  for (Case<double> c : {full_case(), causal_case()}) {
    c.forward();
    c.backward();
    const auto loss = [&] { return testing::dot(quadratic_form(c), c.dy); };
    for (auto [x, dx] : {std::pair{&c.q, &c.dq}, {&c.k, &c.dk}, {&c.v, &c.dv}}) {
      const auto direction = Array<double>::random(x->shape(), 9);
      const Array<double> old = *x;
      const auto at = [&, x = x](double step) {
        for (Index i = 0; i < old.size(); ++i) (*x)[i] = old[i] + step * direction[i];
        return loss();
      };
      const double numeric = (at(1e-5) - at(-1e-5)) / 2e-5, wanted = testing::dot(*dx, direction);
      *x = old;
      EXPECT_GT(std::abs(wanted), 1e-3);
      EXPECT_NEAR(numeric, wanted, 1e-7 * std::max(1.0, std::abs(wanted)));
    }
  }
}

TEST(LinearAttention, FloatIsCloseToItsDoubleTwin) {
  for (const bool causal : {false, true}) {
    Case<float> c(causal, kRows, kRows);
    Case<double> wide(causal, kRows, kRows);
    wide.q = testing::widened(c.q), wide.k = testing::widened(c.k);
    wide.v = testing::widened(c.v), wide.dy = testing::widened(c.dy);
    c.forward(), c.backward(), wide.forward(), wide.backward();
    // Sums of 150 rows, then a quotient.
    EXPECT_LE(error(c.y, wide.y), 5e-6);
    EXPECT_LE(error(c.dq, wide.dq), 2e-5);
    EXPECT_LE(error(c.dk, wide.dk), 2e-5);
    EXPECT_LE(error(c.dv, wide.dv), 2e-5);
  }
}

TEST(LinearAttention, BitsOfASequenceDoNotDependOnItsPack) {
  for (const bool causal : {false, true}) {
    Case<float> pack(causal, kRows, kRows), alone(causal, {0, 65}, {0, 65});
    alone.q = testing::rows_of(pack.q, 151, 216), alone.k = testing::rows_of(pack.k, 151, 216);
    alone.v = testing::rows_of(pack.v, 151, 216), alone.dy = testing::rows_of(pack.dy, 151, 216);
    pack.forward(), pack.backward(), alone.forward(), alone.backward();
    EXPECT_TRUE(same_bits(alone.y, testing::rows_of(pack.y, 151, 216)));
    EXPECT_TRUE(same_bits(alone.dq, testing::rows_of(pack.dq, 151, 216)));
    EXPECT_TRUE(same_bits(alone.dk, testing::rows_of(pack.dk, 151, 216)));
    EXPECT_TRUE(same_bits(alone.dv, testing::rows_of(pack.dv, 151, 216)));
  }
}

TEST(LinearAttention, BitsDoNotDependOnThreads) {
  for (const bool causal : {false, true}) {
    testing::expect_same_on_threads<float>(
        {"linear_attention", "linear_attention_backward"}, [causal] {
          Case<float> c(causal, {0, 2000, 5000, 9000}, {0, 2000, 5000, 9000});
          c.forward();
          c.backward();
          return std::vector{c.y, c.dq, c.dk, c.dv};
        });
  }
}

// A NaN of a key reaches the queries that see it; no later key moves a bit of an earlier query.
TEST(LinearAttention, CausalQueriesDoNotReadLaterKeys) {
  Case<float> c(true, {0, 150}, {0, 150}), other = c;
  for (Index j = 100; j < 150; ++j) other.k[j * 10 + 3] = other.v[j * 6] = std::nanf("");
  c.forward();
  other.forward();
  EXPECT_TRUE(same_bits(testing::rows_of(c.y, 0, 100), testing::rows_of(other.y, 0, 100)));
  EXPECT_TRUE(std::isnan(other.y[100 * 12]));
}

TEST(LinearAttention, CausalSumsNeedAsManyKeysAsQueries) {
  Case<double> c(true, {0, 3}, {0, 4});
  EXPECT_THAT([&] { c.forward(); }, ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr(
                                        "causal sums need as many keys as queries")));
}

TEST(EluPlusOne, IsPositiveAndSmoothAtZero) {
  const Array<double> x = [] {
    Array<double> a({6});
    const double values[] = {-800, -2, -1e-9, 0, 1e-9, 3};
    std::copy_n(values, 6, a.view().begin());
    return a;
  }();
  Array<double> y({6}), slope({6});
  elu_plus_one<double>(x.view(), y.view(), slope.view());
  for (Index i = 0; i < 6; ++i) {
    const double wanted = x[i] > 0 ? x[i] + 1 : std::exp(x[i]);
    EXPECT_NEAR(y[i], wanted, 4e-16 * (1 + wanted)) << x[i];
    EXPECT_NEAR(slope[i], std::min(wanted, 1.0), 4e-16) << x[i];
  }
}

// T18 (Choromanski et al. 2021, lemma 1 and theorem 2): products of m features have the mean
// e^{x·y} (of x and y over d^¼), with independent directions the mean square error (1/m) e^{|x+y|²}
// e^{2 x·y} (1 − e^{−|x+y|²}), and with orthogonal ones less.
TEST(Performer, FeaturesEstimateTheSoftmaxKernelWithinMonteCarloError) {
  const Index d = 4, m = 64, n_draws = 6000;
  const auto x = Array<double>::random({2, d}, 5);
  double product = 0, together = 0;
  for (Index j = 0; j < d; ++j) {
    product += x[j] * x[d + j] / 2;  // √d = 2
    together += (x[j] + x[d + j]) * (x[j] + x[d + j]) / 2;
  }
  const double wanted = std::exp(product);
  const double theory =
      std::exp(together) * wanted * wanted * (1 - std::exp(-together)) / double(m);
  struct Moments {
    double error = 0, square = 0, fourth = 0;  // means of (estimate − wanted) to the power 1, 2, 4
  };
  const auto measured = [&](bool orthogonal) {
    Moments of;
    for (Index draw = 0; draw < n_draws; ++draw) {
      const Stream stream(static_cast<std::uint64_t>(draw));
      Array<double> directions({m, d}), phi({2, m});
      if (orthogonal)
        fill_orthogonal(stream, directions.view());
      else
        fill_normal(stream, 1, directions.view());
      const Ids offsets = ids({0, 2});
      performer_features<double>(FeatureShift::none, offsets.view(), x.view(), directions.view(),
                                 phi.view());
      double error = -wanted;
      for (Index f = 0; f < m; ++f) error += phi[f] * phi[m + f];
      of.error += error / double(n_draws);
      of.square += error * error / double(n_draws);
      of.fourth += std::pow(error, 4) / double(n_draws);
    }
    return of;
  };
  const auto sd_of_square = [&](const Moments& of) {
    return std::sqrt((of.fourth - of.square * of.square) / double(n_draws));
  };
  const Moments iid = measured(false), orthogonal = measured(true);
  EXPECT_NEAR(iid.error, 0, 4 * std::sqrt(theory / double(n_draws)));
  EXPECT_NEAR(orthogonal.error, 0, 4 * std::sqrt(theory / double(n_draws)));
  EXPECT_NEAR(iid.square, theory, 4 * sd_of_square(iid));
  EXPECT_LT(orthogonal.square, theory - 2 * sd_of_square(orthogonal));
}

TEST(Performer, ShiftsCancelInAttention) {
  const Ids offsets = ids({0, 20, 33});
  const auto x = Array<double>::random({33, 6}, 1), k = Array<double>::random({33, 6}, 2),
             v = Array<double>::random({33, 6}, 3);
  Array<double> directions({8, 3});
  fill_orthogonal(Stream(4), directions.view());
  const auto attend = [&](FeatureShift q_shift, FeatureShift k_shift) {
    Array<double> phi_q({33, 16}), phi_k({33, 16}), y({33, 6}), z({33, 2});
    performer_features<double>(q_shift, offsets.view(), x.view(), directions.view(), phi_q.view());
    performer_features<double>(k_shift, offsets.view(), k.view(), directions.view(), phi_k.view());
    linear_attention<double>({2, 2, false}, offsets.view(), offsets.view(), phi_q.view(),
                             phi_k.view(), v.view(), y.view(), z.view());
    return y;
  };
  const auto plain = attend(FeatureShift::none, FeatureShift::none);
  EXPECT_LE(error(attend(FeatureShift::row, FeatureShift::sequence), plain), 1e-14);
}

TEST(Performer, LargeRowsDoNotOverflowWhereTheyAreShifted) {
  const Ids offsets = ids({0, 3});
  Array<float> x = Array<float>::random({3, 4}, 1), directions({8, 4}), y({3, 8});
  fill_orthogonal(Stream(2), directions.view());
  for (Index i = 0; i < x.size(); ++i) x[i] *= 1e4F;
  performer_features<float>(FeatureShift::row, offsets.view(), x.view(), directions.view(),
                            y.view());
  for (Index i = 0; i < 3; ++i)  // the largest feature is exp(0) / √m
    EXPECT_FLOAT_EQ(*std::max_element(y.view().row(i), y.view().row(i) + 8), 1 / std::sqrt(8.F));
}

TEST(Orthogonal, BlocksAreOrthogonalAndAsLongAsGaussians) {
  const Index m = 21, d = 8;
  Array<double> w({m, d});
  fill_orthogonal(Stream(3), w.view());
  double lengths = 0;
  for (Index a = 0; a < m; ++a) {
    for (Index b = a / d * d; b < a; ++b) {
      double product = 0;
      for (Index j = 0; j < d; ++j) product += w[a * d + j] * w[b * d + j];
      EXPECT_NEAR(product, 0, 1e-12) << a << " " << b;
    }
    for (Index j = 0; j < d; ++j) lengths += w[a * d + j] * w[a * d + j];
  }
  // Squared lengths are χ² of d degrees: mean d, variance 2 d.
  EXPECT_NEAR(lengths / m, d, 4 * std::sqrt(2.0 * d / m));
}

TEST(ProjectRows, MixesTheFirstColumnsOfTheWeight) {
  const Ids offsets = ids({0, 5, 5, 12});
  const auto x = Array<double>::random({12, 3}, 1), weight = Array<double>::random({4, 9}, 2);
  Array<double> y({12, 3}, 7.0), wanted({12, 3});
  project_rows<double>(x.view(), weight.view(), offsets.view(), y.view());
  for (Index e = 0; e < 3; ++e)
    for (Index r = 0; r < 4; ++r)
      for (Index i = offsets[e]; i < offsets[e + 1]; ++i)
        for (Index c = 0; c < 3; ++c)
          wanted[(4 * e + r) * 3 + c] += weight[r * 9 + i - offsets[e]] * x[i * 3 + c];
  EXPECT_LE(error(y, wanted), 1e-15);
}

TEST(ProjectRows, RefusesASequenceThatIsLongerThanItsWeight) {
  const Ids offsets = ids({0, 5});
  const auto x = Array<double>::random({5, 3}, 1), weight = Array<double>::random({2, 4}, 2);
  Array<double> y({2, 3});
  EXPECT_THAT(
      [&] { project_rows<double>(x.view(), weight.view(), offsets.view(), y.view()); },
      ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("serves sequences of up to 4")));
}

}  // namespace
}  // namespace attune::kernels
