#include "kernels/attention/drivers.h"
#include "kernels/attention/support.h"
#include "kernels/parallel.h"

// The row driver, forward: scores of a strip of queries at a time; every score, bias, pattern,
// select and normaliser.
namespace attune::kernels {
namespace {

// Queries of a task: the keys that they see are packed once for all of them.
constexpr Index kTaskQueries = 8 * kStripQueries;

template <class Real>
void zero_rows(Rows<Real> rows) {
  for (Index i = 0; i < rows.n; ++i) std::fill_n(rows.row(i), rows.width, Real(0));
}

// All keys have a weight: products of whole strips.
template <class Real>
void attend_densely(const Head<Real>& h, StripScores<Real>& scores, Scratch& scratch, Rows<Real> y,
                    Real* lse) {
  const AttentionOptions& o = *h.options;
  Real* const factors = scratch.allocate<Real>(scores.widest());
  std::uint32_t* const draws = scratch.allocate<std::uint32_t>(whole_draws(scores.widest()));
  while (scores.next()) {
    const Strip& strip = scores.strip();
    for (Index r = 0; r < strip.n; ++r) {
      const Index n = scores.keys(r).count;
      PartClock::enter(PartClock::Part::normalise);
      lse[(strip.first + r) * o.n_heads] =
          softmax_row(scores.row(r), n, static_cast<Real>(1 / o.temperature), scores.row(r));
      if (o.dropout > 0) {
        dropout_factors(h, strip.first + r, scores.keys(r), draws, factors);
        multiply_row(factors, n, scores.row(r));
      }
    }
    PartClock::enter(PartClock::Part::value);
    const Rows<Real> out = part(y, strip.first, strip.n);
    zero_rows(out);
    add_by_queries<Real>(strip, scores.scores(), h.v, out);
  }
}

// Few keys have a weight: sums over the support of each query.
template <class Real>
void attend_sparsely(const Head<Real>& h, StripScores<Real>& scores, Scratch& scratch, Rows<Real> y,
                     Real* lse) {
  const AttentionOptions& o = *h.options;
  Support<Real> support(h, scores.widest(), scratch);
  Real* const factors = scratch.allocate<Real>(scores.widest());
  std::uint32_t* const draws = scratch.allocate<std::uint32_t>(whole_draws(scores.widest()));
  while (scores.next()) {
    for (Index r = 0; r < scores.strip().n; ++r) {
      const Index i = scores.strip().first + r;
      const Real log_sum = support.find(scores.keys(r), scores.row(r));
      if (lse != nullptr) lse[i * o.n_heads] = log_sum;
      PartClock::enter(PartClock::Part::value);
      const KeySet keys = support.keys();
      if (o.dropout > 0) {
        dropout_factors(h, i, keys, draws, factors);
        multiply_row(factors, keys.count, support.weights());
      }
      weighted_sum(keys, support.weights(), h.v, y.row(i));
    }
  }
}

}  // namespace

template <class Real>
Head<Real> head_of(const AttentionCall<Real>& c, Index e, Index h) {
  const AttentionOptions& o = c.options;
  const Index g = c.kv_head(h), n_q = c.queries(e), n_k = c.keys(e);
  const Index q0 = c.rows.q_offsets[e], k0 = c.rows.k_offsets[e];
  Head<Real> head;
  head.options = &o;
  head.sight = {&o, n_q, n_k, nullptr, nullptr, k0};
  if (o.pattern == Pattern::edges) {
    head.sight.indptr = c.rows.indptr.data() + q0;
    head.sight.indices = c.rows.indices.data();
  }
  head.head = o.first_head + h;
  head.example = c.rows.example ? static_cast<std::uint32_t>(c.rows.example[e]) : 0;
  head.q = part(c.q.slice(h * o.d_k, o.d_k), q0, n_q);
  head.k = part(c.k.slice(g * o.d_k, o.d_k), k0, n_k);
  head.v = part(c.v.slice(g * o.d_v, o.d_v), k0, n_k);
  if (o.bias == Bias::alibi_2d) {
    head.q_positions = c.rows.q_positions.data() + 2 * q0;
    head.k_positions = c.rows.k_positions.data() + 2 * k0;
  }
  if (o.score == Score::additive) head.w = c.parameters.w.data() + h * o.d_k;
  if (o.bias == Bias::given) {
    head.bias = c.parameters.bias.data() + (h * c.q.n + q0) * c.k.n + k0;
    head.bias_stride = c.k.n;
  }
  if (o.bias == Bias::relative) {
    const Index width = c.parameters.table.dim(1);
    head.max_distance = width / 2;
    head.table = c.parameters.table.data() + h * width + head.max_distance;
  }
  return head;
}

template <class Real>
MeanKeys<Real>::MeanKeys(const AttentionCall<Real>& c, Scratch& scratch) {
  if (c.options.select != Select::two_stage_top_k) return;
  const Index n = c.n_examples(), n_kv_heads = c.options.n_kv_heads, d = c.options.d_k;
  first = scratch.allocate<Index>(n + 1);
  first[0] = 0;
  for (Index e = 0; e < n; ++e) first[e + 1] = first[e] + MeanGrid(c.options, c.keys(e)).rows();
  rows = scratch.view<Real>({first[n], n_kv_heads * d});
  const double cost = 0.1 * static_cast<double>(c.k.n * c.k.width);
  parallel_for("attention_means", n * n_kv_heads, cost, [&](Index task) {
    const Index e = task / n_kv_heads, g = task % n_kv_heads;
    mean_keys<Real>(MeanGrid(c.options, c.keys(e)),
                    part(c.k.slice(g * d, d), c.rows.k_offsets[e], c.keys(e)),
                    part(rows.slice(g * d, d), first[e], first[e + 1] - first[e]));
  });
}

template <class Real>
Rows<const Real> MeanKeys<Real>::of(const AttentionCall<Real>& c, Index e, Index h) const {
  if (first == nullptr) return {};
  const Index d = c.options.d_k;
  return part(rows.slice(c.kv_head(h) * d, d), first[e], first[e + 1] - first[e]);
}

template <class Real>
void attention_by_rows(const AttentionCall<Real>& c, Rows<Real> y, View<Real> lse) {
  const AttentionOptions& o = c.options;
  const bool dense = is_dense(o);
  Scratch scratch;
  const MeanKeys<Real> means(c, scratch);
  // Tasks of the sequences before each one: a task is (sequence, head, some queries).
  Index* const before = scratch.allocate<Index>(c.n_examples() + 1);
  before[0] = 0;
  for (Index e = 0; e < c.n_examples(); ++e)
    before[e + 1] = before[e] + (c.queries(e) + kTaskQueries - 1) / kTaskQueries;
  parallel_for(
      "attention_by_rows", before[c.n_examples()] * o.n_heads, row_cost(c, 1), [&](Index task) {
        const Index* const after =
            std::upper_bound(before, before + c.n_examples() + 1, task,
                             [&](Index t, Index tasks) { return t < tasks * o.n_heads; });
        const Index e = after - before - 1, n_tasks = before[e + 1] - before[e];
        const Index within = task - before[e] * o.n_heads, h = within / n_tasks;
        const Index first = within % n_tasks * kTaskQueries;
        Head<Real> head = head_of(c, e, h);
        head.means = means.of(c, e, h);
        Scratch own;
        StripScores<Real> scores(head, first, std::min(first + kTaskQueries, c.queries(e)), own);
        const Rows<Real> out = part(y.slice(h * o.d_v, o.d_v), c.rows.q_offsets[e], c.queries(e));
        Real* const log_sums =
            lse.size() > 0 ? lse.data() + c.rows.q_offsets[e] * o.n_heads + h : nullptr;
        dense ? attend_densely(head, scores, own, out, log_sums)
              : attend_sparsely(head, scores, own, out, log_sums);
        PartClock::enter(PartClock::Part::other);
      });
}

template Head<float> head_of(const AttentionCall<float>&, Index, Index);
template Head<double> head_of(const AttentionCall<double>&, Index, Index);
template struct MeanKeys<float>;
template struct MeanKeys<double>;
template void attention_by_rows(const AttentionCall<float>&, Rows<float>, View<float>);
template void attention_by_rows(const AttentionCall<double>&, Rows<double>, View<double>);

}  // namespace attune::kernels
