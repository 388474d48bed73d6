#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "datasets/dataset.h"
#include "tensor/packed.h"

namespace attune {

// Examples of a dataset laid one behind the other, as the model takes them. Its memory is its own
// and is reused: a batch no larger than any before (or than reserved) allocates nothing.
class Batch {
 public:
  void reserve(const Dataset& data, Index tokens, Index examples);
  // Example indices within the split, in any order. Views of an earlier call become invalid.
  void assemble(const Dataset& data, Split split, std::span<const Index> indices);
  // Of the training split, changed at random as in step `step`.
  void assemble_augmented(const ImageDataset& data, std::span<const Index> indices,
                          const Augmenter& augmenter, Index step);

  View<const float> values() const;          // [n_tokens, width], of patches and vectors
  View<const std::int32_t> tokens() const;   // [n_tokens] ids
  PackedRows rows() const;                   // offsets and ids, of images grids
  View<const std::int32_t> targets() const;  // [n_examples], or [n_tokens] where rows have targets
  std::span<const Index> groups() const { return groups_; }
  Index n_examples() const { return static_cast<Index>(example_.size()); }
  Index n_tokens() const { return offsets_.empty() ? 0 : offsets_.back(); }

 private:
  void describe(const Dataset& data, Split split, std::span<const Index> indices);
  float* values_of(std::size_t i) { return values_.data() + offsets_[i] * width_; }

  Index width_ = 0;
  bool grids_ = false;
  std::vector<float> values_;
  std::vector<std::int32_t> tokens_, offsets_, example_, grid_, targets_;
  std::vector<Index> groups_;
};

}  // namespace attune
