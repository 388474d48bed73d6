#include "datasets/batch.h"

#include <algorithm>

#include "tensor/arena.h"

namespace attune {
namespace {

std::int32_t narrow(Index value) { return static_cast<std::int32_t>(value); }

View<const std::int32_t> view_of(const std::vector<std::int32_t>& x) {
  return View<const std::int32_t>(x.data(), {static_cast<Index>(x.size())});
}

// Appends entries to the rows of a CSR.
void add_rows(std::span<const std::int32_t> indptr, std::vector<std::int32_t>& to) {
  for (std::size_t i = 1; i < indptr.size(); ++i)
    to.push_back(to.back() + indptr[i] - indptr[i - 1]);
}

}  // namespace

void Batch::reserve(const Dataset& data, Index tokens, Index examples) {
  const auto n = static_cast<std::size_t>(examples), rows = static_cast<std::size_t>(tokens);
  const bool sparse = data.row_kind() == RowSpec::Kind::sparse;
  const auto queries = data.queries();
  values_.reserve(sparse ? 0 : rows * static_cast<std::size_t>(data.width()));
  tokens_.reserve(data.vocabulary() > 0 ? rows : 0);
  offsets_.reserve(n + 1);
  example_.reserve(n);
  grid_.reserve(2 * n);
  targets_.reserve(data.row_targets() || queries ? rows : n);
  groups_.reserve(n);
  edge_indptr_.reserve(data.graphs() ? rows + 1 : 0);
  x_indptr_.reserve(sparse ? rows + 1 : 0);
  if (!queries) return;
  query_offsets_.reserve(n + 1);
  query_values_.reserve(rows * static_cast<std::size_t>(queries->width));
  query_tokens_.reserve(queries->vocabulary > 0 ? rows : 0);
}

// All but the rows, for which there is room then.
void Batch::describe(const Dataset& data, Split split, std::span<const Index> indices) {
  const auto queries = data.queries();
  width_ = data.width();
  grids_ = data.images() != nullptr;
  edges_ = data.graphs() != nullptr;
  sparse_ = data.row_kind() == RowSpec::Kind::sparse;
  has_queries_ = queries.has_value();
  query_width_ = queries ? queries->width : 0;
  boundary_ = queries ? narrow(queries->vocabulary - 1) : 0;
  offsets_.assign(1, 0);
  query_offsets_.assign(1, 0);
  example_.clear();
  grid_.clear();
  targets_.clear();
  groups_.clear();
  for (Index i : indices) {
    const Example e = data.example(split, i);
    offsets_.push_back(offsets_.back() + narrow(e.n_tokens()));
    query_offsets_.push_back(query_offsets_.back() + narrow(e.n_queries));
    example_.push_back(narrow(e.id));
    grid_.push_back(narrow(e.rows));
    grid_.push_back(narrow(e.cols));
    if (!data.row_targets() && !queries) targets_.push_back(narrow(e.label));
    groups_.push_back(e.group);
  }
  const auto rows = static_cast<std::size_t>(n_tokens());
  const auto asked = static_cast<std::size_t>(n_queries());
  values_.resize(sparse_ ? 0 : rows * static_cast<std::size_t>(width_));
  tokens_.resize(data.vocabulary() > 0 ? rows : 0);
  query_values_.resize(asked * static_cast<std::size_t>(query_width_));
  query_tokens_.resize(queries && queries->vocabulary > 0 ? asked : 0);
  if (data.row_targets()) targets_.resize(rows);
  if (queries) targets_.resize(asked);
}

void Batch::assemble(const Dataset& data, Split split, std::span<const Index> indices) {
  if (assembled_.data == &data && assembled_.split == split &&
      std::equal(indices.begin(), indices.end(), assembled_.indices.begin(),
                 assembled_.indices.end()))
    return;
  assembled_.data = nullptr;  // until all of it stands
  describe(data, split, indices);
  if (edges_) {
    edge_indptr_.assign(1, 0);
    edge_indices_.clear();
    x_indptr_.assign(1, 0);
    x_columns_.clear();
    // Of no edges and no entries there is still a view, which is not absent.
    edge_indices_.reserve(1);
    x_columns_.reserve(1);
    values_.reserve(1);
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    ExampleRows rows;
    if (!sparse_ && !values_.empty()) rows.values = values_of(i);
    if (!tokens_.empty()) rows.tokens = tokens_.data() + offsets_[i];
    if (data.row_targets()) rows.targets = targets_.data() + offsets_[i];
    if (has_queries_) rows.targets = targets_.data() + query_offsets_[i];
    if (!query_values_.empty())
      rows.query_values = query_values_.data() + query_offsets_[i] * query_width_;
    if (!query_tokens_.empty()) rows.query_tokens = query_tokens_.data() + query_offsets_[i];
    data.write(split, indices[i], rows);
    if (edges_) add_graph(data.graphs()->graph(split, indices[i]), offsets_[i]);
  }
  assembled_.data = &data;
  assembled_.split = split;
  assembled_.indices.assign(indices.begin(), indices.end());
}

void Batch::ask(std::span<const std::vector<std::int32_t>> answers) {
  assembled_.data = nullptr;
  query_offsets_.assign(1, 0);
  query_tokens_.clear();
  targets_.clear();
  for (const std::vector<std::int32_t>& tokens : answers) {
    query_tokens_.push_back(boundary_);
    query_tokens_.insert(query_tokens_.end(), tokens.begin(), tokens.end());
    query_offsets_.push_back(narrow(static_cast<Index>(query_tokens_.size())));
  }
}

void Batch::add_graph(const GraphRows& graph, std::int32_t first_row) {
  add_rows(graph.indptr, edge_indptr_);
  for (const std::int32_t node : graph.indices)
    edge_indices_.push_back(node - graph.first_node + first_row);
  if (!sparse_) return;
  add_rows(graph.x_indptr, x_indptr_);
  x_columns_.insert(x_columns_.end(), graph.columns.begin(), graph.columns.end());
  values_.insert(values_.end(), graph.values.begin(), graph.values.end());
}

void Batch::assemble_augmented(const ImageDataset& data, std::span<const Index> indices,
                               const Augmenter& augmenter, Index step) {
  assembled_.data = nullptr;
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
  if (sparse_) return View<const float>(values_.data(), {static_cast<Index>(values_.size())});
  return View<const float>(values_.data(), {n_tokens(), width_});
}

SparseRows Batch::sparse() const {
  return sparse_ ? SparseRows{view_of(x_indptr_), view_of(x_columns_)} : SparseRows();
}

PackedEdges Batch::edges() const {
  return edges_ ? PackedEdges{view_of(edge_indptr_), view_of(edge_indices_)} : PackedEdges();
}

View<const std::int32_t> Batch::tokens() const { return view_of(tokens_); }

PackedRows Batch::rows() const {
  PackedRows rows{view_of(offsets_), view_of(example_), {}};
  if (grids_) rows.grid = View<const std::int32_t>(grid_.data(), {n_examples(), 2});
  return rows;
}

PackedRows Batch::query_rows() const { return {view_of(query_offsets_), view_of(example_), {}}; }

View<const float> Batch::query_values() const {
  return View<const float>(query_values_.data(), {n_queries(), query_width_});
}

View<const std::int32_t> Batch::query_tokens() const { return view_of(query_tokens_); }

View<const std::int32_t> Batch::targets() const { return view_of(targets_); }

}  // namespace attune
