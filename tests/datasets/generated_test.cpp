// The synthetic tasks against oracles that know the rule and nothing of the generator.
#include "datasets/generated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/copy.h"
#include "datasets/dictionary.h"
#include "datasets/listops.h"
#include "datasets/lookup.h"
#include "datasets/max_item.h"
#include "datasets/needle.h"
#include "datasets/recall.h"
#include "datasets/retrieval.h"
#include "datasets/transduction.h"
#include "tests/datasets/rows.h"

namespace attune {
namespace {

using testing::HasSubstr;

constexpr Index kMany = 400;

// --- what each task asks for

TEST(Retrieval, TheClassIsTheValueBehindTheAskedKey) {
  RetrievalOptions o;
  o.n_pairs = 5;
  for (const Rows& rows : first(o, 3, Split::train, kMany)) {
    ASSERT_EQ(rows.tokens.size(), 11U);
    std::map<std::int32_t, Index> value_of;
    for (std::size_t p = 0; p < 10; p += 2) {
      EXPECT_LT(rows.tokens[p], 8);
      EXPECT_TRUE(value_of.emplace(rows.tokens[p], rows.tokens[p + 1] - 8).second);
    }
    ASSERT_TRUE(value_of.contains(rows.tokens.back()));
    EXPECT_EQ(value_of[rows.tokens.back()], rows.example.label);
  }
}

TEST(Recall, EveryQuerysTargetIsTheTokenThatFollowedItsKey) {
  RecallOptions o;
  o.n_pairs = 6;
  o.n_queries = 3;
  for (const Rows& rows : first(o, 3, Split::val, kMany)) {
    ASSERT_EQ(rows.tokens.size(), 17U);
    std::set<std::int32_t> asked;
    for (std::size_t row = 0; row < 17; ++row) {
      const auto begin = rows.tokens.begin();
      const auto before =
          std::find(begin, begin + static_cast<std::ptrdiff_t>(std::min<std::size_t>(row, 12)),
                    rows.tokens[row]);
      const bool query = row >= 12 && rows.tokens[row] < 8;
      if (!query) {
        EXPECT_EQ(rows.targets[row], kNoTarget);
        continue;
      }
      EXPECT_EQ(rows.targets[row], *(before + 1));
      EXPECT_TRUE(asked.insert(rows.tokens[row]).second);
      if (row + 1 < 17) {
        EXPECT_EQ(rows.targets[row], rows.tokens[row + 1]);
      }
    }
    EXPECT_EQ(asked.size(), 3U);
  }
}

// Where a pair stands says nothing of when it is asked for.
TEST(Recall, AnyPairIsAskedForAtAnyPlace) {
  RecallOptions o;
  o.n_queries = 2;
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const Rows& rows : first(o, 3, Split::train, kMany))
    for (std::size_t query = 0; query < 2; ++query)
      for (std::size_t pair = 0; pair < 4; ++pair)
        if (rows.tokens[2 * pair] == rows.tokens[8 + 2 * query]) seen.insert({query, pair});
  EXPECT_EQ(seen.size(), 8U);
}

TEST(Copy, RowsAskForTheTokenADistanceBack) {
  CopyOptions o;
  o.length = 10;
  o.distance = 7;
  for (const Rows& rows : first(o, 3, Split::test, kMany))
    for (std::size_t row = 0; row < 10; ++row)
      EXPECT_EQ(rows.targets[row], row < 7 ? kNoTarget : rows.tokens[row - 7]);
}

// Without noise there is one row that is not zero, and it says the class.
TEST(Needle, TheNeedleLiesAlongItsClass) {
  NeedleOptions o;
  o.sigma = 0;
  std::set<std::size_t> places;
  for (const Rows& rows : first(o, 3, Split::train, kMany)) {
    std::vector<std::size_t> marked;
    for (std::size_t k = 0; k < rows.values.size(); ++k)
      if (rows.values[k] != 0) marked.push_back(k);
    ASSERT_EQ(marked.size(), 1U);
    EXPECT_EQ(rows.values[marked[0]], 5.0F);
    EXPECT_EQ(static_cast<Index>(marked[0] % 8), rows.example.label);
    places.insert(marked[0] / 8);
  }
  EXPECT_EQ(places.size(), 17U);
}

// Row's values but the needle's one are N(0, sigma²): mean, variance, fourth moment within five
// standard errors.
TEST(Needle, TheNoiseIsGaussian) {
  NeedleOptions o;
  o.sigma = 2;
  o.margin = 0;  // a value of exactly 0 is no draw
  double n = 0, sum = 0, squares = 0, fourth = 0;
  for (const Rows& rows : first(o, 3, Split::train, kMany))
    for (const float x : rows.values) {
      if (x == 0) continue;
      const double z = static_cast<double>(x) / 2;
      n += 1;
      sum += z;
      squares += z * z;
      fourth += z * z * z * z;
    }
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n));
}

TEST(Max, TheClassIsOfTheItemWithTheHighestPriority) {
  MaxOptions o;
  o.min_items = 2;
  o.max_items = 5;
  std::set<Index> sizes;
  for (const Rows& rows : first(o, 3, Split::train, kMany)) {
    const std::size_t n = rows.values.size() / 5;
    std::size_t best = 0;
    for (std::size_t item = 0; item < n; ++item) {
      const float* row = rows.values.data() + 5 * item;
      EXPECT_GT(row[0], 0);
      EXPECT_LE(row[0], 1);
      EXPECT_EQ(std::count(row + 1, row + 5, 1.0F), 1);
      EXPECT_EQ(std::count(row + 1, row + 5, 0.0F), 3);
      if (row[0] > rows.values[5 * best]) best = item;
    }
    EXPECT_EQ(rows.values[5 * best + 1 + static_cast<std::size_t>(rows.example.label)], 1.0F);
    sizes.insert(rows.example.n_tokens());
  }
  EXPECT_EQ(sizes, (std::set<Index>{2, 3, 4, 5}));
}

// A reader of the tokens by a stack: an operator opens a list, ] replaces it by its value.
Index value_of(const std::vector<std::int32_t>& tokens, std::size_t& deepest) {
  struct List {
    std::int32_t op;
    std::vector<Index> values;
  };
  std::vector<List> stack = {{-1, {}}};
  for (const std::int32_t token : tokens) {
    if (token < 10) {
      stack.back().values.push_back(token);
    } else if (token < 14) {
      stack.push_back({token, {}});
      deepest = std::max(deepest, stack.size());
    } else {
      auto [op, values] = stack.back();
      stack.pop_back();
      EXPECT_GE(values.size(), 2U);
      std::sort(values.begin(), values.end());
      const std::size_t n = values.size();
      Index sum = 0;
      for (const Index v : values) sum += v;
      const Index middle = (values[(n - 1) / 2] + values[n / 2]) / 2;
      stack.back().values.push_back(op == 10   ? values.back()
                                    : op == 11 ? values.front()
                                    : op == 12 ? middle
                                               : sum % 10);
    }
  }
  EXPECT_EQ(stack.size(), 1U);
  EXPECT_EQ(stack[0].values.size(), 1U);
  return stack[0].values[0];
}

TEST(Listops, TheClassIsTheListsValue) {
  ListopsOptions o;
  o.n_train = 2 * kMany;
  o.max_depth = 4;
  o.max_args = 6;
  o.min_length = 5;
  o.max_length = 40;
  std::set<std::int32_t> seen;
  std::set<std::size_t> lengths;
  std::size_t deepest = 0;
  for (const Rows& rows : first(o, 3, Split::train, 2 * kMany)) {
    EXPECT_GE(rows.tokens.size(), 5U);
    EXPECT_LE(rows.tokens.size(), 40U);
    EXPECT_EQ(value_of(rows.tokens, deepest), rows.example.label);
    seen.insert(rows.tokens.begin(), rows.tokens.end());
    lengths.insert(rows.tokens.size());
  }
  EXPECT_EQ(seen.size(), 15U);
  EXPECT_EQ(deepest, 4U);  // the outermost list and three levels of operators
  EXPECT_GT(lengths.size(), 20U);
}

TEST(Listops, LengthsThatNoTreeHasAreAnErrorAtTheirKey) {
  ListopsOptions o;
  o.max_depth = 2;
  o.max_args = 3;
  o.min_length = o.max_length = 50;
  try {
    o.open({});
    FAIL();
  } catch (const KeyedDataError& error) {
    EXPECT_EQ(error.complaint().key, "data.min_length");
    EXPECT_THAT(error.what(), HasSubstr("none had 50 to 50 tokens"));
  }
}

// --- what all of them promise

template <class Options>
class AnyTask : public testing::Test {};
using Tasks =
    testing::Types<RetrievalOptions, RecallOptions, CopyOptions, NeedleOptions, MaxOptions,
                   ListopsOptions, DictionaryOptions, TransductionOptions, LookupOptions>;
TYPED_TEST_SUITE(AnyTask, Tasks);

TYPED_TEST(AnyTask, AnExampleIsAFunctionOfSeedSplitAndNumber) {
  TypeParam o;
  o.n_train = 60;
  TypeParam larger = o;
  larger.n_train = 120;
  larger.n_val = 7;
  const auto few = first(o, 3, Split::train, 60), many = first(larger, 3, Split::train, 60);
  EXPECT_TRUE(few == many);
  // In any order, too.
  const auto data = o.open({.seed = 3});
  for (Index i = 59; i >= 0; i -= 7)
    EXPECT_TRUE(rows_of(*data, Split::train, i) == few[static_cast<std::size_t>(i)]);
}

TYPED_TEST(AnyTask, OtherSeedsAndSplitsAreOtherExamples) {
  TypeParam o;
  const auto train = first(o, 3, Split::train, 60);
  for (const auto& other :
       {first(o, 4, Split::train, 60), first(o, 3, Split::val, 60), first(o, 3, Split::test, 60)}) {
    int equal = 0;
    for (std::size_t i = 0; i < 60; ++i) equal += other[i] == train[i];
    EXPECT_LT(equal, 6);
  }
  o.seed = 3;  // its own: the run's seed moves nothing
  EXPECT_TRUE(first(o, 9, Split::train, 60) == train);
}

TYPED_TEST(AnyTask, TheHashKnowsOptionsAndSeed) {
  TypeParam o;
  const std::string hash = o.open({.seed = 1})->sha256();
  EXPECT_EQ(o.open({.seed = 1})->sha256(), hash);
  EXPECT_NE(o.open({.seed = 2})->sha256(), hash);
  o.seed = 1;
  EXPECT_EQ(o.open({.seed = 2})->sha256(), hash);
  o.n_train += 1;
  EXPECT_NE(o.open({.seed = 2})->sha256(), hash);
}

TYPED_TEST(AnyTask, IdsAreDistinctOverTheSplits) {
  TypeParam o;
  o.n_train = o.n_val = o.n_test = 20;
  const auto data = o.open({});
  std::set<Index> ids;
  for (const Split split : kSplits)
    for (Index i = 0; i < 20; ++i) {
      const Example e = data->example(split, i);
      ids.insert(e.id);
      EXPECT_EQ(e.id, e.group);
    }
  EXPECT_EQ(ids.size(), 60U);
}

// By construction for classes of examples.
TYPED_TEST(AnyTask, ClassesAreBalanced) {
  if constexpr (std::is_same_v<TypeParam, ListopsOptions>) {
    // Not by construction, as nobody's ListOps are, but no class is rare and none is common.
    std::map<Index, int> counts;
    for (const Rows& rows : first(TypeParam{}, 3, Split::train, 2000)) ++counts[rows.example.label];
    for (Index c = 0; c < 10; ++c) {
      EXPECT_GT(counts[c], 2000 / 20);
      EXPECT_LT(counts[c], 2000 / 5);
    }
  } else {
    std::map<Index, double> counts;
    double n = 0;
    const auto data = TypeParam{}.open({});
    const auto queries = data->queries();
    // The boundary of answers stands once in each of them.
    const Index boundary = queries && queries->decoded ? data->n_classes() - 1 : kNoTarget;
    for (const Rows& rows : first(TypeParam{}, 3, Split::train, kMany)) {
      for (const std::int32_t target : rows.targets)
        if (target != kNoTarget && target != boundary) ++counts[target], ++n;
      if (data->one_target()) ++counts[rows.example.label], ++n;
    }
    for (const auto& [target, count] : counts) {
      const double share = 1.0 / static_cast<double>(counts.size());
      // Targets of rows and queries are drawn one by one: five standard errors.
      const double tolerance = data->one_target() ? 0 : 5 * std::sqrt(share * (1 - share) * n);
      EXPECT_NEAR(count, share * n, tolerance) << target;
    }
  }
}

TYPED_TEST(AnyTask, NoFileHoldsSuchData) {
  try {
    TypeParam{}.open_other("other.h5", 16, {});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("generated data"));
  }
}

}  // namespace
}  // namespace attune
