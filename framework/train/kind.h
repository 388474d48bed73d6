#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/profile.h"
#include "base/fields.h"
#include "datasets/data_kinds.h"
#include "kernels/parallel.h"
#include "storage/run_file.h"
#include "storage/trial.h"
#include "train/recorder.h"

namespace attune {

// The options of one kind of trial: the keys of a study's file that this kind understands.
class KindOptions {
 public:
  virtual ~KindOptions() = default;
  virtual void fields(FieldList& f) = 0;
  // SHA-256 of the data that a trial of this seed and fold would read, empty where there is none.
  // DataError when the data cannot be had, or cannot serve these options.
  virtual std::string data_sha256(Index seed, std::optional<Index> fold) const = 0;
  // Every row is trained on each of its trials' folds; without folds, once.
  virtual FoldPlan folds() const { return {}; }
  // Columns of the tables: "test/accuracy".
  virtual std::vector<std::string> shown_metrics() const = 0;
  // What its trials leave as numbers, as claims name them (study/scalar.h): "val/loss",
  // "count/scores", "time/step"; which of them a trial has depends on its data as well.
  virtual std::vector<std::string> recorded() const { return shown_metrics(); }
  // From which accuracy on the task is solved, for tasks that are solved or not learnt at all.
  virtual std::optional<double> solved_at() const { return std::nullopt; }
};

// What a run gets from outside; nothing of it reaches a number.
struct RunContext {
  Recorder& recorder;
  kernels::Threads& threads;
  Profile* profile = nullptr;  // asks where the time of steps goes
};

// What the model of a finished run says of other data.
struct Evaluation {
  Predictions predictions;
  std::string data_sha256;
  std::string parameters;  // which set of the run's: "chosen"
  Index step = 0;          // of these parameters
};

// A kind of trial. Running one is a function of the trial's value, the data and the binary alone.
struct Kind {
  std::string name, doc;
  std::unique_ptr<KindOptions> (*options)();
  void (*run)(const Trial& trial, const KindOptions& options, RunContext& context);
  // A finished run's model on every example of a dataset file; null where runs keep no model.
  // DataError when the run or the file cannot serve.
  Evaluation (*evaluate)(const RunFile& run, const KindOptions& options,
                         const std::string& data_file, kernels::Threads& threads) = nullptr;
};

}  // namespace attune
