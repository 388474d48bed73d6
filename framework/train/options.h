#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"

namespace attune {

// train.stop: ends training at the first evaluation that lies `patience` steps or more behind the
// last one where any of these metrics was better than ever before.
struct StopOptions {
  std::vector<std::string> metrics = {"val/loss"};
  Index patience = 100;  // steps

  void fields(FieldList& f);
};

// train: how long and on what batches.
struct TrainOptions {
  Index steps = 500;
  Index batch_tokens = 2048;
  std::optional<Index> batch_size;
  Index eval_every = 100;
  std::optional<StopOptions> stop;
  std::optional<std::string> init_from;

  void fields(FieldList& f);
};

// select: which step's parameters are tested.
struct SelectOptions {
  enum class Goal { minimize, maximize };
  enum class How { last, best };
  std::string by = "val/loss";
  Goal goal = Goal::minimize;
  How how = How::best;

  void fields(FieldList& f);
  // by = "val/loss" → "loss"
  std::string metric() const { return by.substr(by.find('/') + 1); }
};

struct NumericsOptions {
  enum class Nan { record, stop_study };
  Nan nan = Nan::record;

  void fields(FieldList& f);
};

// checkpoint.every: 200 (steps) or 30s.
struct CheckpointOptions {
  Index steps = 200;
  double seconds = 0;  // above 0: by time instead

  void fields(FieldList& f);
};

// results: what else the run file keeps.
struct ResultsOptions {
  std::vector<std::string> save_parameters = {"chosen"};  // chosen, initial, last, step numbers
  std::vector<std::string> predictions = {"val", "test"};
  Index hash_every = 100;

  void fields(FieldList& f);
};

// metrics: the tables' columns, "split/metric" each.
struct MetricsOption {
  std::vector<std::string> shown = {"test/accuracy"};

  void fields(FieldList& f);
};

// Every metric of every split: "train/loss", …, "test/auc".
std::vector<std::string> metric_paths();

// True for what SelectOptions::by and MetricsOption may name; `why` then says what is wrong.
bool is_metric_path(const std::string& path, std::string& why);

}  // namespace attune
