#pragma once

#include "datasets/data_kinds.h"
#include "train/kind.h"
#include "train/options.h"

namespace attune {

// What a study is compared with: classifiers that know no attention, on the same data and splits.
struct BaselineOptions {
  enum class Name { pixels_logistic, size_only, nearest_neighbours };
  Name name = Name::pixels_logistic;
  Index k = 3;  // of nearest_neighbours
  void fields(FieldList& f);
};

// kind: baseline. What each sees of an image, standardised by feature on the training split:
//   pixels_logistic     its gray values, resampled to 32 × 32 whatever its shape
//   nearest_neighbours  the same
//   size_only           with h and w the standardised logs of height and width: h, w, h², h·w, w²
// The two regressions are those of train/logistic.h; of L2 penalties 10, 3, 1, .3, … .001 they take
// the one of least loss on the validation split (of equals the largest). Trained on the training
// split alone; series and finals of val and test at step 0.
class BaselineKind : public KindOptions {
 public:
  void fields(FieldList& f) override;
  std::string data_sha256(Index seed, std::optional<Index> fold) const override;
  FoldPlan folds() const override { return data_.folds(); }
  std::vector<std::string> shown_metrics() const override { return metrics_.shown; }
  std::vector<std::string> recorded() const override { return metric_paths(); }
  std::optional<double> solved_at() const override { return data_.solved_at(); }

  static void run(const Trial& trial, const KindOptions& options, RunContext& context);

 private:
  DataConfig data_;
  BaselineOptions baseline_;
  MetricsOption metrics_;
};

extern const Kind baseline_kind;

}  // namespace attune
