#include "datasets/graph_file.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "datasets/dataset_checks.h"
#include "datasets/dataset_hash.h"

namespace attune {
namespace {

std::string content_hash(const GraphTable& table) {
  Sha256 hash;
  hash.update("attune.dataset@1 graphs\n");
  hash_texts(hash, "class_names", table.class_names);
  hash.update(table.node_labels ? "task node\n" : "task graph\n");
  hash_column(hash, "label", table.label);
  hash_column(hash, "group", table.group);
  if (!table.split.empty()) hash_column(hash, "split", table.split);
  if (!table.fold.empty()) hash_column(hash, "fold", table.fold);
  hash_column(hash, "graph_offsets", table.graph_offsets);
  hash_column(hash, "indptr", table.indptr);
  hash_column(hash, "indices", table.indices);
  hash_column(hash, "width", std::vector<Index>{table.width});
  if (table.sparse) {
    hash_column(hash, "x.indptr", table.x_indptr);
    hash_column(hash, "x.indices", table.x_indices);
  }
  hash_column(hash, table.sparse ? "x.data" : "x", table.x);
  return hash.hex();
}

// Whether an array of starts begins at 0, never falls and ends at `end`.
template <class T>
bool are_starts(DatasetChecker& check, const char* name, const std::vector<T>& starts,
                std::size_t end, const char* of) {
  if (starts.empty() || starts.front() != 0) {
    check.fault("/{} must begin with 0", name);
    return false;
  }
  for (std::size_t i = 1; i < starts.size(); ++i) {
    if (starts[i] >= starts[i - 1]) continue;
    check.fault("/{}[{}] is {} and follows {}: it must not fall", name, i, starts[i],
                starts[i - 1]);
    return false;
  }
  if (static_cast<std::size_t>(starts.back()) == end) return true;
  check.fault("/{} ends at {}, and there are {} {}", name, starts.back(), end, of);
  return false;
}

void read_features(DatasetChecker& check, const H5Group& root, GraphTable& table) {
  const Index n = table.n_nodes();
  table.sparse = !root.has_dataset("x");
  if (!table.sparse) {
    const auto info = check.shape("x", {n, -1}, true);
    if (!info) return;
    table.width = info->dims[1];
    table.x = check.column<float>("x", {n, -1}, true);
  } else {
    table.x = check.column<float>("x/data", {-1}, true);
    table.x_indices = check.column<std::int32_t>("x/indices", {-1}, true);
    table.x_indptr = check.column<std::int32_t>("x/indptr", {n + 1}, true);
    if (!check.good()) return;
    are_starts(check, "x/indptr", table.x_indptr, table.x.size(), "values in /x/data");
    if (table.x_indices.size() != table.x.size())
      check.fault("/x/indices has {} values and /x/data {}", table.x_indices.size(),
                  table.x.size());
    const H5Group x = root.group("x");
    const auto shape =
        x.has_attribute("shape") ? x.list_attribute<Index>("shape") : std::vector<Index>();
    if (shape.size() != 2 || shape[0] != n || shape[1] < 1)
      return check.fault("/x must have the attribute shape, [{}, columns]", n);
    constexpr Index kMost = 1 << 24;
    if (shape[1] > kMost)
      return check.fault("/x has the attribute shape with {} columns, and may have {}", shape[1],
                         kMost);
    table.width = shape[1];
    check.each("x/indices", table.x_indices, fmt::format("0 … {}", table.width - 1).c_str(),
               [&](std::int32_t c) { return c >= 0 && c < table.width; });
  }
  check.each("x", table.x, "a finite number", [](float v) { return std::isfinite(v); });
  if (table.width < 1) check.fault("/x has no columns");
}

void read_edges(DatasetChecker& check, const H5Group& root, GraphTable& table) {
  table.indptr = check.column<std::int32_t>("indptr", {-1}, true);
  table.indices = check.column<std::int32_t>("indices", {-1}, true);
  if (!check.good()) return;
  if (!are_starts(check, "indptr", table.indptr, table.indices.size(), "values in /indices"))
    return;
  const Index n = table.n_nodes();
  if (root.has_dataset("graph_offsets")) {
    table.graph_offsets = check.column<Index>("graph_offsets", {-1}, true);
  } else {
    table.graph_offsets = {0, n};
  }
  if (!check.good() || !are_starts(check, "graph_offsets", table.graph_offsets,
                                   static_cast<std::size_t>(n), "nodes"))
    return;
  if (table.n_graphs() < 1) return check.fault("/graph_offsets has no graph");
  for (Index g = 0; g < table.n_graphs(); ++g) {
    const Index first = table.graph_offsets[static_cast<std::size_t>(g)];
    const Index end = table.graph_offsets[static_cast<std::size_t>(g) + 1];
    for (Index e = table.indptr[static_cast<std::size_t>(first)];
         e < table.indptr[static_cast<std::size_t>(end)]; ++e) {
      const std::int32_t from = table.indices[static_cast<std::size_t>(e)];
      if (from >= first && from < end) continue;
      return check.fault(
          "/indices[{}] is {} and must be a node of its own graph {}, which has the nodes {} … {}",
          e, from, g, first, end - 1);
    }
  }
}

// Whether nodes have the labels.
bool labels_nodes(DatasetChecker& check, const H5Group& root, const GraphTable& table) {
  const std::string task = root.has_attribute("task") ? root.text_attribute("task") : "";
  if (task == "node") return true;
  if (task == "graph") return false;
  if (!task.empty()) check.fault("attribute task is '{}' and must be 'node' or 'graph'", task);
  if (table.n_graphs() == table.n_nodes())
    check.fault(
        "there are as many graphs as nodes: attribute task must say whether 'node' or "
        "'graph' has the labels");
  if (!root.has_dataset("label")) return false;
  return root.info("label").dims == Dims{table.n_nodes()};
}

void read(DatasetChecker& check, const H5Group& root, GraphFile& file) {
  GraphTable& table = file.table;
  check.attribute_is("schema", "attune.dataset@1", "it is no dataset of this version");
  check.attribute_is("kind", "graphs", "data.kind=graph reads graphs only");
  read_edges(check, root, table);
  if (!check.good()) return;
  read_features(check, root, table);
  table.node_labels = labels_nodes(check, root, table);
  if (!check.good()) return;
  const Index n = table.node_labels ? table.n_nodes() : table.n_graphs();
  if (n == 0)
    return check.fault("/label has no value: there is nothing to learn, nothing to answer");
  check.columns(n, true, table);
  table.fold = check.column<std::int32_t>("fold", {n}, false);
  check.each("fold", table.fold, "0 or more, or -1 (none)", [](std::int32_t f) { return f >= -1; });
  if (!check.good()) return;
  file.sha256 = content_hash(table);
  check.content_is(file.sha256);
}

std::vector<std::string> load(const std::string& path, GraphFile& file) {
  return faults_of(path, "graphs need indptr, indices, x and label",
                   [&](DatasetChecker& check, const H5Group& root) { read(check, root, file); });
}

}  // namespace

GraphFile read_graph_file(const std::string& path) {
  GraphFile file;
  const std::vector<std::string> faults = load(path, file);
  ATTUNE_CHECK(faults.empty(), DataError, "{}", join(faults, "\n"));
  return file;
}

std::vector<std::string> graph_file_faults(const std::string& path) {
  GraphFile file;
  return load(path, file);
}

}  // namespace attune
