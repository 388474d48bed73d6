#include "nn/encoder_decoder.h"

#include <algorithm>

#include "kernels/attention/parts.h"
#include "nn/seq2seq.h"

namespace attune {

Decoder::Decoder(Registry& r, const std::string& path, const EncoderOptions& o, Index n_layers,
                 bool causal)
    : final_norm_(needs_final_norm(o.norm)) {
  AttentionSpec own = o.attention, other = o.attention;
  own.pattern = causal ? kernels::Pattern::causal : kernels::Pattern::full;
  other.pattern = kernels::Pattern::full;
  other.bias = kernels::Bias::none;
  for (Index i = 0; i < n_layers; ++i) {
    const std::string block = path + ".block" + std::to_string(i);
    const auto residual = [&](const std::string& number, const std::string& sublayer) {
      return Residual(r, block + ".norm" + number, block + sublayer + ".branch", o.d_model, o.norm,
                      o.norm_kind, o.dropout, block + ".layer_scale" + number, o.layer_scale);
    };
    const auto attention = [&](const std::string& name, const AttentionSpec& spec) {
      return MultiHeadAttention(r, block + name, o.d_model, o.n_heads, spec);
    };
    layers_.push_back({residual("1", ".attention"), residual("2", ".cross_attention"),
                       residual("3", ".mlp"), attention(".attention", own),
                       attention(".cross_attention", other),
                       Mlp(r, block + ".mlp", o.d_model, o.d_mlp())});
  }
  if (final_norm_) norm_ = Norm(r, path + ".norm", o.d_model, o.norm_kind);
}

template <class Real>
Var Decoder::operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass,
                        Var memory) const {
  Pass<Real> across = pass, from = memory_pass;
  across.places = from.places = {};
  for (const Layer& layer : layers_) {
    const Var input = x;
    x = layer.attend(pass, x, layer.attention);
    x = layer.cross(across, x, [&](const Pass<Real>& p, Var y) {
      return layer.cross_attention(p, y, from, memory);
    });
    x = layer.feed(pass, x, layer.mlp);
    if (pass.capture) pass.capture->blocks.push_back({input, x});
  }
  return final_norm_ ? norm_(pass, x) : x;
}

template Var Decoder::operator()(const Pass<float>&, Var, const Pass<float>&, Var) const;
template Var Decoder::operator()(const Pass<double>&, Var, const Pass<double>&, Var) const;

void EncoderDecoderOptions::fields(FieldList& f) {
  EncoderOptions::fields(f);
  f.integer("n_decoder_layers", n_decoder_layers, {0, 1024}, Role::result,
            "residual blocks of the decoder");
  PositionSpec::fields(f);
  f.group("init", init, "how weights begin");
  f.rule([this] { return complaint(attention.widths(d_model, n_heads)); });
}

std::optional<Complaint> EncoderDecoderOptions::misfit(const RowSpec& spec) const {
  if (auto other = answers_queries(spec)) return other;
  if (auto blind = attention.misfit(spec)) return blind;
  if (auto grid = needs_a_grid(*this, attention)) return grid;
  if (position == Position::learned && spec.queries->decoded &&
      position_size < spec.queries->longest)
    return Complaint{
        "position_size",
        fmt::format("has {} learned places by position_size, which are stretched over "
                    "longer sequences, and answers that are decoded grow up to {} rows",
                    position_size, spec.queries->longest),
        fmt::format("set model.position_size to {} or more", spec.queries->longest),
        {}};
  if (attention.kind == "linformer" && spec.queries->decoded)
    return Complaint{"attention.kind",
                     "mixes all rows of a sequence by attention.kind=linformer, and what this data "
                     "asks to decode must not see what comes after it",
                     "set model.attention.kind to exact, linear or performer",
                     {}};
  return too_long(attention, std::max(spec.longest, spec.queries->longest));
}

std::unique_ptr<Model> EncoderDecoderOptions::make(Registry& r, const RowSpec& spec) const {
  return std::make_unique<EncoderDecoder>(r, *this, spec);
}

EncoderDecoder::EncoderDecoder(Registry& r, const EncoderDecoderOptions& o, const RowSpec& spec) {
  const Index d = o.d_model;
  r.set_weights(o.init.weights(), o.init.residual(o.n_layers));
  embed_ = InputRows(r, "", spec, d);
  positions_ = Positions(r, "position", d, o);
  encoder_ = Encoder(r, "encoder", o);
  r.set_weights(o.init.weights(), o.init.residual(o.n_decoder_layers));
  embed_queries_ = InputRows(r, "decoder.", *spec.queries, d);
  query_positions_ = Positions(r, "decoder.position", d, o);
  decoder_ = Decoder(r, "decoder", o, o.n_decoder_layers, spec.queries->decoded);
  head_ = Linear(r, "head.weight", "head.bias", d, spec.n_classes);
}

template <class Real>
Var EncoderDecoder::forward(const Pass<Real>& pass, const ModelInput& input) const {
  const Pass<Real> rows = positions_.rotating(pass);
  const Var memory = encoder_(rows, positions_.added(pass, embed_(pass, input)));
  const Pass<Real> asked = with_queries(pass, input.queries);
  const Var x = query_positions_.added(asked, embed_queries_(asked, input.queries));
  return head_(asked, decoder_(query_positions_.rotating(asked), x, rows, memory));
}

template Var EncoderDecoder::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var EncoderDecoder::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
