// Norms and gains of heads, and attention made from them: heads of different widths, cosines,
// gains.
#include "kernels/heads.h"

#include <gmock/gmock.h>

#include "kernels/attention/parts.h"
#include "tests/kernels/attention_case.h"
#include "tests/reference/attention_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::ids;
using testing::same_bits;
using A = Array<double>;

const testing::Ids kWidths = ids({3, 3, 17, 1, 8});
constexpr Index kColumns = 32;

HeadColumns given_widths() { return {5, kWidths.view()}; }

// By head, from the definitions.
A norm_reference(HeadNorm kind, const A& x, const A& gain, double eps) {
  A y(x.shape());
  for (Index i = 0; i < x.shape()[0]; ++i) {
    given_widths().for_each(kColumns, [&](Index, Index first, Index d) {
      const double* const at = x.view().row(i) + first;
      double mean = 0, squares = 0;
      for (Index c = 0; c < d && kind == HeadNorm::layer; ++c) mean += at[c] / double(d);
      for (Index c = 0; c < d; ++c) squares += (at[c] - mean) * (at[c] - mean);
      const double divisor =
          std::sqrt(kind == HeadNorm::unit ? squares : squares / double(d) + eps);
      for (Index c = 0; c < d; ++c)
        y[i * kColumns + first + c] = gain[first + c] * (at[c] - mean) / divisor;
    });
  }
  return y;
}

class HeadNorms : public ::testing::TestWithParam<HeadNorm> {};
INSTANTIATE_TEST_SUITE_P(EveryKind, HeadNorms,
                         ::testing::Values(HeadNorm::rms, HeadNorm::layer, HeadNorm::unit));

TEST_P(HeadNorms, AgreeWithTheirDefinition) {
  const A x = A::random({70, kColumns}, 1), gain = A::random({kColumns}, 2);
  const A wanted = norm_reference(GetParam(), x, gain, 1e-3);
  A y(x.shape());
  head_norm<double>(GetParam(), given_widths(), x.view(), gain.view(), 1e-3, y.view());
  EXPECT_LE(error(y, wanted), 1e-14);
  Array<float> narrow(x.shape()), narrow_x = Array<float>::random(x.shape(), 1),
                                  narrow_gain = Array<float>::random(gain.shape(), 2);
  head_norm<float>(GetParam(), given_widths(), narrow_x.view(), narrow_gain.view(), 1e-3F,
                   narrow.view());
  // A head of one column over its own length of 1e-3 and eps: 2e-5 of the largest value.
  EXPECT_LE(error(narrow, wanted), 2e-5);
}

TEST_P(HeadNorms, GradientsMatchCentralDifferences) {
  A x = A::random({66, kColumns}, 1), gain = A::random({kColumns}, 2);
  const A dy = A::random(x.shape(), 3);
  A dx(x.shape()), dgain(gain.shape());
  head_norm_backward<double>(GetParam(), given_widths(), dy.view(), x.view(), gain.view(), 1e-1,
                             dx.view(), dgain.view());
  const auto loss = [&] { return testing::dot(norm_reference(GetParam(), x, gain, 1e-1), dy); };
  if (GetParam() != HeadNorm::unit) {
    testing::expect_gradient("x", x, dx, loss);
  } else {  // a head of one column has the sign of its number, and no slope
    A clear = x;
    for (Index i = 0; i < 66; ++i) {
      EXPECT_NEAR(dx[i * kColumns + 23], 0, 1e-14);
      clear[i * kColumns + 23] = 1;
    }
    x = clear;
    testing::expect_gradient("x", x, dx, loss);
  }
  testing::expect_gradient("gain", gain, dgain, [&] {
    return testing::dot(norm_reference(GetParam(), A::random({66, kColumns}, 1), gain, 1e-1), dy);
  });
}

TEST(HeadNorm, AHeadOfZerosHasNoDirectionAndNoGradient) {
  const A x({2, 4}), dy({2, 4}, 1.0);
  A y({2, 4}, 7.0), dx({2, 4});
  head_norm<double>(HeadNorm::unit, {2}, x.view(), {}, 0, y.view());
  head_norm_backward<double>(HeadNorm::unit, {2}, dy.view(), x.view(), {}, 0, dx.view(), {});
  EXPECT_TRUE(same_bits(y, x));
  EXPECT_TRUE(same_bits(dx, x));
}

// However short or long, where its square is no number of its type any more.
TEST(HeadNorm, AUnitVectorHasTheLengthOne) {
  const auto expect_unit = [](auto size) {
    using Real = decltype(size);
    Array<Real> x({1, 3}), y({1, 3});
    x[0] = 3 * size, x[1] = 0, x[2] = -4 * size;
    head_norm<Real>(HeadNorm::unit, {1, {}}, testing::in(x), View<const Real>(), Real(0), y.view());
    const Real eps = std::numeric_limits<Real>::epsilon();
    EXPECT_NEAR(y[0], Real(0.6), eps) << size;
    EXPECT_EQ(y[1], 0);
    EXPECT_NEAR(y[2], Real(-0.8), eps) << size;
  };
  for (const float size : {1e-36F, 1e-22F, 1e-19F, 1.0F, 1e19F, 1e30F, 1e37F}) expect_unit(size);
  for (const double size : {1e-300, 1e-160, 1.0, 1e160, 1e300}) expect_unit(size);
}

TEST(ScaleHeads, MultipliesEachHeadAndGivesBothGradients) {
  A x = A::random({130, kColumns}, 1), gain = A::random({5}, 2);
  const A dy = A::random(x.shape(), 3);
  A y(x.shape()), dx(x.shape()), dgain({5}), wanted(x.shape()), wanted_dx(x.shape()),
      wanted_dgain({5});
  scale_heads<double>(given_widths(), x.view(), gain.view(), y.view());
  scale_heads_backward<double>(given_widths(), dy.view(), x.view(), gain.view(), dx.view(),
                               dgain.view());
  for (Index i = 0; i < 130; ++i) {
    given_widths().for_each(kColumns, [&](Index h, Index first, Index d) {
      for (Index at = i * kColumns + first; at < i * kColumns + first + d; ++at) {
        wanted[at] = gain[h] * x[at];
        wanted_dx[at] = gain[h] * dy[at];
        wanted_dgain[h] += dy[at] * x[at];
      }
    });
  }
  EXPECT_LE(error(y, wanted), 1e-15);
  EXPECT_LE(error(dx, wanted_dx), 1e-15);
  EXPECT_LE(error(dgain, wanted_dgain), 1e-14);
}

TEST(Heads, BitsDoNotDependOnThreads) {
  testing::expect_same_on_threads<float>(
      {"head_norm", "head_norm_backward", "scale_heads", "scale_heads_backward"}, [] {
        using F = Array<float>;
        const F x = F::random({3000, kColumns}, 1), gain = F::random({kColumns}, 2),
                dy = F::random(x.shape(), 3), by_head = F::random({5}, 4);
        std::vector<F> out{F(x.shape()), F(x.shape()), F(gain.shape()),
                           F(x.shape()), F(x.shape()), F({5})};
        const HeadColumns heads = given_widths();
        head_norm<float>(HeadNorm::layer, heads, x.view(), gain.view(), 1e-5F, out[0].view());
        head_norm_backward<float>(HeadNorm::layer, heads, dy.view(), x.view(), gain.view(), 1e-5F,
                                  out[1].view(), out[2].view());
        scale_heads<float>(heads, x.view(), by_head.view(), out[3].view());
        scale_heads_backward<float>(heads, dy.view(), x.view(), by_head.view(), out[4].view(),
                                    out[5].view());
        return out;
      });
}

TEST(Heads, ThatDoNotFillTheColumnsAreRefused) {
  const A x({2, 33});
  A y({2, 33});
  const auto call = [&](const HeadColumns& heads) {
    head_norm<double>(HeadNorm::rms, heads, x.view(), {}, 0, y.view());
  };
  EXPECT_THAT([&] { call({5}); },
              ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("33 columns")));
  EXPECT_THAT([&] { call(given_widths()); },
              ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("widths make 32")));
}

AttentionOptions wide_options() {
  AttentionOptions o;
  o.n_heads = o.n_kv_heads = 5;
  o.widths = kWidths.view();
  o.scale = 0.4;
  o.bias = Bias::alibi;
  o.dropout = 0.25;
  o.stream_key = 77;
  return o;
}

// Each head alone, told which one it is: scores, slopes, masks and gradients.
TEST(AttentionOfWidths, IsEachHeadByItself) {
  AttentionOptions one = wide_options();
  one.n_heads = one.n_kv_heads = 1;
  one.widths = {};
  one.of_heads = 5;
  // d_k and n_heads shape the arrays of a case: four heads of eight columns make these 32.
  AttentionOptions shape = wide_options();
  shape.n_heads = shape.n_kv_heads = 4;
  shape.d_k = shape.d_v = 8;
  AttentionCase<double> c(shape, {{9, 9}, {3, 14}}), parts = c;
  A lse({12, 5}), lse_of_one({12, 1});
  attention<double>(wide_options(), c.rows(), c.q.view(), c.k.view(), c.v.view(), c.y.view(),
                    lse.view());
  attention_backward<double>(wide_options(), c.rows(), c.dy.view(), c.q.view(), c.k.view(),
                             c.v.view(), c.y.view(), lse.view(), c.dq.view(), c.dk.view(),
                             c.dv.view());
  given_widths().for_each(kColumns, [&](Index h, Index first, Index d) {
    one.first_head = h;
    one.d_k = one.d_v = d;
    const auto of = [&](A& x) { return Rows<double>(x.view()).slice(first, d); };
    attention<double>(one, parts.rows(), of(parts.q), of(parts.k), of(parts.v), of(parts.y),
                      lse_of_one.view());
    attention_backward<double>(one, parts.rows(), of(parts.dy), of(parts.q), of(parts.k),
                               of(parts.v), of(parts.y), lse_of_one.view(), of(parts.dq),
                               of(parts.dk), of(parts.dv));
    for (Index i = 0; i < 12; ++i) EXPECT_EQ(lse[i * 5 + h], lse_of_one[i]);
  });
  EXPECT_TRUE(same_bits(c.y, parts.y));
  EXPECT_TRUE(same_bits(c.dq, parts.dq));
  EXPECT_TRUE(same_bits(c.dk, parts.dk));
  EXPECT_TRUE(same_bits(c.dv, parts.dv));
}

TEST(AttentionOfWidths, EqualWidthsAreTheSameBitsAsNone) {
  AttentionOptions o = wide_options();
  o.widths = {};
  o.n_heads = o.n_kv_heads = 4;
  o.d_k = o.d_v = 8;
  AttentionCase<float> plain(o, {{9, 9}, {3, 14}}), given = plain;
  const testing::Ids eights = ids({8, 8, 8, 8});
  given.options.widths = eights.view();
  given.options.d_k = given.options.d_v = 1;  // not read
  for (AttentionCase<float>* c : {&plain, &given}) {
    c->forward();
    c->backward();
  }
  EXPECT_TRUE(same_bits(plain.y, given.y));
  EXPECT_TRUE(same_bits(plain.dq, given.dq));
  EXPECT_TRUE(same_bits(plain.dv, given.dv));
}

TEST(AttentionOfWidths, CannotShareKeys) {
  AttentionOptions o = wide_options();
  o.n_kv_heads = 1;
  const A x({4, kColumns});
  A y({4, kColumns}), lse({4, 5});
  const testing::Ids offsets = ids({0, 4}), example = ids({0});
  EXPECT_THAT(
      [&] {
        attention<double>(o, {offsets.view(), offsets.view(), example.view()}, x.view(), x.view(),
                          x.view(), y.view(), lse.view());
      },
      ::testing::ThrowsMessage<ConfigError>(::testing::HasSubstr("can't share keys")));
}

// Cosines are those of the angle: lengths of queries and keys are nothing to them.
TEST(AttentionCosine, DoesNotSeeLengths) {
  AttentionOptions o;
  o.n_heads = 4;
  o.n_kv_heads = 2;
  o.d_k = o.d_v = 5;
  o.score = Score::cosine;
  o.scale = 10;
  AttentionCase<double> c(o, {{9, 9}, {3, 14}}), longer = c;
  for (Index i = 0; i < c.q.size(); ++i) longer.q[i] *= 1000;
  for (Index i = 0; i < c.k.size(); ++i) longer.k[i] *= 1e-3;
  c.forward();
  longer.forward();
  EXPECT_LE(error(longer.y, c.y), 1e-13);
}

// A gain by head is a scale by head: against the plain loops, gradient included.
TEST(AttentionGain, MultipliesTheScoresOfItsHead) {
  for (const Score score : {Score::scaled_dot, Score::cosine}) {
    AttentionOptions o;
    o.n_heads = 4;
    o.n_kv_heads = 2;
    o.d_k = o.d_v = 3;
    o.score = score;
    AttentionCase<double> c(o, {{9, 9}, {3, 14}});
    A gain = A::random({4}, 5), dgain({4});
    AttentionParameters<const double> p{.gain = gain.view()};
    attention<double>(o, c.rows(), c.q.view(), c.k.view(), c.v.view(), c.y.view(), c.lse.view(), p);
    attention_backward<double>(o, c.rows(), c.dy.view(), c.q.view(), c.k.view(), c.v.view(),
                               c.y.view(), c.lse.view(), c.dq.view(), c.dk.view(), c.dv.view(), p,
                               {.gain = dgain.view()});
    A y(c.y.shape()), lse(c.lse.shape());
    const auto reference = [&] {
      testing::attention_reference(o, c.rows(), testing::in(c.q), testing::in(c.k),
                                   testing::in(c.v), y.view(), lse.view(), {.gain = gain.view()});
    };
    reference();
    EXPECT_LE(error(c.y, y), 1e-14);
    const auto loss = [&] {
      reference();
      return testing::dot(y, c.dy);
    };
    testing::expect_gradient("gain", gain, dgain, loss);
    testing::expect_gradient("q", c.q, c.dq, loss);
    testing::expect_gradient("k", c.k, c.dk, loss);
  }
}

}  // namespace
}  // namespace attune::kernels
