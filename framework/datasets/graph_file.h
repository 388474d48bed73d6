#pragma once

#include <string>
#include <vector>

#include "datasets/dataset_file.h"

namespace attune {

// `attune.dataset@1`, graphs. Of n_graphs graphs with n_nodes nodes in all, graph after graph:
//   /graph_offsets [n_graphs+1]   their first nodes (default: one graph)
//   /indptr [n_nodes+1], /indices [n_edges]   node i receives from the nodes indices[indptr[i] …],
//                                 numbers of the whole file, of its own graph; an undirected edge
//                                 stands twice
//   /x [n_nodes, d] float         features of the nodes; or, where most are 0, a group of sparse
//                                 rows, as scipy has them: /x/data, /x/indices [entries],
//                                 /x/indptr [n_nodes+1], attribute shape [n_nodes, d]
//   /label [n_graphs] or [n_nodes], an index into /class_names [c] text: what is answered of
//   /group, /split, /fold         of what has labels: as of images, and the fold that tests it
// with the attributes schema, kind ("graphs"), task ("graph" or "node", needed where there are as
// many graphs as nodes) and sha256, all of which may be absent, as may group, split, fold and
// class_names. A split of −1 is none; what has a fold of −1 is never tested.
//
// sha256 is over the text "attune.dataset@1 graphs\n" and then class_names, the text "task node\n"
// or "task graph\n", label, group, split, fold, graph_offsets (int64), indptr, indices (int32),
// width (d, int64), and x, or x.indptr, x.indices (int32) and x.data, as dataset_file.h has it for
// images; split and fold are left out where absent.
struct GraphTable : ExampleColumns {
  bool node_labels = false;  // else graphs have them
  std::vector<Index> graph_offsets = {0};
  std::vector<std::int32_t> indptr = {0}, indices;
  std::vector<std::int32_t> fold;  // may be empty
  Index width = 0;
  std::vector<float> x;  // [n_nodes, width], or the entries of sparse rows
  bool sparse = false;
  std::vector<std::int32_t> x_indptr = {0}, x_indices;

  Index n_graphs() const { return static_cast<Index>(graph_offsets.size()) - 1; }
  Index n_nodes() const { return static_cast<Index>(indptr.size()) - 1; }
};

struct GraphFile {
  GraphTable table;    // whole, defaults filled in
  std::string sha256;  // of the content as it is
};

// DataError with every fault, a line each.
GraphFile read_graph_file(const std::string& path);

std::vector<std::string> graph_file_faults(const std::string& path);

}  // namespace attune
