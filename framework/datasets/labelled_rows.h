#pragma once

#include "datasets/data_kinds.h"
#include "datasets/open_file.h"
#include "datasets/split.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"

namespace attune {

// data.kind: tokens. Labelled sequences of a tokens file, one an example, whose row in the file is
// its id.
struct TokensOptions : DataOptions {
  std::optional<std::string> file;
  SplitOptions split;

  void fields(FieldList& f) override;
  FoldPlan folds() const override { return {split.n_folds(), split.folds()}; }
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  // Classes are found by their names. DataError where the file's vocabulary is another: a run file
  // keeps no names of tokens.
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  KeptFile<TokenFile> opened_;
};

// data.kind: vectors. Examples of a vectors file, each a single row of its values as they are.
struct VectorsOptions : DataOptions {
  std::optional<std::string> file;
  SplitOptions split;

  void fields(FieldList& f) override;
  FoldPlan folds() const override { return {split.n_folds(), split.folds()}; }
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;

 private:
  KeptFile<VectorFile> opened_;
};

}  // namespace attune
