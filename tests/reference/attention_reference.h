#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "kernels/attention.h"
#include "tests/reference/random_views.h"

namespace attune::testing {

// Whether attention dropout keeps the weight of (head, key, query), straight from the definition of
// its counters.
inline bool attention_keeps(std::uint64_t key, double p, std::uint32_t step, std::uint32_t example,
                            std::uint32_t head, std::uint32_t row, std::uint32_t column) {
  const std::uint32_t instance = column / 64 * 8 + column % 16 / 2, b = column / 16 % 4,
                      l = column % 16;
  const PhiloxCounter w = philox({head << 20 | instance, row, example, step}, key);
  const std::uint32_t word = w[2 * (b / 2) + l % 2];
  return (b % 2 == 0 ? word & 0xFFFFU : word >> 16) >= std::round(65536 * p);
}

// y = softmax(scale q kᵀ) v by sequence and head, one number after the other.
inline void attention_reference(const kernels::AttentionOptions& o,
                                const kernels::AttentionRows& rows, View<const double> q,
                                View<const double> k, View<const double> v, View<double> y,
                                View<double> lse) {
  const double keep_scale = 1 / (1 - std::round(65536 * o.dropout) / 65536);
  for (Index e = 0; e + 1 < rows.q_offsets.size(); ++e) {
    for (Index h = 0; h < o.n_heads; ++h) {
      const Index g = h / (o.n_heads / o.n_kv_heads);
      for (Index i = rows.q_offsets[e]; i < rows.q_offsets[e + 1]; ++i) {
        const Index query = i - rows.q_offsets[e];
        std::vector<double> scores;
        double largest = -std::numeric_limits<double>::infinity(), total = 0;
        for (Index j = rows.k_offsets[e]; j < rows.k_offsets[e + 1]; ++j) {
          if (o.pattern == kernels::Pattern::causal && j - rows.k_offsets[e] > query) break;
          double s = 0;
          for (Index c = 0; c < o.d_k; ++c) s += q(i, h * o.d_k + c) * k(j, g * o.d_k + c);
          scores.push_back(o.scale * s);
          largest = std::max(largest, scores.back());
        }
        for (double s : scores) total += std::exp(s - largest);
        lse(i, h) = largest + std::log(total);
        for (Index c = 0; c < o.d_v; ++c) y(i, h * o.d_v + c) = 0;
        for (std::size_t j = 0; j < scores.size(); ++j) {
          double p = std::exp(scores[j] - largest) / total;
          if (o.dropout > 0) {
            p *= attention_keeps(o.stream_key, o.dropout, o.step,
                                 static_cast<std::uint32_t>(rows.example[e]),
                                 static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(j),
                                 static_cast<std::uint32_t>(query))
                     ? keep_scale
                     : 0;
          }
          for (Index c = 0; c < o.d_v; ++c) {
            y(i, h * o.d_v + c) += p * v(rows.k_offsets[e] + static_cast<Index>(j), g * o.d_v + c);
          }
        }
      }
    }
  }
}

}  // namespace attune::testing
