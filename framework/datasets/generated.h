#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/philox.h"
#include "datasets/data_kinds.h"

// What the synthetic tasks have in common: an example is a function of (seed, split, i), so that a
// dataset of any size takes no memory, and growing a split moves none of its examples.
namespace attune {

struct GeneratedOptions : DataOptions {
  Index n_train = 4096, n_val = 512, n_test = 512;
  std::optional<Index> seed;  // null: the run's

  void fields(FieldList& f) override;
  // DataError: there is no such file.
  std::unique_ptr<Dataset> open_other(const std::string& path, Index patch,
                                      const TrainedOn& trained) const override;
};

// The random numbers of one example, one after the other: elements 0, 1, … of
// Stream(seed, "data", task) at coordinates (i, split). A normal takes two elements.
class Draws {
 public:
  Draws(const Stream& stream, Split split, Index i)
      : stream_(stream),
        i_(static_cast<std::uint32_t>(i)),
        split_(static_cast<std::uint32_t>(split)) {}
  Index below(Index n) { return stream_.below(static_cast<std::uint32_t>(n), next_++, i_, split_); }
  double uniform() { return stream_.uniform(next_++, i_, split_); }
  double normal();
  // items becomes 0 … n − 1, of which the first k are k of them in random order.
  void choose(Index k, View<Index> items);
  // Where the next number comes from; draws from there on can be made again.
  std::uint64_t position() const { return next_; }
  void seek(std::uint64_t position) { next_ = position; }

 private:
  Stream stream_;
  std::uint32_t i_, split_;
  std::uint64_t next_ = 0;
};

class Generated : public Dataset {
 public:
  RowSpec::Kind row_kind() const final { return spec_.kind; }
  Index width() const final { return spec_.width; }
  Index vocabulary() const final { return spec_.vocabulary; }
  bool row_targets() const final { return spec_.row_targets; }
  bool targets_ahead() const final { return spec_.targets_ahead; }
  std::optional<RowSpec::Queries> queries() const final { return spec_.queries; }
  const std::vector<std::string>& class_names() const final { return class_names_; }
  std::string sha256() const final { return sha256_; }
  Index n_examples(Split split) const final { return sizes_[static_cast<std::size_t>(split)]; }
  Example example(Split split, Index i) const override {
    const Index id = 3 * i + static_cast<Index>(split);  // unmoved when a split grows
    return {.id = id,
            .group = id,
            .label = spec_.one_target() ? label(split, i) : 0,
            .rows = n_rows(split, i),
            .n_queries = n_queries(split, i)};
  }

 protected:
  // `spec` but for n_classes, edges and longest; `options` are hashed, a copy of the dataset's own.
  Generated(const std::string& task, GeneratedOptions& options, const DataContext& context,
            RowSpec spec, std::vector<std::string> class_names);

  // Of examples that have one target: in every run of n_classes examples from a multiple of
  // n_classes on each label stands once, so that a split is balanced by construction.
  virtual Index label(Split split, Index i) const;
  virtual Index n_rows(Split split, Index i) const = 0;
  virtual Index n_queries(Split, Index) const { return 0; }
  Draws draws(Split split, Index i) const { return {stream_, split, i}; }

 private:
  RowSpec spec_;
  std::vector<std::string> class_names_;
  std::array<Index, 3> sizes_;
  Stream stream_, labels_;
  std::string sha256_;
};

// "0", "1", … "n−1", each behind `prefix`.
std::vector<std::string> numbered(Index n, const std::string& prefix = "");

}  // namespace attune
