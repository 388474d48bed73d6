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
  // Example indices within the split, in any order. Views of an earlier call become invalid. The
  // examples that stand there already, in that order, are not written again.
  void assemble(const Dataset& data, Split split, std::span<const Index> indices);
  // Puts other sequences in place of the answers of decoded queries, one an example: query row 0
  // holds the boundary, row t token t − 1. There are no targets then.
  void ask(std::span<const std::vector<std::int32_t>> answers);
  // Of the training split, changed at random as in step `step`.
  void assemble_augmented(const ImageDataset& data, std::span<const Index> indices,
                          const Augmenter& augmenter, Index step);

  // Of patches and vectors [n_tokens, width], of sparse rows [n_entries].
  View<const float> values() const;
  SparseRows sparse() const;                // where values of sparse rows stand
  View<const std::int32_t> tokens() const;  // [n_tokens] ids
  PackedRows rows() const;                  // offsets and ids, of images grids
  PackedEdges edges() const;                // of graphs
  bool has_queries() const { return has_queries_; }
  PackedRows query_rows() const;
  View<const float> query_values() const;         // [n_queries, width of queries]
  View<const std::int32_t> query_tokens() const;  // [n_queries]
  // [n_examples], or [n_tokens] where rows have targets, [n_queries] where queries are answered.
  View<const std::int32_t> targets() const;
  // The rows that have a target where not the example has one: query_rows() or rows().
  PackedRows target_rows() const { return has_queries_ ? query_rows() : rows(); }
  std::span<const Index> groups() const { return groups_; }
  Index n_examples() const { return static_cast<Index>(example_.size()); }
  Index n_tokens() const { return offsets_.empty() ? 0 : offsets_.back(); }
  Index n_queries() const { return query_offsets_.empty() ? 0 : query_offsets_.back(); }

 private:
  // What assemble() was last asked for, if nothing else has been put in its place.
  struct Assembled {
    const Dataset* data = nullptr;
    Split split = {};
    std::vector<Index> indices;
  };
  void describe(const Dataset& data, Split split, std::span<const Index> indices);
  void add_graph(const GraphRows& graph, std::int32_t first_row);
  float* values_of(std::size_t i) { return values_.data() + offsets_[i] * width_; }

  Index width_ = 0, query_width_ = 0;
  std::int32_t boundary_ = 0;  // of decoded queries
  bool grids_ = false, edges_ = false, sparse_ = false, has_queries_ = false;
  std::vector<float> values_, query_values_;
  std::vector<std::int32_t> tokens_, offsets_, example_, grid_, targets_;
  std::vector<std::int32_t> query_tokens_, query_offsets_;
  std::vector<std::int32_t> edge_indptr_, edge_indices_, x_indptr_, x_columns_;
  std::vector<Index> groups_;
  Assembled assembled_;
};

}  // namespace attune
