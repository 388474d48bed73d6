#include "import/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"

namespace attune {
namespace {

using testing::HasSubstr;

std::vector<LabelRow> rows_of(const std::string& text, const LabelColumns& columns = {}) {
  std::istringstream csv(text);
  return read_labels(csv, columns, "l.csv");
}

TEST(Labels, QuotesBreaksMarksAndBlankLinesAreRead) {
  const auto rows = rows_of(
      "\xef\xbb\xbf"
      "file,note,label,group\r\n\"a,\"\"b\"\".png\",\"two\nlines\",x,g\r\n\r\n"
      "./c.png,,y,g");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].file, "a,\"b\".png");
  EXPECT_EQ(rows[0].label, "x");
  EXPECT_EQ(rows[1].file, "c.png");
  EXPECT_EQ(rows[1].line, 5u);
}

TEST(Labels, SpacesAroundFieldsAreNoPartOfThemUnlessQuoted) {
  const auto rows = rows_of("\xef\xbb\xbf\"file\", label ,group\na.png, ill , \" g\"\n");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].label, "ill");
  EXPECT_EQ(rows[0].group, " g");
}

TEST(Labels, LinesMayEndAsOldMacsEndThem) {
  const auto rows = rows_of("file,label\ra.png,\"two\rlines\"\r\rb.png,y\r");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].label, "two\nlines");
  EXPECT_EQ(rows[1].label, "y");
  EXPECT_EQ(rows[1].line, 5u);
}

TEST(Labels, ColumnsMayHaveOtherNames) {
  const auto rows =
      rows_of("image,finding,patient\na.png,ill,7\n", {"image", "finding", "patient"});
  EXPECT_EQ(rows.at(0).file, "a.png");
  EXPECT_EQ(rows.at(0).group, "7");
}

TEST(Labels, FaultsNameTheLine) {
  const auto message = [](const std::string& text,
                          const LabelColumns& columns = {}) -> std::string {
    try {
      rows_of(text, columns);
    } catch (const DataError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(message(""), HasSubstr("l.csv is empty"));
  EXPECT_THAT(message("\nfile,label\n"), HasSubstr("l.csv:1: is blank"));
  EXPECT_THAT(message("name,label\n"), HasSubstr("no column 'file'; it has name, label"));
  EXPECT_THAT(message("file,label\na,x\nb\n"), HasSubstr("l.csv:3: has 1 fields"));
  EXPECT_THAT(message("file,label\na,x\n\na,y\n"),
              HasSubstr("l.csv:4: a has a row already, in line 2"));
  EXPECT_THAT(message("file,label\na,\n"), HasSubstr("neither may be empty"));
  EXPECT_THAT(message("file,label\n\"a,x\n"), HasSubstr("never closed"));
  EXPECT_THAT(message("file,label\na,x\n", {"file", "label", "patient"}), HasSubstr("'patient'"));
  EXPECT_THAT(message("file,label,label\na,x,y\n"), HasSubstr("two columns 'label'"));
  EXPECT_THAT(message("file,label,group\na,x,g\nb,x,\nc,x,\n"),
              HasSubstr("l.csv:3: b has no group (nor have 1 more)"));
  EXPECT_THAT(message("file,label\na,x\nb,\xe9t\xe9\n"), HasSubstr("l.csv:3: is no text in UTF-8"));
  EXPECT_THAT(message(std::string("file,label\na,x\0y\n", 17)), HasSubstr("l.csv:2: is no text"));
}

}  // namespace
}  // namespace attune
