#include "kernels/linear_attention.h"

#include <algorithm>

#include "kernels/attention/head.h"
#include "kernels/lanes.h"
#include "kernels/micro_kernel.h"
#include "kernels/packed_rows.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kChunk = 64;  // rows

// A matrix in scratch, rows contiguous.
template <class Real>
struct Block {
  Real* data;
  Index width;

  Block(Index rows, Index columns, Scratch& scratch)
      : data(scratch.allocate<Real>(rows * columns)), width(columns) {}
  Real* row(Index i) const { return data + i * width; }
  void clear(Index rows) const { std::fill_n(data, rows * width, Real(0)); }
};

template <class Real>
auto to_operand(Rows<Real> x) {
  return operand(x.data, x.stride);
}
template <class Real>
auto to_operand(const Block<Real>& x) {
  return operand(x.data, x.width);
}
template <class Real>
auto to_operand(const Block<const Real>& x) {
  return operand(x.data, x.width);
}

// c += a b, with rows of a and c given.
template <class Real, class A, class B, class C>
void add_product(Index rows, Index columns, Index inner, A a, B b, C c) {
  if (rows == 0 || inner == 0) return;
  multiply<Real>(rows, columns, inner, a, b, operand(static_cast<const Real*>(c.data), c.row), c);
}
// x with rows and columns exchanged, as the left factor of a product.
template <class Operand>
auto transposed(Operand x) {
  return operand(x.data, Fixed<1>{}, x.row);
}

// A kv head of a sequence, and the query heads that read it.
template <class Real>
struct Call {
  const LinearAttentionOptions& options;
  Index n_q, n_k, d_k, d_v, group;
  Rows<const Real> k, v;

  Index wide() const { return d_v + 1; }
};

// (v, 1) of the rows [first, first + n).
template <class Real>
void append_one(Rows<const Real> v, Index first, Index n, const Block<Real>& to) {
  for (Index i = 0; i < n; ++i) {
    std::copy_n(v.row(first + i), v.width, to.row(i));
    to.row(i)[v.width] = Real(1);
  }
}

// to [width, n] = x's rows [first, first + n) as columns.
template <class Real>
void transpose_rows(Rows<const Real> x, Index first, Index n, const Block<Real>& to) {
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < x.width; ++c) to.row(c)[i] = x.row(first + i)[c];
}
template <class Real>
void transpose_block(const Block<Real>& x, Index rows, const Block<Real>& to) {
  transpose_rows<Real>({x.data, rows, x.width, x.width}, 0, rows, to);
}

// One query head's rows of the operands, within the sequence.
template <class Real>
struct QueryHead {
  Rows<const Real> q, dy, y;
  Rows<Real> out, dq;
  const Real* z = nullptr;
  Real* z_out = nullptr;
  Index z_stride = 0;
};

template <class Real>
void finish(const QueryHead<Real>& h, Index first, Index n, const Block<Real>& sums) {
  const Index d_v = h.out.width;
  for (Index i = 0; i < n; ++i) {
    const Real z = sums.row(i)[d_v], inverse = z == Real(0) ? Real(0) : Real(1) / z;
    h.z_out[(first + i) * h.z_stride] = z;
    for_lanes<Real>(d_v, [&](Index j, auto lanes) {
      lanes.store(h.out.row(first + i) + j, lanes.load(sums.row(i) + j) * Vec<Real>(inverse));
    });
  }
}

// dn' of the rows [first, first + n).
template <class Real>
void begin(const QueryHead<Real>& h, Index first, Index n, const Block<Real>& dn) {
  const Index d_v = h.dy.width;
  for (Index i = 0; i < n; ++i) {
    const Real z = h.z[(first + i) * h.z_stride], inverse = z == Real(0) ? Real(0) : Real(1) / z;
    Vec<Real> along = Real(0);
    for_lanes<Real>(d_v, [&](Index j, auto lanes) {
      const Vec<Real> dy = lanes.load(h.dy.row(first + i) + j);
      along = fma(dy, lanes.load(h.y.row(first + i) + j), along);
      lanes.store(dn.row(i) + j, dy * Vec<Real>(inverse));
    });
    dn.row(i)[d_v] = -sum(along) * inverse;
  }
}

// f(first, n) of each chunk, rising.
template <class F>
void for_chunks(Index n, F&& f) {
  for (Index first = 0; first < n; first += kChunk) f(first, std::min(kChunk, n - first));
}

// Scratch of a task, and the steps that forward and backward share.
template <class Real>
struct Work {
  const Call<Real>& c;
  Scratch scratch;
  Block<Real> state, values, sums, pairs, keys;

  explicit Work(const Call<Real>& call)
      : c(call),
        state(call.d_k, call.wide(), scratch),
        values(kChunk, call.wide(), scratch),
        sums(kChunk, call.wide(), scratch),
        pairs(kChunk, kChunk, scratch),
        keys(call.d_k, kChunk, scratch) {
    state.clear(call.d_k);
  }

  // S += the keys and values of a chunk, whose (v, 1) stand in `values`.
  void add_to_state(Index first, Index n) {
    add_product<Real>(c.d_k, c.wide(), n, transposed(to_operand(part(c.k, first, n))),
                      to_operand(values), to_operand(state));
  }
  void sum_all_keys() {
    for_chunks(c.n_k, [&](Index first, Index n) {
      append_one(c.v, first, n, values);
      add_to_state(first, n);
    });
  }
  // pairs[i][j] = a_i · b_j, with b's rows as columns of `columns`.
  void form_pairs(Index n, Rows<const Real> a, const Block<Real>& columns) {
    pairs.clear(n);
    add_product<Real>(n, n, a.width, to_operand(a), to_operand(columns), to_operand(pairs));
  }
};

template <class Real>
void forward_head_group(const Call<Real>& c, const QueryHead<Real>* heads) {
  Work<Real> work(c);
  if (!c.options.causal) work.sum_all_keys();
  for_chunks(c.n_q, [&](Index first, Index n) {
    if (c.options.causal) {
      append_one(c.v, first, n, work.values);
      transpose_rows(c.k, first, n, work.keys);
    }
    for (Index g = 0; g < c.group; ++g) {
      const Rows<const Real> q = part(heads[g].q, first, n);
      work.sums.clear(n);
      add_product<Real>(n, c.wide(), c.d_k, to_operand(q), to_operand(work.state),
                        to_operand(work.sums));
      if (c.options.causal) {
        work.form_pairs(n, q, work.keys);
        // Row by row, so that a later key is not even read.
        for (Index i = 0; i < n; ++i) {
          add_product<Real>(1, c.wide(), i + 1, operand(work.pairs.row(i), kChunk),
                            to_operand(work.values), operand(work.sums.row(i), c.wide()));
        }
      }
      finish(heads[g], first, n, work.sums);
    }
    if (c.options.causal) work.add_to_state(first, n);
  });
}

// The backward pass of a kv head, whose gradients are dk and dv.
template <class Real>
struct Backward {
  const Call<Real>& c;
  const QueryHead<Real>* heads;
  Rows<Real> dk, dv;
  Work<Real> work;
  Block<Real> dn, dstate, turned, columns, dvalues;

  Backward(const Call<Real>& call, const QueryHead<Real>* query_heads, Rows<Real> dkeys,
           Rows<Real> dvals)
      : c(call),
        heads(query_heads),
        dk(dkeys),
        dv(dvals),
        work(call),
        dn(kChunk, call.wide(), work.scratch),
        dstate(call.d_k, call.wide(), work.scratch),
        turned(call.wide(), call.d_k, work.scratch),
        columns(call.wide(), kChunk, work.scratch),
        dvalues(kChunk, call.wide(), work.scratch) {
    dstate.clear(call.d_k);
  }

  Rows<const Real> dn_rows(Index n) const { return {dn.data, n, c.wide(), c.wide()}; }

  // dq += S dn' of the state so far.
  void add_to_queries(Index g, Index first, Index n) {
    transpose_block(work.state, c.d_k, turned);
    add_product<Real>(n, c.d_k, c.wide(), to_operand(dn), to_operand(turned),
                      to_operand(part(heads[g].dq, first, n)));
  }
  void add_to_dstate(Index g, Index first, Index n) {
    add_product<Real>(c.d_k, c.wide(), n, transposed(to_operand(part(heads[g].q, first, n))),
                      to_operand(dn), to_operand(dstate));
  }
  // dk and dv of a chunk from dS so far; (v, 1) stand in `values`. dv' stays open in `dvalues`.
  void add_to_keys(Index first, Index n) {
    transpose_block(dstate, c.d_k, turned);
    add_product<Real>(n, c.d_k, c.wide(), to_operand(work.values), to_operand(turned),
                      to_operand(part(dk, first, n)));
    dvalues.clear(n);
    add_product<Real>(n, c.wide(), c.d_k, to_operand(part(c.k, first, n)), to_operand(dstate),
                      to_operand(dvalues));
  }
  void close_values(Index first, Index n) {
    for (Index i = 0; i < n; ++i) {
      for_lanes<Real>(c.d_v, [&](Index j, auto lanes) {
        Real* const to = dv.row(first + i) + j;
        lanes.store(to, lanes.load(to) + lanes.load(dvalues.row(i) + j));
      });
    }
  }

  void full() {
    work.sum_all_keys();
    for (Index g = 0; g < c.group; ++g) {
      for_chunks(c.n_q, [&](Index first, Index n) {
        begin(heads[g], first, n, dn);
        add_to_queries(g, first, n);
        add_to_dstate(g, first, n);
      });
    }
    for_chunks(c.n_k, [&](Index first, Index n) {
      append_one(c.v, first, n, work.values);
      add_to_keys(first, n);
      close_values(first, n);
    });
  }

  // dq in the order of chunks, with S of those before; then dk and dv from the last chunk on, with
  // dS of those behind. Within a chunk by pairs, each row over the ones that it sees alone.
  void causal() {
    for_chunks(c.n_q, [&](Index first, Index n) {
      append_one(c.v, first, n, work.values);
      transpose_block(work.values, n, columns);
      for (Index g = 0; g < c.group; ++g) {
        begin(heads[g], first, n, dn);
        add_to_queries(g, first, n);
        work.form_pairs(n, dn_rows(n), columns);
        for (Index i = 0; i < n; ++i) {
          add_product<Real>(1, c.d_k, i + 1, operand(work.pairs.row(i), kChunk),
                            to_operand(part(c.k, first, n)),
                            operand(heads[g].dq.row(first + i), heads[g].dq.stride));
        }
      }
      work.add_to_state(first, n);
    });
    for (Index first = (c.n_q - 1) / kChunk * kChunk; first >= 0; first -= kChunk) {
      const Index n = std::min(kChunk, c.n_q - first);
      append_one(c.v, first, n, work.values);
      add_to_keys(first, n);
      for (Index g = 0; g < c.group; ++g) within_chunk(g, first, n);
      close_values(first, n);
      for (Index g = 0; g < c.group; ++g) {
        begin(heads[g], first, n, dn);
        add_to_dstate(g, first, n);
      }
    }
  }

  void within_chunk(Index g, Index first, Index n) {
    const Rows<const Real> q = part(heads[g].q, first, n);
    begin(heads[g], first, n, dn);
    const auto from_later = [&](Index j, auto rows, Index width, auto to) {
      add_product<Real>(1, width, n - j, operand(work.pairs.row(j) + j, Index{1}, kChunk),
                        rows.shifted(j, 0), to);
    };
    transpose_rows(c.k, first, n, work.keys);
    work.form_pairs(n, q, work.keys);  // q_i · k_j
    for (Index j = 0; j < n; ++j)
      from_later(j, to_operand(dn), c.wide(), operand(dvalues.row(j), c.wide()));
    transpose_block(work.values, n, columns);
    work.form_pairs(n, dn_rows(n), columns);  // dn'_i · v'_j
    for (Index j = 0; j < n; ++j)
      from_later(j, to_operand(q), c.d_k, operand(dk.row(first + j), dk.stride));
  }
};

void check_linear(const LinearAttentionOptions& o, View<const std::int32_t> q_offsets,
                  View<const std::int32_t> k_offsets, Index n_q, Index n_k, Index q_columns,
                  Index k_columns, Index v_columns, Index v_rows) {
  const char* const kernel = "linear_attention";
  ATTUNE_CHECK(o.n_heads >= 1 && o.n_kv_heads >= 1 && o.n_heads % o.n_kv_heads == 0, ConfigError,
               "[{}] n_heads={} must be a multiple of n_kv_heads={}, both at least 1", kernel,
               o.n_heads, o.n_kv_heads);
  check_offsets(kernel, q_offsets, n_q);
  check_offsets(kernel, k_offsets, n_k);
  ATTUNE_CHECK(q_offsets.size() == k_offsets.size(), ShapeError,
               "[{}] q_offsets bound {} sequences, k_offsets {}", kernel, q_offsets.size() - 1,
               k_offsets.size() - 1);
  ATTUNE_CHECK(q_columns % o.n_heads == 0 && v_columns % o.n_kv_heads == 0 && v_rows == n_k &&
                   k_columns == q_columns / o.n_heads * o.n_kv_heads,
               ShapeError,
               "[{}] q has {} columns, k {}, v {} in {} rows: they must be n_heads · d_k, "
               "n_kv_heads · d_k and n_kv_heads · d_v with n_heads={} and n_kv_heads={}, and v as "
               "long as k, {} rows",
               kernel, q_columns, k_columns, v_columns, v_rows, o.n_heads, o.n_kv_heads, n_k);
  for (Index e = 0; o.causal && e + 1 < q_offsets.size(); ++e) {
    ATTUNE_CHECK(q_offsets[e + 1] - q_offsets[e] == k_offsets[e + 1] - k_offsets[e], ShapeError,
                 "[{}] causal sums need as many keys as queries; sequence {} has {} and {}", kernel,
                 e, k_offsets[e + 1] - k_offsets[e], q_offsets[e + 1] - q_offsets[e]);
  }
}

// f(call, sequence, kv head) for each task.
template <class Real, class F>
void for_each_group(const char* kernel, double products, const LinearAttentionOptions& o,
                    View<const std::int32_t> q_offsets, View<const std::int32_t> k_offsets,
                    Rows<const Real> q, Rows<const Real> k, Rows<const Real> v, F&& f) {
  const Index d_k = q.width / o.n_heads, d_v = v.width / o.n_kv_heads;
  const double cost = 0.02 * products * static_cast<double>((q.n * o.n_heads + k.n) * d_k * d_v);
  parallel_for(kernel, (q_offsets.size() - 1) * o.n_kv_heads, cost, [&](Index task) {
    const Index e = task / o.n_kv_heads, kv = task % o.n_kv_heads,
                n_k = k_offsets[e + 1] - k_offsets[e];
    const Call<Real> call{o,
                          q_offsets[e + 1] - q_offsets[e],
                          n_k,
                          d_k,
                          d_v,
                          o.n_heads / o.n_kv_heads,
                          part(k.slice(kv * d_k, d_k), k_offsets[e], n_k),
                          part(v.slice(kv * d_v, d_v), k_offsets[e], n_k)};
    f(call, e, kv);
  });
}

}  // namespace

template <class Real>
void linear_attention(const LinearAttentionOptions& o, View<const std::int32_t> q_offsets,
                      View<const std::int32_t> k_offsets, Rows<const Real> q, Rows<const Real> k,
                      Rows<const Real> v, Rows<Real> y, View<Real> z) {
  check_linear(o, q_offsets, k_offsets, q.n, k.n, q.width, k.width, v.width, v.n);
  check_shape("linear_attention", "z", z, {q.n, o.n_heads}, "q and n_heads");
  for_each_group<Real>("linear_attention", 2, o, q_offsets, k_offsets, q, k, v,
                       [&](const Call<Real>& c, Index e, Index kv) {
                         Scratch scratch;
                         auto* const heads = scratch.allocate<QueryHead<Real>>(c.group);
                         for (Index g = 0; g < c.group; ++g) {
                           const Index h = kv * c.group + g, row = q_offsets[e];
                           heads[g] = {};
                           heads[g].q = part(q.slice(h * c.d_k, c.d_k), row, c.n_q);
                           heads[g].out = part(y.slice(h * c.d_v, c.d_v), row, c.n_q);
                           heads[g].z_out = z.data() + row * o.n_heads + h;
                           heads[g].z_stride = o.n_heads;
                         }
                         forward_head_group(c, heads);
                       });
}

template <class Real>
void linear_attention_backward(const LinearAttentionOptions& o, View<const std::int32_t> q_offsets,
                               View<const std::int32_t> k_offsets, Rows<const Real> dy,
                               Rows<const Real> q, Rows<const Real> k, Rows<const Real> v,
                               Rows<const Real> y, View<const Real> z, Rows<Real> dq, Rows<Real> dk,
                               Rows<Real> dv) {
  check_linear(o, q_offsets, k_offsets, q.n, k.n, q.width, k.width, v.width, v.n);
  check_shape("linear_attention_backward", "z", z, {q.n, o.n_heads}, "q and n_heads");
  for_each_group<Real>("linear_attention_backward", 5, o, q_offsets, k_offsets, q, k, v,
                       [&](const Call<Real>& c, Index e, Index kv) {
                         Scratch scratch;
                         auto* const heads = scratch.allocate<QueryHead<Real>>(c.group);
                         for (Index g = 0; g < c.group; ++g) {
                           const Index h = kv * c.group + g, row = q_offsets[e];
                           heads[g] = {};
                           heads[g].q = part(q.slice(h * c.d_k, c.d_k), row, c.n_q);
                           heads[g].dq = part(dq.slice(h * c.d_k, c.d_k), row, c.n_q);
                           heads[g].dy = part(dy.slice(h * c.d_v, c.d_v), row, c.n_q);
                           heads[g].y = part(y.slice(h * c.d_v, c.d_v), row, c.n_q);
                           heads[g].z = z.data() + row * o.n_heads + h;
                           heads[g].z_stride = o.n_heads;
                         }
                         Backward<Real> backward(
                             c, heads, part(dk.slice(kv * c.d_k, c.d_k), k_offsets[e], c.n_k),
                             part(dv.slice(kv * c.d_v, c.d_v), k_offsets[e], c.n_k));
                         o.causal ? backward.causal() : backward.full();
                       });
}

template void linear_attention(const LinearAttentionOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, Rows<const float>, Rows<const float>,
                               Rows<const float>, Rows<float>, View<float>);
template void linear_attention_backward(const LinearAttentionOptions&, View<const std::int32_t>,
                                        View<const std::int32_t>, Rows<const float>,
                                        Rows<const float>, Rows<const float>, Rows<const float>,
                                        Rows<const float>, View<const float>, Rows<float>,
                                        Rows<float>, Rows<float>);
template void linear_attention(const LinearAttentionOptions&, View<const std::int32_t>,
                               View<const std::int32_t>, Rows<const double>, Rows<const double>,
                               Rows<const double>, Rows<double>, View<double>);
template void linear_attention_backward(const LinearAttentionOptions&, View<const std::int32_t>,
                                        View<const std::int32_t>, Rows<const double>,
                                        Rows<const double>, Rows<const double>, Rows<const double>,
                                        Rows<const double>, View<const double>, Rows<double>,
                                        Rows<double>, Rows<double>);

}  // namespace attune::kernels
