#include "kernels/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/parallel.h"
#include "tests/kernels/attention_case.h"
#include "tests/reference/attention_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::same_bits;
using Lengths = std::vector<std::pair<int, int>>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

AttentionOptions make_options(Index n_heads, Index n_kv_heads, Index d_k, Index d_v,
                              Pattern pattern, double dropout) {
  return {.n_heads = n_heads,
          .n_kv_heads = n_kv_heads,
          .d_k = d_k,
          .d_v = d_v,
          .scale = 2 / std::sqrt(static_cast<double>(d_k)),
          .pattern = pattern,
          .dropout = dropout,
          .stream_key = 0x9E3779B97F4A7C15,
          .step = 3};
}

// Sizes around lanes, strips, blocks and tiles; empty sequences; self and cross lengths.
std::vector<std::pair<AttentionOptions, Lengths>> grid() {
  std::vector<std::pair<AttentionOptions, Lengths>> cases;
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    for (const double dropout : {0.0, 0.3}) {
      cases.push_back({make_options(1, 1, 1, 1, pattern, dropout), {{1, 1}}});
      cases.push_back({make_options(2, 2, 5, 3, pattern, dropout), {{5, 5}, {0, 0}, {2, 2}}});
      cases.push_back(
          {make_options(4, 2, 16, 16, pattern, dropout), {{17, 33}, {64, 64}, {3, 0}, {0, 5}}});
      cases.push_back({make_options(3, 1, 33, 5, pattern, dropout), {{65, 65}, {40, 16}}});
      cases.push_back({make_options(1, 1, 16, 70, pattern, dropout), {{130, 260}, {97, 97}}});
      cases.push_back({make_options(2, 2, 32, 32, pattern, dropout), {{200, 200}, {300, 140}}});
    }
  }
  return cases;
}

double largest(const Array<double>& a) {
  double m = 0;
  for (Index i = 0; i < a.size(); ++i) m = std::max(m, std::abs(a[i]));
  return m;
}

// Greatest difference relative to the greatest magnitude of b; the same infinities agree.
template <class Real>
double difference(const Array<Real>& a, const Array<double>& b) {
  double m = 0;
  for (Index i = 0; i < a.size(); ++i) {
    if (static_cast<double>(a[i]) == b[i]) continue;
    m = std::max(m, std::abs(static_cast<double>(a[i]) - b[i]));
    if (!std::isfinite(m)) return kNaN;
  }
  double scale = 1e-300;
  for (Index i = 0; i < b.size(); ++i)
    scale = std::isfinite(b[i]) ? std::max(scale, std::abs(b[i])) : scale;
  return m / scale;
}

template <class Real>
class Attention : public ::testing::Test {
 public:
  // Sums of up to 300 terms and an exponential of 1 ulp: a few tens of ulp of the greatest element.
  static constexpr double kBound = 60 * std::numeric_limits<Real>::epsilon();
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Attention, Reals);

TYPED_TEST(Attention, IsTheSoftmaxWeightedMeanOfValues) {
  for (const auto& [options, lengths] : grid()) {
    AttentionCase<TypeParam> c(options, lengths);
    AttentionCase<double> wide(options, lengths);
    for (Index i = 0; i < c.q.size(); ++i) wide.q[i] = c.q[i];
    for (Index i = 0; i < c.k.size(); ++i) wide.k[i] = c.k[i];
    for (Index i = 0; i < c.v.size(); ++i) wide.v[i] = c.v[i];
    testing::attention_reference(options, wide.rows(), wide.q.view(), wide.k.view(), wide.v.view(),
                                 wide.y.view(), wide.lse.view());
    c.forward();
    EXPECT_LE(difference(c.y, wide.y), this->kBound)
        << lengths.front().first << " queries, d_k " << options.d_k;
    EXPECT_LE(difference(c.lse, wide.lse), this->kBound)
        << lengths.front().first << " queries, d_k " << options.d_k;
  }
}

// Of Σ dy ∘ y, where y comes from the plain loops: forward and backward share nothing.
TEST(AttentionGradient, MatchesCentralDifferencesOfTheFormula) {
  for (const auto& [options, lengths] : grid()) {
    AttentionCase<double> c(options, lengths);
    c.forward();
    c.backward();
    const auto objective = [&, &options = options] {
      Array<double> y(c.y.shape()), lse(c.lse.shape());
      testing::attention_reference(options, c.rows(), c.q.view(), c.k.view(), c.v.view(), y.view(),
                                   lse.view());
      double sum = 0;
      for (Index i = 0; i < y.size(); ++i) sum += c.dy[i] * y[i];
      return sum;
    };
    for (const auto& [input, gradient] :
         {std::pair{&c.q, &c.dq}, std::pair{&c.k, &c.dk}, std::pair{&c.v, &c.dv}}) {
      const double scale = largest(*gradient);
      EXPECT_TRUE(scale > 1e-3 || options.d_k == 1)
          << scale;  // one key has no gradient of its score
      // Along random directions, so that every element counts.
      for (const std::uint64_t seed : {11U, 12U}) {
        const auto direction = Array<double>::random(input->shape(), seed);
        const Array<double> x = *input;
        const double h = 1e-5;
        double expected = 0, magnitude = 1;
        const auto objective_at = [&, input = input](double step) {
          for (Index i = 0; i < x.size(); ++i) (*input)[i] = x[i] + step * direction[i];
          return objective();
        };
        for (Index i = 0; i < x.size(); ++i) {
          expected += (*gradient)[i] * direction[i];
          magnitude += std::abs((*gradient)[i] * direction[i]);
        }
        EXPECT_NEAR((objective_at(h) - objective_at(-h)) / (2 * h), expected, 1e-7 * magnitude);
        *input = x;
      }
    }
  }
}

// Every element, float against double on the same inputs; central differences above look at a few
// of each.
TEST(AttentionGradient, InFloatIsCloseToItsDoubleTwin) {
  for (const auto& [options, lengths] : grid()) {
    AttentionCase<float> c(options, lengths);
    AttentionCase<double> wide(options, lengths);
    for (Index i = 0; i < c.q.size(); ++i) wide.q[i] = c.q[i];
    for (Index i = 0; i < c.k.size(); ++i) wide.k[i] = c.k[i];
    for (Index i = 0; i < c.v.size(); ++i) wide.v[i] = c.v[i];
    for (Index i = 0; i < c.dy.size(); ++i) wide.dy[i] = c.dy[i];
    c.forward();
    c.backward();
    wide.forward();
    wide.backward();
    const bool one_key = options.d_k == 1;  // then dq = dk = 0 but for rounding
    EXPECT_LE(one_key ? 0 : difference(c.dq, wide.dq), 5e-6);
    EXPECT_LE(one_key ? 0 : difference(c.dk, wide.dk), 5e-6);
    EXPECT_LE(difference(c.dv, wide.dv), 5e-6);
  }
}

TYPED_TEST(Attention, GradientsAreAdded) {
  const auto options = make_options(2, 1, 16, 16, Pattern::causal, 0.1);
  AttentionCase<TypeParam> once(options, {{70, 70}}), twice(options, {{70, 70}});
  once.forward();
  once.backward();
  twice.forward();
  twice.backward();
  twice.backward();
  for (Index i = 0; i < once.dk.size(); ++i) {
    EXPECT_NEAR(twice.dk[i], 2 * once.dk[i], 100 * this->kBound) << "element " << i;
  }
}

TYPED_TEST(Attention, BitsDoNotDependOnTheNumberOfThreads) {
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    const auto options = make_options(4, 2, 16, 16, pattern, 0.2);
    const Lengths lengths{{97, 97}, {200, 200}, {1, 1}, {64, 64}};
    AttentionCase<TypeParam> serial(options, lengths);
    serial.forward();
    serial.backward();
    for (const int count : {1, 2, 4}) {
      AttentionCase<TypeParam> c(options, lengths);
      Threads threads(count);
      threads.run([&] {
        c.forward();
        c.backward();
      });
      EXPECT_TRUE(same_bits(c.y, serial.y) && same_bits(c.lse, serial.lse)) << count << " threads";
      EXPECT_TRUE(same_bits(c.dq, serial.dq) && same_bits(c.dk, serial.dk) &&
                  same_bits(c.dv, serial.dv))
          << count << " threads";
      for (const char* kernel : {"attention", "attention_backward"}) {
        EXPECT_EQ(threads.splits().count(kernel), count > 1 ? 1U : 0U) << kernel;
      }
    }
  }
}

// The same sequence alone, and third in a pack at row 21: forward, backward and masks.
TYPED_TEST(Attention, BitsOfASequenceDoNotDependOnItsPack) {
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    const auto options = make_options(4, 2, 16, 33, pattern, 0.2);
    for (const int n : {1, 9, 63, 65, 150}) {
      AttentionCase<TypeParam> pack(options, {{13, 13}, {8, 8}, {n, n}, {30, 30}}, 5);
      AttentionCase<TypeParam> alone(options, {{n, n}});
      alone.example = {pack.example[2]};
      const auto copy = [&](Array<TypeParam>& to, const Array<TypeParam>& from) {
        const Index width = to.shape()[1];
        std::copy_n(from.view().data() + 21 * width, to.size(), to.view().data());
      };
      copy(alone.q, pack.q);
      copy(alone.k, pack.k);
      copy(alone.v, pack.v);
      copy(alone.dy, pack.dy);
      for (AttentionCase<TypeParam>* c : {&pack, &alone}) {
        c->forward();
        c->backward();
      }
      for (auto member : {&AttentionCase<TypeParam>::y, &AttentionCase<TypeParam>::lse,
                          &AttentionCase<TypeParam>::dq, &AttentionCase<TypeParam>::dk,
                          &AttentionCase<TypeParam>::dv}) {
        Array<TypeParam> packed((alone.*member).shape());
        copy(packed, pack.*member);
        EXPECT_TRUE(same_bits(packed, alone.*member)) << n << " rows";
      }
    }
  }
}

TYPED_TEST(Attention, ReadsAndWritesSlicesOfAPackedBuffer) {
  const auto options = make_options(2, 2, 5, 5, Pattern::full, 0);
  AttentionCase<TypeParam> c(options, {{19, 19}});
  Array<TypeParam> qkv({19, 30}), gradients({19, 30});
  for (Index i = 0; i < 19; ++i) {
    std::copy_n(c.q.view().row(i), 10, qkv.view().row(i));
    std::copy_n(c.k.view().row(i), 10, qkv.view().row(i) + 10);
    std::copy_n(c.v.view().row(i), 10, qkv.view().row(i) + 20);
  }
  c.forward();
  c.backward();
  const Rows<TypeParam> packed = qkv.view(), d = gradients.view();
  Array<TypeParam> y(c.y.shape()), lse(c.lse.shape());
  attention<TypeParam>(options, c.rows(), packed.slice(0, 10), packed.slice(10, 10),
                       packed.slice(20, 10), y.view(), lse.view());
  attention_backward<TypeParam>(options, c.rows(), c.dy.view(), packed.slice(0, 10),
                                packed.slice(10, 10), packed.slice(20, 10), y.view(), lse.view(),
                                d.slice(0, 10), d.slice(10, 10), d.slice(20, 10));
  EXPECT_TRUE(same_bits(y, c.y) && same_bits(lse, c.lse));
  for (Index i = 0; i < 19; ++i) {
    for (Index j = 0; j < 10; ++j) {
      ASSERT_EQ(gradients[i * 30 + j], c.dq[i * 10 + j]);
      ASSERT_EQ(gradients[i * 30 + 10 + j], c.dk[i * 10 + j]);
      ASSERT_EQ(gradients[i * 30 + 20 + j], c.dv[i * 10 + j]);
    }
  }
}

// Everything after row r becomes NaN, and not a bit of rows 0 … r changes, on either way.
TYPED_TEST(Attention, CausalRowsSeeNothingOfTheFuture) {
  const auto options = make_options(2, 1, 16, 5, Pattern::causal, 0.1);
  for (const Index r : {0, 7, 15, 16, 63, 64, 100, 139}) {
    AttentionCase<TypeParam> clean(options, {{140, 140}}), dirty(options, {{140, 140}});
    for (auto member : {&AttentionCase<TypeParam>::q, &AttentionCase<TypeParam>::k,
                        &AttentionCase<TypeParam>::v}) {
      Array<TypeParam>& x = dirty.*member;
      std::fill(x.view().row(r) + x.shape()[1], x.view().end(), static_cast<TypeParam>(kNaN));
    }
    // Gradients of the later rows' outputs are 0 in both, so that nothing flows back from them.
    for (AttentionCase<TypeParam>* c : {&clean, &dirty}) {
      std::fill(c->dy.view().row(r) + c->dy.shape()[1], c->dy.view().end(), TypeParam(0));
      c->forward();
    }
    clean.backward();
    for (auto member : {&AttentionCase<TypeParam>::y, &AttentionCase<TypeParam>::lse}) {
      const std::size_t bytes =
          static_cast<std::size_t>((r + 1) * (clean.*member).shape()[1]) * sizeof(TypeParam);
      EXPECT_EQ(0, std::memcmp((clean.*member).view().data(), (dirty.*member).view().data(), bytes))
          << "row " << r;
    }
    for (const Array<TypeParam>* gradient : {&clean.dk, &clean.dv}) {
      for (Index i = (r + 1) * gradient->shape()[1]; i < gradient->size(); ++i)
        ASSERT_EQ((*gradient)[i], 0) << i;
    }
    for (Index i = 0; i < dirty.y.size() && r < 139; ++i) {
      ASSERT_EQ(std::isnan(dirty.y[i]), i >= (r + 1) * dirty.y.shape()[1])
          << "element " << i << " after row " << r;
    }
  }
}

// Row r's key and value are NaN: earlier queries take no gradient from it, later ones do.
TYPED_TEST(Attention, ANaNReachesTheGradientsOfRowsThatSeeItAndNoOther) {
  const auto options = make_options(1, 1, 5, 5, Pattern::causal, 0);
  for (const Index r : {1, 15, 20, 64, 70}) {
    AttentionCase<TypeParam> c(options, {{90, 90}, {20, 20}});
    c.k[r * 5 + 2] = c.v[r * 5 + 1] = static_cast<TypeParam>(kNaN);
    c.forward();
    c.backward();
    for (Index i = 0; i < 110; ++i) {
      EXPECT_EQ(std::isnan(c.y[i * 5 + 1]), i >= r && i < 90) << "y " << i << ", NaN at " << r;
      EXPECT_EQ(std::isnan(c.dq[i * 5 + 2]), i >= r && i < 90) << "dq " << i << ", NaN at " << r;
    }
  }
}

// The other way round: query r is NaN, and the keys after it, which it does not see, keep their
// gradients.
TYPED_TEST(Attention, ANaNQueryReachesTheGradientsOfTheKeysItSeesAndNoOther) {
  const auto options = make_options(1, 1, 5, 5, Pattern::causal, 0);
  for (const Index r : {1, 15, 20, 64, 70}) {
    AttentionCase<TypeParam> c(options, {{90, 90}, {20, 20}});
    c.q[r * 5 + 2] = static_cast<TypeParam>(kNaN);
    c.forward();
    c.backward();
    for (Index j = 0; j < 110; ++j) {
      EXPECT_EQ(std::isnan(c.dk[j * 5 + 2]), j <= r) << "dk " << j << ", NaN at " << r;
      EXPECT_EQ(std::isnan(c.dv[j * 5]), j <= r) << "dv " << j << ", NaN at " << r;
    }
  }
}

TYPED_TEST(Attention, AQueryWithoutKeysIsZeroAndHasNoGradient) {
  const auto options = make_options(2, 2, 16, 16, Pattern::full, 0.1);
  AttentionCase<TypeParam> c(options, {{3, 0}, {4, 4}, {70, 0}});
  c.forward();
  c.backward();
  for (const Index i : {0, 1, 2, 7, 76}) {
    for (Index j = 0; j < 32; ++j) {
      EXPECT_EQ(c.y[i * 32 + j], 0);
      EXPECT_EQ(c.dq[i * 32 + j], 0);
    }
    EXPECT_EQ(c.lse[2 * i], -std::numeric_limits<TypeParam>::infinity());
  }
  EXPECT_GT(std::abs(static_cast<double>(c.dq[3 * 32])), 0);
}

// The same where there are keys, over several tiles, whose scores all overflow to −∞.
// The softmax of one score is 1 whatever the score: 0, not a rounding away from it, for an
// optimiser that divides by the size of gradients would make a step of that.
TYPED_TEST(Attention, AnOnlyKeysScoreHasNoGradient) {
  for (const Index d : {1, 5, 16, 32, 37}) {
    AttentionCase<TypeParam> c(make_options(2, 2, d, d, Pattern::full, 0),
                               {{1, 1}, {3, 1}, {70, 1}});
    c.forward();
    c.backward();
    for (const auto* gradient : {&c.dq, &c.dk})
      for (const TypeParam g : gradient->view()) ASSERT_EQ(g, 0) << d;
    EXPECT_NE(c.dv[0], 0);
  }
}

TYPED_TEST(Attention, AQueryWhoseScoresAreAllMinusInfinityIsZeroAndHasNoGradient) {
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    const Index n = 300;
    AttentionCase<TypeParam> c(make_options(1, 1, 2, 2, pattern, 0.1), {{300, 300}});
    const TypeParam large = 16 * std::sqrt(std::numeric_limits<TypeParam>::max());
    for (Index i = 0; i < n; ++i) {
      c.q[2 * i] = i == 0 || i == 170 ? large : 0;
      c.k[2 * i] = -large;
    }
    c.forward();
    c.backward();
    for (const Index i : {0, 170}) {
      EXPECT_EQ(c.lse[i], -std::numeric_limits<TypeParam>::infinity());
      for (Index j = 0; j < 2; ++j) {
        EXPECT_EQ(c.y[2 * i + j], 0);
        EXPECT_EQ(c.dq[2 * i + j], 0);
      }
    }
    for (Index j = 0; j < 2 * n; ++j)
      ASSERT_TRUE(std::isfinite(c.dq[j]) && std::isfinite(c.dk[j]) && std::isfinite(c.dv[j])) << j;
  }
}

TYPED_TEST(Attention, NoSequencesAreLegal) {
  AttentionCase<TypeParam> none(make_options(2, 2, 4, 4, Pattern::full, 0), {});
  EXPECT_NO_THROW(none.forward());
  EXPECT_NO_THROW(none.backward());
}

// Keys that point along one axis each, and a scale that leaves no doubt: attention is a look-up,
// without overflow.
TYPED_TEST(Attention, LargeScoresPickOneValue) {
  auto options = make_options(1, 1, 8, 8, Pattern::full, 0);
  options.scale = 30000;
  AttentionCase<TypeParam> c(options, {{8, 8}});
  for (Index i = 0; i < 64; ++i) c.q[i] = c.k[i] = TypeParam(i / 8 == i % 8);
  c.forward();
  EXPECT_TRUE(same_bits(c.y, c.v));
  // lse passes through base 2 and back: 2 roundings.
  EXPECT_NEAR(c.lse[0], 30000, 30000 * 2 * std::numeric_limits<TypeParam>::epsilon());
}

// Equal keys: P = 1/n, so y is the mean of the values and lse = s + log n.
TYPED_TEST(Attention, EqualKeysGiveTheMean) {
  AttentionCase<TypeParam> c(make_options(1, 1, 4, 1, Pattern::full, 0), {{3, 300}});
  for (Index i = 0; i < c.k.size(); ++i) c.k[i] = c.k[i % 4];
  c.forward();
  double mean = 0;
  for (Index j = 0; j < 300; ++j) mean += c.v[j] / 300;
  double score = 0;
  for (Index i = 0; i < 4; ++i) score += static_cast<double>(c.q[i]) * c.k[i];
  EXPECT_NEAR(c.y[0], mean, this->kBound);
  EXPECT_NEAR(c.lse[0], score + std::log(300.0), 10 * this->kBound);
}

// y is the kept share of equal weights times 1/(1 − p̂): mean 1, each row's variance p̂ / ((1 − p̂)
// n).
TYPED_TEST(Attention, DropoutKeepsTheMean) {
  const Index n = 256;
  AttentionCase<TypeParam> c(make_options(4, 1, 1, 1, Pattern::full, 0.25), {{int{n}, int{n}}});
  std::fill(c.k.view().begin(), c.k.view().end(), TypeParam(0));
  std::fill(c.v.view().begin(), c.v.view().end(), TypeParam(1));
  c.forward();
  double mean = 0;
  for (Index i = 0; i < c.y.size(); ++i) mean += c.y[i] / static_cast<double>(c.y.size());
  const double sigma = std::sqrt(0.25 / 0.75 / static_cast<double>(4 * n * n));
  EXPECT_NEAR(mean, 1, 4 * sigma);
  EXPECT_NE(c.y[0], c.y[4]);
}

TYPED_TEST(Attention, DropoutChangesWithStepStreamAndExample) {
  const auto options = make_options(1, 1, 4, 4, Pattern::full, 0.5);
  AttentionCase<TypeParam> base(options, {{30, 30}}), step(base), stream(base), example(base);
  step.options.step = 4;
  stream.options.stream_key = 5;
  example.example = {6};
  for (AttentionCase<TypeParam>* c : {&base, &step, &stream, &example}) c->forward();
  for (AttentionCase<TypeParam>* c : {&step, &stream, &example}) {
    EXPECT_FALSE(same_bits(base.y, c->y));
    EXPECT_TRUE(same_bits(base.lse, c->lse));
  }
}

TEST(AttentionErrors, SayWhatDoesNotFit) {
  const auto message = [](auto change) {
    AttentionCase<float> c(make_options(6, 6, 16, 16, Pattern::full, 0), {{4, 4}});
    change(c);
    try {
      c.forward();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  using Case = AttentionCase<float>;
  EXPECT_THAT(
      message([](Case& c) {
        c.k = Array<float>({4, 80});
      }),
      ::testing::HasSubstr(
          "k has 80 columns (row stride 80); its width must be n_kv_heads · d_k = 6 · 16 = 96"));
  EXPECT_THAT(message([](Case& c) { c.options.n_kv_heads = 4; }),
              ::testing::HasSubstr("n_heads=6 must be a multiple"));
  EXPECT_THAT(message([](Case& c) {
                c.q_offsets = {0, 5};
              }),
              ::testing::HasSubstr("row numbers from 0 to 4"));
  EXPECT_THAT(message([](Case& c) {
                c.v = Array<float>({3, 96});
              }),
              ::testing::HasSubstr("k has 4 rows, v 3"));
  EXPECT_THAT(message([](Case& c) {
                c.options.dropout = 0.1;
                c.example.clear();
              }),
              ::testing::HasSubstr("needs the logical ids of all 1 sequences"));
  EXPECT_THAT(message([](Case& c) { c.options.dropout = 1; }), ::testing::HasSubstr("1"));
}

}  // namespace
}  // namespace attune::kernels
