#include "nn/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention/parts.h"
#include "nn/positions.h"

namespace attune {
namespace {

using Score = kernels::Score;

// Position biases begin small beside scores, as position tables do beside tokens.
constexpr double kTableSd = 0.02;

std::vector<std::int32_t> different_widths(const AttentionSpec& spec) {
  bool equal = true;
  for (const Index width : spec.head_widths) equal = equal && width == spec.head_widths[0];
  std::vector<std::int32_t> widths;
  for (const Index width : spec.head_widths)
    if (!equal) widths.push_back(static_cast<std::int32_t>(width));
  return widths;
}

double geometric_mean(const std::vector<Index>& widths) {
  double logs = 0;
  for (const Index width : widths) logs += std::log(static_cast<double>(width));
  return std::exp(logs / static_cast<double>(widths.size()));
}

// Absent where it was never registered.
template <class Real>
Var optional(const Pass<Real>& pass, ParameterId id) {
  return id.value < 0 ? Var{} : pass[id];
}

// A value that stays what it is.
template <class Real>
Var fixed(const Pass<Real>& pass, ParameterId id) {
  return pass.tape.constant(pass.tape.value(pass[id]));
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(Registry& r, const std::string& path, Index d, Index n_heads,
                                       const AttentionSpec& spec)
    : n_heads_(n_heads), spec_(spec), widths_(different_widths(spec)) {
  const std::vector<Index> heads = spec.widths(d, n_heads);
  Index columns = 0;
  for (const Index width : heads) columns += width;
  const Index head = heads[0], kv_columns = columns / n_heads * n_kv_heads();
  const Index k_columns = widths_.empty() ? kv_columns : columns;
  const Index v_columns = spec.values == AttentionSpec::Values::shared ? head : k_columns;
  q_ = Linear(r, path + ".wq", path + ".bq", d, columns);
  k_ = Linear(r, path + ".wk", path + ".bk", d, k_columns);
  v_ = Linear(r, path + ".wv", path + ".bv", d, v_columns);
  out_ = Linear(r, path + ".wo", path + ".bo", columns, d, r.residual_weights());
  stream_ = r.stream(path + ".dropout");

  const auto vector = [&](const std::string& name, std::vector<double> values) {
    const auto n = static_cast<Index>(values.size());
    return r.parameter(path + name, {n}, Initialiser::values(std::move(values)), Decay::no);
  };
  const auto gains = [&](const char* name, AttentionSpec::Norm norm, Index n) {
    if (norm == AttentionSpec::Norm::none) return ParameterId{};
    return r.parameter(path + name, {n}, Initialiser::ones(), Decay::no);
  };
  q_norm_ = gains(".q_norm.gain", spec.qk_norm, columns);
  k_norm_ = gains(".k_norm.gain", spec.qk_norm, k_columns);
  output_norm_ = gains(".output_norm.gain", spec.output_norm, columns);
  if (spec.kind == "performer")
    directions_ = r.parameter(path + ".directions", {spec.n_features, head},
                              Initialiser::orthogonal(), Decay::no);
  if (spec.kind == "linformer") {
    // Mixtures of as many rows as the longest sequence has keep the size of their elements.
    const Initialiser mix =
        Initialiser::normal(1 / std::sqrt(static_cast<double>(*spec.max_length)));
    const Shape shape{*spec.k, *spec.max_length};
    project_k_ = r.parameter(path + ".project_k", shape, mix, Decay::yes);
    project_v_ = r.parameter(path + ".project_v", shape, mix, Decay::yes);
  }
  if (spec.kind != "exact" && spec.kind != "linformer") return;

  shared_scale_ = 1 / std::sqrt(geometric_mean(heads));
  if (spec.scale.kind == AttentionSpec::Scale::Kind::learned) {
    std::vector<double> begin;
    for (const Index width : heads) begin.push_back(kernels::default_scale(spec.score, width));
    gain_ = vector(".scale", begin);
  }
  if (spec.score == Score::cosine && spec.gain.learned)
    gain_ = vector(".gain", std::vector<double>(heads.size(), spec.gain.number));
  if (spec.score == Score::additive)
    w_ = r.parameter(path + ".w", widths_.empty() ? Shape{n_heads, head} : Shape{columns},
                     Initialiser::xavier_uniform(), Decay::yes);
  if (spec.kind == "exact" && spec.bias == kernels::Bias::relative)
    table_ = r.parameter(path + ".table", {n_heads, 2 * spec.max_distance + 1},
                         Initialiser::normal(kTableSd), Decay::no);
}

View<const std::int32_t> MultiHeadAttention::widths() const {
  if (widths_.empty()) return {};
  return {widths_.data(), {static_cast<Index>(widths_.size())}};
}

// Of the parts that exact attention and the linformer share.
AttentionOptions MultiHeadAttention::options() const {
  AttentionOptions o;
  o.n_heads = n_heads_;
  o.n_kv_heads = spec_.n_kv_heads;
  o.score = spec_.score;
  if (spec_.scale.kind == AttentionSpec::Scale::Kind::number) o.scale = spec_.scale.number;
  if (spec_.scale.kind == AttentionSpec::Scale::Kind::shared) o.scale = shared_scale_;
  if (spec_.score == Score::cosine && !spec_.gain.learned) o.scale = spec_.gain.number;
  o.normaliser = spec_.normaliser;
  o.temperature = spec_.temperature;
  return o;
}

template <class Real>
Var MultiHeadAttention::normalised(const Pass<Real>& pass, Var x, AttentionSpec::Norm norm,
                                   ParameterId gain, Index n_heads) const {
  if (norm == AttentionSpec::Norm::none) return x;
  HeadNormOptions options;
  options.n_heads = n_heads;
  options.kind =
      norm == AttentionSpec::Norm::rms ? kernels::HeadNorm::rms : kernels::HeadNorm::layer;
  return head_norm(pass.tape, x, pass[gain], widths(), options);
}

template <class Real>
Var MultiHeadAttention::rotated(const Pass<Real>& pass, Var x, Index n_heads) const {
  if (!pass.places) return x;
  ATTUNE_CHECK(widths_.empty(), ShapeError,
               "[attention] heads of different widths can't be rotated: leave out head_widths or "
               "rope");
  RopeOptions options;
  options.n_heads = n_heads;
  return rope(pass.tape, x, pass.places, options);
}

template <class Real>
Var MultiHeadAttention::exact(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k,
                              Var v) const {
  AttentionOptions o = options();
  o.bias = spec_.bias;
  o.pattern = spec_.pattern;
  o.window = spec_.window.value_or(0);
  o.dilation = spec_.dilation;
  o.block = spec_.block.value_or(1);
  o.select = spec_.select;
  o.k = spec_.k.value_or(1);
  o.dropout = pass.dropout(stream_, spec_.dropout);
  kernels::AttentionRows rows{pass.rows.offsets, keys.offsets, pass.rows.example};
  if (spec_.pattern == kernels::Pattern::edges) {
    rows.indptr = pass.edges.indptr;
    rows.indices = pass.edges.indices;
  }
  if (spec_.needs_grid()) {
    rows.q_positions = grid_places(pass.rows, -1, pass.tape.arena());
    rows.k_positions = grid_places(keys, -1, pass.tape.arena());
  }
  const AttentionVars learned{
      .w = optional(pass, w_), .table = optional(pass, table_), .gain = optional(pass, gain_)};
  if (pass.capture) pass.capture->attention.push_back({q, k, learned, rows, widths(), o});
  return attention(pass.tape, q, k, v, learned, rows, o, widths());
}

template <class Real>
Var MultiHeadAttention::linear(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k,
                               Var v) const {
  const bool causal = spec_.pattern == kernels::Pattern::causal;
  if (spec_.kind == "performer") {
    using Shift = kernels::FeatureShift;
    const Var directions = fixed(pass, directions_);
    q = performer_features(pass.tape, q, directions, pass.rows.offsets, Shift::row);
    k = performer_features(pass.tape, k, directions, keys.offsets,
                           causal ? Shift::none : Shift::sequence);
  } else {
    q = elu_plus_one(pass.tape, q);
    k = elu_plus_one(pass.tape, k);
  }
  const LinearAttentionOptions o{n_heads_, n_kv_heads(), causal};
  if (pass.capture)
    pass.capture->attention.push_back(
        {q, k, {}, {pass.rows.offsets, keys.offsets}, {}, {}, true, o});
  return linear_attention(pass.tape, q, k, v, pass.rows.offsets, keys.offsets, o);
}

template <class Real>
Var MultiHeadAttention::linformer(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k,
                                  Var v) const {
  const Index n = keys.n_examples();
  const auto offsets = pass.tape.arena().template view<std::int32_t>({n + 1});
  for (Index e = 0; e <= n; ++e) offsets[e] = static_cast<std::int32_t>(e * *spec_.k);
  k = project_rows(pass.tape, k, pass[project_k_], keys.offsets);
  v = project_rows(pass.tape, v, pass[project_v_], keys.offsets);
  AttentionOptions o = options();
  o.dropout = pass.dropout(stream_, spec_.dropout);
  const kernels::AttentionRows rows{pass.rows.offsets, offsets, pass.rows.example};
  const AttentionVars learned{.w = optional(pass, w_), .gain = optional(pass, gain_)};
  if (pass.capture) pass.capture->attention.push_back({q, k, learned, rows, widths(), o});
  return attention(pass.tape, q, k, v, learned, rows, o, widths());
}

template <class Real>
Var MultiHeadAttention::operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass,
                                   Var memory) const {
  Var v = v_(pass, memory), k = k_(pass, memory), q = q_(pass, x);
  q = normalised(pass, q, spec_.qk_norm, q_norm_, n_heads_);
  k = normalised(pass, k, spec_.qk_norm, k_norm_, n_kv_heads());
  q = rotated(pass, q, n_heads_);
  k = rotated(memory_pass, k, n_kv_heads());
  if (spec_.values == AttentionSpec::Values::shared && n_kv_heads() > 1)
    v = repeat_columns(pass.tape, v, n_kv_heads());
  const PackedRows& keys = memory_pass.rows;
  Var y = spec_.kind == "exact"       ? exact(pass, keys, q, k, v)
          : spec_.kind == "linformer" ? linformer(pass, keys, q, k, v)
                                      : linear(pass, keys, q, k, v);
  if (spec_.head_gain.gain != 1.0) {
    const View<Real> gain = pass.tape.arena().template view<Real>({n_heads_});
    std::fill(gain.begin(), gain.end(), Real(1));
    gain[spec_.head_gain.head] = static_cast<Real>(spec_.head_gain.gain);
    y = scale_heads(pass.tape, y, pass.tape.constant(gain), widths());
  }
  return out_(pass, normalised(pass, y, spec_.output_norm, output_norm_, n_heads_));
}

template Var MultiHeadAttention::operator()(const Pass<float>&, Var, const Pass<float>&, Var) const;
template Var MultiHeadAttention::operator()(const Pass<double>&, Var, const Pass<double>&,
                                            Var) const;

}  // namespace attune
