#include "nn/set_pooling.h"

namespace attune {

AttentionPooling::AttentionPooling(Registry& r, const std::string& path, Index d, Index n_heads,
                                   Index d_mlp, Index n_seeds)
    : n_seeds_(n_seeds),
      // As in the authors' code.
      seeds_(r.parameter(path + ".seeds", {n_seeds, d}, Initialiser::xavier_uniform(), Decay::no)),
      feed_(r, path + ".feed", d, d_mlp),
      mlp_(r, path + ".mlp", d, d_mlp),
      attention_(r, path + ".attention", d, n_heads, AttentionSpec()),
      norm1_(r, path + ".norm1", d, NormKind::layer),
      norm2_(r, path + ".norm2", d, NormKind::layer) {}

template <class Real>
Var AttentionPooling::operator()(const Pass<Real>& pass, Var x,
                                 const Pass<Real>& seeds_pass) const {
  Tape<Real>& t = pass.tape;
  // Probes look at the layers of encoders, whose rows this has not.
  Pass<Real> of_rows = pass, of_seeds = seeds_pass;
  of_rows.capture = of_seeds.capture = nullptr;
  of_rows.places = of_seeds.places = {};
  const Var seeds = repeated(of_seeds, pass[seeds_]);
  const Var heard = attention_(of_seeds, seeds, of_rows, feed_(of_rows, x));
  const Var h = norm1_(of_seeds, add(t, seeds, heard));
  return norm2_(of_seeds, add(t, h, mlp_(of_seeds, h)));
}

template Var AttentionPooling::operator()(const Pass<float>&, Var, const Pass<float>&) const;
template Var AttentionPooling::operator()(const Pass<double>&, Var, const Pass<double>&) const;

}  // namespace attune
