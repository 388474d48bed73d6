#include "nn/block.h"

#include <algorithm>
#include <cmath>

namespace attune {

Residual::Residual(Registry& r, const std::string& norm, const std::string& dropout, Index d,
                   NormPlacement placement, NormKind kind, double p, const std::string& scale,
                   std::optional<double> layer_scale)
    : placement_(placement), stream_(r.stream(dropout)), p_(p) {
  if (placement != NormPlacement::none) norm_ = Norm(r, norm, d, kind);
  if (placement == NormPlacement::sandwich) norm_post_ = Norm(r, norm + "_post", d, kind);
  if (!layer_scale) return;
  const std::vector<double> begin(static_cast<std::size_t>(d), *layer_scale);
  scale_ = r.parameter(scale, {d}, Initialiser::values(begin), Decay::no);
}

void EncoderOptions::fields(FieldList& f) {
  f.integer("d_model", d_model, {1, 4096}, Role::result, "width of the residual stream");
  f.integer("n_layers", n_layers, {0, 1024}, Role::result, "residual blocks");
  f.integer("n_heads", n_heads, {1, 512}, Role::result, "attention heads; must divide d_model");
  f.real("mlp_ratio", mlp_ratio, {0.01, 64}, Role::result,
         "width of the feed-forward layer over d_model");
  f.choice("norm", norm,
           {{"pre", NormPlacement::pre},
            {"post", NormPlacement::post},
            {"res_post", NormPlacement::res_post},
            {"sandwich", NormPlacement::sandwich},
            {"none", NormPlacement::none}},
           Role::result, "where a block normalises");
  f.choice("norm_kind", norm_kind, {{"layer", NormKind::layer}, {"rms", NormKind::rms}},
           Role::result, "LayerNorm or RMSNorm");
  f.variant("attention", attention.kind, attention.alternatives(), "what attention computes");
  f.real("dropout", dropout, {0.0, 0.999}, Role::result,
         "share dropped of each residual branch in training");
  f.real("layer_scale", layer_scale, {0.0, 100.0}, Role::result,
         "where a learned gain of each residual branch begins; null: no such gain");
  f.rule([this]() -> std::optional<Complaint> {
    if (!attention.head_widths.empty() || d_model % n_heads == 0)
      return attention.complaint(d_model, n_heads);
    const auto near = [this](Index step) {
      Index h = n_heads;
      while (h >= 1 && h <= d_model && d_model % h != 0) h += step;
      return h;
    };
    const Index below = near(-1), above = near(1);
    std::string hint =
        "valid values near " + std::to_string(n_heads) + ": " + std::to_string(below);
    if (n_heads > d_model)
      hint = "the largest valid value is " + std::to_string(d_model);
    else if (above <= d_model)
      hint += ", " + std::to_string(above);
    return Complaint{"n_heads",
                     fmt::format("n_heads={} does not divide d_model={}", n_heads, d_model),
                     hint,
                     {"d_model"}};
  });
}

Index EncoderOptions::d_mlp() const {
  return std::max<Index>(
      1, static_cast<Index>(std::llround(mlp_ratio * static_cast<double>(d_model))));
}

Encoder::Encoder(Registry& r, const std::string& path, const EncoderOptions& o,
                 const std::vector<AttentionSpec>& blocks, FinalNorm final_norm)
    : final_norm_(final_norm == FinalNorm::where_wanted && needs_final_norm(o.norm)) {
  for (const AttentionSpec& attention : blocks) {
    const std::string block = path + ".block" + std::to_string(layers_.size());
    const auto residual = [&](const std::string& norm, const std::string& sublayer) {
      return Residual(r, block + "." + norm, block + "." + sublayer + ".branch", o.d_model, o.norm,
                      o.norm_kind, o.dropout,
                      block + (norm == "norm1" ? ".layer_scale1" : ".layer_scale2"), o.layer_scale);
    };
    layers_.push_back({residual("norm1", "attention"), residual("norm2", "mlp"),
                       MultiHeadAttention(r, block + ".attention", o.d_model, o.n_heads, attention),
                       Mlp(r, block + ".mlp", o.d_model, o.d_mlp())});
  }
  if (final_norm_) norm_ = Norm(r, path + ".norm", o.d_model, o.norm_kind);
}

}  // namespace attune
