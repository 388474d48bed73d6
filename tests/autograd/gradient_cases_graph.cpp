#include "tests/autograd/gradient_cases.h"

namespace attune::gradients {
namespace {

void column_cases(Cases& cases) {
  for (const Shape& s : kMatrices) {
    const Index n = s[0], d = s[1];
    cases["elu"].push_back(
        {s.text(), {input("x", s, 3)}, [](auto& t, auto v) { return elu(t, v[0]); }});
    cases["concat_columns"].push_back(
        {s.text(), {input("a", s), input("b", {n, 3})}, [](auto& t, auto v) {
           return concat_columns(t, v[0], v[1]);
         }});
    cases["mean_heads"].push_back({s.text(), {input("x", {n, 3 * d})}, [](auto& t, auto v) {
                                     return mean_heads(t, v[0], 3);
                                   }});
  }
  for (const Ids& o : kOffsets) {
    const std::string what = std::to_string(rows(o)) + " rows in " + std::to_string(examples(o));
    cases["sum_pool"].push_back({what, {input("x", {rows(o), 5})}, [&o](auto& t, auto v) {
                                   return sum_pool(t, v[0], view(o));
                                 }});
    cases["repeat_rows"].push_back({what, {input("x", {examples(o), 5})}, [&o](auto& t, auto v) {
                                      return repeat_rows(t, v[0], view(o));
                                    }});
  }
}

// Graphs packed one behind the other, with edges to the node itself, edges that stand twice, nodes
// without edges and graphs without nodes.
struct Graphs {
  Ids offsets, indptr, indices;

  Index n() const { return rows(offsets); }
  // In the tape's memory.
  PackedRows pack(Tape<double>& t) const {
    static const Ids ids{11, 12, 13, 14};
    return {kept(t, offsets), View<const std::int32_t>(ids.data(), {examples(offsets)}), {}};
  }
  PackedEdges edges(Tape<double>& t) const { return {kept(t, indptr), kept(t, indices)}; }
};
const std::vector<Graphs> kGraphs = {
    {{0, 1}, {0, 2}, {0, 0}},
    {{0, 3}, {0, 2, 2, 6}, {2, 0, 1, 0, 1, 2}},
    {{0, 2, 2, 5}, {0, 2, 4, 9, 11, 11}, {1, 0, 0, 1, 3, 3, 2, 4, 2, 4, 3}},
    {{0, 0, 4}, {0, 3, 5, 7, 9}, {3, 1, 0, 2, 1, 1, 3, 0, 3}},
    {{0, 6}, {0, 1, 2, 4, 6, 8, 11}, {5, 0, 1, 0, 2, 3, 4, 3, 5, 1, 4}}};

void edge_cases(Cases& cases) {
  for (const Graphs& g : kGraphs) {
    const std::string what = std::to_string(g.n()) + " nodes";
    const Index n = g.n(), h = 3, d = 2;
    // Of one weight the softmax is 1, whatever the scores.
    const bool flat = n == 1;
    for (const double p : {0.0, 0.25}) {
      const GraphAttentionOptions gat{h, kernels::EdgeScore::gat, 0.2, {p, 1234, 3}};
      GraphAttentionOptions gatv2 = gat;
      gatv2.variant = kernels::EdgeScore::gatv2;
      const std::vector<CheckedInput> att{input("att_src", {h, d}), input("att_dst", {h, d})};
      const auto edge = [&](const std::string& variant, std::vector<CheckedInput> inputs,
                            std::set<std::string> zero, auto f) {
        inputs.insert(inputs.begin(), input("z", {n, h * d}));
        cases["edge_attention"].push_back({variant + what, std::move(inputs), f, std::move(zero)});
      };
      if (flat) continue;
      edge("gat of ", att, {}, [=, &g](auto& t, auto v) {
        return edge_attention(t, {v[0], v[1], v[2]}, g.pack(t), g.edges(t), gat);
      });
      edge("gatv2 of ", att, {"att_dst"}, [=, &g](auto& t, auto v) {
        return edge_attention(t, {v[0], v[1], v[2]}, g.pack(t), g.edges(t), gatv2);
      });
      edge("gatv2 with z_dst of ", {att[0], input("z_dst", {n, h * d})}, {},
           [=, &g](auto& t, auto v) {
             return edge_attention(t, {v[0], v[1], {}, v[2]}, g.pack(t), g.edges(t), gatv2);
           });
      edge("gat with a bias of ", {att[0], att[1], input("bias", {h * d})}, {},
           [=, &g](auto& t, auto v) {
             return edge_attention(t, {v[0], v[1], v[2], {}, v[3]}, g.pack(t), g.edges(t), gat);
           });
      const std::vector<CheckedInput> linear{input("x", {n, 4}), input("weight", {h * d, 4}),
                                             att[0]};
      cases["graph_attention"].push_back(
          {"gat of " + what, {linear[0], linear[1], att[0], att[1]}, [=, &g](auto& t, auto v) {
             return graph_attention(t, {v[0], v[1], v[2], v[3]}, g.pack(t), g.edges(t), gat);
           }});
      cases["graph_attention"].push_back(
          {"gatv2 of " + what, linear, [=, &g](auto& t, auto v) {
             return graph_attention(t, {v[0], v[1], v[2]}, g.pack(t), g.edges(t), gatv2);
           }});
      cases["graph_attention"].push_back(
          {"gatv2 with weight_dst of " + what,
           {linear[0], linear[1], att[0], input("weight_dst", {h * d, 4})},
           [=, &g](auto& t, auto v) {
             return graph_attention(t, {v[0], v[1], v[2], {}, v[3]}, g.pack(t), g.edges(t), gatv2);
           }});
    }
    for (const auto reduce :
         {kernels::GraphReduce::sum, kernels::GraphReduce::mean, kernels::GraphReduce::symmetric}) {
      cases["graph_aggregate"].push_back({what, {input("x", {n, 5})}, [=, &g](auto& t, auto v) {
                                            return graph_aggregate(t, v[0], g.edges(t), reduce);
                                          }});
    }
  }
  // A mean of one and the same row: its scores have no gradient.
  cases["edge_attention"].push_back(
      {"a node and itself",
       {input("z", {1, 4}), input("att_src", {2, 2}), input("att_dst", {2, 2})},
       [](auto& t, auto v) {
         return edge_attention(t, {v[0], v[1], v[2]}, {}, kGraphs[0].edges(t), {2});
       },
       {"att_src", "att_dst"}});
}

void sparse_cases(Cases& cases) {
  // Rows without entries, a column twice, columns in no order.
  const std::vector<std::pair<Ids, Ids>> matrices = {{{0, 1}, {0}},
                                                     {{0, 0, 3}, {4, 0, 4}},
                                                     {{0, 2, 3, 3, 6}, {1, 3, 2, 4, 0, 1}},
                                                     {{0, 4, 4}, {3, 2, 1, 0}},
                                                     {{0, 1, 2, 3, 4, 5}, {4, 3, 2, 1, 0}}};
  for (const auto& matrix : matrices) {
    const Ids &indptr = matrix.first, &indices = matrix.second;
    const Index n = examples(indptr), m = rows(indptr);
    const std::string what = std::to_string(m) + " entries in " + std::to_string(n);
    const auto sparse = [=](Tape<double>& t) {
      return SparseRows{kept(t, indptr), kept(t, indices)};
    };
    for (const Index d : {1, 9}) {
      cases["sparse_linear"].push_back(
          {what,
           {input("values", {m}), input("weight", {d, 5}), input("bias", {d})},
           [=](auto& t, auto v) { return sparse_linear(t, v[0], sparse(t), v[1], v[2]); }});
    }
    cases["sparse_linear"].push_back(
        {what + " without bias",
         {input("values", {m}), input("weight", {3, 5})},
         [=](auto& t, auto v) { return sparse_linear(t, v[0], sparse(t), v[1]); }});
    cases["sparse_dropout"].push_back(
        {what, {input("values", {m})}, [=](auto& t, auto v) {
           return sparse_dropout(t, v[0], sparse(t), coordinates(t, n), {0.3, 99, 5});
         }});
  }
}

}  // namespace

void graph_cases(Cases& cases) {
  column_cases(cases);
  edge_cases(cases);
  sparse_cases(cases);
}

}  // namespace attune::gradients
