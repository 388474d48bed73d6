#include "storage/run_file.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/files.h"
#include "h5/h5.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

std::string write_sample(const TemporaryFolder& folder,
                         const RunContent& content = sample_content()) {
  write_atomically(folder / "a.h5", run_file_bytes(sample_trial(), content, "0123456789abcdef"));
  return folder / "a.h5";
}

void list(const H5Group& group, const std::string& path, std::string& out) {
  for (const H5Entry& entry : group.entries()) {
    const std::string here = path + "/" + entry.name;
    if (entry.kind == H5Entry::Kind::group) {
      out += here + "\n";
      list(group.group(entry.name), here, out);
    } else {
      const H5Info info = group.info(entry.name);
      out += here + " " + name_of(info.type) + " [";
      for (std::size_t i = 0; i < info.dims.size(); ++i)
        out += (i ? ", " : "") + std::to_string(info.dims[i]);
      out += "]\n";
    }
  }
}

// The layout is a contract that outside scripts rely on.
TEST(RunFile, TheLayoutIsTheDocumentedOne) {
  const TemporaryFolder folder;
  const H5File file = H5File::open(write_sample(folder));
  std::string listing;
  list(file.root(), "", listing);
  EXPECT_EQ(listing, R"(/metrics
/metrics/train
/metrics/train/step int64 [3]
/metrics/train/loss float64 [3]
/metrics/train/accuracy float64 [3]
/metrics/val
/metrics/val/step int64 [1]
/metrics/val/loss float64 [1]
/final
/final/val_loss float64 []
/final/test_auc float64 []
/predictions
/predictions/test
/predictions/test/example int64 [3]
/predictions/test/group int64 [3]
/predictions/test/target int64 [3]
/predictions/test/output float32 [3, 2]
/size_2 uint8 [2]
/probes
/probes/entropy
/probes/entropy/step int64 [2]
/probes/entropy/layer text [2]
/probes/entropy/heads int64 [2]
/probes/entropy/entropy float64 [2, 2]
/weights
/weights/encoder.norm.gain float32 [2]
/weights/head.weight float32 [2, 2]
/weights/scale float32 []
/weights/initial
/weights/initial/encoder.norm.gain float32 [2]
/size_2_2 uint8 [2]
/config
/config/resolved_yaml text []
/hashes
/hashes/step int64 [2]
/hashes/hash uint64 [2]
)");
  EXPECT_THAT(file.root().attributes(),
              ElementsAre("Conventions", "schema", "name", "row", "kind", "seed", "fold",
                          "stop_step", "repeat", "status", "identity", "data_sha256", "build_id",
                          "steps", "class_names", "gray_mean", "gray_sd"));
}

// Each leaf has its type, an operation key is nowhere, a path is its file name.
TEST(RunFile, EveryLeafOfTheConfigIsATypedAttribute) {
  const TemporaryFolder folder;
  const H5File file = H5File::open(write_sample(folder));
  const H5Group config = file.root().group("config");
  EXPECT_THAT(config.attributes(),
              ElementsAre("kind", "data.file", "model.d_model", "model.bias", "optim.lr",
                          "optim.betas", "probe.layers", "results.save_parameters", "train.stop"));
  EXPECT_EQ(config.text_attribute("data.file"), "ct.h5");
  EXPECT_EQ(config.attribute_info("model.d_model").type, H5Type::int64);
  EXPECT_EQ(config.attribute_info("model.bias").type, H5Type::int8);
  EXPECT_EQ(config.attribute<double>("optim.lr"), 0.001);
  EXPECT_THAT(config.list_attribute<double>("optim.betas"), ElementsAre(0.9, 0.999));
  EXPECT_EQ(config.text_attribute("train.stop"), "null");
}

// Written again, what was read gives the same bytes, so nothing was lost on the way.
TEST(RunFile, WhatIsReadIsWhatWasWritten) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder);
  const RunFile file = read_run_file(path);
  EXPECT_EQ(file.head.identity, sample_trial().identity());
  EXPECT_EQ(file.head.build_id, "0123456789abcdef");
  EXPECT_EQ(file.trial.fold, 1);
  EXPECT_FALSE(file.trial.repeat);
  EXPECT_EQ(file.trial.config_yaml, sample_trial().config_yaml);
  EXPECT_EQ(file.trial.identity(), sample_trial().identity());
  EXPECT_TRUE(std::isnan(file.content.metrics.at("train").values[0][2]));
  EXPECT_EQ(run_file_bytes(file.trial, file.content, file.head.build_id), read_file(path));
}

TEST(RunFile, ATrialOfNoStepsHasItsGroupsWithoutRows) {
  const TemporaryFolder folder;
  const RunFile file = read_run_file(write_sample(folder, empty_content()));
  EXPECT_TRUE(file.content.metrics.at("train").step.empty());
  EXPECT_EQ(file.content.predictions.at("val").n_outputs, 2);
  EXPECT_TRUE(file.content.weights.empty());
  EXPECT_EQ(run_file_bytes(file.trial, file.content, file.head.build_id),
            read_file(folder / "a.h5"));
}

TEST(RunFile, EqualContentGivesEqualBytes) {
  const std::string once = run_file_bytes(sample_trial(), sample_content(), "b");
  for (std::size_t i = 0; i < 20; ++i) {
    const std::vector<std::string> noise(i, std::string(i * 37, 'x'));
    ASSERT_EQ(run_file_bytes(sample_trial(), sample_content(), "b"), once);
  }
}

TEST(RunFile, AColumnOfTheWrongLengthIsRefused) {
  RunContent content = sample_content();
  content.metrics["val"].values[0].push_back(1);
  EXPECT_THAT([&] { run_file_bytes(sample_trial(), content, "b"); },
              ThrowsMessage<StorageError>(
                  HasSubstr("/metrics/val/loss has 2 values, where its dimensions need 1")));
}

// A study knows its own trials; whatever stands there instead of one can be made again.
TEST(RunFile, AStudysDamagedTrialSaysSoAndWhatToDo) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder), whole = read_file(path);
  const auto says = ThrowsMessage<DamagedError>(
      AllOf(HasSubstr("a.h5"), HasSubstr("Remove it, and the same command trains")));
  for (const std::string& bytes :
       {std::string(), std::string("text\n"), whole.substr(0, whole.size() / 2),
        std::string(whole.size(), '\0')}) {
    write_atomically(path, bytes);
    EXPECT_THAT([&] { read_run_head(path); }, says);
    EXPECT_THAT([&] { read_predictions(path, "test"); }, says);
  }
  EXPECT_THAT([&] { read_run_head(folder / "none.h5"); },
              ThrowsMessage<DataError>(HasSubstr("there is no such file")));
}

// A person may name any file: only what is HDF5, or lies beside metadata, can be a damaged run.
TEST(RunFile, AFileThatAPersonNamesIsNotThoughtToBeOne) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder), whole = read_file(path);
  write_atomically(path, whole.substr(0, whole.size() / 2));
  EXPECT_THAT([&] { read_run_file(path); },
              ThrowsMessage<DamagedError>(
                  AllOf(HasSubstr("not copied whole"), Not(HasSubstr("trains this trial again")))));
  write_atomically(path, "text\n");
  EXPECT_THAT([&] { read_run_file(path); },
              ThrowsMessage<DataError>(HasSubstr("is no HDF5 file, and a run file is needed")));
  write_atomically(path.substr(0, path.rfind('.')) + ".meta.json", "{}");
  EXPECT_THROW(read_run_file(path), DamagedError);
  EXPECT_THAT([&] { read_run_file(folder.path()); },
              ThrowsMessage<DataError>(HasSubstr("is a folder")));
}

// The identity hashes the config, so that it tells when a value in /config is no longer its own.
TEST(RunFile, AChangedConfigIsDamage) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder);
  std::string bytes = read_file(path);
  std::size_t n = 0;
  for (std::size_t at = 0; (at = bytes.find("ct.h5", at)) != bytes.npos; ++n) bytes[at] = 'd';
  ASSERT_GT(n, 0U);
  write_atomically(path, bytes);
  EXPECT_THAT([&] { read_run_file(path); },
              ThrowsMessage<DamagedError>(HasSubstr("its /config is not the one")));
}

// Damage may hit the very attribute that says what the file is; its metadata still tells.
TEST(RunFile, ALostSchemaBesideMetadataIsDamage) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder);
  std::string bytes = read_file(path);
  bytes.replace(bytes.find("attune.run@1"), 6, "attuns");
  write_atomically(path, bytes);
  EXPECT_THROW(read_run_file(path), DataError);
  write_atomically(path.substr(0, path.rfind('.')) + ".meta.json", "{}");
  EXPECT_THAT([&] { read_run_file(path); },
              ThrowsMessage<DamagedError>(HasSubstr("its schema is attuns.run@1")));
}

TEST(RunFile, AFileOfAnotherSchemaIsNamedAsThat) {
  const TemporaryFolder folder;
  H5File file = H5File::create(folder / "data.h5");
  file.root().set_attribute("schema", "attune.dataset@1");
  file.close();
  EXPECT_THAT(
      [&] { read_run_head(folder / "data.h5"); },
      ThrowsMessage<DataError>(HasSubstr("its schema is attune.dataset@1, not attune.run@1")));
}

TEST(Weights, ASetIsPickedByItsName) {
  const TemporaryFolder folder;
  const std::string path = write_sample(folder);
  const WeightSet chosen = read_weights(path), initial = read_weights(path, "initial");
  EXPECT_EQ(chosen.which, "chosen");
  EXPECT_EQ(chosen.step, 300);
  ASSERT_EQ(chosen.tensors.size(), 3U);
  EXPECT_EQ(chosen.tensors[1].name, "head.weight");
  EXPECT_EQ(chosen.tensors[1].shape, Shape({2, 2}));
  EXPECT_THAT(chosen.tensors[1].values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(initial.tensors[0].values, ElementsAre(0, 0));
  EXPECT_THAT([&] { read_weights(path, "last"); },
              ThrowsMessage<DataError>(HasSubstr("has no parameters 'last'")));
}

// As h5py writes them: float64, nested groups, no attributes of ours.
TEST(Weights, ThoseOfAnotherProgramAreRead) {
  const TemporaryFolder folder;
  H5File file = H5File::create(folder / "w.h5");
  H5Group weights = file.root().create_group("weights");
  const std::vector<double> patch = {0.5, -1};
  weights.write("patch.weight", {1, 2}, patch.data());
  weights.create_group("encoder").create_group("norm").write("gain", std::vector<float>{3});
  file.close();
  const WeightSet set = read_weights(folder / "w.h5");
  ASSERT_EQ(set.tensors.size(), 2U);
  EXPECT_EQ(set.tensors[0].name, "patch.weight");
  EXPECT_THAT(set.tensors[0].values, ElementsAre(0.5F, -1.F));
  EXPECT_EQ(set.tensors[1].name, "encoder.norm.gain");
}

TEST(Weights, WhatDoesNotFitIsNamed) {
  const TemporaryFolder folder;
  H5File file = H5File::create(folder / "w.h5");
  file.root().create_group("weights").write("ids", std::vector<Index>{3});
  file.close();
  EXPECT_THAT([&] { read_weights(folder / "w.h5"); },
              ThrowsMessage<DataError>(
                  HasSubstr("w.h5: /weights/ids: holds int64; a parameter is float32 or float64")));
  H5File::create(folder / "none.h5").close();
  EXPECT_THAT([&] { read_weights(folder / "none.h5"); },
              ThrowsMessage<DataError>(HasSubstr("has no group /weights")));
}

// Which HDF5 has no room for as a list.
TEST(RunFile, ThousandsOfNamesComeBack) {
  const TemporaryFolder folder;
  for (const int n : {1, 2000, 2001, 30000}) {
    RunContent content = sample_content();
    for (int i = 0; i < n; ++i) content.token_names.push_back(fmt::format("\"token ✓ {}\n", i));
    content.width = 7;
    const RunContent read = read_run_file(write_sample(folder, content)).content;
    EXPECT_EQ(read.token_names, content.token_names) << n;
    EXPECT_EQ(read.class_names, content.class_names);
    EXPECT_EQ(read.width, 7);
  }
}

}  // namespace
}  // namespace attune
