#include "datasets/batch.h"

#include "tensor/arena.h"

namespace attune {
namespace {

std::int32_t narrow(Index value) { return static_cast<std::int32_t>(value); }

}  // namespace

void Batch::reserve(Index tokens, Index examples, Index patch) {
  const auto n = static_cast<std::size_t>(examples);
  patches_.reserve(static_cast<std::size_t>(tokens * patch * patch));
  offsets_.reserve(n + 1);
  example_.reserve(n);
  grid_.reserve(2 * n);
  targets_.reserve(n);
  groups_.reserve(n);
}

// All but the patches, for which there is room then.
void Batch::describe(const Dataset& data, Split split, std::span<const Index> indices) {
  patch_ = data.patch();
  offsets_.assign(1, 0);
  example_.clear();
  grid_.clear();
  targets_.clear();
  groups_.clear();
  for (Index i : indices) {
    const Example e = data.example(split, i);
    offsets_.push_back(offsets_.back() + narrow(e.n_tokens()));
    example_.push_back(narrow(e.id));
    grid_.push_back(narrow(e.rows));
    grid_.push_back(narrow(e.cols));
    targets_.push_back(narrow(e.label));
    groups_.push_back(e.group);
  }
  patches_.resize(static_cast<std::size_t>(n_tokens() * patch_ * patch_));
}

void Batch::assemble(const Dataset& data, Split split, std::span<const Index> indices) {
  describe(data, split, indices);
  for (std::size_t i = 0; i < indices.size(); ++i)
    data.write_patches(split, indices[i], patches_of(i));
}

void Batch::assemble_augmented(const Dataset& data, std::span<const Index> indices,
                               const Augmenter& augmenter, Index step) {
  describe(data, Split::train, indices);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Index rows = grid_[2 * i], cols = grid_[2 * i + 1];
    Scratch scratch;
    const auto plain = scratch.view<float>({rows * cols, patch_ * patch_});
    data.write_patches(Split::train, indices[i], plain.data());
    const Augmentation drawn = augmenter.draw(step, example_[i], rows * patch_, cols * patch_);
    augment(drawn, rows, cols, patch_, plain.data(), patches_of(i));
  }
}

View<const float> Batch::patches() const {
  return View<const float>(patches_.data(), {n_tokens(), patch_ * patch_});
}

PackedRows Batch::rows() const {
  const Index n = n_examples();
  return {View<const std::int32_t>(offsets_.data(), {n + 1}),
          View<const std::int32_t>(example_.data(), {n}),
          View<const std::int32_t>(grid_.data(), {n, 2})};
}

View<const std::int32_t> Batch::targets() const {
  return View<const std::int32_t>(targets_.data(), {n_examples()});
}

}  // namespace attune
