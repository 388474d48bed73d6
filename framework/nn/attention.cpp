#include "nn/attention.h"

namespace attune {

void AttentionSpec::fields(FieldList& f) {
  f.choice("kind", kind, {{"exact", Kind::exact}}, Role::result, "how attention is computed");
  f.choice("score", score, {{"scaled_dot", Score::scaled_dot}}, Role::result,
           "what a query and a key give: q·k/sqrt(d_k)");
  f.choice("bias", bias, {{"none", Bias::none}}, Role::result, "added to scores by position");
  f.choice("pattern", pattern,
           {{"full", AttentionPattern::full}, {"causal", AttentionPattern::causal}}, Role::result,
           "which keys a query may see");
  f.choice("select", select, {{"all", Select::all}}, Role::result, "which of these keys it keeps");
  f.choice("normaliser", normaliser, {{"softmax", Normaliser::softmax}}, Role::result,
           "what turns scores into weights");
  f.real("dropout", dropout, {0.0, 0.999}, Role::result,
         "share of attention weights dropped in training");
}

MultiHeadAttention::MultiHeadAttention(Registry& r, const std::string& path, Index d, Index n_heads,
                                       const AttentionSpec& spec)
    : n_heads_(n_heads),
      spec_(spec),
      q_(r, path + ".wq", path + ".bq", d, d),
      k_(r, path + ".wk", path + ".bk", d, d),
      v_(r, path + ".wv", path + ".bv", d, d),
      out_(r, path + ".wo", path + ".bo", d, d, r.residual_weights()),
      stream_(r.stream(path + ".dropout")) {}

}  // namespace attune
