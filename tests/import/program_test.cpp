// What scripts see of attune-import: its exit codes and streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "base/json.h"
#include "datasets/dataset_file.h"
#include "tests/import/image_files.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

struct Answer {
  int exit = -1;
  std::string errors;
};

// `before` are words of the shell.
Answer import_of(const std::string& arguments, const std::string& before = "") {
  Answer answer;
  const std::string command = ATTUNE_IMPORT_PROGRAM " " + arguments;
  std::FILE* pipe = popen(("(" + before + command + ") 2>&1 >/dev/null").c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    answer.errors += static_cast<char>(c);
  answer.exit = WEXITSTATUS(pclose(pipe));
  return answer;
}

TEST(ImportProgram, ErrorsAreSentencesOrUnderJsonAnObject) {
  const TestFolder folder;
  const std::string arguments = (folder / "gone") + " -o " + (folder / "out.h5");
  const Answer plain = import_of(arguments);
  EXPECT_EQ(plain.exit, 2);
  EXPECT_EQ(plain.errors, "error: " + (folder / "gone") + " is no folder\n");
  for (const std::string& wrong : {arguments, std::string()}) {
    const Answer answer = import_of(wrong + " --json");
    EXPECT_EQ(answer.exit, 2);
    const Json json = Json::parse(answer.errors, "errors");
    EXPECT_EQ(*json.find("exit")->integer(), 2);
    EXPECT_NE(json.find("errors")->list()->at(0).find("message")->text(), nullptr);
  }
}

TEST(ImportProgram, AnOptionStandsOnceAndHasAValue) {
  const TestFolder folder;
  for (const auto& [words, said] : std::vector<std::pair<std::string, std::string>>{
           {"s -o a.h5 -o b.h5", "--out is given twice"},
           {"s -o a.h5 --out=b.h5", "--out is given twice"},
           {"s -o a.h5 --window 0,1 --window 0,2", "--window is given twice"},
           {"s -o -q", "-o needs a value, and -q is an option"},
           {"s -o a.h5 --labels --json", "--labels needs a value"},
           {"s -o a.h5 --window inf,1", "--window"},
           {(folder / "") + " -o " + (folder / "a.h5") + " --window -inf,inf",
            "no value can be"}}) {
    const Answer answer = import_of(words);
    EXPECT_EQ(answer.exit, 2) << words;
    EXPECT_THAT(answer.errors, testing::HasSubstr(said));
  }
  // A window below zero is a value.
  EXPECT_THAT(import_of("gone -o a.h5 --window -1000,400").errors,
              testing::HasSubstr("gone is no folder"));
}

TEST(ImportProgram, OutputThatIsLostIsAnError) {
  std::FILE* pipe = popen(ATTUNE_IMPORT_PROGRAM " --help 2>&1 >/dev/full", "r");
  std::string errors;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) errors += static_cast<char>(c);
  EXPECT_EQ(WEXITSTATUS(pclose(pipe)), 1);
  EXPECT_THAT(errors, testing::HasSubstr("the output could not be written: No space left"));
}

// As a full disk does: one sentence, nothing left, and what was there stays.
TEST(ImportProgram, AFileThatMayNotGrowIsOneClearError) {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "src/a");
  for (int i = 0; i < 4; ++i)
    write_file(folder / ("src/a/" + std::to_string(i) + ".png"),
               gray_png(400, 400, std::vector<std::uint8_t>(160000, 7)));
  const std::string to = (folder / "src") + " -o " + (folder / "out.h5");
  const Answer answer = import_of(to, "ulimit -f 200; exec ");
  EXPECT_EQ(answer.exit, 1) << answer.errors;
  EXPECT_THAT(answer.errors, testing::HasSubstr("File too large"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ImportProgram, ClosedStandardStreamsAreNoFilesOfIts) {
  const TestFolder folder;
  std::filesystem::create_directories(folder / "src/a");
  write_file(folder / "src/a/b.png", gray_png(2, 2, {1, 2, 3, 4}));
  for (const char* closed :
       {"exec <&- >&-; exec ", "exec >&- 2>&-; exec ", "exec <&- >&- 2>&-; exec "})
    EXPECT_EQ(import_of((folder / "src") + " -o " + (folder / "out.h5"), closed).exit, 0) << closed;
  EXPECT_EQ(DatasetFile(folder / "out.h5").table().size(), 1);
}

TEST(ImportProgram, OptionsOfAnotherKindAreRefused) {
  const TestFolder folder;
  const std::string to = " -o " + (folder / "out.h5");
  EXPECT_EQ(import_of("t.csv --kind tokens --window 0,1" + to).exit, 2);
  EXPECT_THAT(import_of("t.csv --kind graphs" + to).errors,
              testing::HasSubstr("--kind graphs: there are images, tokens, pairs and vectors"));
  EXPECT_THAT(import_of("t.csv --kind vectors --columns file=a" + to).errors,
              testing::HasSubstr("'file=a' is none of label=NAME, group=NAME, split=NAME"));
  EXPECT_THAT(import_of("t.csv --kind pairs --columns label=a" + to).errors,
              testing::HasSubstr("is none of input=NAME, answer=NAME, group=NAME, split=NAME"));
  EXPECT_THAT(import_of("t.csv --columns tokens=a --kind tokens" + to).errors,
              testing::HasSubstr("t.csv cannot be opened"));
}

}  // namespace
}  // namespace attune
