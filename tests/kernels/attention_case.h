#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "kernels/attention/parts.h"
#include "tests/reference/random_views.h"

namespace attune::kernels {

// A pack of sequences with random q, k, v and dy, and room for what attention makes of them.
template <class Real>
struct AttentionCase {
  using A = testing::Array<Real>;

  AttentionOptions options;
  std::vector<std::int32_t> q_offsets{0}, k_offsets{0}, example;
  std::vector<std::int32_t> q_positions, k_positions, indptr{0}, indices;
  A q, k, v, dy, y, lse, dq, dk, dv;
  A w, bias, table, dw, dbias, dtable;  // used where score or bias ask for them

  // lengths: queries and keys of each sequence; ids 100, 107, 114, ….
  AttentionCase(const AttentionOptions& o, const std::vector<std::pair<int, int>>& lengths,
                std::uint64_t seed = 1)
      : options(o),
        q({0}),
        k({0}),
        v({0}),
        dy({0}),
        y({0}),
        lse({0}),
        dq({0}),
        dk({0}),
        dv({0}),
        w({o.n_heads, o.d_k}),
        bias({0}),
        table({o.n_heads, 7}),
        dw(w.shape()),
        dbias({0}),
        dtable(table.shape()) {
    for (const auto& [n_q, n_k] : lengths) {
      q_offsets.push_back(q_offsets.back() + n_q);
      k_offsets.push_back(k_offsets.back() + n_k);
      example.push_back(93 + 7 * static_cast<std::int32_t>(q_offsets.size() - 1));
    }
    const Index n_q = q_offsets.back(), n_k = k_offsets.back();
    q = A::random({n_q, o.n_heads * o.d_k}, seed);
    k = A::random({n_k, o.n_kv_heads * o.d_k}, seed + 100);
    v = A::random({n_k, o.n_kv_heads * o.d_v}, seed + 200);
    dy = A::random({n_q, o.n_heads * o.d_v}, seed + 300);
    y = A({n_q, o.n_heads * o.d_v}, Real(-7));
    lse = A({n_q, o.n_heads}, Real(-7));
    dq = A(q.shape());
    dk = A(k.shape());
    dv = A(v.shape());
    w = A::random(w.shape(), seed + 400);
    bias = A::random({o.n_heads, n_q, n_k}, seed + 500);
    table = A::random(table.shape(), seed + 600);
    dbias = A(bias.shape());
    for (std::size_t e = 0; e < lengths.size(); ++e) {
      // A grid three tokens wide, and about two thirds of all edges; every fifth query has none.
      for (int i = 0; i < lengths[e].first; ++i) {
        for (const int x : {i / 3, i % 3}) q_positions.push_back(x);
        for (int j = 0; j < lengths[e].second; ++j)
          if (i % 5 != 4 && (5 * i + 7 * j + j / 3) % 3 != 1) indices.push_back(k_offsets[e] + j);
        indptr.push_back(static_cast<std::int32_t>(indices.size()));
      }
      for (int j = 0; j < lengths[e].second; ++j)
        for (const int x : {j / 3, j % 3}) k_positions.push_back(x);
    }
  }

  // The same numbers in double.
  AttentionCase<double> widened() const {
    AttentionCase<double> c(options, {});
    const auto widen = [](const A& from, testing::Array<double>& to) {
      to = testing::Array<double>(from.shape());
      for (Index i = 0; i < from.size(); ++i) to[i] = static_cast<double>(from[i]);
    };
    c.q_offsets = q_offsets, c.k_offsets = k_offsets, c.example = example;
    c.q_positions = q_positions, c.k_positions = k_positions;
    c.indptr = indptr, c.indices = indices;
    widen(q, c.q), widen(k, c.k), widen(v, c.v), widen(dy, c.dy), widen(y, c.y), widen(lse, c.lse);
    widen(dq, c.dq), widen(dk, c.dk), widen(dv, c.dv), widen(w, c.w), widen(bias, c.bias);
    widen(table, c.table), widen(dw, c.dw), widen(dbias, c.dbias), widen(dtable, c.dtable);
    return c;
  }

  AttentionRows rows() const {
    const auto view = [](const std::vector<std::int32_t>& x) {
      return View<const std::int32_t>(x.data(), {static_cast<Index>(x.size())});
    };
    AttentionRows r{view(q_offsets), view(k_offsets), view(example)};
    const auto pairs = [](const std::vector<std::int32_t>& x) {
      static const std::int32_t kNothing = 0;
      return View<const std::int32_t>(x.empty() ? &kNothing : x.data(),
                                      {static_cast<Index>(x.size()) / 2, 2});
    };
    if (options.pattern == Pattern::edges) r.indptr = view(indptr), r.indices = view(indices);
    if (options.bias == Bias::alibi_2d)
      r.q_positions = pairs(q_positions), r.k_positions = pairs(k_positions);
    return r;
  }
  AttentionParameters<const Real> parameters() const {
    AttentionParameters<const Real> p;
    if (options.score == Score::additive) p.w = w.view();
    if (options.bias == Bias::given) p.bias = bias.view();
    if (options.bias == Bias::relative) p.table = table.view();
    return p;
  }
  AttentionParameters<Real> gradients() {
    AttentionParameters<Real> p;
    if (options.score == Score::additive) p.w = dw.view();
    if (options.bias == Bias::given) p.bias = dbias.view();
    if (options.bias == Bias::relative) p.table = dtable.view();
    return p;
  }
  View<Real> lse_view() {
    return options.normaliser == Normaliser::softmax ? lse.view() : View<Real>();
  }
  void forward() {
    attention<Real>(options, rows(), q.view(), k.view(), v.view(), y.view(), lse_view(),
                    parameters());
  }
  void backward(FreshRows fresh = {}) {
    attention_backward<Real>(options, rows(), dy.view(), q.view(), k.view(), v.view(), y.view(),
                             lse_view(), dq.view(), dk.view(), dv.view(), parameters(), gradients(),
                             {}, fresh);
  }
  // Inputs that have gradients under these options.
  std::vector<std::pair<A*, A*>> inputs() {
    std::vector<std::pair<A*, A*>> pairs{{&q, &dq}, {&k, &dk}, {&v, &dv}};
    if (options.score == Score::additive) pairs.push_back({&w, &dw});
    if (options.bias == Bias::given) pairs.push_back({&bias, &dbias});
    if (options.bias == Bias::relative) pairs.push_back({&table, &dtable});
    return pairs;
  }
};

}  // namespace attune::kernels
