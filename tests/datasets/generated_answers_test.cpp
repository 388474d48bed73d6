// The synthetic tasks of graphs and of queries against oracles that know the rule and nothing of
// the generator.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "datasets/batch.h"
#include "datasets/dictionary.h"
#include "datasets/lookup.h"
#include "datasets/transduction.h"
#include "tests/datasets/rows.h"

namespace attune {
namespace {

constexpr Index kMany = 400;

// Each of `cells` is hit in a share 1 / cells of n independent draws: five standard errors.
template <class Key>
void expect_uniform(const std::map<Key, double>& counts, std::size_t cells, double n) {
  EXPECT_EQ(counts.size(), cells);
  const double share = 1 / static_cast<double>(cells);
  for (const auto& [cell, count] : counts)
    EXPECT_NEAR(count, share * n, 5 * std::sqrt(share * (1 - share) * n));
}

// --- dictionary

// The place of the one 1 among columns from … to of a row.
Index marked(View<const float> values, Index row, Index from, Index to) {
  Index place = -1;
  for (Index column = from; column < to; ++column) {
    if (values(row, column) == 0) continue;
    EXPECT_EQ(values(row, column), 1.0F);
    EXPECT_EQ(place, -1) << "marked twice";
    place = column - from;
  }
  EXPECT_NE(place, -1) << "not marked";
  return place;
}

// In a batch of all examples, over its edges alone.
TEST(Dictionary, TheTargetIsTheValueOfTheNeighbourWithTheSameKey) {
  constexpr Index k = 6;
  DictionaryOptions o;
  o.n_pairs = k;
  const auto data = o.open({.seed = 3});
  std::vector<Index> all(kMany);
  for (Index i = 0; i < kMany; ++i) all[static_cast<std::size_t>(i)] = i;
  Batch batch;
  batch.assemble(*data, Split::train, all);
  const auto values = batch.values();
  const PackedEdges edges = batch.edges();
  ASSERT_EQ(batch.n_tokens(), kMany * 2 * k);
  ASSERT_EQ(values.dim(1), 2 * k + 1);
  ASSERT_EQ(edges.n_rows(), kMany * 2 * k);
  std::map<std::pair<Index, Index>, double> place_and_key, key_and_value;
  for (Index row = 0; row < batch.n_tokens(); ++row) {
    const Index first = row / (2 * k) * 2 * k, node = row - first;
    const Index key = marked(values, row, 0, k), value = marked(values, row, k, 2 * k + 1);
    std::map<Index, Index> value_of;
    for (Index e = edges.indptr[row]; e < edges.indptr[row + 1]; ++e) {
      const Index from = edges.indices[e];
      EXPECT_GE(from, first + k);
      EXPECT_LT(from, first + 2 * k);
      value_of[marked(values, from, 0, k)] = marked(values, from, k, 2 * k + 1);
    }
    if (node < k) {
      EXPECT_EQ(key, node);
      EXPECT_EQ(value, k);  // none
      ASSERT_EQ(value_of.size(), static_cast<std::size_t>(k));
      EXPECT_EQ(batch.targets()[row], value_of[key]);
      ++key_and_value[{key, value_of[key]}];
    } else {
      EXPECT_EQ(value_of.size(), 0U);
      EXPECT_EQ(batch.targets()[row], kNoTarget);
      EXPECT_LT(value, k);
      ++place_and_key[{node, key}];
    }
  }
  // Neither a node's place nor its key says anything.
  expect_uniform(place_and_key, k * k, kMany * k);
  expect_uniform(key_and_value, k * k, kMany * k);
}

// --- transduction

TEST(Transduction, TheAnswerIsTheRowsForwardsOrBackwardsAndThenTheBoundary) {
  TransductionOptions o;
  o.min_length = 3;
  o.max_length = 7;
  o.vocabulary = 5;
  for (const bool reverse : {false, true}) {
    o.rule = reverse ? TransductionOptions::Rule::reverse : TransductionOptions::Rule::copy;
    std::map<Index, double> lengths;
    for (const Rows& rows : first(o, 3, Split::train, kMany)) {
      std::vector<std::int32_t> answer = rows.tokens, queries = {5};
      if (reverse) std::reverse(answer.begin(), answer.end());
      queries.insert(queries.end(), answer.begin(), answer.end());
      answer.push_back(5);
      EXPECT_EQ(rows.targets, answer);
      EXPECT_EQ(rows.query_tokens, queries);
      EXPECT_EQ(rows.example.n_queries, rows.example.n_tokens() + 1);
      for (const std::int32_t token : rows.tokens) EXPECT_TRUE(token >= 0 && token < 5);
      ++lengths[rows.example.n_tokens()];
    }
    EXPECT_EQ(lengths.begin()->first, 3);
    expect_uniform(lengths, 5, kMany);
  }
}

TEST(Transduction, TheBoundaryIsTheLastClassAndTheLastTokenOfQueries) {
  TransductionOptions o;
  o.max_length = 9;
  const RowSpec spec = o.open({})->spec();
  EXPECT_EQ(spec.n_classes, 11);
  EXPECT_EQ(spec.vocabulary, 10);
  EXPECT_EQ(spec.longest, 9);
  ASSERT_TRUE(spec.queries);
  EXPECT_EQ(spec.queries->vocabulary, 11);
  EXPECT_EQ(spec.queries->longest, 10);
  EXPECT_TRUE(spec.queries->decoded);
  EXPECT_FALSE(spec.row_targets);
  EXPECT_FALSE(spec.one_target());
}

// --- lookup

using Code = std::vector<float>;

// A row of `rows` values wide `width`, of which columns from … to.
Code code(const std::vector<float>& values, Index row, Index width, Index from, Index to) {
  const auto begin = values.begin() + row * width;
  return {begin + from, begin + to};
}

constexpr Index kItems = 6, kItemWidth = 11, kQuestions = 3, kQuestionWidth = 7;

LookupOptions small(LookupOptions::Map map) {
  LookupOptions o;
  o.n_items = kItems;
  o.item_width = kItemWidth;
  o.n_questions = kQuestions;
  o.question_width = kQuestionWidth;
  o.n_values = 4;
  o.map = map;
  return o;
}

Code key(const Rows& rows, Index item) {
  return code(rows.values, item, kItemWidth, 0, kItemWidth / 2);
}
Code value(const Rows& rows, Index item) {
  return code(rows.values, item, kItemWidth, kItemWidth / 2, kItemWidth);
}
Code question(const Rows& rows, Index j) {
  return code(rows.query_values, j, kQuestionWidth, 0, kQuestionWidth);
}

// What of an example may lead from a question to an item.
template <class Asked, class Item>
using Ways = std::map<std::pair<Asked, Item>, std::map<Code, std::set<std::int32_t>>>;

// For each thing that is asked for the one item whose value's code always meant the same answer,
// learnt from examples.
template <class Asked, class Item>
std::map<Asked, std::map<Item, std::map<Code, std::int32_t>>> reliable(
    const Ways<Asked, Item>& ways) {
  std::map<Asked, std::map<Item, std::map<Code, std::int32_t>>> found;
  for (const auto& [way, answers] : ways) {
    std::map<Code, std::int32_t> meaning;
    for (const auto& [value, targets] : answers)
      if (targets.size() == 1) meaning[value] = *targets.begin();
    if (meaning.size() == answers.size()) found[way.first][way.second] = meaning;
  }
  return found;
}

TEST(Lookup, TheAnswerIsTheValueOfTheItemWithTheKey) {
  for (const auto map : {LookupOptions::Map::redrawn, LookupOptions::Map::fixed}) {
    Ways<Code, Code> ways;
    for (const Rows& rows : first(small(map), 3, Split::train, kMany))
      for (Index j = 0; j < kQuestions; ++j)
        for (Index item = 0; item < kItems; ++item)
          ways[{question(rows, j), key(rows, item)}][value(rows, item)].insert(
              rows.targets[static_cast<std::size_t>(j)]);
    auto found = reliable(ways);
    EXPECT_EQ(found.size(),
              static_cast<std::size_t>(map == LookupOptions::Map::fixed ? kQuestions : kItems));
    for (const auto& [asked, items] : found) {
      EXPECT_EQ(items.size(), 1U);
      EXPECT_EQ(items.begin()->second.size(), 4U);
    }
    int read = 0;
    for (const Rows& rows : first(small(map), 3, Split::test, kMany))
      for (Index j = 0; j < kQuestions; ++j) {
        const auto& [wanted, meaning] = *found[question(rows, j)].begin();
        for (Index item = 0; item < kItems; ++item) {
          if (key(rows, item) != wanted) continue;
          EXPECT_EQ(meaning.at(value(rows, item)), rows.targets[static_cast<std::size_t>(j)]);
          ++read;
        }
      }
    EXPECT_EQ(read, kMany * kQuestions);
  }
}

// What a model that mixes rows by their places can do.
TEST(Lookup, OnlyAFixedMapCanBeReadByPlaces) {
  for (const auto map : {LookupOptions::Map::redrawn, LookupOptions::Map::fixed}) {
    Ways<Index, Index> ways;
    std::set<Code> first_questions;
    std::map<std::pair<Index, Code>, double> place_and_key;
    for (const Rows& rows : first(small(map), 3, Split::train, kMany)) {
      first_questions.insert(question(rows, 0));
      for (Index item = 0; item < kItems; ++item) {
        ++place_and_key[{item, key(rows, item)}];
        for (Index j = 0; j < kQuestions; ++j)
          ways[{j, item}][value(rows, item)].insert(rows.targets[static_cast<std::size_t>(j)]);
      }
    }
    if (map == LookupOptions::Map::fixed) {
      EXPECT_EQ(reliable(ways).size(), static_cast<std::size_t>(kQuestions));
      EXPECT_EQ(first_questions.size(), 1U);
      EXPECT_EQ(place_and_key.size(), static_cast<std::size_t>(kItems));
    } else {
      EXPECT_EQ(reliable(ways).size(), 0U);
      EXPECT_EQ(first_questions.size(), static_cast<std::size_t>(kItems));
      expect_uniform(place_and_key, kItems * kItems, kMany * kItems);
    }
  }
}

double squares(const Code& code) {
  double sum = 0;
  for (const float x : code) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

TEST(Lookup, CodesHaveNormOneAndAnotherSeedHasOthers) {
  std::set<Code> codes;
  for (const Index seed : {3, 4}) {
    const Rows rows = first(small(LookupOptions::Map::redrawn), seed, Split::val, 1)[0];
    for (Index item = 0; item < kItems; ++item) {
      EXPECT_NEAR(squares(key(rows, item)), 1, 1e-6);  // 5 floats, half an ulp each
      EXPECT_NEAR(squares(value(rows, item)), 1, 1e-6);
      codes.insert(key(rows, item));
    }
    for (Index j = 0; j < kQuestions; ++j) EXPECT_NEAR(squares(question(rows, j)), 1, 1e-6);
  }
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(2 * kItems));
}

// A row of w values gets noise ~ N(0, noise² / w) each: the squared norm has mean noise² and
// variance 2 noise⁴ / w. Five standard errors.
TEST(Lookup, NoiseHasItsNormAndMovesNoAnswer) {
  LookupOptions o = small(LookupOptions::Map::redrawn);
  const auto quiet = first(o, 3, Split::train, kMany);
  o.noise = 0.5;
  const auto noisy = first(o, 3, Split::train, kMany);
  const auto check = [&](std::vector<float> Rows::*values, Index rows, double width) {
    double sum = 0, mixed = 0;
    for (std::size_t i = 0; i < quiet.size(); ++i)
      for (std::size_t k = 0; k < (quiet[i].*values).size(); ++k) {
        const double z = static_cast<double>((noisy[i].*values)[k] - (quiet[i].*values)[k]);
        sum += z * z;
        mixed += z;
      }
    const auto n = static_cast<double>(kMany * rows);
    EXPECT_NEAR(sum / n, 0.25, 5 * 0.25 * std::sqrt(2 / (width * n)));
    EXPECT_NEAR(mixed / n, 0, 5 * 0.5 / std::sqrt(n));
  };
  check(&Rows::values, kItems, kItemWidth);
  check(&Rows::query_values, kQuestions, kQuestionWidth);
  // That of queries is not that of rows: products of a normal and another have variance 1.
  double products = 0, n = 0;
  for (std::size_t i = 0; i < quiet.size(); ++i) {
    EXPECT_EQ(noisy[i].targets, quiet[i].targets);
    for (std::size_t k = 0; k < quiet[i].query_values.size(); ++k, ++n)
      products += static_cast<double>(noisy[i].query_values[k] - quiet[i].query_values[k]) *
                  static_cast<double>(noisy[i].values[k] - quiet[i].values[k]);
  }
  const double deviations = 0.25 / std::sqrt(double{kItemWidth * kQuestionWidth});
  EXPECT_NEAR(products / n / deviations, 0, 5 / std::sqrt(n));
}

// Whoever asks for queries alone gets those that everyone gets.
TEST(Lookup, PartsAreTheSameByThemselves) {
  LookupOptions o = small(LookupOptions::Map::redrawn);
  o.noise = 0.5;
  const auto data = o.open({.seed = 3});
  const Rows whole = rows_of(*data, Split::val, 7);
  std::vector<float> queries(whole.query_values.size());
  data->write(Split::val, 7, {.query_values = queries.data()});
  EXPECT_EQ(queries, whole.query_values);
}

}  // namespace
}  // namespace attune
