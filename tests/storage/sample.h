#pragma once

#include <unistd.h>

#include <filesystem>
#include <limits>
#include <string>

#include "storage/run_content.h"
#include "storage/trial.h"

namespace attune {

// A folder of its own for a test, gone afterwards; in memory where there is such a place, because
// there fsync costs nothing.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const std::filesystem::path memory = "/dev/shm";
    const bool usable = ::access(memory.c_str(), W_OK) == 0;
    const auto parent = usable ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "attune-storage-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Trial sample_trial() {
  Trial trial;
  trial.study = "needle";
  trial.row = "lr=0.001";
  trial.kind = "train";
  trial.seed = 3;
  trial.fold = 1;
  trial.config = {
      {"kind", std::string("train"), Role::result},
      {"name", std::string("needle"), Role::study},
      {"data.file", std::string("../../data/ct.h5"), Role::result, true},
      {"model.d_model", Index{96}, Role::result},
      {"model.bias", true, Role::result},
      {"optim.lr", 0.001, Role::result},
      {"optim.betas", std::vector<double>{0.9, 0.999}, Role::result},
      {"probe.layers", std::vector<Index>{}, Role::result},
      {"results.save_parameters", std::vector<std::string>{"chosen", "initial"}, Role::result},
      {"train.stop", std::monostate{}, Role::result},
      {"checkpoint.every", Index{200}, Role::operation}};
  trial.config_yaml = "kind: train\ndata: {file: ct.h5}  # ∇\n";
  trial.data_sha256 = std::string(64, 'd');
  return trial;
}

// Every group in use, with odd sizes, NaN, words, and arrays of two equal axes.
inline RunContent sample_content() {
  RunContent c;
  c.steps = 300;
  c.class_names = {"benign", "malign ✓"};
  c.gray = GrayLaw{-512.25, 317.5};
  MetricTable& train = c.metrics["train"];
  train.step = {100, 200, 300};
  train.info = {{"loss", "nats", "mean cross-entropy", "minimize"},
                {"accuracy", "1", "", "maximize"}};
  train.values = {{0.7, 0.5, std::numeric_limits<double>::quiet_NaN()}, {0.5, 0.75, 1}};
  MetricTable& val = c.metrics["val"];
  val.step = {300};
  val.info = {{"loss", "nats", "", "minimize"}};
  val.values = {{0.625}};
  c.final = {{"val", "loss", 0.625, "nats", "minimize", "best val/loss at step 300"},
             {"test", "auc", 0.875, "1", "maximize", ""}};
  c.predictions["test"] = {{4, 7, 9}, {0, 0, 5}, {1, 0, 1}, 2, {0.F, 1.F, -2.F, 3.F, 0.5F, 0.25F}};
  c.probes = {{"entropy",
               {{"step", {0, 300}, {}}, {"layer", {}, {"encoder.block0", "encoder.block1"}}},
               {{"entropy", "nats", "of attention", {1, 2, 3, 4}}},
               {{"heads", "layer", "in the layer", {2, 4}}},
               "at the first examples"}};
  c.weights = {{"chosen",
                300,
                {{"encoder.norm.gain", {2}, {1, 1}},
                 {"head.weight", {2, 2}, {1, 2, 3, 4}},
                 {"scale", {}, {2.5F}}}},
               {"initial", 0, {{"encoder.norm.gain", {2}, {0, 0}}}}};
  c.hash_step = {100, 200};
  c.hash = {0xfedcba9876543210U, 7};
  return c;
}

// A trial of no steps: the groups are there, the tables have no rows.
inline RunContent empty_content() {
  RunContent c;
  MetricTable& train = c.metrics["train"];
  train.info = {{"loss", "nats", "", "minimize"}};
  train.values = {{}};
  c.predictions["val"] = {{}, {}, {}, 2, {}};
  return c;
}

}  // namespace attune
