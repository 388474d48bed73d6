#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/philox.h"
#include "kernels/attention.h"
#include "kernels/attention/parts.h"
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

// Whether query i sees key j, both counted from the start of sequence e.
inline bool attention_sees(const kernels::AttentionOptions& o, const kernels::AttentionRows& rows,
                           Index e, Index i, Index j) {
  const Index apart = std::abs(i - j);
  switch (o.pattern) {
    case kernels::Pattern::full:
      return true;
    case kernels::Pattern::causal:
      return j <= i;
    case kernels::Pattern::window:
      return apart <= o.window;
    case kernels::Pattern::causal_window:
      return j <= i && apart <= o.window;
    case kernels::Pattern::dilated:
      return apart <= o.window * o.dilation && apart % o.dilation == 0;
    case kernels::Pattern::block:
      return i / o.block == j / o.block;
    case kernels::Pattern::edges: {
      const Index row = rows.q_offsets[e] + i;
      for (Index t = rows.indptr[row]; t < rows.indptr[row + 1]; ++t)
        if (rows.indices[t] == rows.k_offsets[e] + j) return true;
      return false;
    }
  }
  return false;
}

// The slopes of Press et al. 2022 as their code gives them.
inline double alibi_slope(Index h, Index n_heads) {
  Index power = 1;
  while (2 * power <= n_heads) power *= 2;
  if (h < power) return std::pow(2.0, -8.0 * double(h + 1) / double(power));
  return std::pow(2.0, -8.0 * double(2 * (h - power) + 1) / double(2 * power));
}

// Sorted, as in algorithm 1 of Martins and Astudillo 2016.
inline std::vector<double> sparsemax_reference(const std::vector<double>& z) {
  std::vector<double> sorted = z, p;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double total = 0, tau = 0;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    total += sorted[k];
    if (1 + double(k + 1) * sorted[k] > total) tau = (total - 1) / double(k + 1);
  }
  for (const double x : z) p.push_back(std::max(x - tau, 0.0));
  return p;
}

// τ by bisection, which the definition alone asks for.
inline std::vector<double> entmax15_reference(const std::vector<double>& z) {
  std::vector<double> p;
  if (z.empty()) return p;
  const double top = *std::max_element(z.begin(), z.end()) / 2;
  double low = top - 1, high = top;
  for (int step = 0; step < 200; ++step) {
    const double middle = (low + high) / 2;
    double total = 0;
    for (const double x : z) total += std::pow(std::max(x / 2 - middle, 0.0), 2);
    (total > 1 ? low : high) = middle;
  }
  for (const double x : z) p.push_back(std::pow(std::max(x / 2 - low, 0.0), 2));
  return p;
}

inline std::vector<double> normaliser_reference(kernels::Normaliser normaliser,
                                                const std::vector<double>& z) {
  if (normaliser == kernels::Normaliser::sparsemax) return sparsemax_reference(z);
  if (normaliser == kernels::Normaliser::entmax15) return entmax15_reference(z);
  std::vector<double> p;
  double total = 0;
  const double top = z.empty() ? 0 : *std::max_element(z.begin(), z.end());
  for (const double x : z) total += std::exp(x - top);
  for (const double x : z) p.push_back(std::exp(x - top) / total);
  return p;
}

// The places of the k largest, ties by place, rising.
inline std::vector<std::size_t> largest_places(const std::vector<double>& x, Index k) {
  std::vector<std::size_t> places(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) places[j] = j;
  std::stable_sort(places.begin(), places.end(),
                   [&](std::size_t a, std::size_t b) { return x[a] > x[b]; });
  places.resize(std::min(x.size(), static_cast<std::size_t>(k)));
  std::sort(places.begin(), places.end());
  return places;
}

// One head of one query, from the definitions in kernels/attention.h.
struct AttentionQuery {
  const kernels::AttentionOptions& o;
  const kernels::AttentionRows& rows;
  View<const double> q, k;
  const kernels::AttentionParameters<const double>& p;
  Index e, h, i;

  double score(const std::vector<double>& key) const {
    double s = 0;
    for (Index c = 0; c < o.d_k; ++c) {
      const double x = q(rows.q_offsets[e] + i, h * o.d_k + c), y = key[std::size_t(c)];
      s += o.score == kernels::Score::additive ? p.w(h, c) * std::tanh(x + y) : x * y;
    }
    return o.scale * s * (p.gain ? p.gain[h] : 1);
  }
  std::vector<double> key(Index j) const {
    const Index g = h / (o.n_heads / o.n_kv_heads);
    const double* const at = k.row(rows.k_offsets[e] + j) + g * o.d_k;
    return {at, at + o.d_k};
  }
  double bias(Index j) const {
    const Index row = rows.q_offsets[e] + i, column = rows.k_offsets[e] + j;
    switch (o.bias) {
      case kernels::Bias::none:
        return 0;
      case kernels::Bias::alibi:
        return -alibi_slope(h, o.n_heads) * double(std::abs(i - j));
      case kernels::Bias::alibi_2d:
        return -alibi_slope(h, o.n_heads) *
               std::hypot(rows.q_positions(row, 0) - rows.k_positions(column, 0),
                          rows.q_positions(row, 1) - rows.k_positions(column, 1));
      case kernels::Bias::relative: {
        const Index m = p.table.dim(1) / 2;
        return p.table(h, m + std::max(-m, std::min(m, i - j)));
      }
      case kernels::Bias::given:
        return p.bias[(h * p.bias.dim(1) + row) * p.bias.dim(2) + column];
    }
    return 0;
  }
  // The keys that the pattern shows and, for two stages, the first stage leaves: blocks of ⌈√n⌉ of
  // the keys i + r ℤ; of those seen as a whole the ⌈2k/b⌉ + 1 with the best mean keys, and every
  // other key.
  std::vector<Index> keys() const {
    const Index n_k = rows.k_offsets[e + 1] - rows.k_offsets[e];
    std::vector<Index> seen;
    for (Index j = 0; j < n_k; ++j)
      if (attention_sees(o, rows, e, i, j)) seen.push_back(j);
    if (o.select != kernels::Select::two_stage_top_k || n_k == 0) return seen;
    const Index r = o.pattern == kernels::Pattern::dilated ? o.dilation : 1;
    const Index b = static_cast<Index>(std::ceil(std::sqrt(double(n_k))));
    std::vector<std::vector<Index>> blocks;
    std::vector<double> scores;
    std::vector<Index> kept;
    for (Index first = i % r; first < n_k; first += b * r) {
      std::vector<Index> all, visible;
      for (Index j = first; j < std::min(first + b * r, n_k); j += r) {
        all.push_back(j);
        if (attention_sees(o, rows, e, i, j)) visible.push_back(j);
      }
      if (all.size() != visible.size()) {
        kept.insert(kept.end(), visible.begin(), visible.end());
        continue;
      }
      std::vector<double> mean(std::size_t(o.d_k), 0.0);
      for (const Index j : all)
        for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += key(j)[c] / double(all.size());
      blocks.push_back(all);
      scores.push_back(score(mean));
    }
    for (const std::size_t block : largest_places(scores, (2 * o.k + b - 1) / b + 1))
      kept.insert(kept.end(), blocks[block].begin(), blocks[block].end());
    std::sort(kept.begin(), kept.end());
    return kept;
  }
};

// Each head of x, of width d, over its length.
inline Array<double> unit_heads(View<const double> x, Index d) {
  Array<double> y(x.shape());
  for (Index first = 0; first < x.size(); first += d) {
    double squares = 0;
    for (Index c = 0; c < d; ++c) squares += x[first + c] * x[first + c];
    for (Index c = 0; c < d && squares > 0; ++c) y[first + c] = x[first + c] / std::sqrt(squares);
  }
  return y;
}

// Attention by sequence, head and query, one number after the other; lse is written for the
// softmax.
inline void attention_reference(const kernels::AttentionOptions& o,
                                const kernels::AttentionRows& rows, View<const double> q,
                                View<const double> k, View<const double> v, View<double> y,
                                View<double> lse,
                                const kernels::AttentionParameters<const double>& parameters = {}) {
  if (o.score == kernels::Score::cosine) {
    kernels::AttentionOptions dot = o;
    dot.score = kernels::Score::dot;
    const Array<double> unit_q = unit_heads(q, o.d_k), unit_k = unit_heads(k, o.d_k);
    attention_reference(dot, rows, unit_q.view(), unit_k.view(), v, y, lse, parameters);
    return;
  }
  const double keep_scale = 1 / (1 - std::round(65536 * o.dropout) / 65536);
  for (Index e = 0; e + 1 < rows.q_offsets.size(); ++e) {
    for (Index h = 0; h < o.n_heads; ++h) {
      const Index g = h / (o.n_heads / o.n_kv_heads);
      for (Index i = 0; i < rows.q_offsets[e + 1] - rows.q_offsets[e]; ++i) {
        const Index row = rows.q_offsets[e] + i;
        const AttentionQuery query{o, rows, q, k, parameters, e, h, i};
        std::vector<Index> keys = query.keys();
        std::vector<double> scores;
        for (const Index j : keys)
          scores.push_back((query.score(query.key(j)) + query.bias(j)) / o.temperature);
        if (o.select != kernels::Select::all) {
          std::vector<Index> chosen;
          std::vector<double> of_chosen;
          for (const std::size_t t : largest_places(scores, o.k)) {
            chosen.push_back(keys[t]);
            of_chosen.push_back(scores[t]);
          }
          keys = chosen;
          scores = of_chosen;
        }
        const std::vector<double> weights = normaliser_reference(o.normaliser, scores);
        if (o.normaliser == kernels::Normaliser::softmax) {
          const double top = scores.empty() ? 0 : *std::max_element(scores.begin(), scores.end());
          double total = 0;
          for (const double s : scores) total += std::exp(s - top);
          lse(row, h) = top + std::log(total);
        }
        for (Index c = 0; c < o.d_v; ++c) y(row, h * o.d_v + c) = 0;
        for (std::size_t t = 0; t < keys.size(); ++t) {
          double p = weights[t];
          if (o.dropout > 0) {
            p *= attention_keeps(o.stream_key, o.dropout, o.step,
                                 static_cast<std::uint32_t>(rows.example[e]),
                                 static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(keys[t]),
                                 static_cast<std::uint32_t>(i))
                     ? keep_scale
                     : 0;
          }
          for (Index c = 0; c < o.d_v; ++c)
            y(row, h * o.d_v + c) += p * v(rows.k_offsets[e] + keys[t], g * o.d_v + c);
        }
      }
    }
  }
}

}  // namespace attune::testing
