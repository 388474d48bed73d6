#pragma once

#include "base/fields.h"
#include "nn/registry.h"

namespace attune {

// init: how the weights of linear maps begin; biases are zeros, gains ones.
//   xavier_uniform   U(±scale·√(6/(d_in + d_out)))     Glorot & Bengio 2010
//   xavier_normal    N(0, scale²·2/(d_in + d_out))
//   kaiming_uniform  U(±scale·√(6/d_in))               He et al. 2015
//   kaiming_normal   N(0, scale²·2/d_in)
//   torch_linear     U(±scale/√d_in)                   what PyTorch's nn.Linear does
//   normal           N(0, scale²)
struct InitOptions {
  Initialiser::Kind kind = Initialiser::Kind::xavier_uniform;
  double scale = 1.0;
  bool depth_scaled = false;

  void fields(FieldList& f);
  Initialiser weights() const { return {kind, scale}; }
  // Of the maps that write into the residual stream: with depth_scaled by 1/√(2·n_layers)
  // (Radford et al. 2019).
  Initialiser residual(Index n_layers) const;
};

}  // namespace attune
