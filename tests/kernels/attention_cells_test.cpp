// Every cell of the table score × bias × pattern × select × normaliser: computed, differentiated,
// in float and double, packed; or refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/attention/parts.h"
#include "tests/kernels/attention_case.h"
#include "tests/reference/attention_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::same_bits;

struct Cell {
  AttentionOptions options;
  std::string name;
};

// With shared keys, heads that are no power of two, d_v ≠ d_k, a temperature and dropout.
std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const auto& score : score_words)
    for (const auto& bias : bias_words)
      for (const auto& pattern : pattern_words)
        for (const auto& select : select_words)
          for (const auto& normaliser : normaliser_words) {
            AttentionOptions o;
            o.n_heads = 6;
            o.n_kv_heads = 3;
            o.d_k = 3;
            o.d_v = 5;
            o.scale = 2 * default_scale(score.part, o.d_k);
            o.pattern = pattern.part;
            o.dropout = 0.2;
            o.stream_key = 0x9E3779B97F4A7C15;
            o.step = 3;
            o.score = score.part;
            o.bias = bias.part;
            o.select = select.part;
            o.normaliser = normaliser.part;
            o.window = 7;
            o.dilation = 2;
            o.block = 9;
            o.k = select.part == Select::two_stage_top_k ? 2 : 4;
            o.temperature = 0.8;
            cells.push_back({o, fmt::format("{} {} {} {} {}", score.word, bias.word, pattern.word,
                                            select.word, normaliser.word)});
          }
  return cells;
}

std::vector<Cell> computed_cells() {
  std::vector<Cell> cells = all_cells();
  std::erase_if(cells, [](const Cell& c) { return !refusal(c.options).empty(); });
  return cells;
}

// More keys than two strips and than a block of 64; sequences without queries, without keys.
const std::vector<std::pair<int, int>> kLengths{{14, 66}, {0, 4}, {9, 9}, {3, 0}, {1, 1}};

AttentionCase<double> reference(AttentionCase<double> c) {
  testing::attention_reference(c.options, c.rows(), testing::in(c.q), testing::in(c.k),
                               testing::in(c.v), c.y.view(), c.lse.view(), c.parameters());
  return c;
}

TEST(AttentionCells, AtMostATenthIsRefusedAndEachWithASentence) {
  const auto cells = all_cells();
  EXPECT_EQ(cells.size(), 4U * 5 * 7 * 3 * 3);
  EXPECT_LE(10 * (cells.size() - computed_cells().size()), cells.size());
  for (const Cell& cell : cells) {
    const std::string why(refusal(cell.options));
    const bool by_edges_in_two_stages =
        cell.options.select == Select::two_stage_top_k && cell.options.pattern == Pattern::edges;
    EXPECT_EQ(!why.empty(), by_edges_in_two_stages) << cell.name;
    if (why.empty()) continue;
    EXPECT_THAT(why, ::testing::AllOf(::testing::HasSubstr("select=two_stage_top_k"),
                                      ::testing::HasSubstr("pattern=edges"),
                                      ::testing::HasSubstr("use select=top_k")));
    AttentionCase<float> c(cell.options, {{4, 4}});
    try {
      c.forward();
      FAIL() << cell.name;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(why));
    }
  }
}

TEST(AttentionCells, AgreeWithThePlainLoops) {
  for (const Cell& cell : computed_cells()) {
    SCOPED_TRACE(cell.name);
    AttentionCase<double> c(cell.options, kLengths);
    c.forward();
    const AttentionCase<double> wanted = reference(c);
    ASSERT_LE(error(c.y, wanted.y), 1e-13);
    const bool has_lse = cell.options.normaliser == Normaliser::softmax;
    ASSERT_LE(has_lse ? error(c.lse, wanted.lse) : 0, 1e-13);
  }
}

// Of Σ dy ∘ y along random directions, where y comes from the plain loops. Steps of 1e-6 meet no
// kink of these numbers.
TEST(AttentionCells, GradientsMatchCentralDifferencesOfTheFormula) {
  for (const Cell& cell : computed_cells()) {
    SCOPED_TRACE(cell.name);
    AttentionOptions options = cell.options;
    options.n_heads = 3;
    options.n_kv_heads = 1;
    AttentionCase<double> c(options, {{13, 17}, {3, 0}, {4, 4}});
    c.forward();
    c.backward();
    for (const auto& [input, gradient] : c.inputs()) {
      const Array<double> x = *input;
      const auto direction = Array<double>::random(x.shape(), 11);
      double expected = 0, magnitude = 1;
      for (Index i = 0; i < x.size(); ++i) {
        expected += (*gradient)[i] * direction[i];
        magnitude += std::abs((*gradient)[i] * direction[i]);
      }
      EXPECT_GT(magnitude, 1.001);
      const auto objective = [&, input = input](double step) {
        for (Index i = 0; i < x.size(); ++i) (*input)[i] = x[i] + step * direction[i];
        return testing::dot(reference(c).y, c.dy);
      };
      const double h = 1e-6;
      EXPECT_NEAR((objective(h) - objective(-h)) / (2 * h), expected, 2e-8 * magnitude);
      *input = x;
    }
  }
}

TEST(AttentionCells, FreshGradientsAreWritten) {
  for (const Cell& cell : computed_cells()) {
    SCOPED_TRACE(cell.name);
    AttentionCase<float> zeros(cell.options, kLengths);
    zeros.forward();
    AttentionCase<float> fresh = zeros;
    for (auto* x : {&fresh.dq, &fresh.dk, &fresh.dv})
      std::fill(x->view().begin(), x->view().end(), std::numeric_limits<float>::quiet_NaN());
    zeros.backward();
    fresh.backward({.q = true, .k = true, .v = true});
    ASSERT_TRUE(same_bits(fresh.dq, zeros.dq) && same_bits(fresh.dk, zeros.dk) &&
                same_bits(fresh.dv, zeros.dv));
  }
}

// Every element of every gradient; sums of some tens of terms.
TEST(AttentionCells, FloatIsCloseToItsDoubleTwin) {
  for (const Cell& cell : computed_cells()) {
    SCOPED_TRACE(cell.name);
    AttentionCase<float> c(cell.options, kLengths);
    AttentionCase<double> wide = c.widened();
    c.forward();
    c.backward();
    wide.forward();
    wide.backward();
    EXPECT_LE(error(c.y, wide.y), 5e-6);
    const auto narrow = c.inputs();
    const auto twins = wide.inputs();
    for (std::size_t i = 0; i < narrow.size(); ++i)
      EXPECT_LE(error(*narrow[i].second, *twins[i].second), 5e-6) << "input " << i;
  }
}

// The second sequence alone and in the pack: outputs and the gradients of its rows.
TEST(AttentionCells, BitsOfASequenceDoNotDependOnItsPack) {
  for (const Cell& cell : computed_cells()) {
    SCOPED_TRACE(cell.name);
    AttentionCase<float> pack(cell.options, {{13, 9}, {29, 40}, {0, 3}, {6, 6}}, 5);
    AttentionCase<float> alone(cell.options, {{29, 40}});
    alone.example = {pack.example[1]};
    const auto copy = [](Array<float>& to, const Array<float>& from, Index first) {
      std::copy_n(from.view().row(first), to.size(), to.view().data());
    };
    copy(alone.q, pack.q, 13);
    copy(alone.k, pack.k, 9);
    copy(alone.v, pack.v, 9);
    copy(alone.dy, pack.dy, 13);
    alone.w = pack.w;
    alone.table = pack.table;
    for (Index h = 0; h < 6; ++h)
      for (Index i = 0; i < 29; ++i)
        for (Index j = 0; j < 40; ++j)
          alone.bias[(h * 29 + i) * 40 + j] = pack.bias[(h * 48 + 13 + i) * 58 + 9 + j];
    for (AttentionCase<float>* c : {&pack, &alone}) {
      c->forward();
      c->backward();
    }
    EXPECT_TRUE(same_bits(alone.y, testing::rows_of(pack.y, 13, 42)));
    EXPECT_TRUE(same_bits(alone.lse, testing::rows_of(pack.lse, 13, 42)));
    EXPECT_TRUE(same_bits(alone.dq, testing::rows_of(pack.dq, 13, 42)));
    EXPECT_TRUE(same_bits(alone.dk, testing::rows_of(pack.dk, 9, 49)));
    EXPECT_TRUE(same_bits(alone.dv, testing::rows_of(pack.dv, 9, 49)));
  }
}

}  // namespace
}  // namespace attune::kernels
