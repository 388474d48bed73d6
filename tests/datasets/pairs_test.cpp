#include "datasets/pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "h5/h5.h"
#include "tests/datasets/rows.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void add(TokenSequences& to, const std::vector<std::int32_t>& tokens) {
  to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
  to.offsets.push_back(static_cast<Index>(to.tokens.size()));
}

PairTable two_pairs() {
  PairTable table;
  add(table.input, {1, 0});
  add(table.input, {1});
  table.input.vocabulary = {"a", "b"};
  add(table.answer, {0});
  add(table.answer, {2, 1, 0});
  table.answer.vocabulary = {"x", "y", "z"};
  table.group = {7, 7};
  return table;
}

// --- the file

TEST(PairFile, WhatIsWrittenIsRead) {
  const TestFolder folder;
  PairTable table = two_pairs();
  table.split = {0, 2};
  write_pair_file(folder / "p.h5", table);
  EXPECT_THAT(dataset_file_faults(folder / "p.h5"), IsEmpty());
  const PairTable read = read_pair_file(folder / "p.h5").table;
  EXPECT_EQ(read.input.tokens, table.input.tokens);
  EXPECT_EQ(read.input.offsets, table.input.offsets);
  EXPECT_EQ(read.input.vocabulary, table.input.vocabulary);
  EXPECT_EQ(read.answer.tokens, table.answer.tokens);
  EXPECT_EQ(read.answer.offsets, table.answer.offsets);
  EXPECT_EQ(read.answer.vocabulary, table.answer.vocabulary);
  EXPECT_EQ(read.group, table.group);
  EXPECT_EQ(read.split, table.split);
}

std::string column(const char* name, std::initializer_list<int> values, int bytes) {
  std::string text = std::string(name) + "\n";
  for (const int v : values) {
    text += static_cast<char>(v);
    text += std::string(static_cast<std::size_t>(bytes - 1), '\0');
  }
  return text;
}

// The definition in pair_file.h, spelled out byte by byte.
TEST(PairFile, TheContentHashIsWhatTheContractSays) {
  const TestFolder folder;
  PairTable table = two_pairs();
  table.split = {0, 2};
  write_pair_file(folder / "p.h5", table);
  EXPECT_EQ(
      read_pair_file(folder / "p.h5").sha256,
      sha256("attune.dataset@1 pairs\nvocabulary\na\nb\nanswer_vocabulary\nx\ny\nz\n" +
             column("group", {7, 7}, 4) + column("split", {0, 2}, 4) +
             column("offsets", {0, 2, 3}, 8) + column("tokens", {1, 0, 1}, 4) +
             column("answer_offsets", {0, 1, 4}, 8) + column("answer_tokens", {0, 2, 1, 0}, 4)));
}

std::vector<std::string> faults(const std::vector<std::int64_t>& offsets,
                                const std::vector<std::int32_t>& answers,
                                const std::vector<std::int64_t>& answer_offsets) {
  const TestFolder folder;
  H5File file = H5File::create(folder / "p.h5");
  file.root().write("tokens", std::vector<std::int32_t>{0, 1, 1});
  file.root().write("offsets", offsets);
  file.root().write("answer_tokens", answers);
  file.root().write("answer_offsets", answer_offsets);
  file.root().write_texts("answer_vocabulary", {"x", "y"});
  file.close();
  return dataset_file_faults(folder / "p.h5");
}

TEST(PairFile, FaultsOfInputsAndAnswersAreToldAtOnce) {
  EXPECT_THAT(faults({0, 1, 3}, {0, 1}, {0, 1, 2}), IsEmpty());
  EXPECT_THAT(faults({0, 1, 2}, {0, 2}, {0, 0, 2}),
              ElementsAre(HasSubstr("/offsets ends at 2 and /tokens has 3 values"),
                          HasSubstr("/answer_tokens[1] is 2 and must be 0 … 1, an index into "
                                    "/answer_vocabulary"),
                          HasSubstr("/answer_offsets[0] to [1] go from 0 to 0")));
  EXPECT_THAT(faults({0, 1, 3}, {0, 1}, {0, 2}),
              ElementsAre(HasSubstr("/offsets has 2 sequences and /answer_offsets 1: each needs "
                                    "its answer")));
}

TEST(PairFile, AChangedAnswerIsToldByTheHash) {
  const TestFolder folder;
  write_pair_file(folder / "p.h5", two_pairs());
  const std::string before = read_pair_file(folder / "p.h5").sha256;
  PairTable other = two_pairs();
  other.answer.tokens[0] = 1;
  write_pair_file(folder / "p.h5", other);
  EXPECT_NE(read_pair_file(folder / "p.h5").sha256, before);
}

// --- data.kind: pairs

// Pair i of 60, of group i / 2: i + 1 times the token i mod 3, answered by i mod 4 and i mod 5.
PairTable sixty_pairs() {
  PairTable table;
  for (std::int32_t i = 0; i < 60; ++i) {
    add(table.input, std::vector<std::int32_t>(static_cast<std::size_t>(i + 1), i % 3));
    add(table.answer, {i % 4, i % 5});
    table.group.push_back(i / 2);
  }
  table.input.vocabulary = {"a", "b", "c"};
  table.answer.vocabulary = {"v", "w", "x", "y", "z"};
  return table;
}

class PairsTest : public testing::Test {
 protected:
  PairsTest() {
    write_pair_file(path_, sixty_pairs());
    options_.file = path_;
  }
  std::set<Index> ids(Split split) const {
    const auto data = options_.open({});
    std::set<Index> ids;
    for (Index i = 0; i < data->n_examples(split); ++i) ids.insert(data->example(split, i).id);
    return ids;
  }
  std::set<Index> all_ids() const {
    std::set<Index> all;
    for (const Split split : kSplits) all.merge(ids(split));
    return all;
  }
  TestFolder folder_;
  std::string path_ = folder_ / "p.h5";
  PairsOptions options_;
};

TEST_F(PairsTest, AnAnswerIsAskedForBehindTheBoundaryAndEndsWithIt) {
  const auto data = options_.open({});
  const RowSpec spec = data->spec();
  EXPECT_EQ(spec.vocabulary, 3);
  EXPECT_EQ(spec.n_classes, 6);
  EXPECT_EQ(spec.queries->vocabulary, 6);
  EXPECT_EQ(spec.queries->longest, 3);
  EXPECT_TRUE(spec.queries->decoded);
  EXPECT_THAT(data->class_names(), ElementsAre("v", "w", "x", "y", "z", "(end)"));
  std::set<Index> seen;
  for (const Split split : kSplits)
    for (Index i = 0; i < data->n_examples(split); ++i) {
      const Rows rows = rows_of(*data, split, i);
      const Example& e = rows.example;
      const auto first = static_cast<std::int32_t>(e.id % 4),
                 second = static_cast<std::int32_t>(e.id % 5);
      EXPECT_TRUE(seen.insert(e.id).second);
      EXPECT_EQ(e.group, e.id / 2);
      EXPECT_EQ(rows.tokens, std::vector<std::int32_t>(static_cast<std::size_t>(e.id + 1),
                                                       static_cast<std::int32_t>(e.id % 3)));
      EXPECT_THAT(rows.query_tokens, ElementsAre(5, first, second));
      EXPECT_THAT(rows.targets, ElementsAre(first, second, 5));
    }
  EXPECT_EQ(seen.size(), 60U);
}

TEST_F(PairsTest, GroupsStayWhole) {
  const auto train = ids(Split::train), test = ids(Split::test);
  EXPECT_EQ(test.size(), 12U);  // .2 of 60
  for (const Index id : test) {
    EXPECT_TRUE(test.contains(id ^ 1));
    EXPECT_FALSE(train.contains(id ^ 1));
  }
}

TEST_F(PairsTest, ASubsetIsDrawnByTheSeedOfTheSplitAndGrowsByMorePairs) {
  options_.n = 20;
  const auto few = all_ids();
  EXPECT_EQ(few.size(), 20U);
  EXPECT_EQ(all_ids(), few);
  // Not the first of the file: their mean place is 29.5, with deviation 17.3 / √20 · √(40 / 59).
  double mean = 0;
  for (const Index id : few) mean += static_cast<double>(id) / 20;
  EXPECT_NEAR(mean, 29.5, 4 * 3.2);
  options_.n = 40;
  const auto more = all_ids();
  EXPECT_EQ(more.size(), 40U);
  for (const Index id : few) EXPECT_TRUE(more.contains(id));
  options_.split.seed = 1;
  EXPECT_NE(all_ids(), more);
  options_.n = 60;
  EXPECT_EQ(all_ids().size(), 60U);
}

TEST_F(PairsTest, MorePairsThanThereAreIsAnErrorAtItsKey) {
  options_.n = 61;
  try {
    options_.open({});
    FAIL();
  } catch (const KeyedDataError& error) {
    EXPECT_EQ(error.complaint().key, "data.n");
    EXPECT_THAT(error.what(), HasSubstr("data.n=61 pairs cannot be had of the 60 in"));
  }
}

TEST_F(PairsTest, TheFilesOwnSplitHoldsForASubsetToo) {
  PairTable table = sixty_pairs();
  for (std::int32_t i = 0; i < 60; ++i) table.split.push_back(i % 3);
  table.group.clear();
  write_pair_file(path_, table);
  options_.n = 30;
  options_.split.scheme = SplitOptions::Scheme::given;
  std::size_t n = 0;
  for (const Split split : kSplits)
    for (const Index id : ids(split)) {
      EXPECT_EQ(id % 3, static_cast<Index>(split));
      ++n;
    }
  EXPECT_EQ(n, 30U);
}

TEST_F(PairsTest, AnotherFileIsReadInTheIdsThatTheModelKnows) {
  const auto own = options_.open({});
  const TrainedOn trained{.class_names = own->class_names(), .token_names = own->token_names()};
  PairTable other = two_pairs();  // "b a" is "x", "b" is "z y x"
  write_pair_file(folder_ / "other.h5", other);
  const auto data = options_.open_other(folder_ / "other.h5", 16, trained);
  EXPECT_EQ(data->n_examples(Split::test), 2);
  EXPECT_EQ(data->class_names(), own->class_names());
  EXPECT_THAT(rows_of(*data, Split::test, 0).tokens, ElementsAre(1, 0));
  EXPECT_THAT(rows_of(*data, Split::test, 1).targets, ElementsAre(4, 3, 2, 5));

  // The boundary's name is no token.
  other.answer.vocabulary = {"x", "y", "(end)"};
  write_pair_file(folder_ / "other.h5", other);
  try {
    options_.open_other(folder_ / "other.h5", 16, trained);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 tokens that the model was not trained on, such as "
                                        "\"(end)\""));
    EXPECT_THAT(error.what(), HasSubstr("/answer_vocabulary"));
  }
}

}  // namespace
}  // namespace attune
