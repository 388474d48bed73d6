#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "tests/reference/random_views.h"

namespace attune::kernels {

// A pack of sequences with random q, k, v and dy, and room for what attention makes of them.
template <class Real>
struct AttentionCase {
  using A = testing::Array<Real>;

  AttentionOptions options;
  std::vector<std::int32_t> q_offsets{0}, k_offsets{0}, example;
  A q, k, v, dy, y, lse, dq, dk, dv;

  // lengths: queries and keys of each sequence; ids 100, 107, 114, ….
  AttentionCase(const AttentionOptions& o, const std::vector<std::pair<int, int>>& lengths,
                std::uint64_t seed = 1)
      : options(o), q({0}), k({0}), v({0}), dy({0}), y({0}), lse({0}), dq({0}), dk({0}), dv({0}) {
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
  }

  AttentionRows rows() const {
    const auto view = [](const std::vector<std::int32_t>& x) {
      return View<const std::int32_t>(x.data(), {static_cast<Index>(x.size())});
    };
    return {view(q_offsets), view(k_offsets), view(example)};
  }
  void forward() {
    attention<Real>(options, rows(), q.view(), k.view(), v.view(), y.view(), lse.view());
  }
  void backward() {
    attention_backward<Real>(options, rows(), dy.view(), q.view(), k.view(), v.view(), y.view(),
                             lse.view(), dq.view(), dk.view(), dv.view());
  }
};

}  // namespace attune::kernels
