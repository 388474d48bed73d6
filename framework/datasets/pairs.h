#pragma once

#include "datasets/data_kinds.h"
#include "datasets/open_file.h"
#include "datasets/pair_file.h"
#include "datasets/split.h"

namespace attune {

// data.kind: pairs. Pairs of sequences of a pairs file, one an example, whose row in the file is
// its id: rows are the input's tokens, queries are decoded and answer with the answer's. Classes
// are the names of /answer_vocabulary and, behind them, the boundary.
//
// `n` takes so many of the file's pairs only, drawn by split.seed: the first n of a Fisher-Yates
// shuffle by Stream(split.seed, "split", "subset"), of which the splits are then made.
struct PairsOptions : DataOptions {
  std::optional<std::string> file;
  std::optional<Index> n;
  SplitOptions split;

  void fields(FieldList& f) override;
  FoldPlan folds() const override { return {split.n_folds(), split.folds()}; }
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  // All of another pairs file, whose tokens are found by their names in both vocabularies.
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  KeptFile<PairFile> opened_;
};

}  // namespace attune
