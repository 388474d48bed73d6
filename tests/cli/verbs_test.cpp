// The verbs that run nothing, on studies and files that the test writes itself.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "config/diagnostics.h"
#include "storage/eval_file.h"
#include "storage/journal.h"
#include "storage/study_folder.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A kind with two keys, one of them a file that must be there, and a group.
struct Fit : KindOptions {
  struct Optim {
    double decay = 0;
    void fields(FieldList& f) { f.real("decay", decay, {0, 1}, Role::result, "weight decay"); }
  } optim;
  double lr = 0.001;
  std::optional<std::string> file;
  void fields(FieldList& f) override {
    f.real("lr", lr, {1e-8, 1.0}, Role::result, "learning rate");
    f.path("file", file, Role::result, "what is fitted");
    f.group("optim", optim, "how it is fitted");
  }
  std::string data_sha256(Index, std::optional<Index>) const override {
    ATTUNE_CHECK(!file || std::filesystem::exists(*file), DataError,
                 "{} is not there: run scripts/fetch_data", *file);
    return "";
  }
  std::vector<std::string> shown_metrics() const override { return {}; }
};

const std::vector<Kind>& test_kinds() {
  static const std::vector<Kind> kKinds = {
      {"fit", "fits a line", [] { return std::unique_ptr<KindOptions>(std::make_unique<Fit>()); },
       nullptr}};
  return kKinds;
}

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
    t.kind = "fit";
    t.seed = seed;
    t.config = {{"lr", 0.001, Role::result}};
    t.config_yaml = "schema: attune/experiment@1\nkind: fit\nlr: 0.001\n";
    t.data_sha256 = std::string(64, static_cast<char>('a' + seed));  // redrawn by the seed
    return t;
  }

  void finish(Index seed, double accuracy) const { finish(trial(seed), accuracy); }
  void finish(const Trial& trial, double accuracy) const {
    RunContent content;
    content.steps = 200;
    content.metrics["train"] = {
        {0, 100, 200}, {{"loss", "nat", "training loss", "minimize"}}, {{0.7, 0.4, 0.1}}};
    content.final = {{"test", "accuracy", accuracy, "1", "maximize", "best val/loss at step 200"}};
    RunMetadata metadata;
    metadata.origins = {{"lr", "tiny.yaml:3:5"}};
    StudyFolder folder(study());
    folder.freeze("name: tiny\n");
    folder.start(trial)->finish(trial, content, metadata);
  }

  // Leaves a trial as a kill does: its journal stands, nobody holds it.
  void leave(Index seed, Index step) const {
    const auto running = StudyFolder(study()).start(trial(seed));
    Journal(running->journal_path()).append(ProgressRecord{step, 200, 0.5});
  }

  // What the verb prints.
  std::string output(const std::vector<std::string>& arguments, ExitCode code = ExitCode::ok) {
    // What is printed, in memory, which goes also when the verb throws.
    struct Printed {
      char* text = nullptr;
      std::size_t size = 0;
      std::FILE* file = open_memstream(&text, &size);
      ~Printed() {
        std::fclose(file);
        std::free(text);
      }
    } printed;
    StopRequest stop;
    Session session{parse_command(arguments), {}, {}, stop, test_kinds(), ""};
    static const std::map<std::string, VerbFunction> kVerbs = {{"status", verb_status},
                                                               {"show", verb_show},
                                                               {"list", verb_list},
                                                               {"check", verb_check},
                                                               {"explain", verb_explain}};
    session.console.out.file = printed.file;
    session.console.json = session.command.has("json");
    EXPECT_EQ(kVerbs.at(session.command.verb->name)(session), code);
    std::fflush(printed.file);
    return std::string(printed.text, printed.size);
  }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << text;
    return root_ / name;
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

// study.yaml says which trials there will be, whatever stands.
TEST_F(Verbs, StatusShowAndListCountWaitingTrials) {
  finish(0, 0.95);
  leave(1, 120);
  StudyFolder(study()).freeze(
      "schema: attune/experiment@1\nname: tiny\nkind: fit\nlr: 0.001\nseeds: [0, 1, 2, 3]\n");
  const auto counts = HasSubstr("1 of 4 finished, 1 stopped, 2 waiting");
  EXPECT_THAT(output({"status", study()}), AllOf(counts, HasSubstr("reference-s3  ")));
  EXPECT_THAT(output({"show", study()}), counts);
  EXPECT_THAT(output({"list", "studies", root_.string()}), counts);
  const Json json = Json::parse(output({"status", study(), "--json"}), "output");
  std::map<std::string, std::string> states;
  for (const Json& t : *json.find("trials")->list())
    states[place_in(*t.find("trial")->text() + "-")] = *t.find("state")->text();
  EXPECT_EQ(states["reference-s2"], "waiting");
  EXPECT_EQ(states["reference-s3"], "waiting");
}

// What was made with different configs is no sample of one thing.
TEST_F(Verbs, ShowAveragesNothingOverDifferentConfigs) {
  finish(0, 0.95);
  finish(1, 0.93);
  for (const Index seed : {0, 1}) {
    Trial other = trial(seed);
    other.config = {{"lr", 0.1, Role::result}};
    finish(other, 0.55);
  }
  EXPECT_THAT(output({"show", study()}),
              AllOf(HasSubstr("reference (lr=0.001)  2  0.94"),
                    HasSubstr("reference (lr=0.1)    2  0.55"), HasSubstr("different configs")));
}

TEST_F(Verbs, AFolderOfStudiesThatIsNotThereIsAnError) {
  EXPECT_THROW(output({"list", "studies", root_ / "none"}), ConfigError);
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
  EXPECT_THAT(output({"status", study()}, ExitCode::damaged), HasSubstr("1 finished, 1 damaged"));
}

// HDF5 keeps no checksum of scalars: a changed final would be shown as if it were measured.
TEST_F(Verbs, ShowRefusesARunFileOfOtherBytes) {
  finish(0, 0.95);
  const std::string path = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  std::string bytes = read_file(path);
  const double accuracy = 0.95, other = 0.99;
  const std::string is(reinterpret_cast<const char*>(&accuracy), sizeof accuracy);
  const std::size_t at = bytes.find(is);
  ASSERT_NE(at, bytes.npos);
  bytes.replace(at, sizeof other, reinterpret_cast<const char*>(&other), sizeof other);
  write_atomically(path, bytes);
  EXPECT_THROW(output({"show", path}), DamagedError);
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
    find_study("tinny", root_);
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
              AllOf(HasSubstr(": 3 finished\n"), HasSubstr("reference  3  0.950 [0.900, 1.000]"),
                    HasSubstr("train/loss")));
}

TEST_F(Verbs, ShowOfARunHasConfigWithOriginsMetricsAndCurves) {
  finish(0, 0.95);
  const std::string path = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  EXPECT_THAT(output({"show", path}),
              AllOf(HasSubstr("tiny: reference, seed 0, finished after 200 steps"),
                    HasSubstr("best val/loss at step 200"), HasSubstr("█▅▁"),
                    HasSubstr("tiny.yaml:3:5"), HasSubstr("lr")));
  const Json json = Json::parse(output({"show", path, "--json"}), "output");
  EXPECT_EQ(json.find("config")->find("lr")->real(), 0.001);
  EXPECT_EQ(json.find("final")->find("test/accuracy")->real(), 0.95);
}

TEST_F(Verbs, ARunFileAloneIsShownWithoutItsMetadata) {
  finish(0, 0.95);
  const std::string path = root_ / "alone.h5";
  std::filesystem::copy_file(StudyFolder(study()).run_path(StudyFolder(study()).finished().front()),
                             path);
  EXPECT_THAT(output({"show", path}), HasSubstr("no .meta.json stands beside this file"));
}

const std::string kRight = "schema: attune/experiment@1\nname: line\nkind: fit\n";

TEST_F(Verbs, CheckSaysWhichFilesAreRight) {
  const std::string path = file("a.yaml", kRight);
  EXPECT_EQ(output({"check", path}), path + ": no errors\n");
  EXPECT_EQ(output({"check", path, "lr=0.1"}), path + ": no errors\n");
}

TEST_F(Verbs, CheckTellsAllErrorsOfAllFilesAtOnce) {
  const std::string a = file("a.yaml", kRight + "lr: fast\n");
  const std::string b = file("b.yaml", kRight + "rl: 0.1\n");
  const std::string c = file("c.yaml", "schema: attune/experiment@1\nname: line\nkind: fot\n");
  const std::string d = file("d.h5", "no HDF5 at all");
  const std::string e = file("e.yaml", kRight + "file: gone.h5\n");
  try {
    output({"check", a, b, c, d, e});
    FAIL();
  } catch (const InvalidConfig& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("a.yaml:4:1: error: lr=fast"),
                      HasSubstr("b.yaml:4:1: error: unknown key 'rl'; did you mean 'lr'?"),
                      HasSubstr("c.yaml:3:7: error: kind=fot is no kind of trial"),
                      HasSubstr("d.h5"), HasSubstr("gone.h5 is not there: run scripts/fetch_data"),
                      HasSubstr("5 errors, nothing was run.")));
    EXPECT_EQ(error.errors().size(), 5U);
  }
}

TEST_F(Verbs, CheckReadsARunFileWhole) {
  finish(0, 0.95);
  const std::string path = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  EXPECT_EQ(output({"check", path}), path + ": no errors\n");
}

TEST_F(Verbs, CheckTellsDamageFromWhatIsWrong) {
  finish(0, 0.95);
  const std::string run = StudyFolder(study()).run_path(StudyFolder(study()).finished().front());
  const std::string bytes = read_file(run);
  const std::string half = file("half.h5", bytes.substr(0, bytes.size() / 2));
  EvalContent content;
  content.class_names = {"a", "b"};
  const std::string eval = file("eval.h5", eval_file_bytes(content, "0123456789abcdef"));
  EXPECT_EQ(output({"check", eval}), eval + ": no errors\n");
  content.class_names = {};
  content.predictions = {{0}, {0}, {1}, 2, {0.5F, 0.5F}};  // two outputs of no class
  const std::string bad = file("bad.h5", eval_file_bytes(content, "0123456789abcdef"));
  try {
    output({"check", half, run, bad});
    FAIL();
  } catch (const DamagedFiles& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("half.h5"), HasSubstr("bad.h5"),
                                    HasSubstr("2 errors, nothing was run.")));
    EXPECT_EQ(error.errors().size(), 2U);
  }
  EXPECT_THROW(output({"check", half, file("c.yaml", "name: c\n")}), InvalidConfig);
}

// Its keys would each be unknown, which says nothing of what is wrong.
TEST_F(Verbs, OfAnotherSchemaOnlyTheSchemaIsTold) {
  const std::string path =
      file("a.yaml", "schema: attune/other@1\nname: x\nbase: b.yaml\nparameters: {lr: [1, 2]}\n");
  try {
    output({"check", path});
    FAIL();
  } catch (const InvalidConfig& e) {
    EXPECT_EQ(e.errors().size(), 1U);
    EXPECT_THAT(e.what(), HasSubstr("attune/other@1 is unknown"));
  }
}

TEST_F(Verbs, AGroupFileIsToldFromAStudy) {
  std::filesystem::create_directories(root_ / "optim");
  const std::string path = file("optim/fast.yaml", "kind: sgd\nlr: 0.1\n");
  try {
    output({"check", path});
    FAIL();
  } catch (const InvalidConfig& e) {
    EXPECT_EQ(e.errors().size(), 1U);
    EXPECT_THAT(e.what(), AllOf(HasSubstr("fast.yaml: error: is no study"),
                                HasSubstr("defaults: [optim: fast]")));
  }
}

TEST_F(Verbs, ANameMustDoAsAFolder) {
  for (const std::string& name : {std::string("a/b"), std::string(".."), std::string("''"),
                                  "\"a\\eb\"" + std::string(), std::string(300, 'x')}) {
    const std::string path =
        file("a.yaml", "schema: attune/experiment@1\nkind: fit\nname: " + name + "\n");
    EXPECT_THROW(output({"check", path}), InvalidConfig) << name;
  }
  const std::string path =
      file("a.yaml", "schema: attune/experiment@1\nkind: fit\nname: größer, 2nd try\n");
  EXPECT_EQ(output({"check", path}), path + ": no errors\n");
}

TEST_F(Verbs, AStudyIsFoundByItsYaml) {
  finish(0, 0.95);
  const std::string path = file("source.yaml", "name: tiny\nunknown_by_now: 3\n");
  EXPECT_EQ(find_study(path, root_), study());
}

TEST_F(Verbs, ExplainReadsTheKeysOfTheKinds) {
  EXPECT_THAT(output({"explain", "lr"}), HasSubstr("learning rate"));
  EXPECT_THAT(output({"explain"}), AllOf(HasSubstr("name"), HasSubstr("lr")));
  EXPECT_THAT(output({"list", "kinds"}), HasSubstr("fit  fits a line"));
}

TEST_F(Verbs, ListsAreLinesAndJson) {
  EXPECT_THAT(output({"list", "ops"}), HasSubstr("layer_norm"));
  EXPECT_THAT(output({"list", "data"}), HasSubstr("phantoms"));
  const Json ops = Json::parse(output({"list", "ops", "--json"}), "output");
  EXPECT_EQ(*ops.list()->front().find("name")->text(), "linear");
  EXPECT_EQ(ops.list()->front().find("inputs")->list()->size(), 3U);
  finish(0, 0.95);
  EXPECT_THAT(output({"list", "studies", root_.string()}), HasSubstr("tiny  1 finished\n"));
  EXPECT_THAT(output({"list", "probes"}), HasSubstr("gradient_norms  "));
  const Json probes = Json::parse(output({"list", "probes", "--json"}), "output");
  const Json& entropy = (*probes.list())[3];
  EXPECT_EQ(*entropy.find("name")->text(), "attention_entropy");
  EXPECT_EQ(*(*entropy.find("dimensions")->list())[2].text(), "head");
  EXPECT_EQ(*entropy.find("quantities")->list()->front().find("units")->text(), "nats");
  EXPECT_THROW(output({"list", "opps"}), ConfigError);
  EXPECT_THROW(output({"list", "ops", "results"}), ConfigError);
}

}  // namespace
}  // namespace attune
