// What scripts see of attune-import: its exit codes and streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "base/json.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

struct Answer {
  int exit = -1;
  std::string errors;
};

Answer import_of(const std::string& arguments) {
  Answer answer;
  std::FILE* pipe = popen(
      (std::string(ATTUNE_IMPORT_PROGRAM) + " " + arguments + " 2>&1 >/dev/null").c_str(), "r");
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

}  // namespace
}  // namespace attune
