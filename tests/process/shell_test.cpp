// What helps people at their shell: completion and doctor, from outside.
#include <gmock/gmock.h>

#include <cstdio>

#include "base/files.h"
#include "base/json.h"
#include "tests/process/process.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// What bash offers for the last of these words, a line each.
std::string offered(const std::string& words) {
  const TestFolder folder;
  write_atomically(folder / "complete.sh", run_attune({"completion", "bash"}).out);
  const std::string command = "bash -c 'source " + (folder / "complete.sh") + "; COMP_WORDS=(" +
                              words + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); " +
                              "_attune 2>/dev/null; printf \"%s\\n\" \"${COMPREPLY[@]}\"'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  EXPECT_EQ(::pclose(pipe), 0);
  return text;
}

TEST(Completion, OffersVerbsOptionsChoicesAndKeys) {
  EXPECT_EQ(offered("attune ru"), "run\n");
  EXPECT_EQ(offered("attune run --fast"), "--fast-dev-run\n");
  EXPECT_EQ(offered("attune run x.yaml --color al"), "always\n");
  EXPECT_EQ(offered("attune run x.yaml optim.l"), "optim.lr=\n");
  EXPECT_EQ(offered("attune list mo"), "models\n");
  EXPECT_EQ(offered("attune op entm"), "entmax15\n");
  EXPECT_THAT(offered("attune run --"), AllOf(HasSubstr("--threads"), HasSubstr("--json")));
  EXPECT_THAT(offered("attune show optim.l"), Not(HasSubstr("optim.lr")));
}

TEST(Completion, KeepsAFileNameWithSpacesInOnePiece) {
  const TestFolder folder;
  write_atomically(folder / "two words.yaml", "");
  EXPECT_EQ(offered("attune run " + (folder / "two")), (folder / "two words.yaml") + "\n");
}

TEST(Completion, OfAnUnknownShellNamesThoseThatThereAre) {
  const Finished refused = run_attune({"completion", "fish"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("shells are bash, zsh"));
  // Neither is there in a zsh whose completion was never set up.
  EXPECT_THAT(run_attune({"completion", "zsh"}).out,
              AllOf(HasSubstr("compinit -i"), HasSubstr("bashcompinit")));
}

TEST(Doctor, LooksAtTheMachineAndLeavesNothing) {
  const TestFolder folder;
  const Finished found = run_attune({"doctor", "-o", folder.path(), "--json"});
  EXPECT_EQ(found.code, 0) << found.err;
  const Json json = Json::parse(found.out, "output");
  std::vector<std::string> names;
  for (const Json& each : *json.list()) {
    names.push_back(*each.find("name")->text());
    EXPECT_THAT((std::vector<std::string>{"ok", "note", "problem"}),
                Contains(*each.find("state")->text()));
  }
  for (const char* name : {"processor", "cores", "memory", "libraries", "file locks",
                           "atomic writes", "disk", "scheduler"})
    EXPECT_THAT(names, Contains(name));
  EXPECT_TRUE(list_folder(folder.path()).empty());
}

TEST(Doctor, ASchedulersJobIsNoted) {
  ::setenv("SLURM_JOB_ID", "4711", 1);
  const Finished found = run_attune({"doctor"});
  ::unsetenv("SLURM_JOB_ID");
  EXPECT_THAT(found.out, HasSubstr("Slurm: SLURM_JOB_ID=4711"));
}

TEST(Doctor, AFolderThatCannotBeWrittenToIsAProblem) {
  const Finished found = run_attune({"doctor", "-o", "/proc"});
  EXPECT_EQ(found.code, 1);
  EXPECT_THAT(found.out, HasSubstr("/proc cannot be written to"));
  EXPECT_EQ(run_attune({"doctor", "-o", "/nowhere"}).code, 2);
}

}  // namespace
}  // namespace attune
