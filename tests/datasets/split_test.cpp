#include "datasets/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/philox.h"

namespace attune {
namespace {

using testing::HasSubstr;

// 332 groups of 1 … 26 examples with one class each, about as the CT slices have them.
struct Columns {
  std::vector<std::int32_t> label, group, given;
  SplitColumns view() const { return {label, group, given}; }
};

Columns ct_like() {
  const Stream stream(3, "test", "groups");
  Columns c;
  for (std::int32_t g = 0; g < 332; ++g) {
    const auto i = static_cast<std::uint64_t>(g);
    const std::uint32_t size = stream.uniform(i, 0) < 0.7
                                   ? 1
                                   : 1 + stream.below(stream.uniform(i, 3) < 0.1 ? 26 : 6, i, 1);
    for (std::uint32_t k = 0; k < size; ++k) {
      c.group.push_back(1000 + 7 * g);
      c.label.push_back(stream.uniform(i, 2) < 0.47 ? 1 : 0);
    }
  }
  return c;
}

const std::vector<std::string> kTwo = {"no", "yes"};

double share(const std::vector<Index>& part, const Columns& c, std::int32_t label) {
  double n = 0;
  for (Index i : part) n += c.label[static_cast<std::size_t>(i)] == label;
  return n / static_cast<double>(std::count(c.label.begin(), c.label.end(), label));
}

TEST(Split, EveryExampleIsInExactlyOnePart) {
  const Columns c = ct_like();
  std::vector<Index> seen;
  for (const auto& part : split_examples(c.view(), {}, kTwo)) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    seen.insert(seen.end(), part.begin(), part.end());
  }
  std::sort(seen.begin(), seen.end());
  ASSERT_EQ(seen.size(), c.label.size());
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<Index>(i));
}

TEST(Split, NoGroupIsCutApart) {
  const Columns c = ct_like();
  for (Index seed = 0; seed < 5; ++seed) {
    SplitOptions options;
    options.seed = seed;
    std::set<std::pair<std::int32_t, int>> group_parts;
    std::set<std::int32_t> groups;
    const SplitIndices parts = split_examples(c.view(), options, kTwo);
    for (int p = 0; p < 3; ++p)
      for (Index i : parts[static_cast<std::size_t>(p)]) {
        group_parts.emplace(c.group[static_cast<std::size_t>(i)], p);
        groups.insert(c.group[static_cast<std::size_t>(i)]);
      }
    EXPECT_EQ(group_parts.size(), groups.size());
  }
}

TEST(Split, EachClassGetsItsShares) {
  const Columns c = ct_like();
  for (Index seed = 0; seed < 5; ++seed) {
    SplitOptions options;
    options.seed = seed;
    const SplitIndices parts = split_examples(c.view(), options, kTwo);
    for (const std::int32_t label : {0, 1}) {
      EXPECT_NEAR(share(parts[2], c, label), 0.2, 0.02);
      EXPECT_NEAR(share(parts[1], c, label), 0.15 * 0.8, 0.02);
    }
  }
}

TEST(Split, SeedsGiveOtherSplitsAndOneSeedAlwaysTheSame) {
  const Columns c = ct_like();
  SplitOptions one, two;
  two.seed = 1;
  EXPECT_EQ(split_examples(c.view(), one, kTwo), split_examples(c.view(), one, kTwo));
  EXPECT_NE(split_examples(c.view(), one, kTwo)[2], split_examples(c.view(), two, kTwo)[2]);
}

// Were it always the large groups that are held out, their images would never be trained on.
TEST(Split, TheLargestGroupIsTestedInSomeSplitsOnly) {
  const Columns c = ct_like();
  std::int32_t largest = 0;
  for (std::int32_t g : c.group)
    if (std::count(c.group.begin(), c.group.end(), g) >
        std::count(c.group.begin(), c.group.end(), largest))
      largest = g;
  int tested = 0;
  for (Index seed = 0; seed < 40; ++seed) {
    SplitOptions options;
    options.seed = seed;
    const auto parts = split_examples(c.view(), options, kTwo);
    for (Index i : parts[2]) {
      if (c.group[static_cast<std::size_t>(i)] != largest) continue;
      ++tested;
      break;
    }
  }
  EXPECT_GT(tested, 0);
  EXPECT_LT(tested, 30);
}

TEST(Split, ByExampleLetsGroupsBeCut) {
  Columns c;
  c.label = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  c.group.assign(10, 4);
  SplitOptions options;
  options.val = 0.25;
  EXPECT_THROW(split_examples(c.view(), options, kTwo), DataError);
  options.by = SplitOptions::By::example;
  const SplitIndices parts = split_examples(c.view(), options, kTwo);
  EXPECT_EQ(parts[2].size(), 2u);
  EXPECT_EQ(parts[1].size(), 2u);
}

TEST(Split, GivenIsTakenAsItIs) {
  Columns c;
  c.label = {0, 1, 0, 1};
  c.group = {1, 1, 2, 3};
  c.given = {0, 0, 1, 2};
  SplitOptions options;
  options.scheme = SplitOptions::Scheme::given;
  const SplitIndices expected = {{{0, 1}, {2}, {3}}};
  EXPECT_EQ(split_examples(c.view(), options, kTwo), expected);
}

TEST(Split, GivenWithoutValidationTakesItFromTrainingGroups) {
  Columns c = ct_like();
  for (std::size_t i = 0; i < c.label.size(); ++i) c.given.push_back(c.group[i] % 3 == 0 ? 2 : 0);
  SplitOptions options;
  options.scheme = SplitOptions::Scheme::given;
  const SplitIndices parts = split_examples(c.view(), options, kTwo);
  EXPECT_FALSE(parts[1].empty());
  for (Index i : parts[1]) EXPECT_NE(c.group[static_cast<std::size_t>(i)] % 3, 0);
}

void expect_error(const Columns& c, const SplitOptions& options, const std::string& text,
                  std::optional<Index> fold = std::nullopt) {
  try {
    split_examples(c.view(), options, kTwo, fold);
    FAIL() << text;
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(Split, WhatCannotBeSplitSaysWhatToDo) {
  Columns c;
  c.label = {0, 0, 1, 1};
  c.group = {1, 1, 2, 2};
  SplitOptions given;
  given.scheme = SplitOptions::Scheme::given;
  expect_error(c, given, "the file has no /split");
  expect_error(c, {}, "leaves the test split empty");
  c.given = {0, 0, 1, 1};
  expect_error(c, given,
               "class 'yes' has no example in the training split (2 examples): the file's /split "
               "marks 2 examples as train, 2 as val and 0 as test. Mark some of the class as 0");
  for (const std::int32_t all : {1, 2}) {
    c.given.assign(4, all);
    expect_error(c, given, "class 'no' has no example in the training split (0 examples)");
  }
  c.given = {0, 0, 1, 2};
  expect_error(c, given,
               "group 2 stands in two splits of the file's /split, val and test. Give the whole "
               "group to one split there, or set data.split.by=example");
  given.by = SplitOptions::By::example;
  expect_error(c, given, "class 'yes' has no example in the training split");
}

}  // namespace
}  // namespace attune
