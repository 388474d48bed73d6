#include "datasets/labelled_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "datasets/batch.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::HasSubstr;

// 40 examples of 20 groups and two classes; example i is i + 1 tokens i mod 7, or the vector (i,
// −i).
TokenTable forty_sequences() {
  TokenTable table;
  for (Index i = 0; i < 40; ++i) {
    table.tokens.insert(table.tokens.end(), static_cast<std::size_t>(i + 1),
                        static_cast<std::int32_t>(i % 7));
    table.offsets.push_back(static_cast<Index>(table.tokens.size()));
    table.label.push_back(static_cast<std::int32_t>(i % 2));
    table.group.push_back(static_cast<std::int32_t>(i / 2));
  }
  table.vocabulary = {"a", "b", "c", "d", "e", "f", "g"};
  table.class_names = {"even", "odd"};
  return table;
}

VectorTable forty_vectors() {
  VectorTable table;
  static_cast<ExampleColumns&>(table) = forty_sequences();
  table.width = 2;
  for (int i = 0; i < 40; ++i) {
    table.x.push_back(static_cast<float>(i));
    table.x.push_back(static_cast<float>(-i));
  }
  return table;
}

std::string error_of(const std::function<void()>& open) {
  try {
    open();
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class LabelledRowsTest : public testing::Test {
 protected:
  LabelledRowsTest() {
    write_token_file(tokens_path_, forty_sequences());
    write_vector_file(vectors_path_, forty_vectors());
    tokens_.file = tokens_path_;
    vectors_.file = vectors_path_;
  }
  TestFolder folder_;
  std::string tokens_path_ = folder_ / "t.h5", vectors_path_ = folder_ / "v.h5";
  TokensOptions tokens_;
  VectorsOptions vectors_;
};

TEST_F(LabelledRowsTest, ExamplesAreThoseOfTheFile) {
  const auto sequences = tokens_.open({});
  const auto vectors = vectors_.open({});
  std::set<Index> ids;
  for (const Split split : kSplits)
    for (Index i = 0; i < sequences->n_examples(split); ++i) {
      const Example e = sequences->example(split, i);
      ids.insert(e.id);
      EXPECT_EQ(e.n_tokens(), e.id + 1);
      EXPECT_EQ(e.label, e.id % 2);
      EXPECT_EQ(e.group, e.id / 2);
      std::vector<std::int32_t> tokens(static_cast<std::size_t>(e.n_tokens()));
      sequences->write(split, i, {.tokens = tokens.data()});
      for (const std::int32_t token : tokens) EXPECT_EQ(token, e.id % 7);

      const Example v = vectors->example(split, i);
      EXPECT_EQ(v.id, e.id);  // the same columns, the same split
      EXPECT_EQ(v.n_tokens(), 1);
      float x[2];
      vectors->write(split, i, {.values = x});
      EXPECT_EQ(x[0], static_cast<float>(v.id));
      EXPECT_EQ(x[1], -static_cast<float>(v.id));
    }
  EXPECT_EQ(ids.size(), 40U);
  EXPECT_EQ(sequences->vocabulary(), 7);
  EXPECT_EQ(vectors->width(), 2);
}

TEST_F(LabelledRowsTest, GroupsStayWholeAndFoldsTestEachExampleOnce) {
  vectors_.split.scheme = SplitOptions::Scheme::kfold;
  vectors_.split.count = 4;
  EXPECT_EQ(vectors_.folds().count, 4);
  std::multiset<Index> tested;
  for (Index fold = 0; fold < 4; ++fold) {
    const auto data = vectors_.open({.fold = fold});
    std::set<Index> train, test;
    for (Index i = 0; i < data->n_examples(Split::train); ++i)
      train.insert(data->example(Split::train, i).group);
    for (Index i = 0; i < data->n_examples(Split::test); ++i) {
      tested.insert(data->example(Split::test, i).id);
      test.insert(data->example(Split::test, i).group);
    }
    for (const Index group : test) EXPECT_FALSE(train.contains(group));
  }
  EXPECT_EQ(tested.size(), 40U);
  EXPECT_EQ(std::set<Index>(tested.begin(), tested.end()).size(), 40U);
}

TEST_F(LabelledRowsTest, ABatchPacksThem) {
  const auto sequences = tokens_.open({});
  const std::vector<Index> two = {3, 0};
  Batch batch;
  batch.assemble(*sequences, Split::train, two);
  const Index n = sequences->example(Split::train, 3).n_tokens();
  EXPECT_EQ(batch.rows().offsets[1], n);
  EXPECT_EQ(batch.tokens()[n], sequences->example(Split::train, 0).id % 7);
  EXPECT_EQ(batch.targets().size(), 2);
  EXPECT_FALSE(batch.rows().grid);
}

TEST_F(LabelledRowsTest, SequencesWithoutLabelsAreATextToContinue) {
  TokenTable table = forty_sequences();
  table.label.clear();
  table.class_names.clear();
  write_token_file(tokens_path_, table);
  EXPECT_THAT(error_of([&] { tokens_.open({}); }),
              AllOf(HasSubstr("have no /label"), HasSubstr("data.kind=text")));
}

TEST_F(LabelledRowsTest, AFileOfAnotherKindIsNamed) {
  tokens_.file = vectors_path_;
  EXPECT_THAT(error_of([&] { tokens_.open({}); }), HasSubstr("there is no dataset /tokens"));
  vectors_.file = tokens_path_;
  EXPECT_THAT(error_of([&] { vectors_.open({}); }), HasSubstr("there is no dataset /x"));
  vectors_.file = folder_ / "gone.h5";
  EXPECT_THAT(error_of([&] { vectors_.open({}); }),
              AllOf(HasSubstr("does not exist"), HasSubstr("import --kind vectors")));
}

TEST_F(LabelledRowsTest, OtherFilesAreMetByNamesOfClassesAndTokens) {
  TokenTable other;
  other.tokens = {0, 1, 1};
  other.offsets = {0, 1, 3};
  other.vocabulary = {"g", "b"};
  other.label = {0, 1};
  other.class_names = {"odd", "even"};
  write_token_file(folder_ / "o.h5", other);
  const auto trained = tokens_.open({});
  const TrainedOn model{.class_names = trained->class_names(),
                        .token_names = trained->token_names()};
  const auto data = tokens_.open_other(folder_ / "o.h5", 16, model);
  ASSERT_EQ(data->n_examples(Split::test), 2);
  EXPECT_EQ(data->example(Split::test, 0).label, 1);
  std::int32_t token = -1;
  data->write(Split::test, 0, {.tokens = &token});
  EXPECT_EQ(token, 6);
  EXPECT_EQ(data->vocabulary(), 7);

  EXPECT_EQ(vectors_.open_other(vectors_path_, 16, {.class_names = {"odd", "even"}, .width = 2})
                ->example(Split::test, 0)
                .label,
            1);
  EXPECT_THAT(
      error_of([&] {
        vectors_.open_other(vectors_path_, 16, {.class_names = {"odd", "even"}, .width = 3});
      }),
      HasSubstr("its vectors have 2 values, the model was trained on 3"));
  EXPECT_THAT(error_of([&] {
                vectors_.open_other(vectors_path_, 16, {.class_names = {"even"}, .width = 2});
              }),
              HasSubstr("has vectors of odd, which the model was not trained on"));
}

}  // namespace
}  // namespace attune
