// The laws of k folds, over random datasets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/philox.h"
#include "datasets/split.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Scheme = SplitOptions::Scheme;

struct Columns {
  std::vector<std::int32_t> label, group;
  Index n_classes = 2;
  SplitColumns view() const { return {label, group, {}}; }
  Index size() const { return static_cast<Index>(label.size()); }
  std::vector<std::string> names() const {
    std::vector<std::string> all = {"a", "b", "c", "d"};
    all.resize(static_cast<std::size_t>(n_classes));
    return all;
  }
};

// 30 to 150 groups of 1 to 20 examples, most of them small, of two to four classes; in every other
// dataset a group may hold several classes.
Columns random_columns(std::uint64_t seed) {
  const Stream s(seed, "test", "folds");
  Columns c;
  c.n_classes = 2 + s.below(3, 0);
  const std::uint32_t n_groups = 30 + s.below(120, 1);
  for (std::uint32_t g = 0; g < n_groups; ++g) {
    const std::uint32_t size = 1 + (s.uniform(g, 1) < 0.3 ? s.below(20, g, 2) : 0);
    const auto of_group =
        static_cast<std::int32_t>(s.below(static_cast<std::uint32_t>(c.n_classes), g, 3));
    for (std::uint32_t k = 0; k < size; ++k) {
      c.group.push_back(static_cast<std::int32_t>(5 * g + 2));
      const auto own =
          static_cast<std::int32_t>(s.below(static_cast<std::uint32_t>(c.n_classes), k, 4, g));
      c.label.push_back(seed % 2 ? own : of_group);
    }
  }
  return c;
}

SplitOptions kfold(Index count, Index seed = 0) {
  SplitOptions options;
  options.scheme = Scheme::kfold;
  options.count = count;
  options.seed = seed;
  return options;
}

// The sum that deal_folds makes small, counted anew.
double imbalance(const Columns& c, const std::vector<Index>& fold, Index n_folds) {
  double sum = 0;
  for (Index f = 0; f < n_folds; ++f) {
    double all = 0;
    for (std::int32_t label = 0; label < c.n_classes; ++label) {
      double here = 0, total = 0;
      for (std::size_t i = 0; i < fold.size(); ++i) {
        if (c.label[i] != label) continue;
        total += 1;
        here += fold[i] == f;
      }
      if (total > 0) sum += here * here / total;
      all += here;
    }
    sum += all * all / static_cast<double>(fold.size());
  }
  return sum;
}

TEST(Folds, EveryExampleIsTestedInExactlyOneOfThem) {
  for (std::uint64_t d = 0; d < 20; ++d) {
    const Columns c = random_columns(d);
    const SplitOptions options = kfold(2 + static_cast<Index>(d % 5));
    std::vector<int> tested(c.label.size());
    for (Index f = 0; f < options.n_folds(); ++f) {
      std::vector<int> seen(c.label.size());
      const SplitIndices parts = split_examples(c.view(), options, c.names(), f);
      for (const auto& part : parts) {
        EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
        for (const Index i : part) ++seen[static_cast<std::size_t>(i)];
      }
      EXPECT_EQ(seen, std::vector<int>(c.label.size(), 1));
      for (const Index i : parts[2]) ++tested[static_cast<std::size_t>(i)];
    }
    EXPECT_EQ(tested, std::vector<int>(c.label.size(), 1));
  }
}

// So validation examples come from training groups alone, too.
TEST(Folds, NoGroupIsCutApart) {
  for (std::uint64_t d = 0; d < 20; ++d) {
    const Columns c = random_columns(d);
    const SplitOptions options = kfold(5, static_cast<Index>(d));
    for (Index f = 0; f < 5; ++f) {
      std::map<std::int32_t, std::set<std::size_t>> parts_of;
      const SplitIndices parts = split_examples(c.view(), options, c.names(), f);
      for (std::size_t p = 0; p < 3; ++p)
        for (const Index i : parts[p]) parts_of[c.group[static_cast<std::size_t>(i)]].insert(p);
      for (const auto& [group, where] : parts_of) EXPECT_EQ(where.size(), 1U) << group;
    }
  }
}

// Whole groups allow no better by moving one: that is what the header promises.
TEST(Folds, NoMoveOfOneGroupEvensThemOut) {
  for (std::uint64_t d = 0; d < 12; ++d) {
    const Columns c = random_columns(d);
    const SplitOptions options = kfold(3 + static_cast<Index>(d % 3), 7);
    const std::vector<Index> dealt = deal_folds(c.view(), options, c.names());
    const double reached = imbalance(c, dealt, options.n_folds());
    const std::set<std::int32_t> groups(c.group.begin(), c.group.end());
    for (const std::int32_t group : groups)
      for (Index f = 0; f < options.n_folds(); ++f) {
        std::vector<Index> other = dealt;
        for (std::size_t i = 0; i < other.size(); ++i)
          if (c.group[i] == group) other[i] = f;
        EXPECT_GE(imbalance(c, other, options.n_folds()), reached - 1e-6);
      }
  }
}

// Blind to classes, two folds whose sizes differ by more than a group of the larger would be evened
// out by moving it.
TEST(Folds, SizesDifferByNoMoreThanTheSmallestGroupOfTheLarger) {
  for (std::uint64_t d = 0; d < 20; ++d) {
    Columns c = random_columns(d);
    c.n_classes = 1;
    c.label.assign(c.label.size(), 0);
    SplitOptions options = kfold(5);
    options.stratify = SplitOptions::Stratify::none;
    const std::vector<Index> fold = deal_folds(c.view(), options, c.names());
    std::vector<Index> size(5), smallest(5, c.size());
    for (std::size_t i = 0; i < fold.size(); ++i) {
      const auto f = static_cast<std::size_t>(fold[i]);
      ++size[f];
      smallest[f] =
          std::min<Index>(smallest[f], std::count(c.group.begin(), c.group.end(), c.group[i]));
    }
    for (std::size_t a = 0; a < 5; ++a)
      for (std::size_t b = 0; b < 5; ++b) EXPECT_LE(size[a] - size[b], smallest[a]);
  }
}

TEST(Folds, OfSingleExamplesHaveEachClassToWithinOne) {
  Columns c = random_columns(3);
  SplitOptions options = kfold(4);
  options.by = SplitOptions::By::example;
  const std::vector<Index> fold = deal_folds(c.view(), options, c.names());
  for (std::int32_t label = 0; label < c.n_classes; ++label) {
    std::vector<Index> n(4);
    for (std::size_t i = 0; i < fold.size(); ++i)
      if (c.label[i] == label) ++n[static_cast<std::size_t>(fold[i])];
    EXPECT_LE(*std::max_element(n.begin(), n.end()) - *std::min_element(n.begin(), n.end()), 1);
  }
}

TEST(Folds, DependOnTheSplitSeedAlone) {
  const Columns c = random_columns(4);
  const auto one = split_examples(c.view(), kfold(5), c.names(), 2);
  EXPECT_EQ(one, split_examples(c.view(), kfold(5), c.names(), 2));
  EXPECT_NE(one[2], split_examples(c.view(), kfold(5, 1), c.names(), 2)[2]);
  // Which folds are trials moves none of them.
  SplitOptions some = kfold(5);
  some.test = std::vector<Index>{2};
  EXPECT_EQ(one, split_examples(c.view(), some, c.names(), 2));
}

TEST(Folds, ValidationIsDrawnAnewForEveryFold) {
  const Columns c = random_columns(5);
  const auto a = split_examples(c.view(), kfold(5), c.names(), 0);
  const auto b = split_examples(c.view(), kfold(5), c.names(), 1);
  EXPECT_NEAR(static_cast<double>(a[1].size()) / static_cast<double>(a[0].size() + a[1].size()),
              0.15, 0.05);
  // One draw for both would give the groups that are in neither test fold the same part.
  std::vector<Index> common;
  std::set_intersection(a[1].begin(), a[1].end(), b[1].begin(), b[1].end(),
                        std::back_inserter(common));
  EXPECT_LT(2 * common.size(), a[1].size() + b[1].size());
}

std::string error_of(const Columns& c, const SplitOptions& options, std::optional<Index> fold = 0) {
  try {
    split_examples(c.view(), options, {"no", "yes"}, fold);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Folds, ThatCannotBeSayWhatToDo) {
  Columns c;
  c.label = {0, 0, 0, 1, 1, 0, 1, 0};
  c.group = {1, 1, 2, 3, 3, 4, 3, 4};
  EXPECT_EQ(
      error_of(c, kfold(5)),
      "data.split.count=5 is more than the 4 groups of these 8 examples. Set data.split.count "
      "to at most 4, or data.split.by=example");
  EXPECT_THAT(error_of(c, kfold(2)),
              AllOf(HasSubstr("class 'yes' has one group only, with 3 of its examples, so that k "
                              "folds cannot hold it out"),
                    HasSubstr("or set data.split.by=example"), Not(HasSubstr("data.split.seed"))));
  EXPECT_EQ(error_of(c, kfold(3), 3),
            "data.split.scheme=kfold has folds 0 to 2, and fold 3 was asked for");
  EXPECT_EQ(error_of(c, kfold(3), std::nullopt),
            "data.split.scheme=kfold has folds 0 to 2, and none was asked for");
  c.group = {1, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_THAT(error_of(c, kfold(3)), HasSubstr("when fold 0 of 3 is tested"));
}

// Each group tested alone, though it holds one class: who pools the folds has both.
TEST(Folds, MayLackAClass) {
  Columns c;
  for (std::int32_t g = 0; g < 6; ++g)
    for (int k = 0; k < 3; ++k) {
      c.group.push_back(g);
      c.label.push_back(g % 2);
    }
  SplitOptions options = kfold(6);
  options.val = 0.3;
  EXPECT_EQ(error_of(c, options), "no error");
}

// Three groups of both classes in two folds: one fold leaves one group to train on, which no share
// for validation can divide.
TEST(Folds, AdviceIsOfWhatWorksForAllFolds) {
  Columns c;
  for (std::int32_t i = 0; i < 60; ++i) {
    c.group.push_back(i % 3);
    c.label.push_back(i / 3 % 2);
  }
  for (const double share : {0.2, 0.5, 0.9}) {
    SplitOptions options = kfold(2);
    options.val = share;
    const std::string error = error_of(c, options, 0) + error_of(c, options, 1);
    EXPECT_THAT(error, AllOf(HasSubstr("data.split.by=example, or data.split.val=0 with "
                                       "select.how=last"),
                             Not(HasSubstr("What works is data.split.val=0."))));
    options.by = SplitOptions::By::example;
    EXPECT_EQ(error_of(c, options, 0) + error_of(c, options, 1), "no errorno error");
    options.by = SplitOptions::By::group;
    options.val = 0;
    EXPECT_EQ(error_of(c, options, 0) + error_of(c, options, 1), "no errorno error");
  }
  SplitOptions options = kfold(3);
  options.val = 0.1;
  EXPECT_THAT(error_of(c, options), HasSubstr("What works is data.split.val=0.3, or"));
  options.val = 0.3;
  EXPECT_EQ(error_of(c, options), "no error");
}

}  // namespace
}  // namespace attune
