#pragma once

#include <array>

#include "kernels/attention/head.h"
#include "kernels/micro_kernel.h"

namespace attune::kernels {

// A few neighbouring queries and the keys they see. Where keys have no gaps (`joined`) row r of a
// matrix over the strip has key j in column j − first_key; else a strip is one query, and column t
// is its key number t.
struct Strip {
  Index first = 0, n = 0;  // queries
  bool joined = false;
  Index first_key = 0, stride = 0;  // of column 0; from one row of a matrix to the next
  std::array<KeySet, kStripQueries> keys{};

  struct Columns {
    Index low = 0, high = 0;
  };
  Columns columns;  // [low, high): what any query of a joined strip sees

  // Where row r of a matrix over the strip has the first of its keys[r].count columns.
  Index begin(Index r) const {
    return r * stride + (joined ? keys[static_cast<std::size_t>(r)].first - first_key : 0);
  }
  // What every query sees, empty or not.
  Columns common() const {
    Columns c{0, stride};
    for (Index r = 0; r < n; ++r) {
      const KeySet& k = keys[static_cast<std::size_t>(r)];
      c.low = std::max(c.low, k.first - first_key);
      c.high = std::min(c.high, k.end() - first_key);
    }
    return c.low < c.high ? c : Columns{0, 0};
  }
  // f(r, low, high): the columns of row r below and above the common ones, in this order.
  template <class F>
  void for_each_edge(F&& f) const {
    const Columns c = common();
    for (Index r = 0; r < n; ++r) {
      const KeySet& k = keys[static_cast<std::size_t>(r)];
      const Index low = k.first - first_key, high = k.end() - first_key;
      if (c.low == c.high) {
        f(r, low, high);
      } else {
        f(r, low, c.low);
        f(r, c.high, high);
      }
    }
  }
};

// out_r += Σ_j weights[r][j] rows_j over the keys j that query r of a joined strip sees, rising: a
// weight that is not seen is not read, so that its row may hold a NaN.
//   rows [n_k][width] of the whole sequence, out [strip.n][width]
template <class Real>
void add_by_queries(const Strip& strip, const Real* weights, Rows<const Real> rows,
                    Rows<Real> out) {
  const auto run = [&](Index r, Index n, Index low, Index high) {
    if (low >= high) return;
    const auto to = operand(out.row(r), out.stride);
    multiply<Real>(n, out.width, high - low,
                   operand(weights + r * strip.stride + low, strip.stride),
                   operand(rows.row(strip.first_key + low), rows.stride),
                   operand(static_cast<const Real*>(to.data), out.stride), to);
  };
  const Strip::Columns c = strip.common();
  strip.for_each_edge([&](Index r, Index low, Index high) {
    if (c.low == c.high || high <= c.low) run(r, 1, low, high);
  });
  run(0, strip.n, c.low, c.high);
  strip.for_each_edge([&](Index r, Index low, Index high) {
    if (c.low != c.high && low >= c.high) run(r, 1, low, high);
  });
}

// out_j += Σ_r weights[r][j] rows_r over the queries r of a joined strip that see key j, rising.
//   rows [strip.n][width], out [n_k][width] of the whole sequence
template <class Real>
void add_by_keys(const Strip& strip, const Real* weights, Rows<const Real> rows, Rows<Real> out) {
  const auto run = [&](Index r, Index n, Index low, Index high) {
    if (low >= high) return;
    const auto to = operand(out.row(strip.first_key + low), out.stride);
    multiply<Real>(high - low, out.width, n,
                   operand(weights + r * strip.stride + low, Fixed<1>{}, strip.stride),
                   operand(rows.row(r), rows.stride),
                   operand(static_cast<const Real*>(to.data), out.stride), to);
  };
  const Strip::Columns c = strip.common();
  run(0, strip.n, c.low, c.high);
  strip.for_each_edge([&](Index r, Index low, Index high) { run(r, 1, low, high); });
}

}  // namespace attune::kernels
