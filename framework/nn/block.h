#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/attention.h"

namespace attune {

// Where a residual block normalises. With f a sublayer and N a norm:
//   pre       x + f(N(x))            Xiong et al. 2020; the stream is normalised once, at the end
//   post      N(x + f(x))            Vaswani et al. 2017
//   res_post  x + N(f(x))            Liu et al. 2022 (Swin v2); normalised once, at the end
//   sandwich  x + N'(f(N(x)))        Ding et al. 2021; normalised once, at the end
//   none      x + f(x)
enum class NormPlacement { pre, post, res_post, sandwich, none };

// Whether the stream wants a norm behind the last block.
constexpr bool needs_final_norm(NormPlacement p) {
  return p != NormPlacement::post && p != NormPlacement::none;
}

// The residual wiring around one sublayer, with dropout on the branch and, where asked for, a
// learned gain of its columns that begins small (LayerScale: Touvron et al. 2021, CaiT, eq. 3).
class Residual {
 public:
  Residual() = default;
  // Registers `norm` and, for sandwich, `norm`_post; `scale` [d] if it is to begin at
  // `layer_scale`.
  Residual(Registry& r, const std::string& norm, const std::string& dropout, Index d,
           NormPlacement placement, NormKind kind, double p, const std::string& scale = "",
           std::optional<double> layer_scale = {});

  template <class Real, class Sublayer>
  Var operator()(const Pass<Real>& pass, Var x, const Sublayer& f) const {
    switch (placement_) {
      case NormPlacement::pre:
        return join(pass, x, f(pass, norm_(pass, x)));
      case NormPlacement::post:
        return norm_(pass, join(pass, x, f(pass, x)));
      case NormPlacement::res_post:
        return join(pass, x, norm_(pass, f(pass, x)));
      case NormPlacement::sandwich:
        return join(pass, x, norm_post_(pass, f(pass, norm_(pass, x))));
      case NormPlacement::none:
        break;
    }
    return join(pass, x, f(pass, x));
  }

 private:
  template <class Real>
  Var join(const Pass<Real>& pass, Var x, Var branch) const {
    if (scale_.value >= 0) branch = scale_heads(pass.tape, branch, pass[scale_]);
    if (pass.capture) pass.capture->branches.push_back(branch);
    const DropoutOptions options = pass.dropout(stream_, p_);
    return dropout_residual(pass.tape, x, branch, pass.coordinates, options);
  }

  NormPlacement placement_ = NormPlacement::pre;
  Norm norm_, norm_post_;
  StreamId stream_;
  double p_ = 0;
  ParameterId scale_;
};

struct EncoderOptions {
  Index d_model = 64;
  Index n_layers = 2;
  Index n_heads = 4;
  double mlp_ratio = 4.0;
  NormPlacement norm = NormPlacement::pre;
  NormKind norm_kind = NormKind::layer;
  AttentionSpec attention;
  double dropout = 0.0;
  std::optional<double> layer_scale;

  void fields(FieldList& f);
  Index d_mlp() const;  // round(mlp_ratio · d_model), at least 1
};

// n_layers of attention and feed-forward, each in its residual wiring, and the final norm where
// the placement wants one. Parameters `<path>.block<i>.…`, `<path>.norm`; with layer_scale
// `<path>.block<i>.layer_scale{1,2}`.
class Encoder {
 public:
  enum class FinalNorm { where_wanted, none };  // none: the stream goes on behind these blocks

  Encoder() = default;
  Encoder(Registry& r, const std::string& path, const EncoderOptions& options,
          FinalNorm final_norm = FinalNorm::where_wanted)
      : Encoder(r, path, options,
                std::vector<AttentionSpec>(static_cast<std::size_t>(options.n_layers),
                                           options.attention),
                final_norm) {}
  // A block for each of these in place of options.attention, n_layers times.
  Encoder(Registry& r, const std::string& path, const EncoderOptions& options,
          const std::vector<AttentionSpec>& blocks, FinalNorm final_norm = FinalNorm::where_wanted);

  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    for (const Layer& layer : layers_) {
      const Var input = x;
      x = layer.attend(pass, x, layer.attention);
      x = layer.feed(pass, x, layer.mlp);
      if (pass.capture) pass.capture->blocks.push_back({input, x});
    }
    return final_norm_ ? norm_(pass, x) : x;
  }

 private:
  struct Layer {
    Residual attend, feed;
    MultiHeadAttention attention;
    Mlp mlp;
  };
  std::vector<Layer> layers_;
  bool final_norm_ = false;
  Norm norm_;
};

}  // namespace attune
