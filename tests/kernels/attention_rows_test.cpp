// What holds of the row driver whatever it computes, and the closed forms of its parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "kernels/attention/drivers.h"
#include "kernels/attention/parts.h"
#include "kernels/attention/support.h"
#include "tests/kernels/attention_case.h"
#include "tests/reference/attention_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::same_bits;

template <class Real>
constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
template <class Real>
constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();

AttentionOptions options_of(Pattern pattern, Select select, Normaliser normaliser, Index d = 8) {
  AttentionOptions o;
  o.n_heads = 2;
  o.n_kv_heads = 1;
  o.d_k = o.d_v = d;
  o.scale = 2 / std::sqrt(static_cast<double>(d));
  o.pattern = pattern;
  o.select = select;
  o.normaliser = normaliser;
  o.window = 20;
  o.dilation = 3;
  o.block = 50;
  o.k = 5;
  return o;
}

// Every score, bias, pattern, select and normaliser at least once.
std::vector<AttentionOptions> varied() {
  std::vector<AttentionOptions> all;
  const auto add = [&](Score score, Bias bias, Pattern pattern, Select select,
                       Normaliser normaliser, double dropout) {
    AttentionOptions o = options_of(pattern, select, normaliser);
    o.score = score;
    o.bias = bias;
    o.dropout = dropout;
    o.stream_key = 99;
    all.push_back(o);
  };
  using enum Pattern;
  add(Score::dot, Bias::alibi, full, Select::all, Normaliser::softmax, 0.1);
  add(Score::dot, Bias::relative, causal, Select::all, Normaliser::softmax, 0);
  add(Score::additive, Bias::none, window, Select::all, Normaliser::softmax, 0.1);
  add(Score::dot, Bias::given, block, Select::all, Normaliser::entmax15, 0);
  add(Score::dot, Bias::alibi_2d, dilated, Select::all, Normaliser::softmax, 0.1);
  add(Score::additive, Bias::relative, edges, Select::all, Normaliser::sparsemax, 0.1);
  add(Score::dot, Bias::none, causal, Select::top_k, Normaliser::softmax, 0.1);
  add(Score::dot, Bias::none, full, Select::two_stage_top_k, Normaliser::softmax, 0.1);
  add(Score::dot, Bias::none, causal, Select::all, Normaliser::sparsemax, 0.1);
  add(Score::additive, Bias::alibi, causal_window, Select::all, Normaliser::softmax, 0.1);
  all.back().window = 60;  // else too little work to share
  return all;
}

template <class Real>
class AttentionByRows : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(AttentionByRows, Reals);

TYPED_TEST(AttentionByRows, BitsDoNotDependOnTheNumberOfThreads) {
  for (const AttentionOptions& options : varied()) {
    const auto compute = [&] {
      AttentionCase<TypeParam> c(options, {{130, 130}, {97, 97}, {1, 1}, {40, 60}});
      c.forward();
      c.backward();
      std::vector<Array<TypeParam>> results{c.y, c.lse};
      for (const auto& [input, gradient] : c.inputs()) results.push_back(*gradient);
      return results;
    };
    testing::expect_same_on_threads<TypeParam>({"attention_by_rows", "attention_by_rows_backward"},
                                               compute);
  }
}

// Both drivers on what the tiled one takes: the same numbers up to the order of their sums, and the
// same dropout masks.
TYPED_TEST(AttentionByRows, AgreesWithTheTiledDriver) {
  const double bound = 200 * std::numeric_limits<TypeParam>::epsilon();
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    for (const double dropout : {0.0, 0.3}) {
      AttentionOptions options = options_of(pattern, Select::all, Normaliser::softmax, 19);
      options.dropout = dropout;
      options.temperature = 0.7;
      AttentionCase<TypeParam> tiled(options, {{200, 150}, {1, 1}, {0, 3}, {5, 0}, {65, 65}});
      AttentionCase<TypeParam> rows(tiled);
      tiled.forward();
      tiled.backward();
      const AttentionCall<TypeParam> call{rows.options,  rows.rows(),   rows.q.view(),
                                          rows.k.view(), rows.v.view(), {}};
      attention_by_rows<TypeParam>(call, rows.y.view(), rows.lse.view());
      attention_by_rows_backward<TypeParam>(call, {rows.dy.view(),
                                                   rows.y.view(),
                                                   rows.lse.view(),
                                                   rows.dq.view(),
                                                   rows.dk.view(),
                                                   rows.dv.view(),
                                                   {}});
      for (auto member : {&AttentionCase<TypeParam>::y, &AttentionCase<TypeParam>::dq,
                          &AttentionCase<TypeParam>::dk, &AttentionCase<TypeParam>::dv}) {
        EXPECT_LE(error(rows.*member, testing::widened(tiled.*member)), bound);
      }
      for (Index i = 0; i < rows.lse.size(); ++i) {
        if (rows.lse[i] == tiled.lse[i]) continue;  // −inf among them
        EXPECT_NEAR(rows.lse[i], tiled.lse[i], 10 * bound);
      }
    }
  }
}

// Every cell of a wide pattern against the full one, every k ≥ n against all keys: the same bits,
// since they are the same chains.
TYPED_TEST(AttentionByRows, WideWindowsBlocksAndSelectionsChangeNoBit) {
  for (const Normaliser normaliser :
       {Normaliser::softmax, Normaliser::sparsemax, Normaliser::entmax15}) {
    AttentionOptions all = options_of(Pattern::full, Select::all, normaliser);
    all.bias = Bias::alibi;  // by the row driver in every case
    AttentionCase<TypeParam> wanted(all, {{70, 70}, {3, 3}});
    wanted.forward();
    wanted.backward();
    const auto expect_same = [&](const AttentionOptions& o, bool sums_of_supports) {
      AttentionCase<TypeParam> c(o, {{70, 70}, {3, 3}});
      c.forward();
      c.backward();
      EXPECT_TRUE(same_bits(c.y, wanted.y)) << "normaliser " << static_cast<int>(normaliser);
      // Products of strips add in the same order as sums over supports, but dy · v sums by lanes
      // there.
      const double bound = sums_of_supports ? 100 * std::numeric_limits<TypeParam>::epsilon() : 0;
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_LE(error(*c.inputs()[i].second, testing::widened(*wanted.inputs()[i].second)),
                  bound);
    };
    const bool softmax = normaliser == Normaliser::softmax;
    AttentionOptions o = all;
    o.pattern = Pattern::window;
    o.window = 69;
    expect_same(o, false);
    o.pattern = Pattern::block;
    o.block = 70;
    expect_same(o, false);
    o.pattern = Pattern::dilated;
    o.dilation = 1;
    expect_same(o, softmax);
    for (const Select select : {Select::top_k, Select::two_stage_top_k}) {
      o = all;
      o.select = select;
      o.k = 70;
      expect_same(o, softmax);
    }
  }
}

// T19, one layer: what a window's query sees ends at |i − j| = w, exactly.
TYPED_TEST(AttentionByRows, ANaNReachesTheRowsThatSeeItAndNoOther) {
  for (const AttentionOptions& options : varied()) {
    AttentionCase<TypeParam> c(options, {{90, 90}, {20, 20}});
    const Index bad = 40;
    for (Index d = 0; d < 8; ++d) c.k[bad * 8 + d] = c.v[bad * 8 + d] = kNaN<TypeParam>;
    c.forward();
    c.backward();
    for (Index i = 0; i < 110; ++i) {
      const bool sees = i < 90 && testing::attention_sees(c.options, c.rows(), 0, i, bad);
      for (Index d = 0; d < 16; ++d) {
        // A first stage that scores the mean of 40's block chooses it: NaN is the largest.
        EXPECT_EQ(std::isnan(c.y[i * 16 + d]), sees)
            << "y " << i << ", pattern " << static_cast<int>(options.pattern);
        EXPECT_EQ(std::isnan(c.dq[i * 16 + d]), sees)
            << "dq " << i << ", pattern " << static_cast<int>(options.pattern);
      }
    }
  }
}

// Everything after row r turns into NaN and no bit up to r changes; and the gradient to the future
// is 0 exactly.
TYPED_TEST(AttentionByRows, CausalRowsSeeNothingOfTheFuture) {
  for (const Select select : {Select::all, Select::top_k, Select::two_stage_top_k}) {
    for (const Normaliser normaliser : {Normaliser::softmax, Normaliser::sparsemax}) {
      for (const Index r : {0, 11, 12, 63, 100}) {
        AttentionOptions options = options_of(Pattern::causal, select, normaliser);
        options.bias = Bias::alibi;
        AttentionCase<TypeParam> clean(options, {{140, 140}});
        std::fill(clean.dy.view().row(r + 1), clean.dy.view().end(), TypeParam(0));
        AttentionCase<TypeParam> dirty(clean);
        for (Array<TypeParam>* x : {&dirty.q, &dirty.k, &dirty.v})
          std::fill(x->view().row(r + 1), x->view().end(), kNaN<TypeParam>);
        clean.forward();
        dirty.forward();
        clean.backward();
        EXPECT_TRUE(
            same_bits(testing::rows_of(clean.y, 0, r + 1), testing::rows_of(dirty.y, 0, r + 1)))
            << "row " << r;
        for (const Array<TypeParam>* gradient : {&clean.dk, &clean.dv})
          for (Index i = (r + 1) * 8; i < gradient->size(); ++i) ASSERT_EQ((*gradient)[i], 0) << i;
      }
    }
  }
}

// Queries without keys, and queries whose scores are all −inf.
TYPED_TEST(AttentionByRows, RowsWithoutWeightAreZeroWithZeroGradient) {
  for (const Normaliser normaliser :
       {Normaliser::softmax, Normaliser::sparsemax, Normaliser::entmax15}) {
    AttentionOptions options = options_of(Pattern::full, Select::all, normaliser, 2);
    options.bias = Bias::given;
    AttentionCase<TypeParam> c(options, {{20, 20}, {4, 0}});
    for (Index h = 0; h < 2; ++h)
      std::fill_n(c.bias.view().data() + (h * 24 + 7) * 20, 20, -kInfinity<TypeParam>);
    c.forward();
    c.backward();
    for (const Index i : {7, 20, 23}) {
      for (Index d = 0; d < 4; ++d) {
        EXPECT_EQ(c.y[i * 4 + d], 0);
        EXPECT_EQ(c.dq[i * 4 + d], 0);
      }
      const bool has_lse = normaliser == Normaliser::softmax;
      EXPECT_EQ(has_lse ? c.lse[2 * i] : -kInfinity<TypeParam>, -kInfinity<TypeParam>);
    }
    for (const Array<TypeParam>* x : {&c.y, &c.dq, &c.dk, &c.dv, &c.dbias})
      for (Index i = 0; i < x->size(); ++i) ASSERT_TRUE(std::isfinite((*x)[i]));
  }
}

// Equal scores: top_k keeps the first k keys.
TYPED_TEST(AttentionByRows, TiesGoToSmallerKeys) {
  AttentionOptions options = options_of(Pattern::full, Select::top_k, Normaliser::softmax);
  AttentionCase<TypeParam> c(options, {{3, 40}});
  std::fill(c.k.view().begin(), c.k.view().end(), TypeParam(0));
  for (Index j = 0; j < 40; ++j) c.k[8 * j] = j % 2 == 0 ? TypeParam(0.0) : TypeParam(-0.0);
  c.forward();
  c.backward();
  for (Index j = 0; j < 40; ++j) EXPECT_EQ(c.dv[8 * j] != 0, j < 5) << j;
}

// T17: ‖o − o_k‖ ≤ 2 (1 − m_k) max ‖v‖, m_k the mass of the k kept keys.
TEST(AttentionClosedForms, TopKErrsByTheMassThatItDrops) {
  for (const Index k : {1, 5, 20, 60}) {
    AttentionOptions options = options_of(Pattern::full, Select::top_k, Normaliser::softmax);
    options.k = k;
    AttentionCase<double> kept(options, {{10, 64}}), all(kept);
    all.options.select = Select::all;
    kept.forward();
    all.forward();
    double longest = 0;
    for (Index j = 0; j < 64; ++j)
      longest = std::max(longest, std::sqrt(dot(all.v.view().row(j), all.v.view().row(j), 8)));
    for (Index i = 0; i < 10; ++i) {
      for (Index h = 0; h < 2; ++h) {
        const double mass = std::exp(kept.lse[2 * i + h] - all.lse[2 * i + h]);
        double squares = 0;
        for (Index d = 0; d < 8; ++d)
          squares += std::pow(kept.y[i * 16 + h * 8 + d] - all.y[i * 16 + h * 8 + d], 2);
        EXPECT_LE(std::sqrt(squares), 2 * (1 - mass) * longest + 1e-14);
        EXPECT_LT(mass, 1);
      }
    }
  }
}

// T16: over many masks, E o = Σ P v and Var o = p/(1 − p) Σ P² v².
TEST(AttentionClosedForms, DropoutsVarianceIsThatOfItsWeights) {
  AttentionOptions options = options_of(Pattern::full, Select::all, Normaliser::sparsemax);
  options.n_heads = 1;
  options.d_v = 1;
  AttentionCase<double> plain(options, {{1, 24}});
  plain.forward();
  plain.backward();  // dv = P · dy
  double wanted = 0;
  const double p = 0.25;
  for (Index j = 0; j < 24; ++j)
    wanted += p / (1 - p) * std::pow(plain.dv[j] / plain.dy[0] * plain.v[j], 2);
  AttentionCase<double> c(plain);
  c.options.dropout = p;
  c.options.stream_key = 7;
  double mean = 0, square = 0;
  const int draws = 20000;
  for (int step = 0; step < draws; ++step) {
    c.options.step = static_cast<std::uint32_t>(step);
    c.forward();
    mean += c.y[0] / draws;
    square += std::pow(c.y[0] - plain.y[0], 2) / draws;
  }
  EXPECT_NEAR(mean, plain.y[0], 4 * std::sqrt(wanted / draws));
  EXPECT_NEAR(square, wanted, 0.05 * wanted);  // 4 sigma of a variance of 20000 draws: 4 √(2/20000)
}

// T20: with a bias by distance inside the normaliser, equal values stay equal at every position.
TEST(AttentionClosedForms, ConstantValuesPassUnchangedUnderAnyBias) {
  for (const AttentionOptions& varied_options : varied()) {
    AttentionOptions options = varied_options;
    options.dropout = 0;
    AttentionCase<double> c(options, {{60, 60}});
    std::fill(c.v.view().begin(), c.v.view().end(), 3.0);
    c.forward();
    for (Index i = 0; i < 60; ++i) {
      const bool sees_any = options.pattern != Pattern::edges || i % 5 != 4;
      for (Index d = 0; d < 16; ++d) EXPECT_NEAR(c.y[i * 16 + d], sees_any ? 3 : 0, 1e-13);
    }
  }
}

// T21: the same token at i and i + kP gives the same output without a mask, not under a causal one.
TEST(AttentionClosedForms, EqualQueriesDifferOnlyByWhatTheySee) {
  for (const Pattern pattern : {Pattern::full, Pattern::causal}) {
    AttentionCase<double> c(options_of(pattern, Select::all, Normaliser::sparsemax), {{40, 40}});
    std::copy_n(c.q.view().row(5), 16, c.q.view().row(29));
    c.forward();
    const bool same = std::equal(c.y.view().row(5), c.y.view().row(6), c.y.view().row(29));
    EXPECT_EQ(same, pattern == Pattern::full);
  }
}

// The slopes that get_slopes() of Press et al. 2022 prints for 8 and for 12 heads.
TEST(AttentionClosedForms, AlibiSlopesAreThoseOfThePaper) {
  for (Index h = 0; h < 8; ++h) EXPECT_EQ(alibi_slope(h, 8), std::ldexp(1.0, -1 - int(h)));
  for (Index h = 0; h < 8; ++h) EXPECT_EQ(alibi_slope(h, 12), alibi_slope(h, 8));
  const double more[] = {0.70710678118654757, 0.35355339059327379, 0.17677669529663687,
                         0.08838834764831843};
  for (Index h = 8; h < 12; ++h) EXPECT_NEAR(alibi_slope(h, 12), more[h - 8], 1e-15);
}

TEST(AttentionScores, AreCountedExactly) {
  const auto count = [](Pattern pattern, Index n) {
    AttentionOptions o = options_of(pattern, Select::all, Normaliser::softmax);
    o.n_heads = o.n_kv_heads = 1;
    const AttentionCase<float> c(o, {{static_cast<int>(n), static_cast<int>(n)}});
    double seen = 0;
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j) seen += testing::attention_sees(o, c.rows(), 0, i, j);
    EXPECT_EQ(attention_scores(o, c.rows()), seen) << "pattern " << static_cast<int>(pattern);
    return seen;
  };
  for (const auto& pattern : pattern_words) EXPECT_GT(count(pattern.part, 100), 0);
  EXPECT_EQ(count(Pattern::full, 64), 64 * 64);
  EXPECT_EQ(count(Pattern::causal, 64), 64 * 65 / 2);
}

// n (√n + 2 k + 3 √n) at most, so that four times the tokens cost eight times the scores, not 16.
TEST(AttentionScores, OfTwoStagesGrowBelowTheSquare) {
  for (const Pattern pattern : {Pattern::full, Pattern::causal, Pattern::dilated}) {
    const auto count = [&](int n) {
      AttentionOptions o = options_of(pattern, Select::two_stage_top_k, Normaliser::softmax);
      o.n_heads = o.n_kv_heads = 1;
      o.window = n;
      const std::vector<std::int32_t> offsets{0, n};
      const View<const std::int32_t> bounds(offsets.data(), {2});
      return attention_scores(o, {bounds, bounds, {}});
    };
    for (const int n : {1024, 4096}) EXPECT_LE(count(n), n * (4 * std::sqrt(n) + 2 * 5 + 4));
    EXPECT_LE(count(16384), 8.5 * count(4096));
  }
}

// The high-water mark of a new thread's scratch, forward and backward.
std::size_t scratch_bytes(const AttentionOptions& options, int n) {
  std::size_t bytes = 0;
  AttentionCase<float> c(options, {{n, n}});
  std::thread([&] {
    c.forward();
    c.backward();
    bytes = Scratch().high_water();
  }).join();
  return bytes;
}

// Four times the rows: four times the scratch at most, and that of a window does not grow at
// all.
TEST(AttentionMemory, IsLinearInTheLength) {
  for (AttentionOptions options : varied()) {
    if (options.bias == Bias::given || options.pattern == Pattern::edges) continue;  // n² operands
    options.n_heads = options.n_kv_heads = 1;
    const std::size_t few = scratch_bytes(options, 500), many = scratch_bytes(options, 2000);
    EXPECT_GT(few, 0U);
    EXPECT_LE(many, 4 * few + 4096) << "pattern " << static_cast<int>(options.pattern);
    EXPECT_EQ(many == few, options.pattern == Pattern::window ||
                               options.pattern == Pattern::causal_window ||
                               options.pattern == Pattern::dilated);
  }
}

TEST(AttentionErrors, OfPartsSayWhatDoesNotFit) {
  const auto message = [](auto change) {
    AttentionCase<float> c(options_of(Pattern::full, Select::all, Normaliser::softmax), {{4, 4}});
    change(c);
    try {
      c.forward();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  using Case = AttentionCase<float>;
  using ::testing::HasSubstr;
  EXPECT_THAT(message([](Case& c) {
                c.options.score = Score::additive;
                c.w = Array<float>({2, 5});
              }),
              HasSubstr("w has shape [2, 5], and must be [2, 8]"));
  EXPECT_THAT(message([](Case& c) {
                c.options.bias = Bias::relative;
                c.table = Array<float>({2, 6});
              }),
              HasSubstr("table has shape [2, 6]: it must be [n_heads, 2 · max_distance + 1]"));
  EXPECT_THAT(message([](Case& c) {
                c.options.pattern = Pattern::edges;
                c.indices[1] = c.indices[0];
              }),
              HasSubstr("must rise and be rows of its own sequence, 0 … 3"));
  EXPECT_THAT(message([](Case& c) {
                c.options.bias = Bias::alibi_2d;
                c.k_positions.pop_back();
              }),
              HasSubstr("needs k_positions [4, 2]"));
  EXPECT_THAT(message([](Case& c) { c.options.temperature = 0; }), HasSubstr("temperature=0"));
  EXPECT_THAT(message([](Case& c) { c.options.k = 0; }), HasSubstr("k=0"));
  EXPECT_THAT(message([](Case& c) { c.options.window = -1; }), HasSubstr("window=-1"));
}

}  // namespace
}  // namespace attune::kernels
