#pragma once

#include <string>

#include "nn/layers.h"

namespace attune {

// What attention computes, as settings: score → pattern → select → normaliser → value. Words that
// stand alone in their choice are the only ones so far.
struct AttentionSpec {
  enum class Kind { exact };
  enum class Score { scaled_dot };
  enum class Bias { none };
  enum class Select { all };
  enum class Normaliser { softmax };

  Kind kind = Kind::exact;
  Score score = Score::scaled_dot;
  Bias bias = Bias::none;
  AttentionPattern pattern = AttentionPattern::full;
  Select select = Select::all;
  Normaliser normaliser = Normaliser::softmax;
  double dropout = 0.0;

  void fields(FieldList& f);
};

// Multi-head attention of Vaswani et al. 2017, eq. 1 and section 3.2.2, over packed rows: each
// example's rows attend to rows of the same example. Heads of width d/n_heads, scale 1/sqrt of it.
class MultiHeadAttention {
 public:
  MultiHeadAttention() = default;
  MultiHeadAttention(Registry& r, const std::string& path, Index d, Index n_heads,
                     const AttentionSpec& spec);
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x) const {
    AttentionOptions options;
    options.n_heads = n_heads_;
    options.pattern = spec_.pattern;
    options.dropout = pass.dropout(stream_, spec_.dropout);
    const Var heads = attention(pass.tape, q_(pass, x), k_(pass, x), v_(pass, x), pass.rows.offsets,
                                pass.rows.offsets, pass.rows.example, options);
    return out_(pass, heads);
  }

 private:
  Index n_heads_ = 1;
  AttentionSpec spec_;
  Linear q_, k_, v_, out_;
  StreamId stream_;
};

}  // namespace attune
