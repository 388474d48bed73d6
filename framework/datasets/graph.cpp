#include "datasets/graph.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace attune {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

constexpr const char* kHow =
    "scripts/fetch_data cora or tu makes some; docs/data.md says how to write one";
// In no split.
constexpr std::int8_t kNone = -1;

// What is learnt of a file: the split of each label, and the labels as numbers of `class_names`.
struct Reading {
  std::vector<std::string> class_names;
  std::vector<Index> label;
  std::vector<std::int8_t> split;  // by label
};

Reading reading_of(std::vector<std::string> class_names, std::vector<Index> label,
                   const SplitIndices& parts) {
  Reading reading{std::move(class_names), std::move(label), {}};
  reading.split.assign(reading.label.size(), kNone);
  for (const Split split : kSplits)
    for (const Index i : parts[static_cast<std::size_t>(split)])
      reading.split[at(i)] = static_cast<std::int8_t>(split);
  return reading;
}

class FileGraphs final : public GraphDataset {
 public:
  FileGraphs(std::shared_ptr<const GraphFile> file, Reading reading,
             GraphOptions::Normalise normalise)
      : file_(std::move(file)), reading_(std::move(reading)), values_(table().x) {
    if (normalise == GraphOptions::Normalise::rows) normalise_rows();
    for (Index g = 0; g < table().n_graphs(); ++g) {
      bool in[3] = {};
      const auto [first, end] = labels_of(g);
      for (Index i = first; i < end; ++i)
        if (reading_.split[at(i)] != kNone) in[reading_.split[at(i)]] = true;
      for (const Split split : kSplits)
        if (in[static_cast<std::size_t>(split)])
          graphs_[static_cast<std::size_t>(split)].push_back(g);
    }
  }

  RowSpec::Kind row_kind() const override {
    return table().sparse ? RowSpec::Kind::sparse : RowSpec::Kind::vectors;
  }
  Index width() const override { return table().width; }
  bool row_targets() const override { return table().node_labels; }
  const std::vector<std::string>& class_names() const override { return reading_.class_names; }
  std::string sha256() const override { return file_->sha256; }
  Index n_examples(Split split) const override {
    return static_cast<Index>(graphs_[static_cast<std::size_t>(split)].size());
  }
  Example example(Split split, Index i) const override {
    const Index g = id_of(split, i);
    const bool of_graphs = !table().node_labels;
    return {.id = g,
            .group = of_graphs ? table().group[at(g)] : g,
            .label = of_graphs ? reading_.label[at(g)] : 0,
            .rows = end_of(g) - table().graph_offsets[at(g)]};
  }
  void write(Split split, Index i, const ExampleRows& out) const override {
    const Index g = id_of(split, i), first = table().graph_offsets[at(g)], end = end_of(g);
    if (out.values)
      std::copy(values_.begin() + first * width(), values_.begin() + end * width(), out.values);
    if (!out.targets) return;
    for (Index node = first; node < end; ++node)
      out.targets[node - first] = reading_.split[at(node)] == static_cast<std::int8_t>(split)
                                      ? static_cast<std::int32_t>(reading_.label[at(node)])
                                      : kNoTarget;
  }
  GraphRows graph(Split split, Index i) const override {
    const Index g = id_of(split, i), first = table().graph_offsets[at(g)], end = end_of(g);
    const auto rows = [&](const std::vector<std::int32_t>& starts) {
      return std::span(starts).subspan(at(first), at(end - first + 1));
    };
    const auto entries = [&](const auto& values, std::span<const std::int32_t> starts) {
      return std::span(values).subspan(at(starts.front()), at(starts.back() - starts.front()));
    };
    GraphRows graph;
    graph.indptr = rows(table().indptr);
    graph.indices = entries(table().indices, graph.indptr);
    graph.first_node = static_cast<std::int32_t>(first);
    if (!table().sparse) return graph;
    graph.x_indptr = rows(table().x_indptr);
    graph.columns = entries(table().x_indices, graph.x_indptr);
    graph.values = entries(values_, graph.x_indptr);
    return graph;
  }

 private:
  const GraphTable& table() const { return file_->table; }
  Index id_of(Split split, Index i) const {
    return graphs_[static_cast<std::size_t>(split)][at(i)];
  }
  Index end_of(Index g) const { return table().graph_offsets[at(g) + 1]; }
  // The labels that belong to a graph.
  std::pair<Index, Index> labels_of(Index g) const {
    if (!table().node_labels) return {g, g + 1};
    return {table().graph_offsets[at(g)], end_of(g)};
  }

  void normalise_rows() {
    for (Index i = 0; i < table().n_nodes(); ++i) {
      const Index first = table().sparse ? table().x_indptr[at(i)] : i * width();
      const Index end = table().sparse ? table().x_indptr[at(i) + 1] : (i + 1) * width();
      const double sum = std::accumulate(values_.begin() + first, values_.begin() + end, 0.0);
      if (sum == 0) continue;
      for (Index k = first; k < end; ++k)
        values_[at(k)] = static_cast<float>(static_cast<double>(values_[at(k)]) / sum);
    }
  }

  std::shared_ptr<const GraphFile> file_;
  Reading reading_;
  std::vector<float> values_;  // of the features, normalised
  std::array<std::vector<Index>, 3> graphs_;
};

// Draws: one shuffle of all labels by `key(seed, "split", "resplit")`, elements 0, 1, … at (0, 0).
SplitIndices resplit(const GraphTable& table, const ResplitOptions& options, Index seed) {
  const auto n = static_cast<Index>(table.label.size());
  std::vector<Index> order(at(n));
  std::iota(order.begin(), order.end(), Index{0});
  const Stream stream(static_cast<std::uint64_t>(seed), "split", "resplit");
  for (Index i = 0; i < n; ++i)
    std::swap(order[at(i)],
              order[at(i + stream.below(static_cast<std::uint32_t>(n - i), at(i), 0, 0))]);
  SplitIndices parts;
  auto& [train, val, test] = parts;
  std::vector<Index> taken(table.class_names.size());
  for (const Index i : order) {
    if (taken[at(table.label[at(i)])]++ < options.train_per_class) {
      train.push_back(i);
    } else if (static_cast<Index>(val.size()) < options.n_val) {
      val.push_back(i);
    } else if (static_cast<Index>(test.size()) < options.n_test) {
      test.push_back(i);
    }
  }
  for (std::size_t c = 0; c < taken.size(); ++c)
    if (taken[c] < options.train_per_class)
      throw KeyedDataError({"data.resplit.train_per_class",
                            fmt::format("data.resplit.train_per_class={} and class '{}' has {}",
                                        options.train_per_class, table.class_names[c], taken[c]),
                            fmt::format("at most {}", taken[c]),
                            {}});
  const auto rest = n - static_cast<Index>(train.size());
  if (options.n_val + options.n_test > rest)
    throw KeyedDataError({"data.resplit.n_test",
                          fmt::format("data.resplit.n_val={} and n_test={} are more than the {} "
                                      "that training leaves",
                                      options.n_val, options.n_test, rest),
                          fmt::format("{} in all", rest),
                          {}});
  for (auto& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace

void ResplitOptions::fields(FieldList& f) {
  f.integer("train_per_class", train_per_class, {1, 1e8}, Role::result,
            "training examples of each class");
  f.integer("n_val", n_val, {0, 1e8}, Role::result, "examples to choose by");
  f.integer("n_test", n_test, {0, 1e8}, Role::result, "examples to test");
  f.integer("seed", seed, {0, 4e9}, Role::result, "of the split; null: the run's seed");
}

SplitIndices GraphOptions::parts_of(const GraphTable& table, const DataContext& context) const {
  if (resplit) {
    const std::set<std::int32_t> groups(table.group.begin(), table.group.end());
    if (split.by == SplitOptions::By::group && groups.size() < table.group.size())
      throw KeyedDataError({"data.resplit",
                            fmt::format("data.resplit draws {} one by one, and {} has groups that "
                                        "stay together",
                                        table.node_labels ? "nodes" : "graphs", *file),
                            "Set data.split.by=example, which cuts groups, or leave data.resplit "
                            "out",
                            {}});
    return attune::resplit(table, *resplit, resplit->seed.value_or(context.seed));
  }
  std::span<const std::int32_t> fold;
  if (folds_of == Folds::file) {
    if (table.fold.empty())
      throw KeyedDataError({"data.folds",
                            fmt::format("data.folds=file, and {} has no /fold", *file),
                            "Leave data.folds out: folds are dealt then",
                            {}});
    fold = table.fold;
  }
  return split_examples({table.label, table.group, table.split, fold}, split, table.class_names,
                        context.fold);
}

void GraphOptions::fields(FieldList& f) {
  f.path("file", file, Role::result, "dataset file of graphs, attune.dataset@1");
  f.choice("normalise", normalise, {{"none", Normalise::none}, {"rows", Normalise::rows}},
           Role::result, "rows: a node's features are divided by their sum");
  f.group("split", split, "which nodes or graphs are trained on, chosen on and tested on");
  f.choice("folds", folds_of, {{"dealt", Folds::dealt}, {"file", Folds::file}}, Role::result,
           "by split.scheme=kfold: folds that are dealt, or /fold of the file");
  f.optional_group("resplit", resplit, "a random split of a given size, in place of split");
  f.rule([this] { return require_name(file); });
  f.rule([this]() -> std::optional<Complaint> {
    if (!resplit || split.scheme != SplitOptions::Scheme::kfold) return std::nullopt;
    return Complaint{"resplit",
                     "resplit is a split of its own, and split.scheme=kfold asks for folds",
                     "leave one of them out",
                     {"split.scheme"}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (folds_of == Folds::dealt || (split.scheme == SplitOptions::Scheme::kfold && !resplit))
      return std::nullopt;
    return Complaint{"folds",
                     "folds=file, and these splits have no folds",
                     "set split.scheme=kfold without resplit, or leave folds out",
                     {"split.scheme"}};
  });
}

std::unique_ptr<Dataset> GraphOptions::open(const DataContext& context) const {
  auto opened = opened_.open(
      file, kHow, [&] { return std::make_shared<const GraphFile>(read_graph_file(*file)); });
  const GraphTable& table = opened->table;
  require_every_class(*file, table, table.node_labels ? "node" : "graph");
  Reading reading = reading_of(table.class_names, {table.label.begin(), table.label.end()},
                               parts_of(table, context));
  return std::make_unique<FileGraphs>(std::move(opened), std::move(reading), normalise);
}

std::unique_ptr<Dataset> GraphOptions::open_other(const std::string& path, Index,
                                                  const TrainedOn& trained) const {
  const std::string what = why_no_dataset(path);
  ATTUNE_CHECK(what.empty(), DataError, "{}. {}", what, kHow);
  auto other = std::make_shared<const GraphFile>(read_graph_file(path));
  const GraphTable& table = other->table;
  ATTUNE_CHECK(table.node_labels == trained.row_targets, DataError,
               "{}: its labels are those of {}, the model was trained on those of {}", path,
               table.node_labels ? "nodes" : "graphs", trained.row_targets ? "nodes" : "graphs");
  ATTUNE_CHECK(table.width == trained.width, DataError,
               "{}: its nodes have {} features, the model was trained on {}", path, table.width,
               trained.width);
  SplitIndices parts;
  auto& all = parts[static_cast<std::size_t>(Split::test)];
  all.resize(table.label.size());
  std::iota(all.begin(), all.end(), Index{0});
  Reading reading = reading_of(
      trained.class_names,
      labels_by_name(path, table, trained.class_names, table.node_labels ? "nodes" : "graphs"),
      parts);
  return std::make_unique<FileGraphs>(std::move(other), std::move(reading), normalise);
}

}  // namespace attune
