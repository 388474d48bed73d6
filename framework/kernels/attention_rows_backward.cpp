#include "kernels/attention/drivers.h"
#include "kernels/attention/support.h"
#include "kernels/parallel.h"

// The row driver, backward. Scores, choice and weights of each query are formed again, with the
// same bits as in the forward pass.
namespace attune::kernels {
namespace {

// Queries whose keys are packed at once.
constexpr Index kPassQueries = 8 * kStripQueries;

template <class Real>
void scale_row(Real factor, Index n, Real* x) {
  for_lanes<Real>(
      n, [&](Index t, auto lanes) { lanes.store(x + t, lanes.load(x + t) * Vec<Real>(factor)); });
}

// ds += dlse · p / temperature, p before dropout: the log-sum-exp's share.
template <class Real>
void add_lse_gradient(const HeadGradient<Real>& gradient, const Head<Real>& h, Index query,
                      const Real* p, Index n, Real inverse_temperature, Real* ds) {
  if (gradient.lse == nullptr) return;
  const Real dlse = gradient.lse[query * h.options->n_heads];
  if (dlse != Real(0)) add_row(dlse * inverse_temperature, p, n, ds);
}

// All keys have a weight: products of whole strips.
template <class Real>
void differentiate_densely(const Head<Real>& h, StripScores<Real>& scores, Scratch& scratch,
                           Rows<const Real> dy, const HeadGradient<Real>& gradient) {
  const AttentionOptions& o = *h.options;
  const auto inverse_temperature = static_cast<Real>(1 / o.temperature);
  const Index widest = scores.widest(), stride = scores.stride();
  Real* const values = scratch.allocate<Real>(whole_blocks(widest) * h.v.width);
  Real* const products = scratch.allocate<Real>(kStripQueries * stride);
  Real* const ds = scratch.allocate<Real>(kStripQueries * stride);
  Real* const factors = scratch.allocate<Real>(widest);
  std::uint32_t* const draws = scratch.allocate<std::uint32_t>(whole_draws(widest));
  pack_rows(h.v, scores.seen(), Real(1), values);
  while (scores.next()) {
    const Strip& strip = scores.strip();
    const Rows<const Real> strip_dy = part(dy, strip.first, strip.n);
    packed_products(strip_dy, values + (strip.first_key - scores.seen().first) * h.v.width,
                    strip.columns.low / kLanes<Real> * kLanes<Real>, strip.columns.high, products,
                    stride);
    for (Index r = 0; r < strip.n; ++r) {
      const KeySet& keys = scores.keys(r);
      const Index i = strip.first + r, begin = strip.begin(r), n = keys.count;
      Real* const p = scores.row(r);
      softmax_row(p, n, inverse_temperature, p);
      if (o.dropout > 0) {
        dropout_factors(h, i, keys, draws, factors);
        multiply_row(factors, n, products + begin);
      }
      std::fill_n(ds + begin, n, Real(0));
      softmax_jacobian(p, products + begin, n, inverse_temperature, ds + begin);
      add_lse_gradient(gradient, h, i, p, n, inverse_temperature, ds + begin);
      if (o.dropout > 0) multiply_row(factors, n, p);
      part_of(bias_parts<Real>, o.bias).gradient(h, i, keys, ds + begin, gradient);
      scale_row(static_cast<Real>(o.scale), n, ds + begin);
    }
    part_of(score_parts<Real>, o.score).gradient_of_strip(h, strip, ds, gradient);
    add_by_keys<Real>(strip, scores.scores(), strip_dy, gradient.v);
  }
}

// Few keys have a weight: the support of each query.
template <class Real>
void differentiate_sparsely(const Head<Real>& h, StripScores<Real>& scores, Scratch& scratch,
                            Rows<const Real> dy, const HeadGradient<Real>& gradient) {
  const AttentionOptions& o = *h.options;
  const auto inverse_temperature = static_cast<Real>(1 / o.temperature);
  Support<Real> support(h, scores.widest(), scratch);
  Real* const products = scratch.allocate<Real>(scores.widest());
  Real* const ds = scratch.allocate<Real>(scores.widest());
  Real* const factors = scratch.allocate<Real>(scores.widest());
  std::uint32_t* const draws = scratch.allocate<std::uint32_t>(whole_draws(scores.widest()));
  while (scores.next()) {
    for (Index r = 0; r < scores.strip().n; ++r) {
      const Index i = scores.strip().first + r;
      support.find(scores.keys(r), scores.row(r));
      const KeySet keys = support.keys();
      Real* const p = support.weights();
      for (Index t = 0; t < keys.count; ++t)
        products[t] = dot(dy.row(i), h.v.row(keys[t]), h.v.width);
      if (o.dropout > 0) {
        dropout_factors(h, i, keys, draws, factors);
        multiply_row(factors, keys.count, products);
      }
      std::fill_n(ds, keys.count, Real(0));
      part_of(normaliser_parts<Real>, o.normaliser)
          .jacobian(p, products, keys.count, inverse_temperature, ds);
      add_lse_gradient(gradient, h, i, p, keys.count, inverse_temperature, ds);
      if (o.dropout > 0) multiply_row(factors, keys.count, p);
      part_of(bias_parts<Real>, o.bias).gradient(h, i, keys, ds, gradient);
      scale_row(static_cast<Real>(o.scale), keys.count, ds);
      part_of(score_parts<Real>, o.score).gradient_of_keys(h, i, keys, ds, gradient);
      for (Index t = 0; t < keys.count; ++t)
        add_row(p[t], dy.row(i), dy.width, gradient.v.row(keys[t]));
    }
  }
}

// Sums of a parameter's gradient by sequence, [B][n_heads][width], which are then added in order.
template <class Real>
class SequenceSums {
 public:
  SequenceSums(View<Real> gradient, Index n_examples, Scratch& scratch)
      : gradient_(gradient), n_examples_(n_examples) {
    if (!gradient) return;
    sums_ = scratch.allocate<Real>(n_examples * gradient.size());
    std::fill_n(sums_, n_examples * gradient.size(), Real(0));
  }
  Real* of(Index e, Index h) const {
    return sums_ == nullptr ? nullptr : sums_ + e * gradient_.size() + h * gradient_.dim(1);
  }
  void add() const {
    if (sums_ != nullptr) add_chunks(sums_, n_examples_, gradient_.size(), gradient_);
  }

 private:
  View<Real> gradient_;
  Index n_examples_;
  Real* sums_ = nullptr;
};

}  // namespace

template <class Real>
void attention_by_rows_backward(const AttentionCall<Real>& c, const AttentionGradients<Real>& g) {
  const AttentionOptions& o = c.options;
  const bool dense = is_dense(o);
  const Index group = o.n_heads / o.n_kv_heads;
  Scratch scratch;
  const MeanKeys<Real> means(c, scratch);
  const SequenceSums<Real> w(g.parameters.w, c.n_examples(), scratch),
      table(g.parameters.table, c.n_examples(), scratch);
  // A task is a sequence with one head of keys: it alone writes these rows of dk and dv.
  parallel_for("attention_by_rows_backward", c.n_examples() * o.n_kv_heads, row_cost(c, 3),
               [&](Index task) {
                 const Index e = task / o.n_kv_heads, kv = task % o.n_kv_heads;
                 const Index q0 = c.rows.q_offsets[e], k0 = c.rows.k_offsets[e];
                 for (Index h = kv * group; h < (kv + 1) * group; ++h) {
                   Head<Real> head = head_of(c, e, h);
                   head.means = means.of(c, e, h);
                   HeadGradient<Real> gradient;
                   gradient.q = part(g.dq.slice(h * o.d_k, o.d_k), q0, c.queries(e));
                   gradient.k = part(g.dk.slice(kv * o.d_k, o.d_k), k0, c.keys(e));
                   gradient.v = part(g.dv.slice(kv * o.d_v, o.d_v), k0, c.keys(e));
                   gradient.w = w.of(e, h);
                   if (table.of(e, h) != nullptr)
                     gradient.table = table.of(e, h) + head.max_distance;
                   if (g.parameters.bias)
                     gradient.bias = g.parameters.bias.data() + (h * c.q.n + q0) * c.k.n + k0;
                   if (g.dlse.size() > 0) gradient.lse = g.dlse.data() + q0 * o.n_heads + h;
                   const Rows<const Real> dy = part(g.dy.slice(h * o.d_v, o.d_v), q0, c.queries(e));
                   for (Index first = 0; first < c.queries(e); first += kPassQueries) {
                     Scratch own;
                     StripScores<Real> scores(head, first,
                                              std::min(first + kPassQueries, c.queries(e)), own);
                     dense ? differentiate_densely(head, scores, own, dy, gradient)
                           : differentiate_sparsely(head, scores, own, dy, gradient);
                   }
                 }
               });
  w.add();
  table.add();
}

template void attention_by_rows_backward(const AttentionCall<float>&,
                                         const AttentionGradients<float>&);
template void attention_by_rows_backward(const AttentionCall<double>&,
                                         const AttentionGradients<double>&);

}  // namespace attune::kernels
