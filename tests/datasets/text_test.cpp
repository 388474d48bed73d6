#include "datasets/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "datasets/batch.h"
#include "datasets/packer.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::HasSubstr;

// Documents whose tokens all differ, so that a token is its place.
class TextTest : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::vector<Index>& lengths, Index block, double val,
                                double test) {
    TokenTable table;
    for (const Index n : lengths) {
      for (Index i = 0; i < n; ++i)
        table.tokens.push_back(static_cast<std::int32_t>(table.tokens.size()));
      table.offsets.push_back(table.offsets.back() + n);
    }
    write_token_file(folder_ / "text.h5", table);
    options_ = {};  // which keep the file that they opened
    options_.file = folder_ / "text.h5";
    options_.block = block;
    options_.val = val;
    options_.test = test;
    return options_.open({});
  }

  TestFolder folder_;
  TextOptions options_;
};

struct Window {
  std::vector<std::int32_t> tokens, targets;
};

Window window(const Dataset& data, Split split, Index i) {
  const auto n = static_cast<std::size_t>(data.example(split, i).n_tokens());
  Window w{std::vector<std::int32_t>(n), std::vector<std::int32_t>(n)};
  data.write(split, i, {.tokens = w.tokens.data(), .targets = w.targets.data()});
  return w;
}

TEST_F(TextTest, TargetsAreTheNextTokens) {
  const auto data = open({100, 40}, 8, 0.1, 0.2);
  for (const Split split : kSplits)
    for (Index i = 0; i < data->n_examples(split); ++i) {
      const Window w = window(*data, split, i);
      for (std::size_t t = 0; t < w.tokens.size(); ++t) EXPECT_EQ(w.targets[t], w.tokens[t] + 1);
      EXPECT_EQ(data->example(split, i).id, w.tokens[0]);
    }
}

// As nanoGPT draws them: offsets 0 … L − block − 1.
TEST_F(TextTest, TrainingHasAWindowAtEveryOffset) {
  const auto data = open({100}, 8, 0.1, 0.0);
  ASSERT_EQ(data->n_examples(Split::train), 90 - 8);
  for (Index i = 0; i < data->n_examples(Split::train); ++i) {
    const Window w = window(*data, Split::train, i);
    EXPECT_EQ(w.tokens.size(), 8U);
    EXPECT_EQ(w.tokens[0], i);
    EXPECT_LT(w.targets.back(), 90);
  }
}

TEST_F(TextTest, ValidationAndTestTargetsAreCoveredOnce) {
  const auto data = open({100, 57, 3}, 8, 0.25, 0.25);
  for (const Split split : {Split::val, Split::test}) {
    std::multiset<std::int32_t> targets;
    for (Index i = 0; i < data->n_examples(split); ++i)
      for (const std::int32_t target : window(*data, split, i).targets) targets.insert(target);
    const std::multiset<std::int32_t> expected = [&] {
      // Cuts at ⌊L/2⌋ and ⌊3L/4⌋; the first token of a part is no target.
      std::multiset<std::int32_t> all;
      for (const auto& [begin, length] : {std::pair{0, 100}, {100, 57}, {157, 3}}) {
        const int half = begin + length / 2, late = begin + 3 * length / 4;
        const auto [from, to] =
            split == Split::val ? std::pair{half, late} : std::pair{late, begin + length};
        for (int t = from + 1; t < to; ++t) all.insert(t);
      }
      return all;
    }();
    EXPECT_EQ(targets, expected) << name_of(split);
  }
}

TEST_F(TextTest, NoWindowCrossesACutOrADocument) {
  const auto data = open({60, 60}, 16, 0.2, 0.2);
  const auto part_of = [](std::int32_t token) {
    const std::int32_t place = token % 60;
    return 10 * (token / 60) + (place < 36 ? 0 : place < 48 ? 1 : 2);
  };
  for (const Split split : kSplits)
    for (Index i = 0; i < data->n_examples(split); ++i) {
      const Window w = window(*data, split, i);
      EXPECT_EQ(part_of(w.tokens.front()), part_of(w.targets.back()));
      EXPECT_EQ(part_of(w.tokens.front()) % 10, static_cast<int>(split));
    }
}

TEST_F(TextTest, AShortTextIsOneWindow) {
  const auto data = open({5}, 64, 0.0, 0.0);
  ASSERT_EQ(data->n_examples(Split::train), 1);
  EXPECT_EQ(window(*data, Split::train, 0).targets, (std::vector<std::int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(data->n_examples(Split::val), 0);
}

TEST_F(TextTest, GroupsAreDocumentsOrOfOneTextItsWindows) {
  const auto several = open({60, 60}, 16, 0.5, 0.0);
  std::set<Index> groups;
  for (Index i = 0; i < several->n_examples(Split::val); ++i)
    groups.insert(several->example(Split::val, i).group);
  EXPECT_EQ(groups, (std::set<Index>{0, 1}));
  const auto one = open({60}, 16, 0.5, 0.0);
  EXPECT_NE(one->example(Split::val, 0).group, one->example(Split::val, 1).group);
}

TEST_F(TextTest, ATextTooShortToTrainOnIsAnErrorAtItsKey) {
  try {
    open({2, 2}, 8, 0.5, 0.0);
    FAIL();
  } catch (const KeyedDataError& error) {
    EXPECT_EQ(error.complaint().key, "data.val");
    EXPECT_THAT(error.what(), HasSubstr("no text of"));
  }
}

TEST_F(TextTest, AnotherTextIsReadByTheNamesOfItsTokens) {
  const auto trained = open({30}, 8, 0.1, 0.0);
  TokenTable other;
  other.tokens = {0, 1, 0, 2};
  other.offsets = {0, 4};
  other.vocabulary = {"7", "3", "29"};
  write_token_file(folder_ / "other.h5", other);
  const auto data =
      options_.open_other(folder_ / "other.h5", 16, {.class_names = trained->class_names()});
  ASSERT_EQ(data->n_examples(Split::test), 1);
  EXPECT_EQ(window(*data, Split::test, 0).tokens, (std::vector<std::int32_t>{7, 3, 7}));
  EXPECT_EQ(window(*data, Split::test, 0).targets, (std::vector<std::int32_t>{3, 7, 29}));
  EXPECT_EQ(data->n_classes(), trained->n_classes());
}

// A restart shuffles the epoch anew: on a million windows that must not be felt. The bound is
// twenty times what it takes.
TEST_F(TextTest, AMillionWindowsAreShuffledInMoments) {
  const auto began = std::chrono::steady_clock::now();
  const auto lengths = std::vector<Index>(1'000'000, 64);
  BatchSequence batches(Packer(lengths, {.batch_size = 12}, 1));
  batches.seek(2000);
  EXPECT_EQ(batches.next().size(), 12U);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  EXPECT_LT(seconds.count(), 10.0);
}

}  // namespace
}  // namespace attune
