#include "nn/layers.h"

namespace attune {

Linear::Linear(Registry& r, const std::string& weight, const std::string& bias, Index d_in,
               Index d_out, Initialiser init)
    : weight_(r.parameter(weight, {d_out, d_in}, std::move(init), Decay::yes)),
      bias_(r.parameter(bias, {d_out}, Initialiser::zeros(), Decay::no)) {}

Norm::Norm(Registry& r, const std::string& path, Index d, NormKind kind)
    : kind_(kind), gain_(r.parameter(path + ".gain", {d}, Initialiser::ones(), Decay::no)) {
  if (kind == NormKind::layer)
    bias_ = r.parameter(path + ".bias", {d}, Initialiser::zeros(), Decay::no);
}

Mlp::Mlp(Registry& r, const std::string& path, Index d, Index d_hidden)
    : first_(r, path + ".w1", path + ".b1", d, d_hidden),
      second_(r, path + ".w2", path + ".b2", d_hidden, d, r.residual_weights()) {}

}  // namespace attune
