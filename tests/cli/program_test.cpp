// The process as a whole: what is printed where, and the exit code.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "cli/session.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

struct Result {
  int exit;
  std::string out, err;
};

Result program(const std::vector<std::string>& arguments) {
  CaptureStdout();
  CaptureStderr();
  const int exit = run_program(arguments, {});
  const std::string out = GetCapturedStdout();
  return {exit, out, GetCapturedStderr()};
}

TEST(Program, EveryVerbHasItsFunction) {
  for (const Verb& verb : verbs()) EXPECT_NE(function_of(verb), nullptr) << verb.name;
}

TEST(Program, HelpAndVersionGoToStdoutAndAreNoError) {
  for (const char* option : {"--help", "--version", "-h"}) {
    const Result r = program({option});
    EXPECT_EQ(r.exit, 0);
    EXPECT_THAT(r.out, HasSubstr("attune"));
    EXPECT_EQ(r.err, "");
  }
  EXPECT_EQ(*Json::parse(program({"--version", "--json"}).out, "version").find("version")->text(),
            "0.1.0");
  EXPECT_EQ(Json::parse(program({"--help", "--json"}).out, "help").list()->size(), verbs().size());
}

TEST(Program, AWrongCommandLineIsExit2WithNothingOnStdout) {
  const Result r = program({"rnu"});
  EXPECT_EQ(r.exit, 2);
  EXPECT_EQ(r.out, "");
  EXPECT_THAT(r.err, HasSubstr("did you mean 'run'?"));
}

TEST(Program, AnErrorOnJsonIsJson) {
  const Result r = program({"status", "no_such_study", "--json"});
  EXPECT_EQ(r.exit, 2);
  EXPECT_EQ(r.out, "");
  const Json json = Json::parse(r.err, "stderr");
  EXPECT_EQ(*json.find("exit")->integer(), 2);
  EXPECT_THAT(*json.find("errors")->list()->front().find("message")->text(),
              HasSubstr("'no_such_study' is no study"));
}

TEST(Program, AnErrorInAFileHasItsPlaceInJson) {
  const auto path = std::filesystem::temp_directory_path() / "attune_program_test.yaml";
  std::ofstream(path) << "schema: attune/experiment@1\nname: x\nname: y\n";
  const Result r = program({"check", path, "--json"});
  std::filesystem::remove(path);
  EXPECT_EQ(r.exit, 2);
  const Json error = Json::parse(r.err, "stderr").find("errors")->list()->back();
  EXPECT_EQ(*error.find("line")->integer(), 3);
  EXPECT_THAT(*error.find("file")->text(), HasSubstr("attune_program_test.yaml"));
}

TEST(Program, ImportWithoutItsProgramSaysHowToBuildIt) {
  const Result r = program({"import", "scans"});
  EXPECT_EQ(r.exit, 2);
  EXPECT_THAT(r.err, HasSubstr("scripts/attune import"));
}

}  // namespace
}  // namespace attune
