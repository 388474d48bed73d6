#include "kernels/attention.h"

#include <cmath>
#include <tuple>

#include "kernels/attention/drivers.h"
#include "kernels/attention/parts.h"
#include "kernels/dropout.h"

// What attention() promises of its operands, and which driver serves them.
namespace attune::kernels {
namespace {

void check_offsets(const char* name, View<const std::int32_t> offsets, Index n_examples,
                   Index n_rows) {
  ATTUNE_CHECK(offsets.rank() == 1 && offsets.size() == n_examples + 1 && offsets[0] == 0 &&
                   offsets[n_examples] == n_rows,
               ShapeError,
               "[attention] {} must be {} ascending row numbers from 0 to {}; its shape is {}",
               name, n_examples + 1, n_rows, offsets.shape().text());
  for (Index e = 0; e < n_examples; ++e) {
    ATTUNE_CHECK(offsets[e] <= offsets[e + 1], ShapeError,
                 "[attention] {}[{}] = {} is above the next offset, {}", name, e, offsets[e],
                 offsets[e + 1]);
  }
}

template <class Real>
void check_width(const char* name, Rows<const Real> rows, const char* heads, Index n_heads,
                 const char* width, Index d) {
  ATTUNE_CHECK(
      rows.width == n_heads * d && rows.stride >= rows.width, ShapeError,
      "[attention] {} has {} columns (row stride {}); its width must be {} · {} = {} · {} = {}",
      name, rows.width, rows.stride, heads, width, n_heads, d, n_heads * d);
}

void check_ranges(const AttentionOptions& o) {
  ATTUNE_CHECK(o.window >= 0, ConfigError, "[attention] window={} must be at least 0", o.window);
  ATTUNE_CHECK(o.dilation >= 1 && o.block >= 1 && o.k >= 1, ConfigError,
               "[attention] dilation={}, block={} and k={} must be at least 1", o.dilation, o.block,
               o.k);
  ATTUNE_CHECK(o.temperature > 0 && std::isfinite(o.temperature), ConfigError,
               "[attention] temperature={} must be above 0 and finite", o.temperature);
}

void check_given(const char* owner, bool wanted, const char* name, bool given) {
  ATTUNE_CHECK(given == wanted, ShapeError, "[attention] {} {}, but {} was {}", owner,
               wanted ? "is asked for" : "is not asked for", name, given ? "given" : "not given");
}

// Edges of each query must rise and stay among the keys of its sequence.
void check_edges(const AttentionRows& rows, Index n_q) {
  ATTUNE_CHECK(
      rows.indptr.size() == n_q + 1 && rows.indptr[0] == 0 &&
          rows.indptr[n_q] == rows.indices.size(),
      ShapeError,
      "[attention] pattern edges needs indptr of {} numbers from 0 to the number of edges, "
      "{}; its shape is {}",
      n_q + 1, rows.indices.size(), rows.indptr.shape().text());
  for (Index e = 0; e + 1 < rows.q_offsets.size(); ++e) {
    for (Index i = rows.q_offsets[e]; i < rows.q_offsets[e + 1]; ++i) {
      ATTUNE_CHECK(
          rows.indptr[i] <= rows.indptr[i + 1] && rows.indptr[i + 1] <= rows.indices.size(),
          ShapeError, "[attention] indptr[{}] = {} is above the next one, {}", i, rows.indptr[i],
          rows.indptr[i + 1]);
      Index least = rows.k_offsets[e];
      for (Index t = rows.indptr[i]; t < rows.indptr[i + 1]; ++t) {
        ATTUNE_CHECK(rows.indices[t] >= least && rows.indices[t] < rows.k_offsets[e + 1],
                     ShapeError,
                     "[attention] indices[{}] = {}: the keys that query row {} sees must rise and "
                     "be rows of its own sequence, {} … {}",
                     t, rows.indices[t], i, rows.k_offsets[e], rows.k_offsets[e + 1] - 1);
        least = rows.indices[t] + 1;
      }
    }
  }
}

void check_positions(const char* name, View<const std::int32_t> positions, Index n) {
  ATTUNE_CHECK(
      positions.shape() == Shape({n, 2}), ShapeError,
      "[attention] bias alibi_2d needs {} [{}, 2], the row and the column of each token in "
      "its grid; their shape is {}",
      name, n, positions.shape().text());
}

template <class T>
void check_parameter(const char* owner, bool wanted, const char* name, const View<T>& x,
                     const Shape& shape) {
  check_given(owner, wanted, name, bool(x));
  ATTUNE_CHECK(!wanted || x.shape() == shape, ShapeError,
               "[attention] {} has shape {}, and must be {}", name, x.shape().text(), shape.text());
}

template <class Real>
void check_parameters(const AttentionCall<Real>& call) {
  const AttentionOptions& o = call.options;
  const AttentionParameters<const Real>& p = call.parameters;
  check_parameter("score additive", o.score == Score::additive, "w", p.w, {o.n_heads, o.d_k});
  check_parameter("bias given", o.bias == Bias::given, "bias", p.bias,
                  {o.n_heads, call.q.n, call.k.n});
  const bool relative = o.bias == Bias::relative, fits = p.table.rank() == 2;
  ATTUNE_CHECK(!relative || !p.table || (fits && p.table.dim(1) % 2 == 1), ShapeError,
               "[attention] table has shape {}: it must be [n_heads, 2 · max_distance + 1]",
               p.table.shape().text());
  check_parameter("bias relative", relative, "table", p.table,
                  {o.n_heads, relative && p.table ? p.table.dim(1) : 1});
  ATTUNE_CHECK(!p.gain || o.score != Score::additive, ShapeError,
               "[attention] score additive takes no gain: its w scales each head's scores already");
  check_parameter("a gain", bool(p.gain), "gain", p.gain, {o.n_heads});
}

template <class Real>
void check_gradient(const char* name, Rows<const Real> gradient, Rows<const Real> of) {
  ATTUNE_CHECK(
      gradient.n == of.n && gradient.width == of.width && gradient.stride >= of.width, ShapeError,
      "[attention_backward] {} is [{}, {}] (row stride {}), what it belongs to is [{}, {}]", name,
      gradient.n, gradient.width, gradient.stride, of.n, of.width);
}

template <class Real>
void check_gradient(const char* name, View<Real> gradient, View<const Real> of) {
  ATTUNE_CHECK(!gradient || gradient.shape() == of.shape(), ShapeError,
               "[attention_backward] the gradient of {} has shape {}, {} itself {}", name,
               gradient.shape().text(), name, of.shape().text());
}

template <class Real>
void check_lse(const AttentionCall<Real>& call, View<const Real> lse) {
  const AttentionOptions& o = call.options;
  const bool has_lse = o.normaliser == Normaliser::softmax;
  ATTUNE_CHECK(lse.size() == (has_lse ? call.q.n * o.n_heads : 0), ShapeError,
               "[attention] lse has shape {}: with {} it must be {}", lse.shape().text(),
               part_of(normaliser_words, o.normaliser).word,
               has_lse ? Shape{call.q.n, o.n_heads}.text() : "absent");
}

template <class Real>
void check_attention(const AttentionCall<Real>& call, Rows<const Real> y) {
  const AttentionOptions& o = call.options;
  const AttentionRows& rows = call.rows;
  const auto& [q, k, v] = std::tie(call.q, call.k, call.v);
  const std::string_view why_not = refusal(o);
  ATTUNE_CHECK(why_not.empty(), ConfigError, "[attention] {}", why_not);
  check_ranges(o);
  ATTUNE_CHECK(o.n_heads >= 1 && o.n_kv_heads >= 1 && o.n_heads % o.n_kv_heads == 0, ConfigError,
               "[attention] n_heads={} must be a multiple of n_kv_heads={}, both at least 1",
               o.n_heads, o.n_kv_heads);
  ATTUNE_CHECK(o.d_k >= 1 && o.d_v >= 1, ConfigError,
               "[attention] d_k={} and d_v={} must be at least 1", o.d_k, o.d_v);
  check_width("q", q, "n_heads", o.n_heads, "d_k", o.d_k);
  check_width("k", k, "n_kv_heads", o.n_kv_heads, "d_k", o.d_k);
  check_width("v", v, "n_kv_heads", o.n_kv_heads, "d_v", o.d_v);
  check_width("y", y, "n_heads", o.n_heads, "d_v", o.d_v);
  ATTUNE_CHECK(k.n == v.n && q.n == y.n, ShapeError,
               "[attention] q has {} rows, y {}; k has {} rows, v {}: q and y must agree, and k "
               "and v",
               q.n, y.n, k.n, v.n);
  ATTUNE_CHECK(rows.q_offsets && rows.k_offsets && rows.q_offsets.size() >= 1, ShapeError,
               "[attention] q_offsets and k_offsets must be given; a single sequence has the "
               "offsets 0 and its length");
  const Index n_examples = rows.q_offsets.size() - 1;
  check_offsets("q_offsets", rows.q_offsets, n_examples, q.n);
  check_offsets("k_offsets", rows.k_offsets, n_examples, k.n);
  if (o.dropout != 0) {
    o.weight_dropout().threshold();
    ATTUNE_CHECK(rows.example && rows.example.size() == n_examples, ShapeError,
                 "[attention] dropout={} needs the logical ids of all {} sequences, {} were given",
                 o.dropout, n_examples, rows.example.size());
    ATTUNE_CHECK(
        o.n_heads <= Index{1} << 12 && q.n <= Index{1} << 23, ShapeError,
        "[attention] dropout has counters for 4096 heads and 2^23 queries, not for {} and {}",
        o.n_heads, q.n);
  }
  check_parameters(call);
  const bool edges = o.pattern == Pattern::edges, in_grid = o.bias == Bias::alibi_2d;
  check_given("pattern edges", edges, "indptr", bool(rows.indptr));
  check_given("pattern edges", edges, "indices", bool(rows.indices));
  check_given("bias alibi_2d", in_grid, "q_positions", bool(rows.q_positions));
  check_given("bias alibi_2d", in_grid, "k_positions", bool(rows.k_positions));
  if (edges) check_edges(rows, q.n);
  if (in_grid) {
    check_positions("q_positions", rows.q_positions, q.n);
    check_positions("k_positions", rows.k_positions, k.n);
  }
}

}  // namespace

std::string_view refusal(const AttentionOptions& o) {
  if (o.select == Select::two_stage_top_k && o.pattern == Pattern::edges) {
    return "select=two_stage_top_k needs keys that lie in blocks with a mean, and pattern=edges "
           "names each key by itself: use select=top_k, which scores these few keys at once.";
  }
  return {};
}

double attention_scores(const AttentionOptions& o, const AttentionRows& rows) {
  const PatternPart& pattern = part_of(pattern_parts, o.pattern);
  Index scores = 0;
  for (Index e = 0; e + 1 < rows.q_offsets.size(); ++e) {
    const Index q0 = rows.q_offsets[e], k0 = rows.k_offsets[e];
    const Sight sight{&o,
                      rows.q_offsets[e + 1] - q0,
                      rows.k_offsets[e + 1] - k0,
                      rows.indptr ? rows.indptr.data() + q0 : nullptr,
                      rows.indices.data(),
                      k0};
    for (Index i = 0; i < sight.n_q; ++i) {
      const KeySet keys = pattern.keys(sight, i);
      if (o.select != Select::two_stage_top_k) {
        scores += keys.count;
      } else {
        const Stage stage(o, sight.n_k, keys);
        scores += stage.most_candidates() + (stage.needed() ? stage.n_blocks : 0);
      }
    }
  }
  return static_cast<double>(o.n_heads * scores);
}

template <class Real>
void attention(const AttentionOptions& o, const AttentionRows& rows, Rows<const Real> q,
               Rows<const Real> k, Rows<const Real> v, Rows<Real> y, View<Real> lse,
               const AttentionParameters<const Real>& parameters) {
  const AttentionCall<Real> call{o, rows, q, k, v, parameters};
  if (o.widths) return attention_of_widths(call, y, lse);
  check_attention<Real>(call, y);
  check_lse<Real>(call, lse);
  if (is_prepared(call)) return attention_of_prepared(call, y, lse);
  is_tiled(o) ? attention_tiled(call, y, lse) : attention_by_rows(call, y, lse);
}

template <class Real>
void attention_backward(const AttentionOptions& o, const AttentionRows& rows, Rows<const Real> dy,
                        Rows<const Real> q, Rows<const Real> k, Rows<const Real> v,
                        Rows<const Real> y, View<const Real> lse, Rows<Real> dq, Rows<Real> dk,
                        Rows<Real> dv, const AttentionParameters<const Real>& parameters,
                        const AttentionParameters<Real>& gradients, View<const Real> dlse,
                        FreshRows fresh) {
  const AttentionCall<Real> call{o, rows, q, k, v, parameters};
  const AttentionGradients<Real> g{dy, y, lse, dq, dk, dv, gradients, dlse, fresh};
  const auto begin = [&] {
    if (fresh.q) set_zero(dq);
    if (fresh.k) set_zero(dk);
    if (fresh.v) set_zero(dv);
  };
  if (o.widths) {
    begin();
    return attention_of_widths_backward(call, g);
  }
  check_attention<Real>(call, y);
  check_lse<Real>(call, lse);
  check_gradient<Real>("dy", dy, y);
  check_gradient<Real>("dq", dq, q);
  check_gradient<Real>("dk", dk, k);
  check_gradient<Real>("dv", dv, v);
  check_gradient<Real>("w", gradients.w, parameters.w);
  check_gradient<Real>("bias", gradients.bias, parameters.bias);
  check_gradient<Real>("table", gradients.table, parameters.table);
  check_gradient<Real>("gain", gradients.gain, parameters.gain);
  ATTUNE_CHECK(!dlse || dlse.shape() == lse.shape(), ShapeError,
               "[attention_backward] dlse has shape {}, lse {}", dlse.shape().text(),
               lse.shape().text());
  if (!is_prepared(call) && is_tiled(o)) return attention_tiled_backward(call, g);
  begin();
  is_prepared(call) ? attention_of_prepared_backward(call, g) : attention_by_rows_backward(call, g);
}

template <class Real>
void attention_weights(const AttentionOptions& options, const AttentionRows& rows,
                       Rows<const Real> q, Rows<const Real> k,
                       const AttentionParameters<const Real>& parameters,
                       const WeightReader<Real>& read) {
  // Values don't matter: keys stand for them.
  AttentionOptions o = options;
  o.d_v = o.d_k;
  o.dropout = 0;
  const AttentionCall<Real> call{o, rows, q, k, k, parameters};
  if (o.widths) return attention_weights_of_widths(call, read);
  check_attention<Real>(call, q);
  is_prepared(call) ? attention_weights_of_prepared(call, read)
                    : attention_weights_by_rows(call, read);
}

template void attention(const AttentionOptions&, const AttentionRows&, Rows<const float>,
                        Rows<const float>, Rows<const float>, Rows<float>, View<float>,
                        const AttentionParameters<const float>&);
template void attention(const AttentionOptions&, const AttentionRows&, Rows<const double>,
                        Rows<const double>, Rows<const double>, Rows<double>, View<double>,
                        const AttentionParameters<const double>&);
template void attention_backward(const AttentionOptions&, const AttentionRows&, Rows<const float>,
                                 Rows<const float>, Rows<const float>, Rows<const float>,
                                 Rows<const float>, View<const float>, Rows<float>, Rows<float>,
                                 Rows<float>, const AttentionParameters<const float>&,
                                 const AttentionParameters<float>&, View<const float>, FreshRows);
template void attention_backward(const AttentionOptions&, const AttentionRows&, Rows<const double>,
                                 Rows<const double>, Rows<const double>, Rows<const double>,
                                 Rows<const double>, View<const double>, Rows<double>, Rows<double>,
                                 Rows<double>, const AttentionParameters<const double>&,
                                 const AttentionParameters<double>&, View<const double>, FreshRows);
template void attention_weights(const AttentionOptions&, const AttentionRows&, Rows<const float>,
                                Rows<const float>, const AttentionParameters<const float>&,
                                const WeightReader<float>&);
template void attention_weights(const AttentionOptions&, const AttentionRows&, Rows<const double>,
                                Rows<const double>, const AttentionParameters<const double>&,
                                const WeightReader<double>&);

}  // namespace attune::kernels
