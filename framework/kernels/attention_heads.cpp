#include <algorithm>

#include "kernels/attention/drivers.h"
#include "kernels/attention/parts.h"
#include "kernels/heads.h"

// Attention that is another attention: heads of different widths by runs of one width, and the
// scores of unit or scaled queries as dot products.
namespace attune::kernels {
namespace {

// A run of heads of one width.
struct Run {
  Index first_head, n_heads, first_column, width;

  Index columns() const { return n_heads * width; }
  template <class T>
  Rows<T> of(const Rows<T>& x) const {
    return x.slice(first_column, columns());
  }
  // These heads' part of a parameter that has `size / all_heads` elements a head.
  template <class T>
  View<T> of(const View<T>& x, Index all_heads, Shape shape) const {
    return x ? View<T>(x.data() + first_head * (x.size() / all_heads), shape) : View<T>();
  }
};

template <class F>
void for_each_run(const AttentionOptions& o, F&& f) {
  Run run{0, 0, 0, 0};
  for (Index h = 0; h < o.n_heads; ++h) {
    if (run.n_heads > 0 && o.widths[h] != run.width) {
      f(run);
      run = {h, 0, run.first_column + run.columns(), 0};
    }
    run.width = o.widths[h];
    ++run.n_heads;
  }
  f(run);
}

AttentionOptions options_of(const AttentionOptions& o, const Run& run) {
  AttentionOptions part = o;
  part.widths = {};
  part.n_heads = part.n_kv_heads = run.n_heads;
  part.d_k = part.d_v = run.width;
  if (o.scale_by_width) part.scale = default_scale(o.score, run.width);
  part.of_heads = o.of_heads > 0 ? o.of_heads : o.n_heads;
  part.first_head = o.first_head + run.first_head;
  return part;
}

template <class T>
AttentionParameters<T> parameters_of(const AttentionOptions& o, const Run& run,
                                     const AttentionParameters<T>& p, Index n_q, Index n_k) {
  AttentionParameters<T> part;
  const Index n = run.n_heads;
  if (p.w) part.w = View<T>(p.w.data() + run.first_column, {n, run.width});
  if (p.bias) part.bias = run.of(p.bias, o.n_heads, {n, n_q, n_k});
  if (p.table) part.table = run.of(p.table, o.n_heads, {n, p.table.size() / o.n_heads});
  if (p.gain) part.gain = run.of(p.gain, o.n_heads, {n});
  return part;
}

template <class Real>
void check_widths(const AttentionCall<Real>& c, Rows<const Real> y, View<const Real> lse) {
  const AttentionOptions& o = c.options;
  const HeadColumns heads{o.n_heads, o.widths};
  ATTUNE_CHECK(o.n_kv_heads == o.n_heads, ConfigError,
               "[attention] heads of different widths can't share keys: n_kv_heads={} must be "
               "n_heads={}",
               o.n_kv_heads, o.n_heads);
  check_heads("attention", "q", heads, c.q.width);
  check_heads("attention", "k", heads, c.k.width);
  check_heads("attention", "v", heads, c.v.width);
  check_heads("attention", "y", heads, y.width);
  const AttentionParameters<const Real>& p = c.parameters;
  ATTUNE_CHECK(!p.w || p.w.shape() == Shape({c.q.width}), ShapeError,
               "[attention] w has shape {}, and must be {}: one after the other, as wide as each "
               "head",
               p.w.shape().text(), Shape({c.q.width}).text());
  const auto check_leading = [&](const char* name, const View<const Real>& x, int rank) {
    ATTUNE_CHECK(!x || (x.rank() == rank && x.dim(0) == o.n_heads), ShapeError,
                 "[attention] {} has shape {}, and must begin with n_heads={}", name,
                 x.shape().text(), o.n_heads);
  };
  check_leading("bias", p.bias, 3);
  check_leading("table", p.table, 2);
  check_leading("gain", p.gain, 1);
  ATTUNE_CHECK(!lse || lse.size() == 0 || lse.shape() == Shape({c.q.n, o.n_heads}), ShapeError,
               "[attention] lse has shape {}, and must be {}", lse.shape().text(),
               Shape({c.q.n, o.n_heads}).text());
}

// A run's columns of the lse of all heads, which is absent where there is none.
template <class Real>
View<Real> run_lse(const Run& run, View<const Real> lse, Scratch& scratch) {
  return lse.size() > 0 ? scratch.view<Real>({lse.dim(0), run.n_heads}) : View<Real>();
}

template <class Real>
void copy_run(const Run& run, View<const Real> lse, View<Real> own) {
  for (Index i = 0; own && i < own.dim(0); ++i)
    for (Index h = 0; h < run.n_heads; ++h) own(i, h) = lse(i, run.first_head + h);
}

}  // namespace

template <class Real>
void attention_of_widths(const AttentionCall<Real>& c, Rows<Real> y, View<Real> lse) {
  check_widths<Real>(c, y, lse);
  for_each_run(c.options, [&](const Run& run) {
    Scratch scratch;
    const View<Real> own = run_lse<Real>(run, lse, scratch);
    attention<Real>(options_of(c.options, run), c.rows, run.of(c.q), run.of(c.k), run.of(c.v),
                    run.of(y), own, parameters_of(c.options, run, c.parameters, c.q.n, c.k.n));
    for (Index i = 0; own && i < own.dim(0); ++i)
      for (Index h = 0; h < run.n_heads; ++h) lse(i, run.first_head + h) = own(i, h);
  });
}

template <class Real>
void attention_of_widths_backward(const AttentionCall<Real>& c, const AttentionGradients<Real>& g) {
  check_widths<Real>(c, g.y, g.lse);
  const HeadColumns heads{c.options.n_heads, c.options.widths};
  check_heads("attention_backward", "dy", heads, g.dy.width);
  check_heads("attention_backward", "dq", heads, g.dq.width);
  check_heads("attention_backward", "dk", heads, g.dk.width);
  check_heads("attention_backward", "dv", heads, g.dv.width);
  for_each_run(c.options, [&](const Run& run) {
    Scratch scratch;
    const View<Real> own = run_lse<Real>(run, g.lse, scratch),
                     own_gradient = run_lse<Real>(run, g.dlse, scratch);
    copy_run(run, g.lse, own);
    copy_run(run, g.dlse, own_gradient);
    attention_backward<Real>(
        options_of(c.options, run), c.rows, run.of(g.dy), run.of(c.q), run.of(c.k), run.of(c.v),
        run.of(g.y), own, run.of(g.dq), run.of(g.dk), run.of(g.dv),
        parameters_of(c.options, run, c.parameters, c.q.n, c.k.n),
        parameters_of(c.options, run, g.parameters, c.q.n, c.k.n), own_gradient);
  });
}

template <class Real>
void attention_weights_of_widths(const AttentionCall<Real>& c, const WeightReader<Real>& read) {
  check_widths<Real>(c, c.q, {});
  for_each_run(c.options, [&](const Run& run) {
    attention_weights<Real>(options_of(c.options, run), c.rows, run.of(c.q), run.of(c.k),
                            parameters_of(c.options, run, c.parameters, c.q.n, c.k.n), read);
  });
}

namespace {

// q and k as a dot product needs them: q̃ = q or q / |q|, q' = gain q̃, k' = k or k / |k|.
template <class Real>
struct Prepared {
  AttentionOptions options;
  HeadColumns q_heads, k_heads;
  bool unit;
  Rows<const Real> q_hat, q, k;
  AttentionParameters<const Real> parameters;

  Prepared(const AttentionCall<Real>& c, Scratch& scratch)
      : options(c.options),
        q_heads{c.options.n_heads},
        k_heads{c.options.n_kv_heads},
        unit(c.options.score == Score::cosine),
        q_hat(c.q),
        k(c.k),
        parameters(c.parameters) {
    if (unit) {
      options.score = Score::dot;
      q_hat = unit_rows(q_heads, c.q, scratch);
      k = unit_rows(k_heads, c.k, scratch);
    }
    q = q_hat;
    parameters.gain = {};
    if (!c.parameters.gain) return;
    const View<Real> scaled = scratch.view<Real>({q.n, q.width});
    scale_heads<Real>(q_heads, q_hat, c.parameters.gain, scaled);
    q = scaled;
  }

  static Rows<const Real> unit_rows(const HeadColumns& heads, Rows<const Real> x,
                                    Scratch& scratch) {
    const View<Real> y = scratch.view<Real>({x.n, x.width});
    head_norm<Real>(HeadNorm::unit, heads, x, {}, Real(0), y);
    return y;
  }
};

template <class Real>
View<Real> zeros(Rows<const Real> like, Scratch& scratch) {
  const View<Real> x = scratch.view<Real>({like.n, like.width});
  std::fill(x.begin(), x.end(), Real(0));
  return x;
}

}  // namespace

template <class Real>
void attention_of_prepared(const AttentionCall<Real>& c, Rows<Real> y, View<Real> lse) {
  Scratch scratch;
  const Prepared<Real> p(c, scratch);
  attention<Real>(p.options, c.rows, p.q, p.k, c.v, y, lse, p.parameters);
}

template <class Real>
void attention_of_prepared_backward(const AttentionCall<Real>& c,
                                    const AttentionGradients<Real>& g) {
  Scratch scratch;
  const Prepared<Real> p(c, scratch);
  AttentionParameters<Real> gradients = g.parameters;
  gradients.gain = {};
  Rows<Real> dq = zeros<Real>(c.q, scratch);
  const Rows<Real> dk = p.unit ? Rows<Real>(zeros<Real>(c.k, scratch)) : g.dk;
  attention_backward<Real>(p.options, c.rows, g.dy, p.q, p.k, c.v, g.y, g.lse, dq, dk, g.dv,
                           p.parameters, gradients, g.dlse);
  if (c.parameters.gain) {
    const Rows<Real> dq_hat = p.unit ? Rows<Real>(zeros<Real>(c.q, scratch)) : g.dq;
    scale_heads_backward<Real>(p.q_heads, dq, p.q_hat, c.parameters.gain, dq_hat,
                               g.parameters.gain);
    dq = dq_hat;
  }
  if (!p.unit) return;
  head_norm_backward<Real>(HeadNorm::unit, p.q_heads, dq, c.q, {}, Real(0), g.dq, {});
  head_norm_backward<Real>(HeadNorm::unit, p.k_heads, dk, c.k, {}, Real(0), g.dk, {});
}

template <class Real>
void attention_weights_of_prepared(const AttentionCall<Real>& c, const WeightReader<Real>& read) {
  Scratch scratch;
  const Prepared<Real> p(c, scratch);
  attention_weights<Real>(p.options, c.rows, p.q, p.k, p.parameters, read);
}

template void attention_of_widths(const AttentionCall<float>&, Rows<float>, View<float>);
template void attention_of_widths(const AttentionCall<double>&, Rows<double>, View<double>);
template void attention_of_widths_backward(const AttentionCall<float>&,
                                           const AttentionGradients<float>&);
template void attention_of_widths_backward(const AttentionCall<double>&,
                                           const AttentionGradients<double>&);
template void attention_of_prepared(const AttentionCall<float>&, Rows<float>, View<float>);
template void attention_of_prepared(const AttentionCall<double>&, Rows<double>, View<double>);
template void attention_of_prepared_backward(const AttentionCall<float>&,
                                             const AttentionGradients<float>&);
template void attention_of_prepared_backward(const AttentionCall<double>&,
                                             const AttentionGradients<double>&);
template void attention_weights_of_widths(const AttentionCall<float>&, const WeightReader<float>&);
template void attention_weights_of_widths(const AttentionCall<double>&,
                                          const WeightReader<double>&);
template void attention_weights_of_prepared(const AttentionCall<float>&,
                                            const WeightReader<float>&);
template void attention_weights_of_prepared(const AttentionCall<double>&,
                                            const WeightReader<double>&);

}  // namespace attune::kernels
