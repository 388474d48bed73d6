#pragma once

#include "datasets/data_kinds.h"
#include "datasets/graph_file.h"
#include "datasets/open_file.h"
#include "datasets/split.h"

namespace attune {

// data.resplit, in place of split: training examples of each class at random, and of the rest those
// to choose by and to test (Yang et al. 2016; Shchur et al. 2018 average over such splits).
struct ResplitOptions {
  Index train_per_class = 20, n_val = 500, n_test = 1000;
  std::optional<Index> seed;  // null: the run's, so that every seed has a split of its own

  void fields(FieldList& f);
};

// data.kind: graph. Graphs of a dataset file, whose nodes are rows. Where graphs have labels they
// are the examples. Where nodes have, `split` divides the nodes; every graph with a target in a
// split is an example of it, all of its nodes and edges, with targets at the nodes of the split
// alone (transductive learning: Yang et al. 2016). Ids and groups are those of graphs.
struct GraphOptions : DataOptions {
  enum class Normalise { none, rows };
  // Of scheme kfold: dealt by split, or the file's /fold.
  enum class Folds { dealt, file };

  std::optional<std::string> file;
  // rows: each row of features is divided by its sum, unless that is 0 (Kipf & Welling 2017).
  Normalise normalise = Normalise::none;
  SplitOptions split;
  Folds folds_of = Folds::dealt;
  std::optional<ResplitOptions> resplit;

  void fields(FieldList& f) override;
  FoldPlan folds() const override {
    return resplit ? FoldPlan() : FoldPlan{split.n_folds(), split.folds()};
  }
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  // Classes are found by their names; DataError unless features are as many, and labels of the same
  // (nodes or graphs).
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  SplitIndices parts_of(const GraphTable& table, const DataContext& context) const;
  KeptFile<GraphFile> opened_;
};

}  // namespace attune
