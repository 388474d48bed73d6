#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "datasets/dataset.h"

namespace attune {

// What a dataset takes from the rest of a config.
struct DataContext {
  Index patch = 16;  // model.patch
  Index seed = 0;    // of the run, for synthetic data whose own seed is null
  std::optional<Index> fold = std::nullopt;  // which fold is the test split, where data has folds
};

// Folds: how many there are, and which of them are trials, ascending. Data without folds has none.
struct FoldPlan {
  Index count = 0;
  std::vector<Index> trials;
};

// What a trained model knows of its data, and must find again in any other.
struct TrainedOn {
  std::vector<std::string> class_names = {};   // in the order of its outputs
  std::optional<GrayLaw> gray = std::nullopt;  // of images
  std::vector<std::string> token_names = {};   // of labelled sequences
  Index width = 0;                             // of vectors and of the nodes of graphs
  bool row_targets = false;                    // whether rows have targets, not examples
};

// The options of one kind of data.
struct DataOptions {
  virtual ~DataOptions() = default;
  virtual void fields(FieldList& f) = 0;
  virtual FoldPlan folds() const { return {}; }
  // DataError when the data cannot be had: what is wrong, and which command makes it.
  virtual std::unique_ptr<Dataset> open(const DataContext& context) const = 0;
  // Every example of another dataset file as the test split, for a model that was trained with
  // these options: read as its own were, labels by the names of its classes. DataError when the
  // file cannot serve.
  virtual std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                              const TrainedOn& trained) const = 0;
};

struct DataKind {
  std::string name, doc;
  std::unique_ptr<DataOptions> (*options)();
  // From which accuracy on the task is solved, where models solve it or do not learn it at all: the
  // accuracies of seeds then lie in two clusters, and their mean says nothing.
  std::optional<double> solved_at = std::nullopt;
};

// Every kind of data, in the order in which they are listed.
const std::vector<DataKind>& data_kinds();

// The key `data` of a config: `kind`, and the options of each kind, of which the chosen one counts.
// Declare it with fields.variant("data", data.kind, data.alternatives(), doc).
class DataConfig {
 public:
  DataConfig();
  std::string kind;  // no default: what is learnt from is for the config to say
  std::vector<FieldVariant::Alternative> alternatives();
  std::unique_ptr<Dataset> open(const DataContext& context) const { return chosen().open(context); }
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const {
    return chosen().open_other(path, patch, trained);
  }
  // Without `resize` and `augment`: for who reads images as they are, and whose identity these keys
  // must not move.
  std::vector<FieldVariant::Alternative> source_alternatives();
  FoldPlan folds() const { return chosen().folds(); }
  std::optional<double> solved_at() const;

 private:
  const DataOptions& chosen() const;
  std::vector<std::unique_ptr<DataOptions>> options_;  // as data_kinds()
};

}  // namespace attune
