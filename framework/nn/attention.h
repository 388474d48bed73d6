#pragma once

#include <string>
#include <vector>

#include "nn/attention_spec.h"
#include "nn/layers.h"

namespace attune {

// Multi-head attention (Vaswani et al. 2017, section 3.2.2) over packed rows, as its spec has it:
// each example's rows attend to rows of the same example; where the pass has places, queries and
// keys are rotated by them (Su et al. 2021); pattern edges sees the pass's. Parameters
// `<path>.{wq,wk,wv,wo}` with biases
// `.{bq,bk,bv,bo}`, and where the spec asks for them
// - scale [n_heads], gain [n_heads]: learned factors of scores and of cosines
// - w [n_heads, d_head], for heads of different widths [Σ widths]: of score additive
// - table [n_heads, 2 max_distance + 1]: of bias relative
// - q_norm.gain, k_norm.gain, output_norm.gain [columns]
// - directions [n_features, d_head]: of the performer, drawn and not learned
// - project_k, project_v [k, max_length]: of the linformer, shared by heads
class MultiHeadAttention {
 public:
  MultiHeadAttention() = default;
  MultiHeadAttention(Registry& r, const std::string& path, Index d, Index n_heads,
                     const AttentionSpec& spec);

  // Of x [n, d] with itself.
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    return (*this)(pass, x, pass, x);
  }
  // Of x with the rows `memory` [n_k, d] of another pack of the same examples.
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass, Var memory) const;

 private:
  Index n_kv_heads() const { return spec_.n_kv_heads == 0 ? n_heads_ : spec_.n_kv_heads; }
  View<const std::int32_t> widths() const;
  AttentionOptions options() const;
  template <class Real>
  Var normalised(const Pass<Real>& pass, Var x, AttentionSpec::Norm norm, ParameterId gain,
                 Index n_heads) const;
  template <class Real>
  Var rotated(const Pass<Real>& pass, Var x, Index n_heads) const;
  template <class Real>
  Var exact(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k, Var v) const;
  template <class Real>
  Var linear(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k, Var v) const;
  template <class Real>
  Var linformer(const Pass<Real>& pass, const PackedRows& keys, Var q, Var k, Var v) const;

  Index n_heads_ = 1;
  AttentionSpec spec_;
  std::vector<std::int32_t> widths_;  // of heads that differ
  double shared_scale_ = 1;
  Linear q_, k_, v_, out_;
  ParameterId gain_, w_, table_, q_norm_, k_norm_, output_norm_, directions_, project_k_,
      project_v_;
  StreamId stream_;
};

extern template Var MultiHeadAttention::operator()(const Pass<float>&, Var, const Pass<float>&,
                                                   Var) const;
extern template Var MultiHeadAttention::operator()(const Pass<double>&, Var, const Pass<double>&,
                                                   Var) const;

}  // namespace attune
