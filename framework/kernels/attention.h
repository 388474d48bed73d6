#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kernels/dropout.h"
#include "tensor/view.h"

namespace attune::kernels {

// Rows of a matrix, or of a column slice of a wider one: q, k and v may lie side by side in one
// packed buffer.
template <class T>
struct Rows {
  T* data = nullptr;
  Index n = 0, width = 0, stride = 0;  // rows, columns, elements from one row to the next

  Rows() = default;
  Rows(T* first, Index rows, Index columns, Index row_stride)
      : data(first), n(rows), width(columns), stride(row_stride) {}
  // Rows<const T> reads a View<T>, a View<const T> or a Rows<T>.
  template <class U, class = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Rows(const View<U>& v)  // NOLINT(google-explicit-constructor)
      : Rows(v.data(), v.dim(0), v.dim(1), v.dim(1)) {}
  template <class U, class = std::enable_if_t<std::is_convertible_v<U*, T*>>>
  Rows(const Rows<U>& other)  // NOLINT(google-explicit-constructor)
      : Rows(other.data, other.n, other.width, other.stride) {}
  // Columns [begin, begin + columns) of the same rows.
  Rows slice(Index begin, Index columns) const { return {data + begin, n, columns, stride}; }
  T* row(Index i) const { return data + i * stride; }
};

// The parts that one attention is put together from: score (+ bias) → pattern → select → normaliser
// → value. kernels/attention/parts.h lists what each may be, with its word; the first is {}. i and
// j count queries and keys from the start of their sequence.
enum class Score : int;
enum class Bias : int;
enum class Pattern : int;
enum class Select : int;
enum class Normaliser : int;

struct AttentionOptions {
  Index n_heads = 1;
  Index n_kv_heads = 1;  // divides n_heads; head h reads kv head h · n_kv_heads / n_heads
  Index d_k = 1, d_v = 1;
  double scale = 1;              // of the scores, usually 1 / √d_k
  Pattern pattern = {};          // full
  double dropout = 0;            // probability p of dropping an attention weight
  std::uint64_t stream_key = 0;  // Stream(seed, "dropout", name).key
  std::uint32_t step = 0;
  Score score = {};            // scaled_dot
  Bias bias = {};              // none
  Select select = {};          // all
  Normaliser normaliser = {};  // softmax
  Index window = 0;            // patterns window, causal_window and dilated: steps
  Index dilation = 1;          // pattern dilated: keys from one step to the next
  Index block = 1;             // pattern block: its size
  Index k = 1;                 // select top_k: keys kept
  double temperature = 1;      // divides scores, bias included
  // Columns of each head of q, k and v where heads differ, [n_heads]: then d_k and d_v aren't read,
  // and keys can't be shared.
  View<const std::int32_t> widths = {};
  bool scale_by_width = false;  // with widths: scale is each head's default_scale(), not `scale`
  // Which of a layer's heads these are, where others are computed apart from them; of_heads = 0:
  // there are no others. ALiBi's slopes and dropout's masks go by it.
  Index first_head = 0, of_heads = 0;

  DropoutOptions weight_dropout() const { return {dropout, stream_key, step}; }
};

// Where the sequences of a pack lie: sequence e attends from query rows q_offsets[e] … to key rows
// k_offsets[e] ….
struct AttentionRows {
  View<const std::int32_t> q_offsets,
      k_offsets;  // [B + 1], from 0 to n_q and n_k, ascending; empty sequences are legal
  View<const std::int32_t> example =
      {};  // [B] logical ids that key dropout; needed only when it is on
  // Pattern edges: query row i of the pack sees the key rows indices[indptr[i] … indptr[i + 1]),
  // rows of its own sequence, rising.
  View<const std::int32_t> indptr = {}, indices = {};  // [n_q + 1], [n_edges]
  // Bias alibi_2d: the row and the column of each token in its grid, −1 and −1 of one without a
  // place.
  View<const std::int32_t> q_positions = {}, k_positions = {};  // [n_q, 2], [n_k, 2]
};

// What some scores and biases learn, or their gradients; absent where it isn't used.
template <class T>
struct AttentionParameters {
  View<T> w = {};      // score additive: [n_heads, d_k]; [Σ widths] where heads differ
  View<T> bias = {};   // bias given: [n_heads, n_q, n_k] in rows of the pack; pairs of rows of
                       // different sequences are never read, and have no gradient
  View<T> table = {};  // bias relative: [n_heads, 2 m + 1], distances −m … m
  View<T> gain = {};  // [n_heads], multiplies the scores of each head besides scale; may be absent.
                      // Not for score additive, whose w scales already
};

// Why these options make no attention, as a sentence; empty if they do. What parts mean for each
// other only: ranges are attention()'s to check.
std::string_view refusal(const AttentionOptions& options);

// Multi-head attention on packed sequences, forward. By sequence and head, with p̂ = round(65536 p)
// / 65536 and masks M in {0, 1} from DropoutDraws at (head, row = key j, column = query i):
//   s_ij = scale · gain_h · score(q_i, k_j) + bias_ij   for the keys j of query i's pattern
//   P_i  = normaliser(s_i / temperature)            over those of them that `select` keeps
//   y_i  = Σ_j M_ij P_ij v_j / (1 − p̂)
//   q [n_q, n_heads · d_k], k [n_k, n_kv_heads · d_k], v [n_k, n_kv_heads · d_v]
//   y [n_q, n_heads · d_v]; lse [n_q, n_heads] = log Σ_j exp(s_ij / temperature), natural, over the
//   keys kept, before dropout, for the softmax; other normalisers have none, and take an absent one
// Nothing of size n² is stored: the softmax over all keys of a full or causal pattern goes by tiles
// (Dao et al. 2022; Rabe and Staats 2021), everything else by strips of a few query rows.
// A query that sees no key has y = 0, lse = −inf and no gradient, and so has one whose scores are
// all −inf. A NaN reaches the rows that see it and no other. The bits of a sequence's rows depend
// on that sequence, its id and the options: not on its place in the pack, not on its neighbours,
// not on threads. Operands that don't fit are a ShapeError; options out of range, and those that
// refusal() names, a ConfigError.
template <class Real>
void attention(const AttentionOptions& options, const AttentionRows& rows, Rows<const Real> q,
               Rows<const Real> k, Rows<const Real> v, Rows<Real> y, View<Real> lse,
               const AttentionParameters<const Real>& parameters = {});

// Which of dq, dk and dv hold nothing yet: they are written.
struct FreshRows {
  bool q = false, k = false, v = false;
};

// Adds to dq, dk, dv (strides of their own) and to those gradients of parameters that are there.
// Scores and P are rebuilt, M from its counters. With r = 1 / (1 − p̂) and J the normaliser's
// Jacobian at P_i, over the keys that query i kept:
//   dP_ij = r M_ij dy_i · v_j,  ds_i = (J dP_i + dlse_i P_i) / temperature,
//   dv_j += r Σ_i M_ij P_ij dy_i,  and through score and bias: for a product
//   dq_i += scale Σ_j ds_ij k_j,  dk_j += scale Σ_i ds_ij q_i,
// dlse [n_q, n_heads] may be absent; only the softmax has one. Heads that share keys add in the
// order of heads, and queries in their order. Parameters get the sum of each sequence, in the order
// of sequences.
template <class Real>
void attention_backward(const AttentionOptions& options, const AttentionRows& rows,
                        Rows<const Real> dy, Rows<const Real> q, Rows<const Real> k,
                        Rows<const Real> v, Rows<const Real> y, View<const Real> lse, Rows<Real> dq,
                        Rows<Real> dk, Rows<Real> dv,
                        const AttentionParameters<const Real>& parameters = {},
                        const AttentionParameters<Real>& gradients = {}, View<const Real> dlse = {},
                        FreshRows fresh = {});

// Scores (of a query and a key, or of a query and a block's mean key) that a forward pass forms at
// most; exactly so many unless select is two_stage_top_k.
double attention_scores(const AttentionOptions& options, const AttentionRows& rows);

}  // namespace attune::kernels
