#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/fields.h"
#include "datasets/dataset.h"

namespace attune {

// Which examples are trained on, chosen on and tested on; the keys under `split`.
struct SplitOptions {
  enum class By { group, example };
  enum class Scheme { holdout, kfold, given };
  enum class Stratify { label, none };
  struct AllFolds {};

  By by = By::group;
  Scheme scheme = Scheme::holdout;
  std::optional<Index> count;  // folds, by kfold; absent: 5
  // By holdout the share of the examples that is tested (absent: 0.2); by kfold which folds are
  // trials (absent: all), which enters no identity; else absent.
  std::variant<std::monostate, double, AllFolds, std::vector<Index>> test;
  double val = 0.15;  // share of the training examples
  Stratify stratify = Stratify::label;
  Index seed = 0;  // of the split alone: the run's seed never moves an example

  void fields(FieldList& f);
  double test_share() const;
  Index n_folds() const;             // 0 where the scheme has none
  std::vector<Index> folds() const;  // those that are trials, ascending; empty without folds
};

// What a split may look at: columns of the same length. `given` (0 train, 1 val, 2 test, −1 none)
// and `fold` (which tests it; −1: none), published folds, may be empty.
struct SplitColumns {
  std::span<const std::int32_t> label, group, given, fold = {};
};

// Indices of each split's examples, ascending; indexed by Split. Groups stay whole, but for
// by=example. `fold` is the test split by kfold, and absent otherwise.
//   holdout  walks the groups in an order drawn from the seed and takes each one that brings the
//            part nearer to its share of every class (least squares), so that shares are met as
//            nearly as whole groups allow; validation groups are then taken from the rest alike.
//   kfold    tests one of the published folds, or else of those of deal_folds; of the rest,
//            validation groups are drawn anew for every fold.
//   given    is the file's own; without validation examples it takes them from the training groups.
// Every class has an example. KeyedDataError when a split that was asked for stays empty, or
// training lacks a class, and when published folds are not 0 … n_folds() − 1, each with an example,
// or cut a group apart; its advice has been tried.
using SplitIndices = std::array<std::vector<Index>, 3>;
SplitIndices split_examples(const SplitColumns& columns, const SplitOptions& options,
                            const std::vector<std::string>& class_names,
                            std::optional<Index> fold = std::nullopt);

// The fold of each example, 0 … n_folds() − 1. With n_fc examples of class c (n_f in all) in fold
// f, and totals N_c and N, it makes Σ_f (Σ_c n_fc² / N_c + n_f² / N) small: the largest groups are
// dealt first, ties in an order drawn from the seed, each to the fold where it costs least; then
// groups move one by one until no move of one makes it less. A class may be missing in a fold, such
// as one of a single group. KeyedDataError when there are fewer groups than folds, or when a class
// is in one group alone, which the fold that tests it cannot train on.
std::vector<Index> deal_folds(const SplitColumns& columns, const SplitOptions& options,
                              const std::vector<std::string>& class_names);

}  // namespace attune
