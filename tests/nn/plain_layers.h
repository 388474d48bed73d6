#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/nn/layer_bench.h"

// Layers number by number, of the parameters of a bench: what models are compared with.
namespace attune::testing {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

inline Row plus(Row a, const Row& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
inline Rows plus(Rows a, const Rows& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = plus(a[i], b[i]);
  return a;
}
inline Row joined(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Row mean_of(const Rows& rows, std::size_t d) {
  Row mean(d);
  for (const Row& row : rows)
    for (std::size_t j = 0; j < d; ++j) mean[j] += row[j] / static_cast<double>(rows.size());
  return mean;
}
// Rows [begin, end) of an array.
inline Rows taken(const Array<double>& a, Index begin, Index end) {
  Rows rows;
  for (Index i = begin; i < end; ++i)
    rows.emplace_back(a.view().row(i), a.view().row(i) + a.shape()[1]);
  return rows;
}
inline Array<double> array_of(const Rows& rows) {
  Array<double> a({static_cast<Index>(rows.size()), static_cast<Index>(rows.at(0).size())});
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy(rows[i].begin(), rows[i].end(), a.view().row(static_cast<Index>(i)));
  return a;
}

template <class F>
Rows each(const Rows& rows, F&& f) {
  Rows out;
  for (const Row& row : rows) out.push_back(f(row));
  return out;
}

class PlainLayers {
 public:
  explicit PlainLayers(LayerBench<double>& bench) : bench_(bench) {}

  Rows table(const std::string& name) const {
    const View<double> t = bench_.value(name);
    Rows rows;
    for (Index i = 0; i < t.dim(0); ++i) rows.emplace_back(t.row(i), t.row(i) + t.dim(1));
    return rows;
  }
  Row linear(const Row& x, const std::string& weight, const std::string& bias) const {
    const View<double> w = bench_.value(weight), b = bench_.value(bias);
    Row y(b.begin(), b.end());
    for (Index i = 0; i < w.dim(0); ++i)
      for (Index j = 0; j < w.dim(1); ++j)
        y[static_cast<std::size_t>(i)] += w(i, j) * x[static_cast<std::size_t>(j)];
    return y;
  }
  Rows linear(const Rows& x, const std::string& weight, const std::string& bias) const {
    return each(x, [&](const Row& row) { return linear(row, weight, bias); });
  }
  Row norm(const Row& x, const std::string& path) const {
    const View<double> gain = bench_.value(path + ".gain"), bias = bench_.value(path + ".bias");
    const auto n = static_cast<double>(x.size());
    double mean = 0, variance = 0;
    for (const double v : x) mean += v / n;
    for (const double v : x) variance += (v - mean) * (v - mean) / n;
    Row y;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto at = static_cast<Index>(i);
      y.push_back(gain[at] * (x[i] - mean) / std::sqrt(variance + 1e-5) + bias[at]);
    }
    return y;
  }
  Rows norm(const Rows& x, const std::string& path) const {
    return each(x, [&](const Row& row) { return norm(row, path); });
  }
  Row mlp(const Row& x, const std::string& path) const {
    Row hidden = linear(x, path + ".w1", path + ".b1");
    for (double& v : hidden) v *= std::erfc(-v / std::sqrt(2.0)) / 2;
    return linear(hidden, path + ".w2", path + ".b2");
  }
  Rows mlp(const Rows& x, const std::string& path) const {
    return each(x, [&](const Row& row) { return mlp(row, path); });
  }
  // Scaled dot products and softmax; causal: of keys up to the query's own number.
  Rows attention(const Rows& x, const Rows& memory, const std::string& path, std::size_t n_heads,
                 bool causal = false) const {
    const Rows q = linear(x, path + ".wq", path + ".bq"),
               k = linear(memory, path + ".wk", path + ".bk"),
               v = linear(memory, path + ".wv", path + ".bv");
    Rows heads;
    for (std::size_t i = 0; i < q.size(); ++i) {
      const std::size_t d = q[i].size() / n_heads;
      Row y(q[i].size());
      for (std::size_t h = 0; h < n_heads; ++h) {
        Row weights;
        double total = 0;
        for (std::size_t j = 0; j < (causal ? i + 1 : k.size()); ++j) {
          double score = 0;
          for (std::size_t c = h * d; c < (h + 1) * d; ++c) score += q[i][c] * k[j][c];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
          total += weights.back();
        }
        for (std::size_t j = 0; j < weights.size(); ++j)
          for (std::size_t c = h * d; c < (h + 1) * d; ++c) y[c] += weights[j] / total * v[j][c];
      }
      heads.push_back(y);
    }
    return linear(heads, path + ".wo", path + ".bo");
  }
  // A pre-norm block of self-attention and a feed-forward layer.
  Rows block(const Rows& x, const std::string& path, std::size_t n_heads) const {
    const Rows in = norm(x, path + ".norm1");
    const Rows y = plus(x, attention(in, in, path + ".attention", n_heads));
    return plus(y, mlp(norm(y, path + ".norm2"), path + ".mlp"));
  }

 private:
  LayerBench<double>& bench_;
};

}  // namespace attune::testing
