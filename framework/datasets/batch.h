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
  void reserve(Index tokens, Index examples, Index patch);
  // Example indices within the split, in any order. Views of an earlier call become invalid.
  void assemble(const Dataset& data, Split split, std::span<const Index> indices);
  // Of the training split, changed at random as in step `step`.
  void assemble_augmented(const Dataset& data, std::span<const Index> indices,
                          const Augmenter& augmenter, Index step);

  View<const float> patches() const;         // [n_tokens, patch²]
  PackedRows rows() const;                   // offsets, ids and grids of the examples
  View<const std::int32_t> targets() const;  // [n_examples] labels
  std::span<const Index> groups() const { return groups_; }
  Index n_examples() const { return static_cast<Index>(targets_.size()); }
  Index n_tokens() const { return offsets_.empty() ? 0 : offsets_.back(); }

 private:
  void describe(const Dataset& data, Split split, std::span<const Index> indices);
  float* patches_of(std::size_t i) { return patches_.data() + offsets_[i] * patch_ * patch_; }

  Index patch_ = 0;
  std::vector<float> patches_;
  std::vector<std::int32_t> offsets_, example_, grid_, targets_;
  std::vector<Index> groups_;
};

}  // namespace attune
