// The weights that are shown are those that make the output.
#include "kernels/attention_weights.h"

#include <gtest/gtest.h>

#include "kernels/attention/parts.h"
#include "tests/kernels/attention_case.h"
#include "tests/reference/attention_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;

// Several strips, a sequence without queries and one without keys.
const std::vector<std::pair<int, int>> kLengths{{14, 66}, {0, 4}, {9, 9}, {3, 0}, {1, 1}};

template <class F>
void for_each_cell(F&& f) {
  AttentionOptions o;
  o.n_heads = 6;
  o.n_kv_heads = 3;
  o.d_k = 3;
  o.d_v = 5;
  o.window = 7;
  o.dilation = 2;
  o.block = 9;
  o.temperature = 0.8;
  for (const auto& score : score_words)
    for (const auto& bias : bias_words)
      for (const auto& pattern : pattern_words)
        for (const auto& select : select_words)
          for (const auto& normaliser : normaliser_words) {
            o.score = score.part;
            o.scale = 2 * default_scale(score.part, o.d_k);
            o.bias = bias.part;
            o.pattern = pattern.part;
            o.select = select.part;
            o.k = select.part == Select::two_stage_top_k ? 2 : 4;
            o.normaliser = normaliser.part;
            if (!refusal(o).empty()) continue;
            SCOPED_TRACE(fmt::format("{} {} {} {} {}", score.word, bias.word, pattern.word,
                                     select.word, normaliser.word));
            f(o);
          }
}

// Adds Σ_j w_ij v_j to y.
void add_output(const AttentionCase<double>& c, const WeightRow<double>& row, Array<double>& y) {
  const AttentionOptions& o = c.options;
  const auto e = static_cast<std::size_t>(row.sequence);
  const Index g = row.head * o.n_kv_heads / o.n_heads;
  for (std::size_t j = 0; j < row.weights.size(); ++j)
    for (Index d = 0; d < o.d_v; ++d)
      y.view()(c.q_offsets[e] + row.query, row.head * o.d_v + d) +=
          row.weights[j] * c.v.view()(c.k_offsets[e] + static_cast<Index>(j), g * o.d_v + d);
}

TEST(AttentionWeights, MakeTheOutputOfEveryCell) {
  for_each_cell([](const AttentionOptions& o) {
    AttentionCase<double> c(o, kLengths);
    c.forward();
    Array<double> y(c.y.shape());
    Index rows = 0;
    attention_weights<double>(o, c.rows(), c.q.view(), c.k.view(), c.parameters(),
                              [&](const WeightRow<double>& row) {
                                add_output(c, row, y);
                                ++rows;
                              });
    EXPECT_EQ(rows, o.n_heads * c.q.view().dim(0));
    ASSERT_LE(error(y, c.y), 1e-13);
  });
}

// By the plain loops: the largest of the scores, and how many keys the pattern shows.
TEST(AttentionWeights, KnowTheLargestScoreAndTheKeysSeen) {
  for_each_cell([](const AttentionOptions& o) {
    const AttentionCase<double> c(o, kLengths);
    const AttentionRows rows = c.rows();
    const bool unit = o.score == Score::cosine;
    const Array<double> q = unit ? testing::unit_heads(testing::in(c.q), o.d_k) : c.q,
                        k = unit ? testing::unit_heads(testing::in(c.k), o.d_k) : c.k;
    const auto parameters = c.parameters();
    attention_weights<double>(
        o, rows, c.q.view(), c.k.view(), parameters, [&](const WeightRow<double>& row) {
          const testing::AttentionQuery query{
              o,          rows,         testing::in(q), testing::in(k),
              parameters, row.sequence, row.head,       row.query};
          double largest = -std::numeric_limits<double>::infinity();
          for (const Index j : query.keys())
            largest =
                std::max(largest, (query.score(query.key(j)) + query.bias(j)) / o.temperature);
          Index seen = 0;
          for (std::size_t j = 0; j < row.weights.size(); ++j)
            seen +=
                testing::attention_sees(o, rows, row.sequence, row.query, static_cast<Index>(j));
          ASSERT_EQ(row.seen, seen);
          if (std::isinf(largest)) {
            ASSERT_EQ(row.largest, largest);
          } else {
            ASSERT_NEAR(row.largest, largest, 1e-13 * (1 + std::abs(largest)));
          }
        });
  });
}

// Heads of widths 2, 2 and 4 with a gain each, as one attention a head.
TEST(AttentionWeights, OfHeadsOfDifferentWidthsAreThoseOfEachHead) {
  const std::vector<std::int32_t> widths{2, 2, 4};
  AttentionOptions o;
  o.n_heads = o.n_kv_heads = 1;
  o.d_k = o.d_v = 8;
  AttentionCase<double> c(o, {{5, 7}, {3, 3}});
  const auto gain = Array<double>::random({3}, 9);
  std::vector<double> together, apart;
  const auto keep = [](std::vector<double>& to, Index head) {
    return [&to, head](const WeightRow<double>& row) {
      to.push_back(static_cast<double>(head < 0 ? row.head : head));
      to.push_back(row.largest);
      to.insert(to.end(), row.weights.begin(), row.weights.end());
    };
  };
  // Sequences come within runs of heads: one at a time for the same order.
  for (const auto& [q0, n_q, k0, n_k] : {std::array<Index, 4>{0, 5, 0, 7}, {5, 3, 7, 3}}) {
    const std::vector<std::int32_t> q_offsets{0, static_cast<std::int32_t>(n_q)},
        k_offsets{0, static_cast<std::int32_t>(n_k)};
    const AttentionRows rows{{q_offsets.data(), {2}}, {k_offsets.data(), {2}}};
    const Rows<const double> q(c.q.view().row(q0), n_q, 8, 8), k(c.k.view().row(k0), n_k, 8, 8);
    AttentionOptions all = o;
    all.n_heads = all.n_kv_heads = 3;
    all.widths = {widths.data(), {3}};
    attention_weights<double>(all, rows, q, k, {.gain = testing::in(gain)}, keep(together, -1));
    for (Index h = 0, column = 0; h < 3; column += widths[static_cast<std::size_t>(h++)]) {
      AttentionOptions one = o;
      one.d_k = widths[static_cast<std::size_t>(h)];
      attention_weights<double>(one, rows, q.slice(column, one.d_k), k.slice(column, one.d_k),
                                {.gain = {testing::in(gain).data() + h, {1}}}, keep(apart, h));
    }
  }
  EXPECT_EQ(together, apart);
}

TEST(AttentionWeights, OfFeaturesMakeTheOutputOfLinearAttention) {
  for (const bool causal : {false, true}) {
    AttentionOptions o;
    o.n_heads = 4;
    o.n_kv_heads = 2;
    o.d_k = 5;
    o.d_v = 3;
    AttentionCase<double> c(o, {{70, 70}, {0, 0}, {1, 1}});
    for (auto* features : {&c.q, &c.k})
      for (Index i = 0; i < features->size(); ++i) (*features)[i] = ((*features)[i] + 1) / 2 + 0.1;
    const LinearAttentionOptions linear{4, 2, causal};
    Array<double> z({c.q.view().dim(0), 4}), y(c.y.shape());
    linear_attention<double>(linear, c.rows().q_offsets, c.rows().k_offsets, c.q.view(), c.k.view(),
                             c.v.view(), c.y.view(), z.view());
    linear_attention_weights<double>(
        linear, c.rows().q_offsets, c.rows().k_offsets, c.q.view(), c.k.view(),
        [&](const WeightRow<double>& row) {
          add_output(c, row, y);
          EXPECT_EQ(row.seen, causal ? row.query + 1 : Index(row.weights.size()));
          EXPECT_TRUE(std::isnan(row.largest));
        });
    EXPECT_LE(error(y, c.y), 1e-13);
  }
}

// A NaN key reaches the queries that see it; the others keep their weights and their maximum.
TEST(AttentionWeights, ANaNStaysWithTheQueriesThatSeeIt) {
  AttentionOptions o;
  o.d_k = o.d_v = 4;
  o.pattern = Pattern::causal;
  AttentionCase<double> c(o, {{5, 5}});
  c.k.view()(3, 1) = std::nan("");
  attention_weights<double>(o, c.rows(), c.q.view(), c.k.view(), {},
                            [](const WeightRow<double>& row) {
                              EXPECT_EQ(std::isnan(row.largest), row.query >= 3);
                              EXPECT_EQ(std::isnan(row.weights[0]), row.query >= 3);
                            });
}

}  // namespace
}  // namespace attune::kernels
