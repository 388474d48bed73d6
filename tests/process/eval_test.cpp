// A trained model on other data, from outside: what `attune eval` prints, writes and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/files.h"
#include "base/json.h"
#include "base/philox.h"
#include "datasets/dataset_file.h"
#include "h5/h5.h"
#include "storage/run_file.h"
#include "tests/process/kills.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Sixty images of random sizes in twenty groups; bright ones are mostly of class 1.
void write_images(const std::string& path, PixelType type,
                  const std::vector<std::string>& class_names = {"dark", "bright"},
                  const std::vector<std::int32_t>& label_of = {0, 1}) {
  const Stream stream(1, "test", "eval");
  ImageTable table;
  table.pixel_type = type;
  table.class_names = class_names;
  for (std::uint64_t i = 0; i < 60; ++i) {
    table.height.push_back(static_cast<std::int32_t>(8 + stream.below(20, i, 0)));
    table.width.push_back(static_cast<std::int32_t>(8 + stream.below(40, i, 1)));
    table.group.push_back(static_cast<std::int32_t>(i / 3));
    table.label.push_back(label_of[i / 3 % 2]);
  }
  DatasetFileWriter writer(path, table);
  for (Index i = 0; i < 60; ++i) {
    const auto image = static_cast<std::uint32_t>(i);
    const double level = 60.0 * static_cast<double>(i / 3 % 2) + 90 * stream.uniform(0, image, 3);
    std::vector<float> gray;
    for (Index p = 0; p < table.n_pixels(i); ++p)
      gray.push_back(static_cast<float>(
          std::floor(level + 90 * stream.uniform(static_cast<std::uint64_t>(p), image, 4))));
    const Shape shape{table.n_pixels(i)};
    if (type == PixelType::float32) {
      for (float& x : gray) x = 10 * x - 1000;
      writer.append(View<const float>(gray.data(), shape));
    } else {
      const std::vector<std::uint8_t> bytes(gray.begin(), gray.end());
      writer.append(View<const std::uint8_t>(bytes.data(), shape));
    }
  }
  writer.finish();
}

class Eval : public testing::Test {
 protected:
  // The run file of a model that was trained on data.h5.
  std::string train(PixelType type, const Words& more = {}) {
    write_images(folder_ / "data.h5", type);
    std::ofstream(folder_ / "ct.yaml") << R"(schema: attune/experiment@1
name: small
kind: train
data: {kind: images, file: data.h5, split: {test: 0.3, val: 0.2}}
model: {kind: vit, patch: 4, d_model: 16, n_layers: 1, n_heads: 2}
train: {steps: 20, batch_tokens: 300, eval_every: 10}
schedule: {warmup: 5}
seeds: [0]
)";
    Words words = {"run", folder_ / "ct.yaml", "-q", "-o", folder_ / "runs"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished run = run_attune(words);
    EXPECT_EQ(run.code, 0) << run.err;
    const auto made = files(folder_ / "runs", ".h5");
    return made.empty() ? "" : made.front();
  }
  Finished eval(const std::string& run, const std::string& data, const Words& more = {}) {
    Words words = {"eval", run, data};
    words.insert(words.end(), more.begin(), more.end());
    return run_attune(words);
  }
  TestFolder folder_;
};

struct Written {
  std::vector<Index> group, target;
  std::vector<float> output;
};

Written predictions_in(const std::string& path) {
  const H5File file = H5File::open(path);
  const H5Group p = file.root().group("predictions/eval");
  return {p.read<Index>("group"), p.read<Index>("target"), p.read<float>("output")};
}

// Of a run's own data: the examples that were its test split have the same outputs, bit for bit,
// whatever shares their batches now; by its own resize policy and its own law of grays.
TEST_F(Eval, RepeatsTheRunsOwnTestPredictions) {
  for (const auto& [type, words] : std::vector<std::pair<PixelType, Words>>{
           {PixelType::uint8, {}},
           {PixelType::float32, {"data.resize.policy=pad", "data.resize.max_tokens=36"}}}) {
    remove_tree(folder_ / "runs");
    const std::string run = train(type, words);
    ASSERT_EQ(eval(run, folder_ / "data.h5", {"-o", folder_ / "out.h5"}).code, 0);
    const Written all = predictions_in(folder_ / "out.h5");
    const Predictions tested = read_run_file(run).content.predictions.at("test");
    ASSERT_EQ(all.target.size(), 60U);
    ASSERT_FALSE(tested.example.empty());
    for (std::size_t i = 0; i < tested.example.size(); ++i) {
      const auto e = static_cast<std::size_t>(tested.example[i]);
      EXPECT_EQ(tested.target[i], all.target[e]);
      EXPECT_EQ(tested.output[2 * i], all.output[2 * e]);
      EXPECT_EQ(tested.output[2 * i + 1], all.output[2 * e + 1]);
    }
  }
}

TEST_F(Eval, WritesTheSameBytesForAnyThreads) {
  const std::string run = train(PixelType::uint8);
  for (const char* n : {"1", "2", "4"})
    ASSERT_EQ(eval(run, folder_ / "data.h5", {"--threads", n, "-o", folder_ / n}).code, 0);
  EXPECT_EQ(read_file(folder_ / "1"), read_file(folder_ / "2"));
  EXPECT_EQ(read_file(folder_ / "1"), read_file(folder_ / "4"));
}

// Accuracy and its interval from the outputs alone: with θ_g the accuracy without group g,
// θ ± t(.975, G−1) · √((G−1)/G · Σ (θ_g − mean)²).
TEST_F(Eval, IntervalsAreDeleteOneGroupJackknife) {
  const std::string run = train(PixelType::uint8);
  const Finished found = eval(run, folder_ / "data.h5", {"--json", "-o", folder_ / "out.h5"});
  ASSERT_EQ(found.code, 0) << found.err;
  const Written all = predictions_in(folder_ / "out.h5");
  std::map<Index, double> right;
  double hits = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    const bool hit = (all.output[2 * i + 1] > all.output[2 * i]) == (all.target[i] == 1);
    right[all.group[i]] += hit;
    hits += hit;
  }
  const double n_groups = static_cast<double>(right.size());  // of three images each
  double mean = 0, squares = 0;
  for (const auto& [group, n] : right) mean += (hits - n) / 57 / n_groups;
  for (const auto& [group, n] : right) squares += std::pow((hits - n) / 57 - mean, 2);
  const double t = quantile(boost::math::students_t(n_groups - 1), 0.975);
  const double half = t * std::sqrt((n_groups - 1) / n_groups * squares);

  const Json json = Json::parse(found.out, "out");
  const Json& accuracy = *json.find("metrics")->find("accuracy");
  EXPECT_NEAR(*accuracy.find("value")->real(), hits / 60, 1e-12);
  EXPECT_NEAR(*accuracy.find("low")->real(), hits / 60 - half, 1e-9);
  EXPECT_NEAR(*accuracy.find("high")->real(), hits / 60 + half, 1e-9);
  EXPECT_EQ(*json.find("groups")->integer(), 20);
  const auto& rows = *json.find("confusion")->list();
  EXPECT_EQ(*rows[0].list()->at(0).integer() + *rows[1].list()->at(1).integer(),
            static_cast<Index>(hits));
  const H5File file = H5File::open(folder_ / "out.h5");
  EXPECT_EQ(file.root().group("final").attribute<double>("interval_low", "eval_accuracy"),
            *accuracy.find("low")->real());
}

// The same images under class names in another order, and one name that no image has.
TEST_F(Eval, ClassesAreMatchedByName) {
  const std::string run = train(PixelType::uint8);
  write_images(folder_ / "turned.h5", PixelType::uint8, {"bright", "none", "dark"}, {2, 0});
  ASSERT_EQ(eval(run, folder_ / "data.h5", {"-o", folder_ / "a.h5"}).code, 0);
  const Finished turned = eval(run, folder_ / "turned.h5", {"-o", folder_ / "b.h5"});
  ASSERT_EQ(turned.code, 0) << turned.err;
  EXPECT_EQ(predictions_in(folder_ / "a.h5").target, predictions_in(folder_ / "b.h5").target);
  EXPECT_EQ(predictions_in(folder_ / "a.h5").output, predictions_in(folder_ / "b.h5").output);
  EXPECT_THAT(turned.out, AllOf(HasSubstr("taken for bright"), HasSubstr("60 images")));
}

TEST_F(Eval, OwnDataIsSaidToBeThat) {
  const std::string run = train(PixelType::uint8);
  write_images(folder_ / "other.h5", PixelType::uint8, {"bright", "dark"}, {1, 0});
  EXPECT_THAT(eval(run, folder_ / "data.h5").out, HasSubstr("trained on some of them"));
  EXPECT_THAT(eval(run, folder_ / "other.h5").out, Not(HasSubstr("trained on some")));
  EXPECT_THAT(eval(run, folder_ / "data.h5", {"-q"}).out, Not(HasSubstr("trained on some")));
  EXPECT_THAT(eval(run, folder_ / "data.h5", {"--json"}).out, HasSubstr("\"own_data\": true"));
  EXPECT_THAT(eval(run, folder_ / "other.h5", {"--json"}).out, HasSubstr("\"own_data\": false"));
}

// One class has no AUC: it is left out, and the rest is there.
TEST_F(Eval, WhatTheDataCannotHaveIsLeftOut) {
  const std::string run = train(PixelType::uint8);
  write_images(folder_ / "dark.h5", PixelType::uint8, {"dark"}, {0, 0});
  const Finished found = eval(run, folder_ / "dark.h5", {"--json"});
  ASSERT_EQ(found.code, 0) << found.err;
  const Json metrics = *Json::parse(found.out, "out").find("metrics");
  EXPECT_TRUE(metrics.find("accuracy"));
  EXPECT_FALSE(metrics.find("auc"));
}

TEST_F(Eval, WhatCannotServeIsRefusedAndNothingIsWritten) {
  const std::string run = train(PixelType::uint8), data = folder_ / "data.h5";
  const auto expect = [&](const Finished& refused, int code, const std::string& said) {
    EXPECT_EQ(refused.code, code) << said;
    EXPECT_THAT(refused.err, HasSubstr(said));
    EXPECT_EQ(refused.out, "");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.h5"));
  };
  const Words out = {"-o", folder_ / "out.h5"};
  write_images(folder_ / "unknown.h5", PixelType::uint8, {"dark", "purple"});
  expect(eval(run, folder_ / "unknown.h5", out), 2, "has images of purple");
  write_images(folder_ / "float.h5", PixelType::float32);
  expect(eval(run, folder_ / "float.h5", out), 2, "its pixels are float32");
  expect(eval(run, folder_ / "none.h5", out), 2, "none.h5");
  expect(eval(run, run, out), 2, "schema");
  expect(eval(folder_ / "none.h5", data, out), 2, "there is no such file");
}

// A person may name anything: what is no run file is said to be that, and nothing about training.
TEST_F(Eval, WhatIsNoRunFileIsSaidToBeThat) {
  const std::string run = train(PixelType::uint8), data = folder_ / "data.h5";
  std::ofstream(folder_ / "labels.csv") << "file,label\n";
  write_atomically(folder_ / "empty.h5", "");
  ASSERT_EQ(eval(run, data, {"-o", folder_ / "eval.h5"}).code, 0);
  for (const auto& [path, said] : std::vector<std::pair<std::string, std::string>>{
           {folder_.path(), "is a folder, and a run file is needed"},
           {folder_ / "labels.csv", "is no HDF5 file, and a run file is needed"},
           {folder_ / "empty.h5", "is no HDF5 file, and a run file is needed"},
           {folder_ / "eval.h5", "is no run file: its schema is attune.eval@1"},
           {data, "is no run file: its schema is attune.dataset@1"}}) {
    const Finished refused = eval(path, data);
    EXPECT_EQ(refused.code, 2) << path;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(path), HasSubstr(said), Not(HasSubstr("Remove it"))));
  }
}

// The file's bytes with a text replaced by one as long.
std::string with(std::string bytes, const std::string& text, const std::string& other) {
  EXPECT_NE(bytes.find(text), bytes.npos);
  return bytes.replace(bytes.find(text), text.size(), other);
}

// Copies without metadata beside them, so that only their content tells.
TEST_F(Eval, ADamagedRunFileIsNamedAndExitsWithSix) {
  const std::string run = train(PixelType::uint8), data = folder_ / "data.h5";
  const std::string bytes = read_file(run), bad = folder_ / "bad.h5";
  const auto expect = [&](const std::string& damaged, const std::string& said) {
    write_atomically(bad, damaged);
    const Finished refused = eval(bad, data);
    EXPECT_EQ(refused.code, 6) << said << refused.err;
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr(bad), HasSubstr(said), Not(HasSubstr("trains this trial again"))));
  };
  expect(bytes.substr(0, bytes.size() / 2), "not copied whole");
  expect(with(bytes, "d_model: 16", "d_modem: 16"), "unknown key 'model.d_modem'");
  expect(with(bytes, "d_model: 16", "d_model: 18"), "says model.d_model=18, its attribute 16");
  expect(with(bytes, "d_model: 16", "d_model; 16"), "resolved_yaml");

  const RunFile whole = read_run_file(run);
  const auto rewritten = [&](const std::function<void(RunContent&)>& change) {
    RunFile file = whole;
    change(file.content);
    return run_file_bytes(file.trial, file.content, file.head.build_id);
  };
  const auto head = [](RunContent& c) -> NamedTensor& {
    return *std::find_if(c.weights[0].tensors.begin(), c.weights[0].tensors.end(),
                         [](const NamedTensor& t) { return t.name == "head.weight"; });
  };
  expect(rewritten([](RunContent& c) { c.weights.clear(); }), "no parameters under /weights");
  expect(rewritten([](RunContent& c) { c.class_names.clear(); }), "has no class_names");
  expect(rewritten([&](RunContent& c) { head(c).name = "head.weights"; }), "has no 'head.weight'");
  expect(rewritten([&](RunContent& c) { head(c).shape = {16, 2}; }), "shape [16, 2], not [2, 16]");
  expect(rewritten([&](RunContent& c) { head(c).values[3] = NAN; }),
         "/weights/head.weight holds NaN");
  std::string flipped = bytes;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
  write_atomically(run, flipped);
  EXPECT_EQ(eval(run, data).code, 6);
  EXPECT_THAT(eval(run, data).err, HasSubstr("damaged"));
}

TEST_F(Eval, CheckAndRunTellADamagedRunFileAlike) {
  const std::string run = train(PixelType::uint8), bad = folder_ / "bad.h5";
  write_atomically(bad, with(read_file(run), "d_model: 16", "d_model: 18"));
  for (const Words& words : {Words{"check", bad}, {"run", bad, "-o", folder_ / "again"}}) {
    const Finished refused = run_attune(words);
    EXPECT_EQ(refused.code, 6) << words[0] << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("says model.d_model=18, its attribute 16"));
  }
  EXPECT_FALSE(file_exists(folder_ / "again"));
  EXPECT_EQ(run_attune({"check", run}).code, 0);
  // What is wrong with a config comes first in the list of exit codes.
  std::ofstream(folder_ / "wrong.yaml") << "schema: attune/experiment@1\nname: x\nkind: fot\n";
  const Finished both = run_attune({"check", bad, folder_ / "wrong.yaml", "--json"});
  EXPECT_EQ(both.code, 2);
  EXPECT_EQ(Json::parse(both.err, "stderr").find("errors")->list()->size(), 2U);
}

// Neither the run nor the data need be readable for that, and nothing is left beside it.
TEST_F(Eval, WhereTheResultMayGoIsCheckedFirst) {
  std::filesystem::create_directory(folder_ / "there");
  std::ofstream(folder_ / "file") << "x";
  for (const auto& [out, said] : std::vector<std::pair<std::string, std::string>>{
           {folder_ / "there", "is a folder; name a file in it"},
           {folder_ / "there/", "is a folder; name a file in it"},
           {folder_ / "none/out.h5", "mkdir -p " + (folder_ / "none")},
           {folder_ / "file/out.h5", "is no folder"},
           {"/dev/null", "is no file that could be replaced"},
           {folder_ / "file", "is read"}}) {
    const Finished refused = eval(folder_ / "file", folder_ / "none.h5", {"-o", out});
    EXPECT_EQ(refused.code, 2) << out;
    EXPECT_THAT(refused.err, HasSubstr(said));
  }
  EXPECT_EQ(list_folder(folder_.path()), (std::vector<std::string>{"file", "there"}));
  EXPECT_EQ(list_folder(folder_ / "there"), std::vector<std::string>());
}

// Only an evaluation is replaced: neither what the study keeps nor the data of others.
TEST_F(Eval, WhatIsNoEvaluationIsNotReplaced) {
  const std::string run = train(PixelType::uint8), data = folder_ / "data.h5";
  write_images(folder_ / "other.h5", PixelType::uint8);
  std::filesystem::copy_file(run, folder_ / "run.h5");
  for (const std::string& out : {run.substr(0, run.rfind('.')) + ".meta.json", folder_ / "other.h5",
                                 folder_ / "run.h5", folder_ / "ct.yaml"}) {
    const std::string before = read_file(out);
    const Finished refused = eval(run, data, {"-o", out});
    EXPECT_EQ(refused.code, 2) << out;
    EXPECT_THAT(refused.err, HasSubstr("is no file of schema attune.eval@1"));
    EXPECT_EQ(read_file(out), before) << out;
  }
  EXPECT_EQ(eval(run, data, {"-o", folder_ / "e.h5"}).code, 0);
  EXPECT_EQ(eval(run, data, {"-o", folder_ / "e.h5"}).code, 0);
}

// A metric that is left without an interval says why.
TEST_F(Eval, AnIntervalThatCannotBeSaysWhy) {
  const std::string run = train(PixelType::uint8);
  ImageTable table = DatasetFile(folder_ / "data.h5").table();
  const auto with_groups = [&](const std::string& name, std::vector<std::int32_t> groups) {
    table.group = std::move(groups);
    DatasetFileWriter writer(folder_ / name, table);
    for (Index i = 0; i < table.size(); ++i) {
      const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(table.n_pixels(i)), 9);
      writer.append(View<const std::uint8_t>(pixels.data(), Shape{table.n_pixels(i)}));
    }
    writer.finish();
    return eval(run, folder_ / name).out;
  };
  EXPECT_THAT(with_groups("one.h5", std::vector<std::int32_t>(60, 4)),
              HasSubstr("No intervals: one group says nothing of others."));
  std::vector<std::int32_t> groups(60, 1000);
  for (std::size_t i = 0; i < 60; ++i)
    if (table.label[i] == 0) groups[i] = static_cast<std::int32_t>(i);
  EXPECT_THAT(with_groups("class.h5", groups),
              AllOf(HasSubstr("Intervals for new groups, from the 31 here"),
                    HasSubstr("balanced_accuracy, auc: a class that stands")));
}

// Finite weights may still have outputs that are not.
TEST_F(Eval, AnOverflowNamesTheImage) {
  RunFile run = read_run_file(train(PixelType::uint8));
  for (NamedTensor& t : run.content.weights[0].tensors)
    if (t.name == "head.weight") std::fill(t.values.begin(), t.values.end(), 3e38F);
  write_atomically(folder_ / "huge.h5", run_file_bytes(run.trial, run.content, run.head.build_id));
  const Finished refused = eval(folder_ / "huge.h5", folder_ / "data.h5");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("data.h5: the model's outputs for image 0 are no numbers"));
}

TEST_F(Eval, ARunWithoutParametersSaysWhichKeyToSet) {
  const std::string run = train(PixelType::uint8, {"results.save_parameters=[]"});
  const Finished refused = eval(run, folder_ / "data.h5");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("results.save_parameters: [chosen]"));
}

}  // namespace
}  // namespace attune
