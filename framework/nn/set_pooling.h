#pragma once

#include <string>

#include "nn/attention.h"

namespace attune {

// Pooling by multi-head attention (Lee et al. 2019, Set Transformer, equations 6, 7 and 11): the
// rows Z of an example become n_seeds rows, whatever their number and order. With learned seeds S
// and row-wise feed-forward layers rFF
//   PMA(Z) = LN(H + rFF(H))    H = LN(S + MHA(S, rFF'(Z)))
// Of an example without rows MHA is its bias alone, so that its answer is defined and the same for
// all such examples. Parameters `<path>.seeds` [n_seeds, d], `<path>.feed.*` (rFF'),
// `<path>.attention.*`, `<path>.mlp.*` (rFF), `<path>.norm{1,2}.*`.
class AttentionPooling {
 public:
  AttentionPooling() = default;
  AttentionPooling(Registry& r, const std::string& path, Index d, Index n_heads, Index d_mlp,
                   Index n_seeds = 1);

  // x [n, d] -> [n_examples · n_seeds, d], the rows of as_seeds().
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    return (*this)(pass, x, as_seeds(pass));
  }
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x, const Pass<Real>& seeds_pass) const;
  // The same examples with the seeds as their rows: for what goes on with several of them.
  template <class Real>
  Pass<Real> as_seeds(const Pass<Real>& pass) const {
    return with_rows_each(pass, n_seeds_);
  }

 private:
  Index n_seeds_ = 1;
  ParameterId seeds_;
  Mlp feed_, mlp_;
  MultiHeadAttention attention_;
  Norm norm1_, norm2_;
};

}  // namespace attune
