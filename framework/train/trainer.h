#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "datasets/packer.h"
#include "train/kind.h"
#include "train/learner.h"
#include "train/metrics.h"
#include "train/options.h"
#include "train/probes.h"

namespace attune {

struct TrainerOptions {
  ModelConfig model;
  LossOptions loss;
  OptimOptions optim;
  ScheduleOptions schedule;
  TrainOptions train;
  SelectOptions select;
  ProbesOptions probes;
  CheckpointOptions checkpoint;
  ResultsOptions results;

  LearnerOptions learner() const { return {&model.chosen(), loss, optim, schedule, train.steps}; }
};

// The loop: batches, steps, evaluations, the choice of a step, checkpoints. What it computes is a
// function of options, data and seed; the recorder gets all of it, and a trial that was killed
// goes on from the recorder's last checkpoint with the same bits.
//
// Steps are counted in updates: the training metrics at step s are those of the batch whose update
// was the s-th, an evaluation at step s sees the parameters after s updates.
class Trainer {
 public:
  // Where a profile is given, the time of steps is added to it.
  Trainer(const TrainerOptions& options, const Dataset& data, Index seed, Recorder& recorder,
          Profile* profile = nullptr);

  // DataError when the data cannot serve these options: an image longer than a batch, or
  // weights to start from that are not this model's.
  static void check(const TrainerOptions& options, const Dataset& data);

  // Trains from where the recorder's checkpoint left off, then tests the chosen step. Throws
  // InterruptedError after a checkpoint when a stop was requested.
  void run();

 private:
  struct Chosen {
    Index step = -1;  // none yet
    double score = 0;
    std::string values;  // bytes of the parameter block
  };
  struct Kept {
    Index step;
    std::string values;
  };

  // What train.stop has seen.
  struct Watch {
    Index improved_at = 0;
    std::vector<double> best = {};  // by metric of train.stop; none before the first evaluation
  };

  void declare();
  void initial_parameters();
  void restore(const TrainingState& state);
  TrainingState state(Index step) const;
  void stop_or_checkpoint(Index step);
  bool train_step(Index step);  // false: diverged
  bool after(Index step);       // false: diverged
  bool evaluate_and_choose(Index step);
  void watch(Index step, const std::vector<double>& val);
  void probe(Probe::Row (Probe::*moment)(Index), Index step);
  void keep(const std::string& which, Index step);
  bool wants(const std::string& which) const;
  bool keeps_predictions(const std::string& split) const;
  void test_chosen();
  void give_up(Index step);
  void save_weights();

  Predictions evaluate(Split split);
  std::vector<double> measured(Split split, const Scored& outputs) const;
  void record_final(const std::string& split, const std::vector<double>& values,
                    const std::string& how);
  std::string values() const;
  void set_values(const std::string& bytes);

  const TrainerOptions& options_;
  const Dataset& data_;
  std::uint64_t seed_;
  Recorder& recorder_;
  Profile* profile_;
  Learner<float> learner_;
  Index last_step_;  // where training ends: train.steps, unless train.stop ended it
  std::vector<std::unique_ptr<Probe>> probes_;
  BatchSequence batches_;
  Augmenter augmenter_;
  Batch batch_;
  Chosen chosen_;
  Watch watch_;
  std::map<std::string, Kept> kept_;
  std::vector<MetricInfo> train_metrics_, val_metrics_, test_metrics_;
  std::chrono::steady_clock::time_point last_checkpoint_;
};

}  // namespace attune
