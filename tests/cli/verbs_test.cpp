// status, show and list on a study that the test writes itself.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/json.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "storage/journal.h"
#include "storage/study_folder.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Verbs : public testing::Test {
 protected:
  Verbs() {
    static int number = 0;
    root_ = std::filesystem::temp_directory_path() /
            fmt::format("attune_verbs_{}_{}", getpid(), ++number);
    std::filesystem::create_directories(root_);
  }
  ~Verbs() override { std::filesystem::remove_all(root_); }

  std::string study() const { return root_ / "tiny"; }

  static Trial trial(Index seed) {
    Trial t;
    t.study = "tiny";
    t.kind = "train";
    t.seed = seed;
    t.config = {{"optim.lr", 0.001, Role::result}};
    t.config_yaml = "optim:\n  lr: 0.001\n";
    return t;
  }

  void finish(Index seed, double accuracy) const {
    RunContent content;
    content.steps = 200;
    content.metrics["train"] = {
        {0, 100, 200}, {{"loss", "nat", "training loss", "minimize"}}, {{0.7, 0.4, 0.1}}};
    content.final = {{"test", "accuracy", accuracy, "1", "maximize", "best val/loss at step 200"}};
    RunMetadata metadata;
    metadata.origins = {{"optim.lr", "tiny.yaml:3:5"}};
    StudyFolder folder(study());
    folder.freeze("name: tiny\n");
    folder.start(trial(seed))->finish(trial(seed), content, metadata);
  }

  // Leaves a trial as a kill does: its journal stands, nobody holds it.
  void leave(Index seed, Index step) const {
    const auto running = StudyFolder(study()).start(trial(seed));
    Journal(running->journal_path()).append(ProgressRecord{step, 200, 0.5});
  }

  // What the verb prints.
  std::string output(const std::vector<std::string>& arguments) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* file = open_memstream(&text, &size);
    StopRequest stop;
    Session session{parse_command(arguments), {}, {}, stop, {}, ""};
    const std::string& name = session.command.verb->name;
    const VerbFunction verb = name == "status" ? verb_status
                              : name == "show" ? verb_show
                                               : verb_list;
    session.console.out.file = file;
    session.console.json = session.command.has("json");
    EXPECT_EQ(verb(session), ExitCode::ok);
    std::fclose(file);
    std::string out(text, size);
    std::free(text);
    return out;
  }

  std::filesystem::path root_;
};

TEST_F(Verbs, StatusTellsFinishedAndStoppedTrialsAndHowFarTheyAre) {
  finish(0, 0.95);
  leave(1, 120);
  EXPECT_THAT(output({"status", study()}),
              AllOf(HasSubstr("1 finished, 1 stopped"), HasSubstr("120/200"), HasSubstr("200/200"),
                    HasSubstr("the same run command goes on here")));
}

TEST_F(Verbs, StatusSaysWhoHoldsARunningTrial) {
  const auto held = StudyFolder(study()).start(trial(3));
  EXPECT_THAT(output({"status", study()}),
              AllOf(HasSubstr("running"), HasSubstr(fmt::format("process {}", getpid()))));
}

TEST_F(Verbs, StatusNamesADamagedFileAndGoesOn) {
  finish(0, 0.95);
  finish(1, 0.95);
  const std::string path = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_THAT(output({"status", study()}), HasSubstr("1 finished, 1 damaged"));
}

TEST_F(Verbs, StatusFindsAStudyByNameAndSpeaksJson) {
  finish(0, 0.95);
  const Json json =
      Json::parse(output({"status", "tiny", "-o", root_.string(), "--json"}), "output");
  EXPECT_EQ(*json.find("study")->text(), "tiny");
  ASSERT_EQ(json.find("trials")->list()->size(), 1U);
  EXPECT_EQ(*json.find("trials")->list()->front().find("state")->text(), "finished");
}

TEST_F(Verbs, AStudyThatIsNotThereIsAnErrorWithWhatIs) {
  finish(0, 0.95);
  try {
    find_study("tyni", root_);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'tiny'?"));
  }
  EXPECT_EQ(find_study(study() + "/", root_), study());
}

TEST_F(Verbs, ShowOfAStudyHasMeansAndIntervals) {
  finish(0, 0.95);
  finish(1, 0.93);
  finish(2, 0.97);
  EXPECT_THAT(output({"show", study()}),
              AllOf(HasSubstr("3 finished, 0 unfinished"),
                    HasSubstr("reference  3  test/accuracy  0.950  [0.900, 1.000]"),
                    HasSubstr("train/loss")));
}

TEST_F(Verbs, ShowOfARunHasConfigWithOriginsMetricsAndCurves) {
  finish(0, 0.95);
  const std::string path = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  EXPECT_THAT(output({"show", path}),
              AllOf(HasSubstr("tiny: reference, seed 0, finished after 200 steps"),
                    HasSubstr("best val/loss at step 200"), HasSubstr("█▅▁"),
                    HasSubstr("tiny.yaml:3:5"), HasSubstr("optim.lr")));
  const Json json = Json::parse(output({"show", path, "--json"}), "output");
  EXPECT_EQ(json.find("config")->find("optim.lr")->real(), 0.001);
  EXPECT_EQ(json.find("final")->find("test/accuracy")->real(), 0.95);
}

TEST_F(Verbs, ARunFileAloneIsShownWithoutItsMetadata) {
  finish(0, 0.95);
  const std::string path = root_ / "alone.h5";
  std::filesystem::copy_file(StudyFolder(study()).run_path(StudyFolder(study()).finished().front()),
                             path);
  EXPECT_THAT(output({"show", path}), HasSubstr("no .meta.json stands beside this file"));
}

TEST_F(Verbs, ListsAreLinesAndJson) {
  EXPECT_THAT(output({"list", "ops"}), HasSubstr("layer_norm"));
  EXPECT_THAT(output({"list", "data"}), HasSubstr("phantoms"));
  const Json ops = Json::parse(output({"list", "ops", "--json"}), "output");
  EXPECT_EQ(*ops.list()->front().find("name")->text(), "linear");
  EXPECT_EQ(ops.list()->front().find("inputs")->list()->size(), 3U);
  finish(0, 0.95);
  EXPECT_THAT(output({"list", "studies", root_.string()}),
              HasSubstr("tiny  1 finished, 0 unfinished"));
  EXPECT_THROW(output({"list", "opps"}), ConfigError);
}

}  // namespace
}  // namespace attune
