#include "datasets/batch.h"

#include "tensor/arena.h"

namespace attune {
namespace {

std::int32_t narrow(Index value) { return static_cast<std::int32_t>(value); }

}  // namespace

void Batch::reserve(const Dataset& data, Index tokens, Index examples) {
  const auto n = static_cast<std::size_t>(examples), rows = static_cast<std::size_t>(tokens);
  values_.reserve(rows * static_cast<std::size_t>(data.width()));
  tokens_.reserve(data.vocabulary() > 0 ? rows : 0);
  offsets_.reserve(n + 1);
  example_.reserve(n);
  grid_.reserve(2 * n);
  targets_.reserve(data.row_targets() ? rows : n);
  groups_.reserve(n);
}

// All but the rows, for which there is room then.
void Batch::describe(const Dataset& data, Split split, std::span<const Index> indices) {
  width_ = data.width();
  grids_ = data.images() != nullptr;
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
    if (!data.row_targets()) targets_.push_back(narrow(e.label));
    groups_.push_back(e.group);
  }
  const auto rows = static_cast<std::size_t>(n_tokens());
  values_.resize(rows * static_cast<std::size_t>(width_));
  tokens_.resize(data.vocabulary() > 0 ? rows : 0);
  if (data.row_targets()) targets_.resize(rows);
}

void Batch::assemble(const Dataset& data, Split split, std::span<const Index> indices) {
  describe(data, split, indices);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    ExampleRows rows;
    if (!values_.empty()) rows.values = values_of(i);
    if (!tokens_.empty()) rows.tokens = tokens_.data() + offsets_[i];
    if (data.row_targets()) rows.targets = targets_.data() + offsets_[i];
    data.write(split, indices[i], rows);
  }
}

void Batch::assemble_augmented(const ImageDataset& data, std::span<const Index> indices,
                               const Augmenter& augmenter, Index step) {
  describe(data, Split::train, indices);
  const Index patch = data.patch();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Index rows = grid_[2 * i], cols = grid_[2 * i + 1];
    Scratch scratch;
    const auto plain = scratch.view<float>({rows * cols, width_});
    data.write_patches(Split::train, indices[i], plain.data());
    const Augmentation drawn = augmenter.draw(step, example_[i], rows * patch, cols * patch);
    augment(drawn, rows, cols, patch, plain.data(), values_of(i));
  }
}

View<const float> Batch::values() const {
  return View<const float>(values_.data(), {n_tokens(), width_});
}

View<const std::int32_t> Batch::tokens() const {
  return View<const std::int32_t>(tokens_.data(), {static_cast<Index>(tokens_.size())});
}

PackedRows Batch::rows() const {
  const Index n = n_examples();
  PackedRows rows{View<const std::int32_t>(offsets_.data(), {n + 1}),
                  View<const std::int32_t>(example_.data(), {n}),
                  {}};
  if (grids_) rows.grid = View<const std::int32_t>(grid_.data(), {n, 2});
  return rows;
}

View<const std::int32_t> Batch::targets() const {
  return View<const std::int32_t>(targets_.data(), {static_cast<Index>(targets_.size())});
}

}  // namespace attune
