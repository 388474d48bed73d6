#pragma once

#include <string>
#include <utility>

#include "nn/pass.h"

// The pieces of which models are built. A layer registers its parameters when it is made and holds
// their ids; forward is a function of the pass. x is [n, d]: n packed rows of several examples.
namespace attune {

// y = x Wᵀ + b, W [d_out, d_in].
class Linear {
 public:
  Linear() = default;
  // The weight begins as the registry says of linear maps, or as given; the bias at zero.
  Linear(Registry& r, const std::string& weight, const std::string& bias, Index d_in, Index d_out)
      : Linear(r, weight, bias, d_in, d_out, r.weights()) {}
  Linear(Registry& r, const std::string& weight, const std::string& bias, Index d_in, Index d_out,
         Initialiser init);
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    return linear(pass.tape, x, pass[weight_], pass[bias_]);
  }
  // Its weight and bias, for ops that take those of several layers.
  template <class Real>
  std::pair<Var, Var> vars(const Pass<Real>& pass) const {
    return {pass[weight_], pass[bias_]};
  }
  // Of sparse rows, where `rows` are; of dense ones where there are none.
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var values, const SparseRows& rows) const {
    if (!rows) return (*this)(pass, values);
    return sparse_linear(pass.tape, values, rows, pass[weight_], pass[bias_]);
  }
  // Its two parts: sparse rows times the weight, and the bias added to each row.
  template <class Real>
  Var product(const Pass<Real>& pass, Var values, const SparseRows& rows) const {
    return sparse_linear(pass.tape, values, rows, pass[weight_]);
  }
  template <class Real>
  Var biased(const Pass<Real>& pass, Var x) const {
    return add_bias(pass.tape, x, pass[bias_]);
  }

 private:
  ParameterId weight_, bias_;
};

enum class NormKind { layer, rms };

// LayerNorm (Ba et al. 2016) or RMSNorm (Zhang & Sennrich 2019, no bias) of each row.
class Norm {
 public:
  Norm() = default;
  Norm(Registry& r, const std::string& path, Index d, NormKind kind);
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    if (kind_ == NormKind::rms) return rms_norm(pass.tape, x, pass[gain_]);
    return layer_norm(pass.tape, x, pass[gain_], pass[bias_]);
  }

 private:
  NormKind kind_ = NormKind::layer;
  ParameterId gain_, bias_;
};

// Feed-forward sublayer: W2·gelu(W1·x + b1) + b2.
class Mlp {
 public:
  Mlp() = default;
  Mlp(Registry& r, const std::string& path, Index d, Index d_hidden);
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    const auto [w1, b1] = first_.vars(pass);
    const auto [w2, b2] = second_.vars(pass);
    return feed_forward(pass.tape, x, {w1, b1, w2, b2});
  }

 private:
  Linear first_, second_;
};

}  // namespace attune
