#include "nn/perceiver.h"

#include <algorithm>

#include "kernels/attention/parts.h"
#include "nn/seq2seq.h"

namespace attune {
namespace {

// As the authors' code has it.
constexpr double kLatentSd = 0.02;

}  // namespace

CrossBlock::CrossBlock(Registry& r, const std::string& path, const EncoderOptions& o)
    : norms_memory_(o.norm == NormPlacement::pre || o.norm == NormPlacement::sandwich) {
  const auto residual = [&](const std::string& number, const std::string& sublayer) {
    return Residual(r, path + ".norm" + number, path + sublayer + ".branch", o.d_model, o.norm,
                    o.norm_kind, o.dropout, path + ".layer_scale" + number, o.layer_scale);
  };
  attend_ = residual("1", ".attention");
  feed_ = residual("2", ".mlp");
  attention_ = MultiHeadAttention(r, path + ".attention", o.d_model, o.n_heads, o.attention);
  mlp_ = Mlp(r, path + ".mlp", o.d_model, o.d_mlp());
  if (norms_memory_) norm_memory_ = Norm(r, path + ".norm_memory", o.d_model, o.norm_kind);
}

template <class Real>
Var CrossBlock::operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass,
                           Var memory) const {
  if (norms_memory_) memory = norm_memory_(memory_pass, memory);
  x = attend_(pass, x,
              [&](const Pass<Real>& p, Var y) { return attention_(p, y, memory_pass, memory); });
  return feed_(pass, x, mlp_);
}

template Var CrossBlock::operator()(const Pass<float>&, Var, const Pass<float>&, Var) const;
template Var CrossBlock::operator()(const Pass<double>&, Var, const Pass<double>&, Var) const;

void PerceiverOptions::fields(FieldList& f) {
  f.integer("n_latents", n_latents, {1, 65536}, Role::result, "learned rows that read an example");
  f.integer("n_reads", n_reads, {1, 64}, Role::result,
            "how often they read it, each time with n_layers of blocks behind");
  f.boolean("share_reads", share_reads, Role::result, "every reading has the first's weights");
  f.integer("patch", patch, {1, 256}, Role::result, "of images: side of a square patch, in pixels");
  EncoderOptions::fields(f);
  PositionSpec::fields(f);
  f.group("init", init, "how weights begin");
  f.rule([this]() -> std::optional<Complaint> {
    if (position != Position::rope && position != Position::rope_2d) return std::nullopt;
    return Complaint{
        "position",
        "position=" + word() + " turns keys against queries, and latents, which ask, have no place",
        "set position to learned or sinusoidal, of images to factorised_2d",
        {}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (attention.kind == "linformer") return std::nullopt;
    const bool placed = attention.kind == "exact" && attention.bias != kernels::Bias::none;
    if (!placed && attention.pattern == kernels::Pattern::full) return std::nullopt;
    return Complaint{placed ? "attention.bias" : "attention.pattern",
                     fmt::format("attention.{} goes by the places of rows, and latents have none",
                                 placed ? "bias" : "pattern"),
                     placed ? "set attention.bias=none" : "set attention.pattern=full",
                     {}};
  });
}

std::optional<Complaint> PerceiverOptions::misfit(const RowSpec& spec) const {
  if (spec.row_targets)
    return Complaint{"kind",
                     "puts an example's rows into latents, and here every row has a target",
                     "set model.kind=encoder or decoder",
                     {}};
  if (needs_grid() && (spec.kind != RowSpec::Kind::patches || spec.queries))
    return needs_a_grid(*this, attention);
  return too_long(attention, std::max(spec.longest, n_latents));
}

std::unique_ptr<Model> PerceiverOptions::make(Registry& r, const RowSpec& spec) const {
  return std::make_unique<Perceiver>(r, *this, spec);
}

Perceiver::Perceiver(Registry& r, const PerceiverOptions& o, const RowSpec& spec)
    : options_(o), normed_(needs_final_norm(o.norm)), has_queries_(spec.queries.has_value()) {
  const Index d = o.d_model;
  // A reading has a block of cross-attention in front of its own.
  r.set_weights(o.init.weights(), o.init.residual(o.n_reads * (o.n_layers + 1)));
  embed_ = InputRows(r, "", spec, d);
  positions_ = Positions(r, "position", d, o);
  latents_ = r.parameter("latents", {o.n_latents, d}, Initialiser::normal(kLatentSd), Decay::no);
  for (Index i = 0; i < (o.share_reads ? 1 : o.n_reads); ++i) {
    const std::string number = std::to_string(i);
    readings_.push_back({CrossBlock(r, "read" + number, o),
                         Encoder(r, "encoder" + number, o, Encoder::FinalNorm::none)});
  }
  if (normed_) norm_ = Norm(r, "norm", d, o.norm_kind);
  if (has_queries_) {
    embed_queries_ = InputRows(r, "decoder.", *spec.queries, d);
    query_positions_ = Positions(r, "decoder.position", d, o);
    answer_ = CrossBlock(r, "decoder", o);
    if (normed_) answer_norm_ = Norm(r, "decoder.norm", d, o.norm_kind);
  }
  head_ = Linear(r, "head.weight", "head.bias", d, spec.n_classes);
}

template <class Real>
Var Perceiver::forward(const Pass<Real>& pass, const ModelInput& input) const {
  const Var rows = positions_.added(pass, embed_(pass, input));
  const Pass<Real> latents = with_rows_each(pass, options_.n_latents);
  Var x = repeated(latents, pass[latents_]);
  for (Index i = 0; i < options_.n_reads; ++i) {
    const Reading& reading = readings_[options_.share_reads ? 0 : static_cast<std::size_t>(i)];
    x = reading.think(latents, reading.read(latents, x, pass, rows));
  }
  if (normed_) x = norm_(latents, x);
  if (!has_queries_) return head_(pass, mean_pool(pass.tape, x, latents.rows.offsets));
  const Pass<Real> asked = with_queries(pass, input.queries);
  Var y = query_positions_.added(asked, embed_queries_(asked, input.queries));
  y = answer_(asked, y, latents, x);
  return head_(asked, normed_ ? answer_norm_(asked, y) : y);
}

template Var Perceiver::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var Perceiver::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
