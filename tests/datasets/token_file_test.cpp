#include "datasets/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "datasets/vector_file.h"
#include "h5/h5.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TokenTable two_sequences() {
  TokenTable table;
  table.tokens = {2, 0, 1, 1, 2};
  table.offsets = {0, 3, 5};
  table.vocabulary = {"a", "b", "c"};
  table.label = {1, 0};
  table.group = {7, 7};
  table.class_names = {"no", "yes"};
  return table;
}

VectorTable two_vectors() {
  VectorTable table;
  table.width = 3;
  table.x = {0, 1, 2, 3, 4, -5.5F};
  table.label = {1, 0};
  table.group = {4, 5};
  table.class_names = {"no", "yes"};
  table.feature_names = {"age", "size", "dose"};
  return table;
}

TEST(TokenFile, WhatIsWrittenIsRead) {
  const TestFolder folder;
  TokenTable table = two_sequences();
  table.split = {0, 2};
  write_token_file(folder / "t.h5", table);
  EXPECT_THAT(dataset_file_faults(folder / "t.h5"), IsEmpty());
  const TokenTable read = read_token_file(folder / "t.h5").table;
  EXPECT_EQ(read.tokens, table.tokens);
  EXPECT_EQ(read.offsets, table.offsets);
  EXPECT_EQ(read.vocabulary, table.vocabulary);
  EXPECT_EQ(read.label, table.label);
  EXPECT_EQ(read.group, table.group);
  EXPECT_EQ(read.split, table.split);
  EXPECT_EQ(read.class_names, table.class_names);
}

std::string column(const char* name, std::initializer_list<int> values, int bytes) {
  std::string text = std::string(name) + "\n";
  for (const int v : values) {
    text += static_cast<char>(v);
    text += std::string(static_cast<std::size_t>(bytes - 1), '\0');
  }
  return text;
}

// The definition in token_file.h, spelled out byte by byte.
TEST(TokenFile, TheContentHashIsWhatTheContractSays) {
  const TestFolder folder;
  write_token_file(folder / "t.h5", two_sequences());
  EXPECT_EQ(read_token_file(folder / "t.h5").sha256,
            sha256("attune.dataset@1 tokens\nvocabulary\na\nb\nc\nclass_names\nno\nyes\n" +
                   column("label", {1, 0}, 4) + column("group", {7, 7}, 4) +
                   column("offsets", {0, 3, 5}, 8) + column("tokens", {2, 0, 1, 1, 2}, 4)));
}

// What ten lines of h5py leave: no attribute, no name, 64-bit integers.
TEST(TokenFile, TokensAndOffsetsAloneAreAFile) {
  const TestFolder folder;
  H5File file = H5File::create(folder / "t.h5");
  file.root().write("tokens", std::vector<std::int64_t>{0, 3, 1});
  file.root().write("offsets", std::vector<std::int64_t>{0, 1, 3});
  file.close();
  EXPECT_THAT(dataset_file_faults(folder / "t.h5"), IsEmpty());
  const TokenTable table = read_token_file(folder / "t.h5").table;
  EXPECT_THAT(table.vocabulary, ElementsAre("0", "1", "2", "3"));
  EXPECT_THAT(table.group, ElementsAre(0, 1));
  EXPECT_THAT(table.label, IsEmpty());
}

std::vector<std::string> faults(const std::vector<std::int32_t>& tokens,
                                const std::vector<std::int64_t>& offsets,
                                const std::vector<std::int32_t>& labels = {}) {
  const TestFolder folder;
  H5File file = H5File::create(folder / "t.h5");
  file.root().write("tokens", tokens);
  file.root().write("offsets", offsets);
  file.root().write_texts("vocabulary", {"a", "b"});
  if (!labels.empty()) file.root().write("label", labels);
  file.close();
  return dataset_file_faults(folder / "t.h5");
}

TEST(TokenFile, EveryFaultIsOneSentence) {
  EXPECT_THAT(faults({0, 2, 1, -1}, {0, 4}),
              ElementsAre(HasSubstr("/tokens[1] is 2 and must be 0 … 1, an index into /vocabulary "
                                    "(1 more are not)")));
  EXPECT_THAT(faults({0, 1}, {1, 2}), ElementsAre(HasSubstr("/offsets[0] is 1 and must be 0")));
  EXPECT_THAT(faults({0, 1}, {0, 1, 1, 2}),
              ElementsAre(HasSubstr("/offsets[1] to [2] go from 1 to 1, and a sequence has one "
                                    "token at least")));
  EXPECT_THAT(faults({0, 1}, {0, 3}), ElementsAre(HasSubstr("/offsets ends at 3 and /tokens has "
                                                            "2 values")));
  EXPECT_THAT(faults({}, {0}), ElementsAre(HasSubstr("/offsets has no sequence")));
  EXPECT_THAT(faults({0, 1}, {0, 1, 2}, {0}),
              ElementsAre(HasSubstr("/label has shape [1] and must be [2]")));
}

TEST(TokenFile, AnotherVocabularyIsMetByName) {
  TokenTable table = two_sequences();
  renumber_tokens(table, {"c", "x", "b", "a"}, "other.h5");
  EXPECT_THAT(table.tokens, ElementsAre(0, 3, 2, 2, 0));
  table = two_sequences();
  try {
    renumber_tokens(table, {"a", "b"}, "other.h5");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("other.h5: has 1 tokens that the model was not trained "
                                        "on, such as \"c\""));
  }
}

TEST(VectorFile, WhatIsWrittenIsRead) {
  const TestFolder folder;
  write_vector_file(folder / "v.h5", two_vectors());
  EXPECT_THAT(dataset_file_faults(folder / "v.h5"), IsEmpty());
  const VectorTable read = read_vector_file(folder / "v.h5").table;
  EXPECT_EQ(read.x, two_vectors().x);
  EXPECT_EQ(read.width, 3);
  EXPECT_EQ(read.label, two_vectors().label);
  EXPECT_EQ(read.feature_names, two_vectors().feature_names);
}

TEST(VectorFile, TheContentHashIsWhatTheContractSays) {
  const TestFolder folder;
  VectorTable table = two_vectors();
  table.x = {0, 0, 0, 0, 0, 0};
  write_vector_file(folder / "v.h5", table);
  EXPECT_EQ(read_vector_file(folder / "v.h5").sha256,
            sha256("attune.dataset@1 vectors\nfeature_names\nage\nsize\ndose\nclass_names\nno\n"
                   "yes\n" +
                   column("label", {1, 0}, 4) + column("group", {4, 5}, 4) +
                   column("x", {0, 0, 0, 0, 0, 0}, 4)));
}

TEST(VectorFile, EveryFaultIsOneSentence) {
  const TestFolder folder;
  const auto faults_of = [&](const Dims& dims, const std::vector<double>& x,
                             const std::vector<std::int32_t>& labels) {
    H5File file = H5File::create(folder / "v.h5");
    file.root().write("x", dims, x.data());
    if (!labels.empty()) file.root().write("label", labels);
    file.close();
    return dataset_file_faults(folder / "v.h5");
  };
  EXPECT_THAT(faults_of({2, 2}, {0, 1, 2, 3}, {}), ElementsAre(HasSubstr("no dataset /label")));
  EXPECT_THAT(faults_of({2, 2}, {0, 1, NAN, 3}, {0, 1}),
              ElementsAre(HasSubstr("/x[1, 0] is nan in single precision and must be finite")));
  EXPECT_THAT(faults_of({4}, {0, 1, 2, 3}, {0, 1}),
              ElementsAre(HasSubstr("/x has shape [4] and must be [n, d]")));
  EXPECT_THAT(faults_of({2, 2}, {0, 1, 2, 3}, {0, 2}),
              ElementsAre(HasSubstr("/label[1] is 2 and must be 0 … 1")));
}

TEST(VectorFile, GraphsAreToldFromVectors) {
  const TestFolder folder;
  H5File file = H5File::create(folder / "g.h5");
  file.root().write("x", {1, 1}, std::vector<double>{0}.data());
  file.root().write("indptr", std::vector<std::int32_t>{0, 0});
  file.close();
  EXPECT_THAT(dataset_file_faults(folder / "g.h5"), ElementsAre(HasSubstr("graphs need")));
}

}  // namespace
}  // namespace attune
