#pragma once

#include "datasets/data_kinds.h"
#include "train/kind.h"
#include "train/trainer.h"

namespace attune {

// kind: train. Trains one model from scratch on one split of a dataset, and tests it once.
class TrainKind : public KindOptions {
 public:
  void fields(FieldList& f) override;
  std::string data_sha256(Index seed, std::optional<Index> fold) const override;
  FoldPlan folds() const override { return data_.folds(); }
  std::vector<std::string> shown_metrics() const override { return metrics_.shown; }
  std::vector<std::string> recorded() const override;
  std::optional<double> solved_at() const override { return data_.solved_at(); }

  static void run(const Trial& trial, const KindOptions& options, RunContext& context);
  static Evaluation evaluate(const RunFile& run, const KindOptions& options,
                             const std::string& data_file, kernels::Threads& threads);

 private:
  std::unique_ptr<Dataset> open(Index seed, std::optional<Index> fold) const;

  DataConfig data_;
  TrainerOptions trainer_;
  MetricsOption metrics_;
  NumericsOptions numerics_;
};

extern const Kind train_kind;

}  // namespace attune
