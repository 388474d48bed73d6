#include "import/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/error.h"
#include "datasets/pair_file.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Tables : public testing::Test {
 protected:
  TableOptions options(const std::string& text, const std::string& name = "in.csv") {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return {folder_ / name, folder_ / "out.h5", columns_};
  }
  TokenTable tokens(const std::string& text, const std::string& name = "in.csv") {
    report_ = import_tokens(options(text, name));
    EXPECT_THAT(dataset_file_faults(folder_ / "out.h5"), IsEmpty());
    return read_token_file(folder_ / "out.h5").table;
  }
  VectorTable vectors(const std::string& text) {
    report_ = import_vectors(options(text));
    EXPECT_THAT(dataset_file_faults(folder_ / "out.h5"), IsEmpty());
    return read_vector_file(folder_ / "out.h5").table;
  }
  PairTable pairs(const std::string& text) {
    report_ = import_pairs(options(text));
    EXPECT_THAT(dataset_file_faults(folder_ / "out.h5"), IsEmpty());
    return read_pair_file(folder_ / "out.h5").table;
  }
  // The message of an import that must fail and leave nothing.
  template <class Import>
  std::string failure(const Import& import, const std::string& text,
                      const std::string& name = "in.csv") {
    try {
      import(options(text, name));
    } catch (const DataError& error) {
      EXPECT_FALSE(std::filesystem::exists(folder_ / "out.h5"));
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  TestFolder folder_;
  LabelColumns columns_;
  TableReport report_;
};

TEST_F(Tables, WordsBecomeIdsOfAVocabularyInOrder) {
  const TokenTable table = tokens(
      "label,tokens,group,split\nbad,the plot  is thin,g1,train\n"
      "good,\"the cast, is\tgreat\",g2,test\n");
  EXPECT_THAT(table.vocabulary, ElementsAre("cast,", "great", "is", "plot", "the", "thin"));
  EXPECT_THAT(table.tokens, ElementsAre(4, 3, 2, 5, 4, 0, 2, 1));
  EXPECT_THAT(table.offsets, ElementsAre(0, 4, 8));
  EXPECT_THAT(table.class_names, ElementsAre("bad", "good"));
  EXPECT_THAT(table.label, ElementsAre(0, 1));
  EXPECT_THAT(table.split, ElementsAre(0, 2));
  EXPECT_NE(table.group[0], table.group[1]);
}

TEST_F(Tables, PairsHaveAVocabularyForInputsAndOneForAnswers) {
  columns_.input = "word";
  const PairTable table = pairs(
      "word,answer,group,split,label\nt o,T UW,to,train,\no,OW,o,test,\nt w o,T UW,two,val,\n");
  EXPECT_THAT(table.input.vocabulary, ElementsAre("o", "t", "w"));
  EXPECT_THAT(table.input.tokens, ElementsAre(1, 0, 0, 1, 2, 0));
  EXPECT_THAT(table.input.offsets, ElementsAre(0, 2, 3, 6));
  EXPECT_THAT(table.answer.vocabulary, ElementsAre("OW", "T", "UW"));
  EXPECT_THAT(table.answer.tokens, ElementsAre(1, 2, 0, 1, 2));
  EXPECT_THAT(table.answer.offsets, ElementsAre(0, 2, 3, 5));
  EXPECT_THAT(table.split, ElementsAre(0, 2, 1));
  EXPECT_EQ(std::set<std::int32_t>(table.group.begin(), table.group.end()).size(), 3U);
  const std::string text = table_report_text(report_);
  EXPECT_THAT(text, HasSubstr("3 pairs of sequences, inputs of 3 different tokens and answers of "
                              "3\n"));
  EXPECT_THAT(text, HasSubstr("input length           1       2       3\n"));
  EXPECT_THAT(text, HasSubstr("answer length          1       2       2\n"));
  EXPECT_THAT(text, Not(HasSubstr("data.kind=text")));
  const Json json = table_report_json(report_);
  EXPECT_EQ(*json.find("vocabulary")->integer(), 3);
  EXPECT_EQ(*json.find("answer_tokens")->find("max")->integer(), 2);
}

TEST_F(Tables, FaultyPairsAreAllNamed) {
  EXPECT_THAT(failure(import_pairs, "input,answer\na,x\n,x\nb,\n"),
              AllOf(HasSubstr("2 faults:"), HasSubstr("in.csv:3: has no input"),
                    HasSubstr("in.csv:4: has no answer")));
  EXPECT_THAT(failure(import_pairs, "input\na\n"), HasSubstr("has no column 'answer'"));
  EXPECT_THAT(failure(import_pairs, "input,answer\n"), HasSubstr("has no rows"));
}

// Else a model is tested on inputs that it was trained on.
TEST_F(Tables, EqualInputsOfSeveralGroupsAreWarnedOf) {
  pairs("input,answer\na b,x\na b,y\nb,x\n");
  ASSERT_EQ(report_.equal.size(), 1U);
  EXPECT_THAT(report_.equal[0].lines, ElementsAre(2, 3));
  EXPECT_THAT(table_report_text(report_), HasSubstr("1 sets of equal inputs"));
  pairs("input,answer,group\na b,x,1\na b,y,1\nb,x,2\n");
  EXPECT_THAT(report_.equal, IsEmpty());
}

TEST_F(Tables, IdsAreOrderedByNumberAndKeepTheirNames) {
  const TokenTable table = tokens("tokens,label\n10 9 2,1\n2 10,0\n");
  EXPECT_THAT(table.vocabulary, ElementsAre("2", "9", "10"));
  EXPECT_THAT(table.tokens, ElementsAre(2, 1, 0, 0, 2));
}

TEST_F(Tables, ATextIsOneSequenceOfItsCharacters) {
  const TokenTable table = tokens("b\xc3\xa9 a\nb", "in.txt");
  EXPECT_THAT(table.vocabulary, ElementsAre("\n", " ", "a", "b", "\xc3\xa9"));
  EXPECT_THAT(table.tokens, ElementsAre(3, 4, 1, 2, 0, 3));
  EXPECT_THAT(table.offsets, ElementsAre(0, 6));
  EXPECT_THAT(table.label, IsEmpty());
}

TEST_F(Tables, SequencesMayHaveNoLabels) {
  EXPECT_THAT(tokens("tokens\na b\nb\n").label, IsEmpty());
}

TEST_F(Tables, AColumnThatIsNamedMustBeThere) {
  columns_.label = "class";
  EXPECT_THAT(failure(import_tokens, "tokens\na b\n"), HasSubstr("has no column 'class'"));
}

TEST_F(Tables, ColumnsOfNumbersAreFeatures) {
  const VectorTable table =
      vectors("id,a,label,note,b\nx1,1,no,good,-2.5e-3\nx2,.5,yes,better,4\n");
  EXPECT_THAT(table.feature_names, ElementsAre("a", "b"));
  EXPECT_THAT(table.x, ElementsAre(1, -2.5e-3F, 0.5F, 4));
  EXPECT_THAT(table.label, ElementsAre(0, 1));
  EXPECT_THAT(table.group, ElementsAre(0, 1));
  EXPECT_THAT(report_.left_out, ElementsAre("id", "note"));
}

TEST_F(Tables, AllFaultyLinesAreNamed) {
  EXPECT_THAT(failure(import_tokens, "tokens,label,split\na,x,train\n,x,val\nb,,2\nc,x,dev\n"),
              AllOf(HasSubstr("3 faults:"), HasSubstr("in.csv:3: has no tokens"),
                    HasSubstr("in.csv:4: has no label"),
                    HasSubstr("in.csv:5: split 'dev' is none of train, val, test"),
                    HasSubstr("Nothing was written")));
  EXPECT_THAT(failure(import_vectors, "a,b,label,group\n1,2,x,g\n1,?,x,g\nnan,2,x,g\n1,1e300,x,\n"),
              AllOf(HasSubstr("4 faults:"),
                    HasSubstr("in.csv:3: column 'b' holds '?' here and a number in line 2"),
                    HasSubstr("in.csv:4: column 'a' holds nan, no finite number"),
                    HasSubstr("in.csv:5: column 'b' holds 1e300, no finite number"),
                    HasSubstr("in.csv:5: has no group")));
}

TEST_F(Tables, WhatIsNoTableSaysWhy) {
  EXPECT_THAT(failure(import_vectors, "a,label\n"), HasSubstr("has no rows"));
  EXPECT_THAT(failure(import_vectors, "a,label\nx,y\n"), HasSubstr("has no column of numbers"));
  EXPECT_THAT(failure(import_vectors, "a,b\n1,2\n"),
              HasSubstr("has no column 'label'; it has a, b. Say which one it is with --columns "
                        "label=NAME"));
  EXPECT_THAT(failure(import_vectors, "a,a,label\n1,2,x\n"), HasSubstr("two columns of numbers"));
  EXPECT_THAT(failure(import_tokens, "words,label\na,x\n"), HasSubstr("has no column 'tokens'"));
  EXPECT_THAT(failure(import_tokens, "", "in.txt"), HasSubstr("is empty"));
  EXPECT_THAT(failure(import_tokens, "caf\xe9", "in.txt"),
              HasSubstr("in.txt:1: is no text in UTF-8"));
}

TEST_F(Tables, TheSourceIsNeverTheOutput) {
  TableOptions same = options("tokens\na\n");
  same.output = same.source;
  EXPECT_THROW(import_tokens(same), ConfigError);
  EXPECT_TRUE(std::filesystem::exists(same.source));
}

TEST_F(Tables, EqualRowsOfOtherGroupsOrLabelsAreWarnedOf) {
  tokens("tokens,label,group\na b,x,1\na b,x,1\nc,x,1\nc,y,1\na,x,1\na,x,2\n");
  ASSERT_EQ(report_.equal.size(), 2U);
  EXPECT_THAT(report_.equal[0].lines, ElementsAre(4, 5));
  EXPECT_TRUE(report_.equal[0].across_labels);
  EXPECT_THAT(report_.equal[1].lines, ElementsAre(6, 7));
  EXPECT_TRUE(report_.equal[1].across_groups);
  EXPECT_THAT(table_report_text(report_), HasSubstr("lines 4 = 5: different labels"));
}

TEST_F(Tables, FeaturesOfOtherScalesAreWarnedOf) {
  vectors("a,b,c,label\n1,1000000,7,x\n2,3000000,7,y\n");
  EXPECT_THAT(report_.uneven, ElementsAre("b"));
  vectors("a,b,label\n1,10,x\n2,30,y\n");
  EXPECT_THAT(report_.uneven, IsEmpty());
}

TEST_F(Tables, TheReportCountsByLabelGroupAndLength) {
  tokens("tokens,label,group\na b c,x,1\na,x,2\nb,y,2\n");
  const std::string text = table_report_text(report_);
  EXPECT_THAT(text, HasSubstr("3 sequences of tokens, 3 different ones"));
  EXPECT_THAT(text, HasSubstr("x             2       2\n"));
  EXPECT_THAT(text, HasSubstr("all           3       2\n"));
  EXPECT_THAT(text, HasSubstr("sequence length        1       1       3\n"));
  EXPECT_THAT(text, Not(HasSubstr("no groups")));
  const Json json = table_report_json(report_);
  EXPECT_EQ(*json.find("examples")->integer(), 3);
  EXPECT_EQ(*json.find("vocabulary")->integer(), 3);
  EXPECT_EQ(*json.find("tokens")->find("max")->integer(), 3);
  EXPECT_EQ(*json.find("labels")->list()->at(1).find("groups")->integer(), 1);
}

}  // namespace
}  // namespace attune
